"""Scripts in the style of v1's tutorials, each with its own packages, its model and its sample."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from scoring_servers import EXAMPLES, GRANIAN, Server, environment, wait_for

from tidegate.image.python import read_conda

Serve = Callable[..., Server]

DIABETES = """
import json, sys
import numpy as np
from sklearn.datasets import load_diabetes

def solve(X, y, rows, alpha=0.0):
    # Least squares with a penalty, by the normal equations.
    mean = X.mean(axis=0)
    centred = X - mean
    weights = np.linalg.solve(centred.T @ centred + alpha * np.eye(X.shape[1]), centred.T @ (y - y.mean()))
    return ((np.array(rows) - mean) @ weights + y.mean()).tolist()
"""
RIDGE = f"""{DIABETES}
X, y = load_diabetes(return_X_y=True)
rows = json.load(sys.stdin)["data"]
print(json.dumps({{"ridge": solve(X, y, rows, 0.03), "linear": solve(X, y, rows)}}))
"""
FOUR_COLUMNS = f"""{DIABETES}
X, y = load_diabetes(return_X_y=True, scaled=False)
sexes = {{"one": 1.0, "two": 2.0}}
rows = [[sexes.get(value, value) for value in row] for row in json.load(sys.stdin)]
print(json.dumps(solve(X[:, :4], y, rows)))
"""
NEIGHBORS = """
import json, sys
import numpy as np
from sklearn.datasets import load_iris

X, y = load_iris(return_X_y=True)
asked = json.load(sys.stdin)
nearest = [np.argsort(((X - row) ** 2).sum(axis=1), kind="stable")[: asked["neighbors"]] for row in asked["data"]]
print(json.dumps([int(np.bincount(y[each]).argmax()) for each in nearest]))
"""
IRIS = """
import json, sys
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

X, y = load_iris(return_X_y=True)
rows = np.array(json.load(sys.stdin))
mean, scale = X.mean(axis=0), X.std(axis=0)
trees = GradientBoostingClassifier(n_estimators=20, random_state=0).fit(X.astype("float32"), y)
logistic = LogisticRegression().fit((X - mean) / scale, y)
print(json.dumps({
    "trees": trees.predict_proba(rows.astype("float32")).tolist(),
    "logistic": logistic.predict_proba((rows - mean) / scale).tolist(),
}))
"""


def packages(name: str) -> tuple[str, ...]:
    """What an example's conda file asks for, as the image would get it."""
    file = EXAMPLES / name / "conda.yml"
    found, findings = read_conda(file.read_text(), file=str(file))
    assert not [each for each in findings if each.severity == "error"]
    return found.requirements


def training_packages(script: Path) -> list[str]:
    """The requirements in a script's own metadata block."""
    block = re.search(r"^# /// script\n((?:#.*\n)+?)# ///$", script.read_text(), re.MULTILINE)
    assert block
    return tomllib.loads(re.sub(r"^# ?", "", block[1], flags=re.MULTILINE))["dependencies"]


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Path]:
    """Make an example's model in a new folder."""

    def make(name: str) -> Path:
        script = EXAMPLES / name / "make_model.py"
        subprocess.run([environment(*training_packages(script)), script, tmp_path / "model"], check=True, cwd=tmp_path)
        return tmp_path / "model"

    return make


@pytest.fixture
def start(serve: Serve, model: Callable[[str], Path]) -> Callable[..., httpx.Client]:
    """Serve an example as its row in the README does."""

    def example(name: str, **options: object) -> httpx.Client:
        folder = EXAMPLES / name
        script = folder / "score.py" if (folder / "score.py").exists() else None
        models = ["--model-dir", model(name)] if (folder / "make_model.py").exists() else []
        return serve(script, python=environment(GRANIAN, *packages(name)), options=models, **options).client()

    return example


def sample(name: str) -> Any:
    return json.loads((EXAMPLES / name / "sample.json").read_text())


def score(client: httpx.Client, name: str) -> Any:
    """The answer to an example's sample, sent as it is in the file."""
    body = (EXAMPLES / name / "sample.json").read_bytes()
    answer = client.post("/score", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["x-ms-run-function-failed"]) == (200, "False"), answer.text
    return answer.json()


def expected(code: str, given: object) -> Any:
    """What scikit-learn's data and a computation of its own give for an input."""
    python = environment("scikit-learn==1.9.1")
    result = subprocess.run([python, "-c", code], input=json.dumps(given), capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def schemas(client: httpx.Client) -> dict[str, Any]:
    return client.get("/swagger.json", params={"version": "3"}).json()["components"]["schemas"]


def close(value: Any, tolerance: float = 1e-6) -> Any:
    """The same numbers, nested lists too."""
    if value and isinstance(value[0], list):
        return [close(each, tolerance) for each in value]
    return pytest.approx(value, rel=tolerance)


def test_sklearn_pickle(start: Callable[..., httpx.Client]) -> None:
    with start("sklearn_pickle") as client:
        asked = sample("sklearn_pickle")
        assert score(client, "sklearn_pickle") == close(expected(RIDGE, asked)["ridge"])
        assert "Expecting value" in client.post("/score", content=b"not JSON").json()


def test_sklearn_pickle_collects_what_it_is_told_to(start: Callable[..., httpx.Client], tmp_path: Path) -> None:
    variables = {
        "AML_MODEL_DC_STORAGE_ENABLED": "true",
        "TIDEGATE_COLLECTION_DESTINATION": str(tmp_path / "collected"),
        "SERVICE_NAME": "diabetes",
        "SERVICE_VERSION": "ridge",
    }
    with start("sklearn_pickle", variables=variables) as client:
        answer = score(client, "sklearn_pickle")
        records = {each["designation"]: each for each in _collected(tmp_path / "collected", 3)}
    assert records["inputs"]["data"] == sample("sklearn_pickle")["data"]
    assert records["inputs"]["features"][:3] == ["age", "sex", "bmi"]
    assert (records["predictions"]["model"], records["predictions"]["data"]) == ("diabetes", answer)
    assert records["exchange"]["output"] == answer


def _collected(folder: Path, count: int) -> list[dict[str, Any]]:
    wait_for(lambda: len(list(_lines(folder))) == count, f"{count} collected records")
    return [json.loads(line) for line in _lines(folder)]


def _lines(folder: Path) -> Iterator[str]:
    for path in folder.glob("diabetes/ridge/*/*/*/*.jsonl"):
        yield from path.read_text().splitlines()


def test_multiple_models(start: Callable[..., httpx.Client]) -> None:
    with start("multiple_models") as client:
        answer = score(client, "multiple_models")
        wanted = expected(RIDGE, sample("multiple_models"))
    assert {name: close(values) for name, values in wanted.items()} == answer
    assert answer["ridge"] != close(answer["linear"])


def test_numpy_schema(start: Callable[..., httpx.Client]) -> None:
    with start("numpy_schema") as client:
        assert score(client, "numpy_schema") == expected(NEIGHBORS, sample("numpy_schema"))
        only_data = {"data": sample("numpy_schema")["data"]}
        assert client.post("/score", json=only_data).json() == expected(NEIGHBORS, {**only_data, "neighbors": 5})
        described = schemas(client)
    assert described["ServiceInput"]["properties"]["data"]["items"]["items"]["type"] == "number"
    assert described["ServiceInput"]["example"] == {"data": [[5.1, 3.5, 1.4, 0.2]], "neighbors": 5}
    assert described["ServiceOutput"]["items"]["type"] == "integer"


def test_pandas_schema(start: Callable[..., httpx.Client]) -> None:
    with start("pandas_schema") as client:
        rows = [list(row.values()) for row in sample("pandas_schema")["data"]]
        assert score(client, "pandas_schema") == close(expected(FOUR_COLUMNS, rows))
        described = schemas(client)["ServiceInput"]
    columns = described["properties"]["data"]["items"]["properties"]
    assert {name: column["type"] for name, column in columns.items()} == {
        "age": "number",
        "sex": "string",
        "bmi": "number",
        "bp": "number",
    }
    assert described["example"]["data"] == [{"age": 59.0, "sex": "two", "bmi": 32.1, "bp": 101.0}]


def test_onnx(start: Callable[..., httpx.Client]) -> None:
    with start("onnx") as client:
        answer = score(client, "onnx")
        assert "error" in client.post("/score", json={"data": [["x"]]}).json()
    probabilities = expected(IRIS, sample("onnx")["data"])["trees"]
    assert answer["probability"] == close(probabilities, 1e-4)
    assert answer["label"] == [row.index(max(row)) for row in probabilities]


def test_onnx_no_code(start: Callable[..., httpx.Client]) -> None:
    with start("onnx_no_code") as client:
        answer = score(client, "onnx_no_code")
        described = schemas(client)
    probabilities = expected(IRIS, sample("onnx_no_code")["data"]["X"])["logistic"]
    assert answer["probabilities"] == close(probabilities, 1e-4)
    assert answer["label"] == [row.index(max(row)) for row in probabilities]
    assert described["ServiceInput"]["properties"]["data"]["properties"]["X"]["items"]["items"]["type"] == "number"
    assert set(described["ServiceOutput"]["properties"]) == {"label", "probabilities"}


def test_mlflow_no_code(start: Callable[..., httpx.Client]) -> None:
    with start("mlflow_no_code") as client:
        asked = sample("mlflow_no_code")["input_data"]
        assert score(client, "mlflow_no_code") == close(expected(FOUR_COLUMNS, asked["data"]))
        described = schemas(client)["ServiceInput"]["properties"]["input_data"]
    assert described["properties"]["columns"]["example"] == asked["columns"]


def test_rawhttp(start: Callable[..., httpx.Client]) -> None:
    body = (EXAMPLES / "rawhttp" / "sample.bin").read_bytes()
    rows = _pixels(body)
    pixels = [pixel for row in rows for pixel in row]
    with start("rawhttp") as client:
        answer = client.post("/score", content=body)
        mirrored = client.post("/score?mirror=1", content=body)
        assert client.get("/score?a=1&b=2").text == "/score?a=1&b=2"
        refused = client.options("/score")
    assert answer.json() == {
        "width": len(rows[0]),
        "height": len(rows),
        "mean": close([sum(channel) / len(pixels) for channel in zip(*pixels, strict=True)]),
    }
    assert answer.headers.get_list("x-models") == ["none", "yet"]
    assert mirrored.headers["content-type"] == "image/bmp"
    assert _pixels(mirrored.content) == [row[::-1] for row in rows]
    assert (refused.status_code, refused.text) == (500, "bad request")


def _pixels(bitmap: bytes) -> list[list[tuple[int, int, int]]]:
    """Red, green and blue of each pixel of a 24-bit bitmap, the top row first."""
    (start,) = struct.unpack_from("<I", bitmap, 10)
    width, height = struct.unpack_from("<ii", bitmap, 18)
    stride = (3 * width + 3) // 4 * 4
    rows = [bitmap[start + stride * y :][: 3 * width] for y in reversed(range(height))]
    return [[(row[x + 2], row[x + 1], row[x]) for x in range(0, 3 * width, 3)] for row in rows]


def test_the_readme_has_a_row_for_each_example() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(.*)` \|$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    folders = {path.parent.name for path in EXAMPLES.glob("*/conda.yml")}
    assert {name for name, _ in rows} == folders
    for name, command in rows:
        assert (f"--entry {name}/score.py" in command) == (EXAMPLES / name / "score.py").exists()
        assert (f"--model-dir {name}/model" in command) == (EXAMPLES / name / "make_model.py").exists()
        asked = {_bare(each) for each in re.findall(r"--with (\S+)", command)} - {"../../runtime"}
        assert asked ^ {_bare(each) for each in packages(name)} <= {"inference-schema"}  # azureml-defaults brings it


def _bare(requirement: str) -> str:
    return re.split(r"[\[=]", requirement)[0]
