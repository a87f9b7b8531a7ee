import json
import os

import joblib
import numpy as np


def init():
    global model
    model_path = os.getenv("AZUREML_MODEL_DIR") + "/forest.pkl"
    model = joblib.load(model_path)


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"])
    result = model.predict(data)
    return result.tolist()
