"""The lines of pip's requirements files, and which of them an environment with a content key can hold.

The format is pip's documentation, "Requirements File Format".
"""

import re
from collections.abc import Iterator, Mapping

HASH_OPTION = "--hash="


class LineError(Exception):
    """A line that an environment cannot hold: what is wrong with it and the way out, free of credentials."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Take both as one sentence each."""
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def read_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line that says something: continued lines joined, comments gone."""
    first, joined = 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        first = first if joined else number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            joined += raw[:-1] + " "
            continue
        line = re.sub(r"(^|\s)#.*$", "", joined + raw).strip()
        joined = ""
        if line:
            yield first, line


def check_line(line: str) -> str:
    """Return the requirement in `line` with its `--hash` options, or say why it cannot be one.

    Whether the requirement itself is well-formed is left to the caller.

    Raises:
        LineError: an option, a path, an editable package, a URL without a name or with credentials in it.
    """
    if line.startswith("-"):
        option = re.split(r"[\s=]", line, maxsplit=1)[0]
        raise LineError(f"the option {option} cannot be used here", _OPTION_REMEDIES.get(option, _OTHER_OPTION))
    if re.search(r"://[^/\s]*@", line):
        raise LineError(
            f"'{without_credentials(line)}' has credentials in its URL",
            "Give them to uv where the environment is built, by a netrc file or UV_INDEX_<NAME>_PASSWORD",
        )
    if re.match(r"([a-z][a-z0-9+]*)://|[a-z]+\+[a-z]+:", line):
        raise LineError(f"'{line}' has no package name", f"Write NAME @ {line}")
    if _PATH.search(line):
        raise LineError(
            f"'{line}' is a path, which is not the same on every machine",
            "Put the package into the source directory, or publish it to a package index",
        )
    found = re.search(r"\s(--?(?!hash=)[A-Za-z][\w-]*)", line)
    if found:
        raise LineError(f"the option {found.group(1)} in '{line}' cannot be used here", _OTHER_OPTION)
    return line


def without_credentials(text: str) -> str:
    """`text` with what stands before the `@` of a URL masked."""
    return re.sub(r"://[^/\s]*@", "://***@", text)


_PATH = re.compile(r"^([./~]|[A-Za-z]:\\|file:)|@\s*(file:|[./~])|^[^:]*\.(whl|tar\.gz|zip)$")

_INDEX = "Set UV_INDEX or UV_DEFAULT_INDEX (package indexes, as uv reads them) where the environment is built"
_ONE_FILE = "Write its lines into this file: one file is one environment"
_EDITABLE = "Put the package into the source directory, or write NAME @ git+https://..."
_OTHER_OPTION = "Take it out, and set uv's variable for it (UV_...) where the environment is built"

_OPTION_REMEDIES: Mapping[str, str] = {
    "-r": _ONE_FILE,
    "--requirement": _ONE_FILE,
    "-c": _ONE_FILE,
    "--constraint": _ONE_FILE,
    "-e": _EDITABLE,
    "--editable": _EDITABLE,
    "-i": _INDEX,
    "--index-url": _INDEX,
    "--extra-index-url": _INDEX,
    "-f": "Set UV_FIND_LINKS where the environment is built",
    "--find-links": "Set UV_FIND_LINKS where the environment is built",
    "--pre": "Name the pre-release: NAME==2.0rc1, or NAME>=2.0rc1",
    "--require-hashes": "Take it out: hashes that are given are always checked",
}
