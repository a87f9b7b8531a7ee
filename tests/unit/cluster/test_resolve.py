from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.tls_inputs import OWN, files
from tidegate.cluster.spec import AttachedClusterSpec, AzureSpec, ClusterSpec
from tidegate.config import Environment, load
from tidegate.findings import ConfigError, Finding

SOUND: dict[str, Any] = {
    "tidegate:target": "azure",
    "tidegate:location": "westeurope",
    "tidegate:resourceGroup": "scoring",
    "tidegate:clusters": {"scoring": {"apiServer": {"authorizedIPRanges": ["203.0.113.0/24"]}}},
}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def environment(changes: dict[str, Any]) -> Environment:
    values = {key: value for key, value in (SOUND | changes).items() if value is not None}
    return load(values, root=Path("/nowhere"), stack="prod", now=NOW)


def azure(changes: dict[str, Any]) -> AzureSpec:
    spec = environment(changes).azure
    assert spec
    return spec


def findings(changes: dict[str, Any]) -> list[Finding]:
    """The errors of a sound config with changes; None takes a key out."""
    with pytest.raises(ConfigError) as raised:
        environment(changes)
    return [finding for finding in raised.value.findings if finding.severity == "error"]


def test_a_region_may_be_written_as_people_say_it() -> None:
    assert azure({"tidegate:location": "West Europe"}).location == "westeurope"


def test_pools_that_cannot_even_hold_the_platform_are_refused() -> None:
    pool = {"count": 1, "nodeTaints": ["team=a:NoSchedule"]}
    refused = findings({"tidegate:clusters": {"scoring": {"purpose": "DevTest", "systemPool": pool}}})
    assert {finding.rule for finding in refused} == {"pods-without-pool"}
    assert refused[0].path == "tidegate:clusters.scoring"


def test_capacity_is_only_looked_at_where_every_pool_is_sound() -> None:
    tainted = {"purpose": "DevTest", "systemPool": {"nodeTaints": ["team=a:NoSchedule"]}}
    broken = tainted | {"pools": {"cpu": {"vmSize": 4}}}
    assert [finding.path for finding in findings({"tidegate:clusters": {"scoring": broken}})] == [
        "tidegate:clusters.scoring.pools.cpu.vmSize"
    ]
    wrong = tainted | {"pools": {"cpu": {"count": 5000}}}
    assert "pods-without-pool" not in {finding.rule for finding in findings({"tidegate:clusters": {"scoring": wrong}})}


def test_each_resource_group_is_made_once_and_those_that_exist_are_not() -> None:
    clusters = {
        "one": SOUND["tidegate:clusters"]["scoring"] | {"resourceGroup": "ones"},
        "two": SOUND["tidegate:clusters"]["scoring"] | {"resourceGroup": "hub"},
        "three": SOUND["tidegate:clusters"]["scoring"],
    }
    spec = azure(
        {
            "tidegate:clusters": clusters,
            "tidegate:registry": {"name": "scoring7421", "resourceGroup": "images"},
            "tidegate:existingResourceGroups": ["HUB"],
        }
    )
    assert spec.resource_groups == ("images", "ones", "scoring")
    assert [cluster.name for cluster in spec.clusters] == ["one", "three", "two"]


def test_an_environment_that_only_attaches_needs_neither_region_nor_group() -> None:
    attach = {"theirs": {"attach": {"resourceGroup": "others", "name": "theirs"}}}
    spec = azure({"tidegate:clusters": attach, "tidegate:location": None, "tidegate:resourceGroup": None})
    assert spec.resource_groups == ()
    assert azure({"tidegate:clusters": attach, "tidegate:location": None}).resource_groups == ()
    assert isinstance(spec.clusters[0], AttachedClusterSpec)


@pytest.mark.parametrize(
    ("written", "purpose", "production"),
    [(None, "FastProd", True), (None, "DevTest", False), (False, "FastProd", False), (True, "DevTest", True)],
)
def test_fast_prod_is_production_unless_the_config_says_otherwise(
    written: bool | None, purpose: str, production: bool
) -> None:
    cluster = SOUND["tidegate:clusters"]["scoring"] | {"purpose": purpose}
    found = environment({"tidegate:production": written, "tidegate:clusters": {"scoring": cluster}})
    assert found.production is production
    assert found.azure
    assert found.azure.production is production
    assert found.azure.tags == ({"tidegate-production": "true"} if production else {})


def test_an_attached_cluster_serves_an_own_certificate(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    entry = {"attach": {"resourceGroup": "shared", "name": "aks"}, "tls": OWN}
    values = {"tidegate:target": "azure", "tidegate:clusters": {"shared": entry}}
    spec = load(values, root=tmp_path, stack="prod", now=NOW).azure
    assert spec is not None
    (cluster,) = spec.clusters
    assert isinstance(cluster, AttachedClusterSpec)
    assert cluster.tls is not None
    assert cluster.tls.cname == "scoring.example.com"
    values = {"tidegate:target": "azure", "tidegate:clusters": {"shared": entry | {"tls": OWN | {"key": "gone.pem"}}}}
    with pytest.raises(ConfigError, match=r"gone\.pem"):
        load(values, root=tmp_path, stack="prod", now=NOW)


def test_a_clusters_tags_come_on_top_of_the_environments() -> None:
    cluster = SOUND["tidegate:clusters"]["scoring"] | {"tags": {"team": "a", "exposure": "public"}}
    spec = azure({"tidegate:tags": {"team": "b", "cost": "1"}, "tidegate:clusters": {"scoring": cluster}})
    assert isinstance(spec.clusters[0], ClusterSpec)
    tags = spec.clusters[0].tags
    assert tags == {"team": "a", "cost": "1", "exposure": "public", "tidegate-production": "true"}


def test_a_replacement_is_allowed_by_name_alone() -> None:
    cluster = SOUND["tidegate:clusters"]["scoring"]
    spec = azure({"tidegate:clusters": {"a-b": cluster, "c-d": cluster}, "tidegate:allowReplacement": ["c-d"]})
    assert [isinstance(c, ClusterSpec) and c.replacement_allowed for c in spec.clusters] == [False, True]


def test_mistakes_in_all_parts_come_at_once() -> None:
    cluster = {"systemPool": {"count": 1}, "loadBalancer": {"sku": "Basic"}, "kubernetesVersion": "1.2", "speed": 1}
    changes = {
        "tidegate:location": "atlantis",
        "tidegate:clusters": {"scoring": cluster},
        "tidegate:registry": {"name": "a"},
    }
    paths = {finding.path for finding in findings(changes)}
    assert {
        "tidegate:location",
        "tidegate:registry.name",
        "tidegate:clusters.scoring.loadBalancer.sku",
        "tidegate:clusters.scoring.kubernetesVersion",
        "tidegate:clusters.scoring.speed",
        "tidegate:clusters.scoring.apiServer",
    } <= paths


def test_a_key_in_the_wrong_place_is_not_shown() -> None:
    (finding,) = findings({"tidegate:tlsKeys": {"-----BEGIN": "PRIVATE"}})
    assert "BEGIN" not in str(finding)
    assert "PRIVATE" not in str(finding)
