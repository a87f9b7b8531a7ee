import os

import joblib
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

input_sample = np.array([[5.1, 3.5, 1.4, 0.2]])
output_sample = np.array([0])


def init():
    global model
    model = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "iris.joblib"))


@input_schema("data", NumpyParameterType(input_sample))
@input_schema("neighbors", StandardPythonParameterType(5))
@output_schema(NumpyParameterType(output_sample))
def run(data, neighbors=5):
    model.set_params(n_neighbors=neighbors)
    return model.predict(data).tolist()
