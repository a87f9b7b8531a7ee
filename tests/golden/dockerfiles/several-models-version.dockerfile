ARG ENVIRONMENT
FROM ${ENVIRONMENT}
COPY ["models/ridge/2/", "/var/azureml-app/azureml-models/ridge/2/"]
COPY ["models/forest/1/", "/var/azureml-app/azureml-models/forest/1/"]
COPY ["code/", "/var/azureml-app/"]
WORKDIR /var/azureml-app
ENV AML_APP_ROOT="/var/azureml-app" \
    AZUREML_ENTRY_SCRIPT="src/score it.py" \
    AZUREML_MODEL_DIR="/var/azureml-app/azureml-models" \
    AZUREML_SOURCE_DIRECTORY="/var/azureml-app"
