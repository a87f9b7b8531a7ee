"""Train two models on scikit-learn's diabetes data: models/ridge.pkl and models/forest.pkl."""

from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

MODELS = {
    "ridge": Ridge(alpha=0.03),
    "forest": RandomForestRegressor(n_estimators=100, min_samples_leaf=3, random_state=0),
}


def main():
    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    folder = Path(__file__).parent / "models"
    folder.mkdir(exist_ok=True)
    for name, model in MODELS.items():
        model.fit(X_train, y_train)
        error = mean_squared_error(y_test, model.predict(X_test))
        joblib.dump(model, folder / f"{name}.pkl")
        print(f"{name}: mean squared error {error:.0f} on {len(y_test)} held-out patients")


if __name__ == "__main__":
    main()
