from typing import Any

import pytest

from tests.unit.cluster.specs import SYSTEM, cluster
from tidegate.cluster.plan.cluster import (
    CLUSTER_WINDOW,
    NODE_OS_WINDOW,
    OWNER_TAG,
    ignored,
    kubernetes_version,
    plan_cluster,
    plan_first_pool,
    plan_guard,
    plan_windows,
    pool_version,
    replaced,
)
from tidegate.cluster.plan.names import node_resource_group, role_assignment_name
from tidegate.cluster.spec import (
    ApiServerSpec,
    EntraSpec,
    MonitoringSpec,
    NetworkSpec,
    PrivateSpec,
    UpgradeSpec,
    Window,
)


def plan(further: tuple[str, ...] = (), nat: tuple[object, ...] = (), **changes: Any) -> dict[str, Any]:
    return plan_cluster(
        cluster(**changes),
        identity="the identity",
        kubelet={"resourceId": "the kubelet", "clientId": "client", "objectId": "object"},
        tenant="the login's tenant",
        owner="organization/project/stack",
        further_ranges=further,
        nat_addresses=nat,
        node_subnet="the nodes' subnet",
        api_server_subnet="the API server's subnet",
    )


def test_nobody_gets_in_without_entra() -> None:
    found = plan(entra=EntraSpec(admin_group_object_ids=("b", "a")))
    assert found["disableLocalAccounts"] is True
    assert found["aadProfile"] == {
        "managed": True,
        "enableAzureRBAC": True,
        "tenantID": "the login's tenant",
        "adminGroupObjectIDs": ["a", "b"],
    }
    assert plan(entra=EntraSpec(tenant_id="given"))["aadProfile"]["tenantID"] == "given"


def test_pods_can_be_identities() -> None:
    assert plan()["oidcIssuerProfile"] == {"enabled": True}
    assert plan()["securityProfile"]["workloadIdentity"] == {"enabled": True}


def test_the_owner_is_a_tag_beside_the_users() -> None:
    assert plan(tags={"team": "x"})["tags"] == {"team": "x", OWNER_TAG: "organization/project/stack"}


def test_ids_are_put_in_place_unseen() -> None:
    found = plan()
    assert found["identity"] == {"type": "UserAssigned", "userAssignedIdentities": ["the identity"]}
    assert found["identityProfile"]["kubeletidentity"]["resourceId"] == "the kubelet"
    assert [each["vnetSubnetID"] for each in found["agentPoolProfiles"]] == ["the nodes' subnet"]


def test_authorized_ranges_are_merged_with_those_found_out() -> None:
    access = ApiServerSpec(authorized_ip_ranges=("203.0.113.0/25",))
    found = plan(further=("198.51.100.7/32", "203.0.113.128/25"), api_server=access)["apiServerAccessProfile"]
    assert found["authorizedIPRanges"] == ["198.51.100.7/32", "203.0.113.0/24"]


def test_the_addresses_of_the_nodes_come_to_the_ranges_unseen() -> None:
    later = object()
    found = plan(nat=(later,), api_server=ApiServerSpec(authorized_ip_ranges=("203.0.113.0/24",)))
    assert found["apiServerAccessProfile"]["authorizedIPRanges"] == ["203.0.113.0/24", later]


def test_an_api_server_that_everybody_reaches_stays_so() -> None:
    assert plan(nat=("203.0.113.9/32",))["apiServerAccessProfile"]["authorizedIPRanges"] == []


@pytest.mark.parametrize(("zone", "public"), [("system", False), ("none", True)])
def test_without_a_private_zone_the_name_stands_in_public_dns(zone: str, public: bool) -> None:
    # AKS refuses a private cluster that has neither (aks-docs: private-clusters.md).
    access = ApiServerSpec(private=PrivateSpec(private_dns_zone=zone))
    assert plan(api_server=access)["apiServerAccessProfile"]["enablePrivateClusterPublicFQDN"] is public


@pytest.mark.parametrize(("outbound", "profile"), [("none", {"artifactSource": "Cache"}), ("loadBalancer", None)])
def test_nodes_without_a_way_out_start_from_a_cache(outbound: Any, profile: object) -> None:
    assert plan(network=NetworkSpec(outbound_type=outbound)).get("bootstrapProfile") == profile


def test_a_private_api_server_has_no_ranges_and_no_public_name() -> None:
    found = plan(api_server=ApiServerSpec(private=PrivateSpec()))["apiServerAccessProfile"]
    assert found == {
        "enablePrivateCluster": True,
        "enablePrivateClusterPublicFQDN": False,
        "privateDNSZone": "system",
        "disableRunCommand": False,
    }


@pytest.mark.parametrize(("own", "used"), [(None, "the API server's subnet"), ("given", "given")])
def test_an_integrated_api_server_has_its_subnet(own: str | None, used: str) -> None:
    private = PrivateSpec(vnet_integration=True, subnet_id=own)
    found = plan(api_server=ApiServerSpec(private=private))["apiServerAccessProfile"]
    assert (found["enableVnetIntegration"], found["subnetId"]) == (True, used)


@pytest.mark.parametrize(
    ("outbound", "profile"),
    [
        ("loadBalancer", "loadBalancerProfile"),
        ("managedNATGateway", "natGatewayProfile"),
        ("userAssignedNATGateway", None),
        ("userDefinedRouting", None),
        ("none", None),
    ],
)
def test_a_way_out_has_its_own_profile_and_no_other(outbound: Any, profile: str | None) -> None:
    found = plan(network=NetworkSpec(outbound_type=outbound))["networkProfile"]
    assert found["outboundType"] == outbound
    assert {"loadBalancerProfile", "natGatewayProfile"} & found.keys() == ({profile} if profile else set())


def test_a_managed_nat_gateway_has_its_addresses() -> None:
    network = NetworkSpec(
        outbound_type="managedNATGateway", nat_managed_outbound_ip_count=3, nat_idle_timeout_in_minutes=9
    )
    found = plan(network=network)["networkProfile"]["natGatewayProfile"]
    assert found == {"managedOutboundIPProfile": {"count": 3}, "idleTimeoutInMinutes": 9}


def test_keda_comes_with_prometheus() -> None:
    assert plan()["workloadAutoScalerProfile"]["keda"] == {"enabled": True}
    found = plan(monitoring=MonitoringSpec(prometheus=False))
    assert found["workloadAutoScalerProfile"]["keda"] == {"enabled": False}
    assert found["azureMonitorProfile"] == {"metrics": {"enabled": False}}


def test_the_node_resource_group_is_the_one_that_aks_would_choose() -> None:
    assert plan()["nodeResourceGroup"] == "MC_scoring_prod_westeurope"
    assert plan(node_resource_group="own")["nodeResourceGroup"] == "own"
    assert len(node_resource_group("r" * 90, "prod", "westeurope")) == 80


@pytest.mark.parametrize(
    ("channel", "given", "asked", "pools", "left_to_azure"),
    [
        ("patch", "1.36.2", "1.36", "1.36", False),
        ("patch", "1.36", "1.36", "1.36", False),
        ("patch", None, None, None, False),
        ("none", "1.36.2", "1.36.2", "1.36.2", False),
        ("node-image", "1.36.2", "1.36.2", "1.36.2", False),
        ("stable", "1.36.2", "1.36.2", None, True),
        ("rapid", "1.36", "1.36", None, True),
    ],
)
def test_a_version_belongs_to_the_user_or_to_the_channel(
    channel: Any, given: str | None, asked: str | None, pools: str | None, left_to_azure: bool
) -> None:
    spec = cluster(kubernetes_version=given, upgrade=UpgradeSpec(channel=channel))
    assert (kubernetes_version(spec), pool_version(spec)) == (asked, pools)
    assert ("kubernetesVersion" in ignored(spec)) == left_to_azure
    guarded = plan_guard(spec, {"kubernetesVersion": asked} if asked else {})
    assert guarded.get("kubernetesVersion") == (None if left_to_azure else asked)


def test_azure_keeps_the_first_pool_unless_a_replacement_is_allowed() -> None:
    assert ignored(cluster()) == ["agentPoolProfiles"]
    assert replaced(cluster()) == []
    allowed = cluster(replacement_allowed=True)
    assert ignored(allowed) == []
    assert {"agentPoolProfiles[0].vmSize", "apiServerAccessProfile.enablePrivateCluster"} <= set(replaced(allowed))
    autoscaled = SYSTEM.model_copy(update={"min_count": 3, "max_count": 5})
    assert ignored(cluster(replacement_allowed=True, system_pool=autoscaled)) == ["agentPoolProfiles[0].count"]


def test_the_guard_asks_in_the_given_subscription() -> None:
    assert "subscriptionId" not in plan_guard(cluster(), plan())
    assert plan_guard(cluster(), plan(), subscription="s")["subscriptionId"] == "s"


def test_the_first_pool_is_looked_at_again_after_every_change_of_its_cluster() -> None:
    spec = cluster()
    before = plan_first_pool(spec, plan())
    assert plan_first_pool(spec, plan()) == before
    changed = plan_first_pool(spec, plan(tags={"a": "b"}))
    assert {name for name in before if before[name] != changed[name]} == {"clusterRevision"}
    # What is only known later does not change the revision; nor does what azure-native never sends again.
    later = plan() | {"identity": object(), "agentPoolProfiles": []}
    other = plan() | {"identity": object(), "agentPoolProfiles": [{"count": 9}]}
    assert plan_first_pool(spec, later) == plan_first_pool(spec, other)


def test_the_first_pool_follows_the_clusters_version() -> None:
    spec = cluster(kubernetes_version="1.36.2")
    assert plan_first_pool(spec, plan())["pool"]["orchestratorVersion"] == "1.36"
    assert "orchestratorVersion" not in plan_first_pool(cluster(), plan())["pool"]


def test_the_first_pool_has_no_count_where_the_autoscaler_owns_it() -> None:
    assert plan_first_pool(cluster(), plan())["pool"]["count"] == 3
    autoscaled = cluster(system_pool=SYSTEM.model_copy(update={"min_count": 3, "max_count": 5}))
    pool = plan_first_pool(autoscaled, plan())["pool"]
    assert "count" not in pool
    assert (pool["enableAutoScaling"], pool["minCount"], pool["maxCount"]) == (True, 3, 5)


def test_windows_have_the_names_that_aks_looks_for() -> None:
    window = Window(day_of_week="Monday", start_time="22:00", utc_offset="+01:00", duration_hours=6, interval_weeks=2)
    found = plan_windows(UpgradeSpec(window=window), cluster="prod", resource_group="scoring")
    assert found.keys() == {"aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"}
    assert found[CLUSTER_WINDOW]["maintenanceWindow"] == {
        "schedule": {"weekly": {"dayOfWeek": "Monday", "intervalWeeks": 2}},
        "durationHours": 6,
        "startTime": "22:00",
        "utcOffset": "+01:00",
    }


@pytest.mark.parametrize(
    ("channel", "node_os", "windows"),
    [
        ("none", "NodeImage", {NODE_OS_WINDOW}),
        ("patch", "None", {CLUSTER_WINDOW}),
        ("patch", "Unmanaged", {CLUSTER_WINDOW}),
        ("none", "None", set()),
    ],
)
def test_what_azure_does_not_do_has_no_window(channel: Any, node_os: Any, windows: set[str]) -> None:
    upgrade = UpgradeSpec(channel=channel, node_os_channel=node_os)
    assert plan_windows(upgrade, cluster="prod", resource_group="scoring").keys() == windows


def test_names_of_role_assignments_are_drawn_from_what_is_unique() -> None:
    found = role_assignment_name("subscription", "group", "cluster", "pull")
    assert found == role_assignment_name("subscription", "group", "cluster", "pull")
    others = [("other", "group", "cluster", "pull"), ("subscription", "group", "clusterpull", "")]
    assert found not in [role_assignment_name(*each) for each in others]
