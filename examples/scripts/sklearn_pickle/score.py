import json
import os

import joblib
import numpy as np
from azureml.monitoring import ModelDataCollector


def init():
    global model, inputs_dc, prediction_dc
    model_path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "sklearn_regression_model.pkl")
    model = joblib.load(model_path)
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    inputs_dc = ModelDataCollector("diabetes", designation="inputs", feature_names=names)
    prediction_dc = ModelDataCollector("diabetes", designation="predictions", feature_names=["progression"])


def run(data):
    try:
        data = np.array(json.loads(data)["data"])
        result = model.predict(data)
        inputs_dc.collect(data)
        prediction_dc.collect(result)
        return result.tolist()
    except Exception as e:
        error = str(e)
        print("Exception: {0}".format(error))
        return error
