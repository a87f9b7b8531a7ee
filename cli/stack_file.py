"""Edits of a stack's config that keep its comments, order and form."""

import io
from itertools import pairwise
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cli.errors import CliError
from cli.project import Project


class StackFile:
    """`Pulumi.<stack>.yaml`, to be changed in place; nothing is written before `save`."""

    def __init__(self, project: Project) -> None:
        self._path = project.stack_file
        try:
            text = self._path.read_text()
            self._yaml = _round_trip(text)
            self._document = self._yaml.load(text)
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

    def save(self) -> None:
        """Write the file."""
        text = io.StringIO()
        self._yaml.dump(self._document, text)
        self._path.write_text(text.getvalue())


def _round_trip(text: str) -> YAML:
    """A reader and writer in the form that `text` has: the step of its mappings and the place of its dashes."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    dashes = (
        depth - above
        for (above, _), (depth, line) in pairwise(zip(depths, lines, strict=True))
        if line.lstrip().startswith("- ")
    )
    offset = max(next(dashes, 0), 0)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # no line is broken that was not
    yaml.indent(mapping=next(filter(None, depths), 2), sequence=offset + 2, offset=offset)
    return yaml
