"""Which models there are, and which of them a version means (rules M1, M3, M5)."""

import re
from collections.abc import Mapping
from pathlib import Path

from tidegate.findings import Finding
from tidegate.model.input import ModelInput
from tidegate.model.spec import ModelRef, ModelSpec
from tidegate.names import MODEL
from tidegate.parse import Loc, key_path
from tidegate.paths import kind, locate

MOST_MODELS = 1000
"""A version may serve so many, as in v1."""

NUMBER = r"[1-9][0-9]{0,8}"


class Registry:
    """The models of one environment; a bare path in a version adds to them."""

    def __init__(self, root: Path) -> None:
        """Start empty; `root` is where relative paths begin."""
        self._root = root
        self._specs: dict[tuple[str, int], ModelSpec] = {}
        self._unsure: set[str] = set()
        self._all_unsure = False

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """All of them, sorted by name and number."""
        return tuple(self._specs[key] for key in sorted(self._specs))

    def register(self, loc: Loc, name: str, entry: ModelInput | Mapping[str, ModelInput]) -> list[Finding]:
        """Take what stands under `tidegate:models` for `name`."""
        findings: list[Finding] = []
        if problem := MODEL.problem(name):
            findings.append(Finding(key_path(loc), problem, "Choose another name"))
        several = not isinstance(entry, ModelInput)
        for number, model in entry.items() if several else [("1", entry)]:
            place = (*loc, number) if several else loc
            if not re.fullmatch(NUMBER, number):
                findings.append(Finding(key_path(place), f'"{number}" is no number of a model', "Count from 1"))
                self._unsure.add(name)
                continue
            path = locate(self._root, model.path)
            if kind(path) == "nothing":
                findings.append(Finding(key_path((*place, "path")), f'there is no "{model.path}"', _FROM_ROOT))
            self._specs[name, int(number)] = ModelSpec(
                name=name,
                number=int(number),
                path=path,
                tags=model.tags or {},
                description=model.description or "",
            )
        return findings

    def doubt(self, name: str | None) -> None:
        """Take it that `name`, or with None any name, was written, but wrongly: no reference to it is a mistake."""
        if name is None:
            self._all_unsure = True
        else:
            self._unsure.add(name)

    def refer(self, loc: Loc, entry: str) -> tuple[ModelRef | None, list[Finding]]:
        """Settle one entry of a version's `models`: `name:number`, `name`, or a path that is registered on the way."""
        if "/" in entry or entry.startswith("."):
            return self._bare_path(loc, entry)
        name, colon, number = entry.partition(":")
        numbers = [known for registered, known in self._specs if registered == name]
        if self._all_unsure or name in self._unsure:
            return None, []
        if not numbers:
            known = sorted({registered for registered, _ in self._specs} | self._unsure)
            names = f"Known models: {', '.join(known)}" if known else "No model is registered under tidegate:models"
            remedy = f'{names}; a path contains "/", as in "./{name}"'
            return None, [Finding(key_path(loc), f'there is no model "{name}"', remedy)]
        if not colon:
            latest = max(numbers)
            said = f'"{name}" stands for its highest number, {latest}'
            note = Finding(key_path(loc), said, f'Write "{name}:{latest}" to stay with it', severity="note")
            return ModelRef(name=name, number=latest), [note]
        if re.fullmatch(NUMBER, number) and int(number) in numbers:
            return ModelRef(name=name, number=int(number)), []
        known = ", ".join(f'"{name}:{known}"' for known in sorted(numbers))
        return None, [Finding(key_path(loc), f'there is no "{entry}"', f"Known numbers: {known}")]

    def _bare_path(self, loc: Loc, entry: str) -> tuple[ModelRef | None, list[Finding]]:
        path = locate(self._root, entry)
        if kind(path) == "nothing":
            return None, [Finding(key_path(loc), f'there is no "{entry}"', _FROM_ROOT)]
        name = path.stem
        if MODEL.problem(name):
            problem = f'the model\'s name would be "{name}", which breaks the rule: {MODEL.text}'
            return None, [Finding(key_path(loc), problem, "Register it by a name of your own under tidegate:models")]
        if self._all_unsure or name in self._unsure:
            return None, []
        for spec in self.models:
            if spec.name == name and spec.path == path:
                return ModelRef(name=name, number=spec.number), []
        if taken := [spec for spec in self.models if spec.name == name]:
            problem = f'"{entry}" would be the model "{name}", which is another path already: {taken[0].path.name}'
            return None, [Finding(key_path(loc), problem, "Register it by a name of its own under tidegate:models")]
        self._specs[name, 1] = ModelSpec(name=name, number=1, path=path)
        return ModelRef(name=name, number=1), []


_FROM_ROOT = "Write a path from the project's root, or an absolute one"
