# /// script
# dependencies = ["scikit-learn==1.9.1", "mlflow-skinny==3.17.2", "pandas==3.1.*"]
# ///
"""Linear regression on four columns of scikit-learn's diabetes data as an MLflow model folder: model/."""

import sys
from pathlib import Path

import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "model")
data, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
data = data[["age", "sex", "bmi", "bp"]]
model = LinearRegression().fit(data, target)
signature = infer_signature(data, model.predict(data))
mlflow.sklearn.save_model(model, folder, signature=signature, serialization_format="cloudpickle")
