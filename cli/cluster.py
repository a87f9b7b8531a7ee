"""`tidegate cluster check`: all rules over the config of stacks on Azure, without an engine and without a login."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from cli.errors import CliError
from cli.project import Project
from tidegate.cluster.facts import rules
from tidegate.config import from_file, target_of
from tidegate.findings import ConfigError, Finding
from tidegate.lines import line_of, lines


@dataclass(frozen=True)
class Checked:
    """One file and what there is to say about it; each finding has its file and, where it is known, its line."""

    file: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many of the findings stop a deployment."""
        return sum(finding.severity == "error" for finding in self.findings)


def check(files: Sequence[Path], root: Path) -> list[Checked]:
    """Check each file against all rules; relative paths in them begin at `root`."""
    return [_checked(file, root) for file in files]


def stack_files(project: Project) -> list[Path]:
    """The files of all stacks on Azure in the project's folder, sorted."""
    found = [file for file in sorted(project.root.glob("Pulumi.*.yaml")) if target_of(file) == "azure"]
    if not found:
        raise CliError(f"{project.root} has no Pulumi.<stack>.yaml whose tidegate:target is azure; name a file")
    return found


def as_text(checked: Iterable[Checked]) -> str:
    """For a person: each finding in its words, the fact and its source below it."""
    return "\n".join(line for each in checked for line in _text(each))


def as_json(checked: Iterable[Checked]) -> str:
    """For a program: a list of files, each with its findings."""
    return json.dumps(
        [{"file": each.file, "findings": [_plain(finding) for finding in each.findings]} for each in checked], indent=2
    )


def as_github(checked: Iterable[Checked]) -> str:
    """For GitHub Actions: workflow commands, which show as annotations of the lines."""
    return "\n".join(_annotation(finding) for each in checked for finding in each.findings)


FORMATS: dict[str, Callable[[Iterable[Checked]], str]] = {"text": as_text, "json": as_json, "github": as_github}


def _checked(file: Path, root: Path) -> Checked:
    name = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
    try:
        findings = from_file(file, root=root).notes
    except ConfigError as error:
        findings = error.findings
    try:
        known = {path.removeprefix("config."): line for path, line in lines(file.read_text("utf-8-sig")).items()}
    except (OSError, ValueError, RecursionError, YAMLError):
        known = {}
    placed = (
        replace(finding, file=name, line=finding.line or line_of(known, finding.path))
        if finding.file in ("", file.name)
        else finding
        for finding in findings
    )
    return Checked(name, tuple(placed))


def _text(checked: Checked) -> list[str]:
    counts = [
        f"{count} {severity}{'s' if count != 1 else ''}"
        for severity in ("error", "warning", "note")
        if (count := sum(finding.severity == severity for finding in checked.findings))
    ]
    said = [f"{checked.file}: {', '.join(counts) or 'nothing to say'}"]
    for finding in checked.findings:
        said.append(f"  {finding.severity}: {finding}")
        rule = rules().get(finding.rule)
        if rule:
            said.append(f"    {rule.id}: {rule.fact} ({rule.source})")
    return said


def _plain(finding: Finding) -> dict[str, Any]:
    rule = rules().get(finding.rule)
    return {**asdict(finding), "fact": rule.fact if rule else "", "source": rule.source if rule else ""}


def _annotation(finding: Finding) -> str:
    rule = rules().get(finding.rule)
    text = ". ".join(
        part.rstrip(".")
        for part in (
            f"{finding.path}: {finding.problem}",
            finding.remedy,
            f"{rule.fact} ({rule.source})" if rule else "",
        )
        if part
    )
    level = {"error": "error", "warning": "warning", "note": "notice"}[finding.severity]
    fields = {"file": finding.file, "line": str(finding.line or 1), "title": finding.rule or "config"}
    shown = ",".join(f"{name}={_escaped(value, field=True)}" for name, value in fields.items())
    return f"::{level} {shown}::{_escaped(text)}"


def _escaped(text: str, *, field: bool = False) -> str:
    # GitHub's own rules: actions/toolkit, packages/core/src/command.ts.
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), *(((":", "%3A"), (",", "%2C")) if field else ())):
        text = text.replace(char, code)
    return text
