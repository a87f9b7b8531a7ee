import json
import os
import time

import numpy as np
import onnxruntime


def init():
    global session, input_name, label_name, probability_name
    model = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "iris.onnx")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    input_name = session.get_inputs()[0].name
    label_name, probability_name = [output.name for output in session.get_outputs()]


def run(input_data):
    try:
        data = np.array(json.loads(input_data)["data"]).astype("float32")
        start = time.time()
        labels, probabilities = session.run([label_name, probability_name], {input_name: data})
        return {
            "label": labels.tolist(),
            "probability": probabilities.tolist(),
            "time_in_sec": time.time() - start,
        }
    except Exception as e:
        return {"error": str(e)}
