import json
from pathlib import Path

import pytest

from tests.unit.cluster.specs import cluster
from tidegate.azure.admission import further_ranges, limits_callers, workspace_addresses
from tidegate.cluster.ranges import MOST
from tidegate.cluster.spec import (
    ApiServerSpec,
    AttachedClusterSpec,
    AzureSpec,
    ClusterSpec,
    PrivateSpec,
    WorkspaceSpec,
)

LISTED = ApiServerSpec(authorized_ip_ranges=("203.0.113.0/24",))
DEPLOYED = ApiServerSpec(include_deployer=True)
OPEN = ApiServerSpec()
PRIVATE = ApiServerSpec(private=PrivateSpec(), include_deployer=True)
ATTACHED = AttachedClusterSpec(
    name="theirs", purpose="FastProd", subscription_id=None, resource_group="rg", cluster_name="aks"
)


def azure(**clusters: ApiServerSpec) -> AzureSpec:
    specs: list[ClusterSpec | AttachedClusterSpec] = [
        cluster(name=name, api_server=access) for name, access in clusters.items()
    ]
    return AzureSpec(location="westeurope", clusters=(*specs, ATTACHED))


@pytest.fixture
def deployer(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TIDEGATE_DEPLOYER_ADDRESS", "198.51.100.7")
    return "198.51.100.7/32"


def test_only_who_limits_callers_lets_more_in(deployer: str) -> None:
    found, findings = further_ranges(
        azure(listed=LISTED, deployed=DEPLOYED, open=OPEN, private=PRIVATE), workspace=("192.0.2.0/24",)
    )
    assert findings == []
    assert found == {"listed": ("192.0.2.0/24",), "deployed": ("192.0.2.0/24", deployer)}


@pytest.mark.parametrize(
    ("access", "limits"), [(LISTED, True), (DEPLOYED, True), (OPEN, False), (PRIVATE, False)], ids=str
)
def test_who_limits_callers(access: ApiServerSpec, limits: bool) -> None:
    assert limits_callers(cluster(api_server=access)) == limits


def test_an_address_that_nobody_knows_is_an_error_of_each_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_DEPLOYER_ADDRESS", "nowhere")
    found, findings = further_ranges(azure(one=DEPLOYED, two=DEPLOYED, listed=LISTED))
    assert found == {"one": (), "two": (), "listed": ()}
    assert [finding.path for finding in findings] == [
        "tidegate:clusters.one.apiServer.includeDeployer",
        "tidegate:clusters.two.apiServer.includeDeployer",
    ]
    assert "nowhere" in findings[0].problem


@pytest.mark.parametrize(("count", "refused"), [(MOST - 1, False), (MOST, True)])
def test_the_limit_counts_everybody(deployer: str, count: int, refused: bool) -> None:
    listed = tuple(f"203.0.{number}.1/32" for number in range(count))
    access = ApiServerSpec(authorized_ip_ranges=listed, include_deployer=True)
    _, findings = further_ranges(azure(prod=access))
    assert [finding.path for finding in findings] == (
        ["tidegate:clusters.prod.apiServer.authorizedIPRanges"] if refused else []
    )


def service_tags(path: Path, region: str) -> WorkspaceSpec:
    tag = {
        "name": f"AzureMachineLearning.{region}",
        "properties": {"region": region.lower(), "addressPrefixes": ["192.0.2.0/24", "2001:db8::/32"]},
    }
    path.write_text(json.dumps({"values": [tag]}))
    return WorkspaceSpec(name="ml", resource_group="hub", location="westeurope", service_tags=path)


def test_the_workspace_calls_from_the_addresses_in_its_file(tmp_path: Path) -> None:
    ranges, findings = workspace_addresses(service_tags(tmp_path / "tags.json", "WestEurope"), None)
    assert ranges == ("192.0.2.0/24",)
    assert [finding.severity for finding in findings] == ["warning"]  # the pair has no tag in this file


def test_a_file_without_the_region_is_an_error(tmp_path: Path) -> None:
    ranges, findings = workspace_addresses(service_tags(tmp_path / "tags.json", "EastUS"), None)
    assert (ranges, [finding.severity for finding in findings]) == ((), ["error"])


def test_no_login_and_no_file_says_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no Azure CLI that knows a subscription
    workspace = WorkspaceSpec(name="ml", resource_group="hub", location="westeurope")
    ranges, findings = workspace_addresses(workspace, None)
    assert ranges == ()
    (finding,) = findings
    assert finding.path == "tidegate:workspace.serviceTags"
    assert "Log in" in finding.remedy
    assert "service-tag file" in finding.remedy
