# /// script
# dependencies = ["scikit-learn==1.9.1", "joblib"]
# ///
"""Nearest neighbours on scikit-learn's iris data: model/iris.joblib."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.neighbors import KNeighborsClassifier

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "model")
folder.mkdir(parents=True, exist_ok=True)
X, y = load_iris(return_X_y=True)
joblib.dump(KNeighborsClassifier().fit(X, y), folder / "iris.joblib")
