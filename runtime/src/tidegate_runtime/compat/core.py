"""`azureml.core`: the names that scoring scripts import from it."""

from tidegate_runtime.compat.model import Model

__all__ = ["Model"]
