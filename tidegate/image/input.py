"""What a user writes under `tidegate:images`."""

from typing import Annotated, ClassVar

from pydantic import Discriminator, Field, Tag

from tidegate.model.input import numbers_or_one
from tidegate.v1.inference import InferenceConfig


class ImageInput(InferenceConfig):
    """One number of an image: one that exists, by its digest, or what it is built from, as a version says it."""

    refused: ClassVar = {"version": "Numbers stand as keys, in quotes"}

    reference: str | None = Field(None, description="registry/repository@sha256:..., of an image that exists.")
    inference: str | None = Field(None, description="v1's inferenceconfig.json, from the project's root.")
    models: list[str] | None = Field(None, description="As a version's; they are baked into the image.")
    tags: dict[str, str] | None = Field(None, description="Kept with the image, as a label.")


ImageEntry = Annotated[
    Annotated[ImageInput, Tag("one")] | Annotated[dict[str, ImageInput], Field(min_length=1), Tag("numbers")],
    Discriminator(numbers_or_one),
]
"""`{...}` is number 1; `{"1": {...}, "2": {...}}` are several."""
