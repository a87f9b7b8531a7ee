"""What a user writes under `tidegate:models`."""

import re
from typing import Annotated, cast

from pydantic import Discriminator, Field, Tag

from tidegate.parse import Input


class ModelInput(Input):
    """One number of a model: a file or a folder."""

    path: str = Field(description="A file or a folder, from the project's root.")
    tags: dict[str, str] | None = None
    description: str | None = None


def numbers_or_one(value: object) -> str:
    """Whether an entry has several numbers, or is number 1 by itself."""
    keys = cast(dict[str, object], value) if isinstance(value, dict) else {}
    return "numbers" if keys and all(re.fullmatch("[0-9]+", key) for key in keys) else "one"


ModelEntry = Annotated[
    Annotated[ModelInput, Tag("one")] | Annotated[dict[str, ModelInput], Field(min_length=1), Tag("numbers")],
    Discriminator(numbers_or_one),
]
"""`{path: ...}` is number 1; `{"1": {path: ...}, "2": {path: ...}}` are several."""
