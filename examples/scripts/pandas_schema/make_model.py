# /// script
# dependencies = ["scikit-learn==1.9.1", "joblib", "pandas==3.1.*"]
# ///
"""Linear regression on four columns of scikit-learn's diabetes data, one of them text: model/progression.pkl."""

import sys
from pathlib import Path

import joblib
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "model")
folder.mkdir(parents=True, exist_ok=True)
data, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
data = data[["age", "sex", "bmi", "bp"]].assign(sex=data["sex"].map({1.0: "one", 2.0: "two"}))
encode = make_column_transformer((OneHotEncoder(drop="first"), ["sex"]), remainder="passthrough")
joblib.dump(make_pipeline(encode, LinearRegression()).fit(data, target), folder / "progression.pkl")
