"""The files of Azure Machine Learning v1: `inferenceconfig.json` and `deploymentconfig.json`, read as they are."""
