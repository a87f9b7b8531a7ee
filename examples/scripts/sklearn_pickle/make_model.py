# /// script
# dependencies = ["scikit-learn==1.9.1", "joblib"]
# ///
"""Ridge regression on scikit-learn's diabetes data: model/sklearn_regression_model.pkl."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "model")
folder.mkdir(parents=True, exist_ok=True)
X, y = load_diabetes(return_X_y=True)
joblib.dump(Ridge(alpha=0.03).fit(X, y), folder / "sklearn_regression_model.pkl")
