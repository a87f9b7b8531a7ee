import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import cluster
from cli.main import app
from tidegate.cluster.facts import MODULES, rules

BROKEN = """\
config:
  azure-native:location: westeurope
  tidegate:target: azure
  tidegate:location: westeurope
  tidegate:resourceGroup: scoring
  tidegate:clusters:
    scoring:
      purpose: FastProd
      apiServer: {authorizedIPRanges: [203.0.113.0/24]}
      systemPool:
        count: 2
      loadBalancer:
        sku: Basic
      speed: high
"""
SOUND = """\
config:
  tidegate:target: azure
  tidegate:location: westeurope
  tidegate:resourceGroup: scoring
  tidegate:clusters: {scoring: {apiServer: {authorizedIPRanges: [203.0.113.0/24]}}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: tidegate\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["cluster", "check", *arguments])
    return done.exit_code, done.output


def test_all_files_of_stacks_on_azure_are_checked_and_no_other(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(SOUND)
    (project / "Pulumi.prod.yaml").write_text(BROKEN)
    (project / "Pulumi.local.yaml").write_text("config:\n  tidegate:target: local\n  tidegate:speed: high\n")
    code, said = check()
    assert code == 1
    assert "Pulumi.dev.yaml: " in said
    assert "Pulumi.prod.yaml: 3 errors" in said
    assert "local" not in said


def test_a_finding_has_its_line_its_rule_and_the_fact_with_its_source(project: Path) -> None:
    (project / "Pulumi.prod.yaml").write_text(BROKEN)
    code, said = check("Pulumi.prod.yaml", "-o", "json")
    assert code == 1
    (report,) = json.loads(said)
    by_path = {finding["path"]: finding for finding in report["findings"] if finding["severity"] == "error"}
    sku = by_path["tidegate:clusters.scoring.loadBalancer.sku"]
    assert (sku["file"], sku["line"]) == ("Pulumi.prod.yaml", 13)
    assert sku["fact"] == rules()[sku["rule"]].fact
    assert sku["source"] == rules()[sku["rule"]].source
    assert by_path["tidegate:clusters.scoring.speed"]["line"] == 14


def test_annotations_are_workflow_commands_with_escaped_text(project: Path) -> None:
    (project / "Pulumi.prod.yaml").write_text(BROKEN)
    code, said = check("Pulumi.prod.yaml", "-o", "github")
    assert code == 1
    (sku,) = [line for line in said.splitlines() if "loadBalancer.sku" in line]
    assert sku.startswith("::error file=Pulumi.prod.yaml,line=13,title=")
    finding = cluster.Finding("a:b", "100 %, or\nmore", file="x,y", line=3, severity="warning", rule="r")
    assert cluster.as_github([cluster.Checked("x,y", (finding,))]) == (
        "::warning file=x%2Cy,line=3,title=r::a:b: 100 %25, or%0Amore"
    )


def test_a_sound_file_ends_with_zero(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(SOUND)
    code, said = check("Pulumi.dev.yaml")
    assert code == 0, said
    assert "error" not in said


def test_an_encrypted_tls_key_is_left_unread(project: Path) -> None:
    text = SOUND.replace("]}}}", "]}, tls: {cname: a.example, certificate: chain.pem}}}")
    (project / "Pulumi.dev.yaml").write_text(text + "  tidegate:tlsKeys:\n    scoring: {secure: v1:abc:def}\n")
    (project / "chain.pem").write_text("nonsense")
    _, said = check("Pulumi.dev.yaml")
    assert "v1:abc" not in said
    assert "key is missing" not in said


@pytest.mark.parametrize("text", ["config: [", "", "config:\n  a: 1\n  a: 2\n"])
def test_a_file_that_is_no_stack_file_is_said_so(project: Path, text: str) -> None:
    (project / "Pulumi.dev.yaml").write_text(text)
    code, said = check("Pulumi.dev.yaml")
    assert code == 1
    assert said.startswith("Pulumi.dev.yaml: 1 error")


def test_a_project_without_a_stack_on_azure_and_an_unknown_output_are_errors(project: Path) -> None:
    for arguments in ([], ["-o", "xml"]):
        done = CliRunner().invoke(app, ["cluster", "check", *arguments])
        assert isinstance(done.exception, cluster.CliError)


def test_every_rule_has_an_id_of_its_own() -> None:
    assert sum(len(module.RULES) for module in MODULES) == len(rules())
    assert all(rule.fact and rule.source for rule in rules().values())
