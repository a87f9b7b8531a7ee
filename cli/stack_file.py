"""Edits of a stack's config that keep its comments, order and form."""

from typing import Any

from ruamel.yaml import YAML

from cli.errors import CliError
from cli.project import Project


class StackFile:
    """`Pulumi.<stack>.yaml`, to be changed in place; nothing is written before `save`."""

    def __init__(self, project: Project) -> None:
        self._path = project.stack_file
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = 4096
        self._yaml.indent(mapping=2, sequence=4, offset=2)
        self._document = self._yaml.load(self._path)

    @property
    def config(self) -> dict[str, Any]:
        """The stack's values by their full keys."""
        return self._document.get("config") or {}

    def endpoint(self, name: str) -> dict[str, Any]:
        """What the user wrote of one endpoint."""
        spec = (self.config.get("tidegate:endpoints") or {}).get(name)
        if not isinstance(spec, dict):
            raise CliError(f"{self._path.name} has no endpoint {name!r} under tidegate:endpoints")
        return spec

    def save(self) -> None:
        """Write the file."""
        with self._path.open("w") as file:
            self._yaml.dump(self._document, file)
