"""`azureml.monitoring`: v1's collector of model data, on top of the server's data collection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tidegate_runtime.collection import current_collector


class ModelDataCollector:
    """Collects rows under a model's name: `ModelDataCollector("model", designation="inputs", feature_names=[...])`.

    Where data collection is off, `collect()` does nothing, as in v1.
    """

    def __init__(  # noqa: PLR0917 (v1's signature)
        self,
        model_name: str,
        designation: str = "default",
        feature_names: Sequence[str] | None = None,
        workspace: str = "default",
        webservice_name: str = "default",
        model_version: str = "default",
        collection_name: str = "default",
    ) -> None:
        del workspace, webservice_name, collection_name  # the server knows the endpoint
        self._model = {"model": model_name, "model_version": model_version, "designation": designation}
        self._names = list(feature_names or ())

    def collect(self, input_data: Any, user_correlation_id: str = "") -> None:
        """Collect an array, a data frame, or nested lists."""
        collector = current_collector()
        if collector is None:
            return
        rows = _plain(input_data)
        now = time.time()
        collector.put(
            lambda: {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
                "id": user_correlation_id,
                **self._model,
                "features": self._names,
                "data": rows,
            }
        )

    def add_correlations(self, input_data: Any, correlations: Any) -> Any:
        """v1 put an identifier column in front; records carry ids of their own here."""
        del correlations
        return input_data


def _plain(data: Any) -> Any:
    """Copied now: the script may change its array after `collect()`."""
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        return data.to_dict(orient="split")
    return data.tolist() if hasattr(data, "tolist") else list(data) if isinstance(data, tuple) else data
