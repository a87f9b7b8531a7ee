import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import cluster
from cli.main import app
from tests.standins.arm_server import USAGES, ArmServer, write_answers
from tests.standins.cloud import SUBSCRIPTION, Cloud
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


def test_each_sum_is_shown_with_its_terms(project: Path) -> None:
    (project / "Pulumi.prod.yaml").write_text(
        SOUND.replace("]}}}", "]}, pools: {gpu: {vmSize: Standard_NC4as_T4_v3}}}}")
    )
    code, said = check()
    assert code == 0, said
    shown = [line.strip() for line in said.splitlines()]
    assert "3 x 3.56 = 10.68 vCPU" in shown
    assert "1 x 1 = 1 GPU" in shown
    (taken,) = [line for line in said.splitlines() if "gateway proxies" in line and line.endswith("vCPU")]
    assert taken.endswith(
        "AKS's own pods 1 x 1 + gateway proxies (2 + 1) x 0.11 + gateway controller (1 + 1) x 0.1 = 1.53 vCPU"
    )
    # 10 % of a pool, rounded up, is one more node while it is upgraded.
    assert "cores 24, standardDSv5Family 16" in said

    report = json.loads(check("-o", "json")[1])[0]
    assert [(pool["name"], pool["nodes"], pool["gives"]["gpus"]) for pool in report["clusters"][0]["pools"]] == [
        ("system", 3, 0),
        ("gpu", 1, 1),
    ]
    assert report["quota"]["westeurope"]["cores"] == 24


def test_quotas_are_compared_by_the_login_that_is_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "Pulumi.prod.yaml").write_text(SOUND + f"  azure-native:subscriptionId: {SUBSCRIPTION}\n")
    azure = Cloud(project / "cloud")
    with ArmServer(azure).running() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("ARM_SUBSCRIPTION_ID", raising=False)
        for limit, expected in ((16, 0), (15, 1)):
            family = {"name": {"value": "standardDSv5Family"}, "currentValue": 0, "limit": limit}
            write_answers(azure.root, USAGES, {"westeurope": {"value": [family]}})
            code, said = check("--quota")
            assert (code, "and its limit is 15" in said) == (expected, bool(expected)), said
    assert check()[0] == 0, "without the option nobody is asked"


def test_quotas_that_cannot_be_asked_for_are_an_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "Pulumi.prod.yaml").write_text(SOUND + f"  azure-native:subscriptionId: {SUBSCRIPTION}\n")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "ARM_CLIENT_ID", "ARM_TENANT_ID", "ARM_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(app, ["cluster", "check", "--quota"])
    assert isinstance(done.exception, cluster.CliError)
    assert "az login" in str(done.exception)


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
