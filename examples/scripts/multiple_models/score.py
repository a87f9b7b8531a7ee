import json

import joblib
import numpy as np
from azureml.core.model import Model


def init():
    global ridge, linear
    ridge = joblib.load(Model.get_model_path("diabetes-ridge"))
    linear = joblib.load(Model.get_model_path("diabetes-linear", version=2))


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"])
    return {"ridge": ridge.predict(data).tolist(), "linear": linear.predict(data).tolist()}
