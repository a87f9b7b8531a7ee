"""Edits of a stack's config that keep its comments, order and form."""

import io
from collections.abc import Callable
from typing import Any

from ruamel.yaml.error import YAMLError

from cli.errors import CliError
from cli.project import Project
from cli.yaml_text import round_trip


class StackFile:
    """`Pulumi.<stack>.yaml`, to be changed in place; nothing is written before `save`."""

    def __init__(self, project: Project) -> None:
        self._path = project.stack_file
        try:
            self._text = self._path.read_text()
            self._yaml = round_trip(self._text)
            self._document = self._yaml.load(self._text)
        except OSError as error:
            raise CliError(f"{self._path} cannot be read: {error.strerror}") from error
        except (YAMLError, UnicodeDecodeError) as error:
            raise CliError(f"{self._path.name} is no YAML text in UTF-8; pulumi preview says where") from error

    @property
    def config(self) -> dict[str, Any]:
        """The stack's values by their keys."""
        config = self._document.get("config") if isinstance(self._document, dict) else None
        return config if isinstance(config, dict) else {}

    def endpoint(self, name: str) -> dict[str, Any]:
        """What the user wrote of one endpoint."""
        endpoints = self.config.get("tidegate:endpoints")
        spec = endpoints.get(name) if isinstance(endpoints, dict) else None
        if not isinstance(spec, dict):
            raise CliError(f"{self._path.name} has no endpoint {name!r} under tidegate:endpoints")
        return spec

    def rewrite(self, *edits: Callable[[str], str]) -> None:
        """Write the file as it was read, with these edits of its text."""
        text = self._text
        for edit in edits:
            text = edit(text)
        self._path.write_text(text)

    def save(self) -> None:
        """Write the file."""
        text = io.StringIO()
        self._yaml.dump(self._document, text)
        self._path.write_text(text.getvalue())
