"""Models that are served without a script."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from scoring_servers import GRANIAN, Server, environment

Serve = Callable[..., Server]

TRAIN = """
import sys
from pathlib import Path
import mlflow, numpy as np, onnx, pandas as pd
from mlflow.models import infer_signature
from onnx import TensorProto, helper
root = Path(sys.argv[1])
rows = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 3.0]])
target = rows @ np.array([2.0, 3.0])
frame = pd.DataFrame(rows, columns=["age", "bmi"])

(root / "onnx").mkdir()
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "linear",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
    [helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [2.0, 3.0])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, root / "onnx" / "model.onnx")


class Linear(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["age"] * 2 + model_input["bmi"] * 3


signature = infer_signature(frame, pd.Series(target))
mlflow.pyfunc.save_model(root / "mlflow", python_model=Linear(), signature=signature, pip_requirements=["pandas"])
"""


@pytest.fixture(scope="module")
def python() -> Path:
    # Without SciPy this MLflow loses a column of every data frame.
    return environment(GRANIAN, "numpy", "pandas", "scipy", "onnx", "onnxruntime", "mlflow-skinny")


@pytest.fixture(scope="module")
def models(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    subprocess.run([python, "-c", TRAIN, root], check=True, cwd=root)
    return root


def score(server: Server, body: object) -> object:
    with server.client() as client:
        answer = client.post("/score", json=body)
    assert answer.status_code == 200, server.text()
    return answer.json()


def test_a_bare_onnx_file(serve: Serve, python: Path, models: Path) -> None:
    server = serve(None, python=python, options=["--model-dir", models / "onnx"])
    assert score(server, {"data": {"x": [[1, 1]]}}) == {"y": [[5.0]]}
    assert score(server, [[2, 2]]) == {"y": [[10.0]]}
    with server.client() as client:
        schema = client.get("/swagger.json").json()["definitions"]["ServiceInput"]
    assert schema["properties"]["data"]["properties"]["x"]["items"]["items"] == {"type": "number"}


@pytest.mark.parametrize(
    "body",
    [
        {"input_data": {"columns": ["age", "bmi"], "data": [[1.0, 1.0]]}},
        {"dataframe_split": {"columns": ["age", "bmi"], "data": [[1.0, 1.0]]}},
        {"dataframe_records": [{"age": 1.0, "bmi": 1.0}]},
        {"data": [{"age": 1.0, "bmi": 1.0}]},
        [{"age": 1.0, "bmi": 1.0}],
    ],
)
def test_an_mlflow_model(serve: Serve, python: Path, models: Path, body: object) -> None:
    server = serve(None, python=python, options=["--model-dir", models / "mlflow"])
    assert score(server, body) == [5.0]
    with server.client() as client:
        schema = client.get("/swagger.json?version=3").json()["components"]["schemas"]["ServiceInput"]
    assert json.dumps(schema).count('"number"') == 2


def test_a_model_folder_with_neither(serve: Serve, tmp_path: Path) -> None:
    server = serve(None, wait=False, options=["--model-dir", tmp_path])
    assert server.process.wait(20) == 3
    assert "holds neither an MLflow model" in server.text()
