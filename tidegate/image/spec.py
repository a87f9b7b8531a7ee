"""A registered image."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from tidegate.endpoint.spec import InferenceSpec
from tidegate.model.spec import ModelRef


class ImageSpec(BaseModel):
    """One number of one image, under `name:number` (rule I4): exactly one of `reference` and `inference` is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    number: int
    reference: str = ""
    """Of an image that exists, with its digest."""
    inference: InferenceSpec | None = None
    models: tuple[ModelRef, ...] = ()
    tags: Mapping[str, str] = {}
    description: str = ""

    def __str__(self) -> str:
        """`name:number`, as a version writes it."""
        return f"{self.name}:{self.number}"
