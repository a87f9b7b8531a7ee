import joblib
import pandas as pd
from azureml.core.model import Model
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

input_sample = pd.DataFrame({"age": [59.0], "sex": ["two"], "bmi": [32.1], "bp": [101.0]})


def init():
    global model
    model = joblib.load(Model.get_model_path("progression.pkl"))


@input_schema("data", PandasParameterType(input_sample))
@output_schema(StandardPythonParameterType([151.0]))
def run(data):
    return model.predict(data).tolist()
