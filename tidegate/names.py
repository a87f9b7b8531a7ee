"""The rules of names (table D's last line). Each refusal shows the rule."""

import re
from dataclasses import dataclass

from tidegate.digest import records_sha256


@dataclass(frozen=True)
class NameRule:
    """What a kind of name looks like: a pattern for the machine, a sentence for the reader."""

    kind: str
    pattern: str
    text: str

    def problem(self, name: str) -> str | None:
        """Return what is wrong with `name`, rule included, or None."""
        return None if re.fullmatch(self.pattern, name) else f'"{name}" is no {self.kind} name: {self.text}'


ENDPOINT = NameRule(
    "endpoint",
    r"[a-z][a-z0-9-]{2,31}",
    "3-32 lower-case letters, digits and hyphens, the first a letter",
)
VERSION = NameRule("version", ENDPOINT.pattern, ENDPOINT.text)
MODEL = NameRule(
    "model",
    r"(?!\.+$)[A-Za-z0-9_.-]{1,255}",  # a name is a folder's, and "." and ".." are none
    "1-255 letters, digits, hyphens, underscores and dots, not dots alone",
)
NAMESPACE = NameRule(
    "namespace",
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    "1-63 lower-case letters, digits and hyphens, neither end a hyphen",
)
SERVICE_ACCOUNT = NameRule("service account", NAMESPACE.pattern, NAMESPACE.text)


def namesake(name: str) -> str:
    """What is called like an endpoint in Kubernetes, where no name ends in a hyphen: then a hash comes after it."""
    if NAMESPACE.problem(name) is None:
        return name
    return f"{name.rstrip('-')}-{records_sha256([(name,)])[:8]}"
