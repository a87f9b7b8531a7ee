"""`tidegate cluster check`: all rules over the config of stacks on Azure, without an engine.

It needs no login, except to compare quotas with a subscription's.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from cli import capacity
from cli.errors import CliError
from cli.project import Project
from tidegate.cluster.facts import rules
from tidegate.cluster.spec import ClusterSpec
from tidegate.config import Environment, from_file, subscription_of, target_of
from tidegate.findings import ConfigError, Finding
from tidegate.lines import line_of, lines


@dataclass(frozen=True)
class Checked:
    """One file and what there is to say about it; each finding has its file and, where it is known, its line."""

    file: str
    findings: tuple[Finding, ...]
    clusters: tuple[ClusterSpec, ...] = ()
    """Those that are made here; none where the config has errors."""

    @property
    def errors(self) -> int:
        """How many of the findings stop a deployment."""
        return sum(finding.severity == "error" for finding in self.findings)


def check(files: Sequence[Path], root: Path, *, quota: bool = False) -> list[Checked]:
    """Check each file against all rules; relative paths in them begin at `root`.

    With `quota`, the login that is there is asked for the quotas of the subscription. Raises CliError where it cannot.
    """
    return [_checked(file, root, quota=quota) for file in files]


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
    """For a program: a list of files, each with its findings and the capacity of its clusters."""
    return json.dumps(
        [
            {
                "file": each.file,
                "findings": [_plain(finding) for finding in each.findings],
                **capacity.as_plain(each.clusters),
            }
            for each in checked
        ],
        indent=2,
    )


def as_github(checked: Iterable[Checked]) -> str:
    """For GitHub Actions: workflow commands, which show as annotations of the lines."""
    return "\n".join(_annotation(finding) for each in checked for finding in each.findings)


FORMATS: dict[str, Callable[[Iterable[Checked]], str]] = {"text": as_text, "json": as_json, "github": as_github}


def _checked(file: Path, root: Path, *, quota: bool) -> Checked:
    name = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
    clusters: tuple[ClusterSpec, ...] = ()
    try:
        environment = from_file(file, root=root)
    except ConfigError as error:
        findings = error.findings
    else:
        findings, clusters = environment.notes, _made(environment)
        if quota and clusters:
            findings = (*findings, *_quotas(clusters, subscription_of(file)))
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
    return Checked(name, tuple(placed), clusters)


def _made(environment: Environment) -> tuple[ClusterSpec, ...]:
    azure = environment.azure
    return tuple(each for each in azure.clusters if isinstance(each, ClusterSpec)) if azure else ()


def _quotas(clusters: Sequence[ClusterSpec], subscription: str | None) -> list[Finding]:
    from tidegate.azure.arm import Arm  # noqa: PLC0415 (nobody else pays for an HTTP client)
    from tidegate.azure.errors import AzureError  # noqa: PLC0415
    from tidegate.azure.login import Login  # noqa: PLC0415
    from tidegate.azure.preflight import check_quotas  # noqa: PLC0415

    login = Login()
    try:
        with Arm(login.token) as arm:
            return check_quotas(arm, login.subscription(subscription), clusters)
    except AzureError as error:
        raise CliError(f"the quotas cannot be asked for: {error}") from error


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
    return said + [f"  {line}" for line in capacity.as_text(checked.clusters)]


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
