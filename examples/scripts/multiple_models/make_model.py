# /// script
# dependencies = ["scikit-learn==1.9.1", "joblib"]
# ///
"""Two models as they lie side by side in AZUREML_MODEL_DIR, NAME/NUMBER/FILE, one of them in two versions."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "model")
X, y = load_diabetes(return_X_y=True)
models = {
    "diabetes-ridge/1/ridge.pkl": Ridge(alpha=0.03).fit(X, y),
    "diabetes-linear/1/linear.pkl": LinearRegression(fit_intercept=False).fit(X, y),
    "diabetes-linear/2/linear.pkl": LinearRegression().fit(X, y),
}
for name, model in models.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / name)
