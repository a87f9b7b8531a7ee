"""Whatever a user writes: findings, or an environment whose every body the published types accept."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.standins.arm import problems
from tests.standins.kinds import KINDS
from tests.unit.cluster.random_config import SEEDS, Tree, configs, sound
from tidegate.cluster.plan import access, cluster, monitoring, network, pools, registry, workspace
from tidegate.cluster.plan.names import role_assignment_name, role_definition
from tidegate.cluster.spec import AzureSpec, ClusterSpec, CreatedNetwork, RegistrySpec
from tidegate.config import Environment, load
from tidegate.findings import ConfigError

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GROUP = "/subscriptions/10000000-0000-4000-8000-000000000001/resourceGroups/scoring"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/a"
SUBNET = f"{VNET}/subnets/a"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/a"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/a"
GUID = "20000000-0000-4000-8000-000000000001"
Planned = Iterator[tuple[str, dict[str, Any]]]


def read(tree: Tree) -> Environment | ConfigError:
    try:
        return load(tree, root=Path("/nowhere"), stack="random", now=NOW)
    except ConfigError as error:
        return error


def planned(azure: AzureSpec) -> Planned:
    """Every body that the components register of this, with ids in the place of what is only known later."""
    if isinstance(azure.registry, RegistrySpec):
        yield "containerregistry:Registry", registry.plan_registry(azure.registry)
    if azure.registry and azure.registry.pull_token:
        yield "containerregistry:ScopeMap", registry.plan_scope_map(azure.registry)
        scope_map = f"{REGISTRY}/scopeMaps/{registry.PULL}"
        yield "containerregistry:Token", registry.plan_token(azure.registry, scope_map=scope_map)
    for spec in azure.clusters:
        if azure.workspace:
            front = spec.load_balancer if isinstance(spec, ClusterSpec) else None
            yield "machinelearningservices:Compute", workspace.plan_compute(
                azure.workspace, name=spec.name, cluster=CLUSTER, location=azure.location or "westeurope",
                purpose=spec.purpose, front=front,
            )  # fmt: skip
        if isinstance(spec, ClusterSpec):
            yield from _cluster(spec)


def _cluster(spec: ClusterSpec) -> Planned:
    yield "managedidentity:UserAssignedIdentity", access.plan_identity(spec, "kubelet")
    role = access.plan_role(
        definition=role_definition("s", access.NETWORK_CONTRIBUTOR), name=role_assignment_name("s", spec.name),
        scope=VNET, principal=GUID, kind=spec.entra.deployer_principal_type or "User",
    )  # fmt: skip
    yield "authorization:RoleAssignment", role
    yield (
        "containerservice:ManagedCluster",
        cluster.plan_cluster(
            spec,
            identity=IDENTITY,
            kubelet={"resourceId": IDENTITY, "clientId": GUID, "objectId": GUID},
            tenant=GUID,
            owner="organization/project/stack",
            nat_addresses=("203.0.113.9/32",) if network.plan_nat_addresses(spec) else (),
            node_subnet=SUBNET if spec.network.place else None,
            api_server_subnet=SUBNET if spec.network.place else None,
            log_analytics=spec.monitoring.log_analytics_workspace_id,
        ),
    )
    place = {"cluster": spec.name, "resource_group": spec.resource_group}
    names = [pools.azure_name(pool) for pool in spec.all_pools]
    assert len(set(names)) == len(names)
    for pool in spec.pools:
        yield "containerservice:AgentPool", pools.plan_pool(pool, version=cluster.pool_version(spec), **place)
    for plan in cluster.plan_windows(spec.upgrade, **place).values():
        yield "containerservice:MaintenanceConfiguration", plan
    logs = monitoring.plan_logs_workspace(spec)
    if logs:
        yield "operationalinsights:Workspace", logs
    if isinstance(spec.network.place, CreatedNetwork):
        yield from _network(spec, spec.network.place)


def _network(spec: ClusterSpec, place: CreatedNetwork) -> Planned:
    yield "network:VirtualNetwork", network.plan_network(spec, place)
    yield "network:NetworkSecurityGroup", network.plan_security_group(spec, place)
    routes = network.plan_route_table(spec, place)
    if routes:
        yield "network:RouteTable", routes
    addresses = network.plan_nat_addresses(spec)
    for plan in addresses.values():
        yield "network:PublicIPAddress", plan
    if addresses:
        yield "network:NatGateway", network.plan_nat_gateway(spec, dict.fromkeys(addresses, f"{GROUP}/x"))
    for subnet in place.subnets:
        yield "network:Subnet", network.plan_subnet(spec, subnet, security_group=f"{GROUP}/x")


def check(azure: AzureSpec) -> None:
    for token, plan in planned(azure):
        found = problems(KINDS[f"azure-native:{token}"], plan)
        assert not found, (token, [str(each) for each in found])


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_the_sound_ones_are_accepted(number: int) -> None:
    environment = read(sound(number))
    assert isinstance(environment, Environment), environment
    assert environment.azure
    kinds = {token for token, _ in planned(environment.azure)}
    assert {"containerservice:ManagedCluster", "authorization:RoleAssignment"} <= kinds
    check(environment.azure)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs())
def test_a_config_is_refused_by_findings_or_gives_bodies_that_azure_takes(tree: Tree) -> None:
    found = read(tree)
    if isinstance(found, ConfigError):
        errors = [finding for finding in found.findings if finding.severity == "error"]
        assert errors
        assert all(finding.path and finding.problem for finding in errors)
        event("refused")
        return
    assert found.azure
    event("accepted")
    check(found.azure)


@settings(deadline=None)
@given(configs(most=3))
def test_the_order_of_keys_makes_no_difference(tree: Tree) -> None:
    first, second = read(tree), read(_turned(tree))
    if isinstance(first, ConfigError):
        assert isinstance(second, ConfigError)
        assert second.findings == first.findings
    else:
        assert isinstance(second, Environment)
        assert second.azure == first.azure


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(sound(2))), st.recursive(st.none() | st.text(max_size=3), st.lists)))
def test_values_of_any_kind_are_refused_in_words(values: Tree) -> None:
    found = read(sound(2) | values | {"tidegate:target": "azure"})
    assert isinstance(found, Environment) or "error" in str(found)


def _turned(value: Any) -> Any:
    """The same with the keys of every mapping in the other order."""
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return [_turned(each) for each in value] if isinstance(value, list) else value
