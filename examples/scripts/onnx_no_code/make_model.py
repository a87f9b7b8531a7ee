# /// script
# dependencies = ["scikit-learn==1.9.1", "skl2onnx==1.20.0"]
# ///
"""Logistic regression on scikit-learn's iris data, converted to ONNX: model/model.onnx."""

import sys
from pathlib import Path

from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "model")
folder.mkdir(parents=True, exist_ok=True)
X, y = load_iris(return_X_y=True)
X = X.astype("float32")
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
onnx = to_onnx(model, X[:1], options={"zipmap": False})
(folder / "model.onnx").write_bytes(onnx.SerializeToString())
