"""What an environment's image is made on: a base image, a Dockerfile, or a folder with one; exactly one (rule I5)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidegate.image.reference import Reference, ReferenceFormatError

DEFAULT_BASE = Reference.parse("docker.io/library/python:3.12-slim-bookworm")
"""Where nothing is given: Debian, since v1's Docker steps call apt-get; with authorities for TLS and a Python."""
UV = Reference.parse("ghcr.io/astral-sh/uv:0.13.8")
MICROMAMBA = Reference.parse("docker.io/mambaorg/micromamba:2.3.0")
"""The tools that install packages, taken from their makers' images while an image is built. They leave nothing."""


class BaseDockerfileError(ValueError):
    """A Dockerfile that cannot be built on; `line` is where, from 1."""

    def __init__(self, line: int, problem: str, remedy: str) -> None:
        """Take one sentence each."""
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.remedy = remedy


def dockerfile_images(text: str) -> tuple[Reference, ...]:
    """The images that a Dockerfile takes from registries, sorted.

    Raises:
        BaseDockerfileError: it has no stage, or names an image by a variable or not as Docker does.
    """
    return tuple(sorted({found.reference for found in _names(text)}))


def pinned_dockerfile(text: str, named: Callable[[Reference], str]) -> str:
    """The same Dockerfile, lines ended by `\\n`, with the images that it takes replaced by what `named` says of each.

    Raises:
        BaseDockerfileError: as `dockerfile_images`.
    """
    lines = text.splitlines()
    for found in reversed(list(_names(text))):  # from the end, so that places stay right
        line = lines[found.line - 1]
        lines[found.line - 1] = line[: found.begin] + named(found.reference) + line[found.end :]
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class _Name:
    """An image's name in a Dockerfile: its line from 1, and where in it."""

    line: int
    begin: int
    end: int
    reference: Reference


def _names(text: str) -> Iterator[_Name]:
    stages: set[str] = set()
    seen = 0
    for number, line in _instructions(text):
        if (found := _ESCAPE.match(line)) and not seen and found["char"] != "\\":
            raise BaseDockerfileError(number, "another escape character is set", "Write the Dockerfile with \\")
        if found := _FROM.match(line):
            seen += 1
            if found["image"].lower() not in stages | {"scratch"}:
                yield _name(number, found)
            if found["stage"]:
                stages.add(found["stage"].lower())
        elif (found := _COPY_FROM.match(line)) and not _is_stage(found["image"], stages):
            yield _name(number, found)
        elif _RUN.match(line):
            yield from (
                _name(number, mount) for mount in _MOUNT_FROM.finditer(line) if not _is_stage(mount["image"], stages)
            )
    if not seen:
        raise BaseDockerfileError(1, "the Dockerfile has no FROM", "Begin it with FROM and an image")


def _name(number: int, found: re.Match[str]) -> _Name:
    name = found["image"]
    if "$" in name:
        raise BaseDockerfileError(
            number, f'the image "{name}" is a variable, so what it is cannot be looked up', "Write the image's own name"
        )
    try:
        reference = Reference.parse(name)
    except ReferenceFormatError as error:
        raise BaseDockerfileError(number, f'the image "{name}" {error}', "Write registry/repository:tag") from error
    return _Name(number, found.start("image"), found.end("image"), reference)


def _is_stage(name: str, stages: set[str]) -> bool:
    return name.isdecimal() or name.lower() in stages


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """The lines that may begin or go on with an instruction, with their numbers: not those of a here-document."""
    ends: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if ends:
            if line.lstrip("\t") == ends[0]:
                ends.pop(0)
            continue
        if _ESCAPE.match(line) or not line.lstrip().startswith("#"):
            ends = [word for _, word in _HEREDOC.findall(line)] if _TAKES_HEREDOC.match(line) else []
            yield number, line


_ESCAPE = re.compile(r"\s*#\s*escape\s*=\s*(?P<char>\S)", re.IGNORECASE)
_FLAGS = r"(?:--\S+\s+)*"
_FROM = re.compile(rf"\s*FROM\s+{_FLAGS}(?P<image>[^\s#]+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(rf"\s*COPY\s+{_FLAGS}--from=(?P<image>\S+)", re.IGNORECASE)
_RUN = re.compile(r"\s*(?:RUN\s|--mount=)", re.IGNORECASE)
_MOUNT_FROM = re.compile(r"--mount=(?:[^\s,]+,)*from=(?P<image>[^\s,]+)")
_TAKES_HEREDOC = re.compile(r"\s*(?:RUN|COPY|ADD)\s", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")


def quoted(value: str) -> str:
    """`value` for a Dockerfile's LABEL and ENV: nothing in it is a variable; line breaks, which it cannot hold, go."""
    plain = "".join(char if char.isprintable() else " " for char in value)
    return '"' + re.sub(r'([\\"$])', r"\\\1", plain) + '"'
