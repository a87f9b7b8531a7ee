ARG ENVIRONMENT
FROM ${ENVIRONMENT}
COPY ["models/diabetes-ridge/1/", "/var/azureml-app/azureml-models/diabetes-ridge/1/"]
COPY ["code/", "/var/azureml-app/"]
WORKDIR /var/azureml-app
ENV AML_APP_ROOT="/var/azureml-app" \
    AZUREML_ENTRY_SCRIPT="score.py" \
    AZUREML_MODEL_DIR="/var/azureml-app/azureml-models/diabetes-ridge/1" \
    AZUREML_SOURCE_DIRECTORY="/var/azureml-app"
LABEL io.tidegate.key="e1-0" \
    io.tidegate.tags="{\"data\": \"\$x\", \"team\": \"a \\\"b\\\"\"}" \
    org.opencontainers.image.description="One line \\ of it" \
    org.opencontainers.image.title="diabetes-ridge" \
    org.opencontainers.image.version="3"
