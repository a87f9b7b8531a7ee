"""A registered model."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class ModelSpec(BaseModel):
    """One number of one model: a file or a folder, registered under `name:number` (rule M1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    number: int
    path: Path
    """Absolute."""
    tags: Mapping[str, str] = {}
    description: str = ""


class ModelRef(BaseModel):
    """Which model a version serves; the number is always settled here, even where the config leaves it out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    number: int

    def __str__(self) -> str:
        """`name:number`, as the config writes it."""
        return f"{self.name}:{self.number}"
