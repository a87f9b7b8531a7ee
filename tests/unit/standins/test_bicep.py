"""The checker of request bodies: wrong ones of every sort, and the published examples' shapes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from providers.values import UNKNOWN
from tests.standins import bicep, bodies
from tests.standins.kinds import KINDS

Body = dict[str, Any]

CLUSTER = bicep.resource_type("Microsoft.ContainerService/managedClusters", "2025-09-01")
POOL = bicep.resource_type("Microsoft.ContainerService/managedClusters/agentPools", "2025-09-01")
WINDOW = bicep.resource_type("Microsoft.ContainerService/managedClusters/maintenanceConfigurations", "2025-09-01")


def cluster() -> Body:
    """A body without a fault."""
    return {
        "name": "scoring",
        "location": "westeurope",
        "sku": {"name": "Base", "tier": "Standard"},
        "identity": {"type": "SystemAssigned"},
        "tags": {"team": "scoring"},
        "properties": {
            "dnsPrefix": "scoring",
            "agentPoolProfiles": [
                {
                    "name": "nodepool1",
                    "count": 3,
                    "vmSize": "Standard_NC24ads_A100_v4",
                    "mode": "System",
                    "gpuInstanceProfile": "MIG1g",
                    "spotMaxPrice": 0.25,
                }
            ],
            "networkProfile": {
                "serviceCidr": "10.0.0.0/16",
                "dnsServiceIP": "10.0.0.10",
                "outboundType": "loadBalancer",
                "loadBalancerSku": "standard",
            },
        },
    }


def profile(body: Body) -> Body:
    return body["properties"]["agentPoolProfiles"][0]


def network(body: Body) -> Body:
    return body["properties"]["networkProfile"]


FAULTS: dict[str, tuple[Callable[[Body], Any], str]] = {
    # Those of the trial with whole bodies, one by one.
    "name": (lambda body: body.update(name="-scoring"), "name"),
    "missing": (lambda body: body.pop("location"), "location"),
    "identity": (lambda body: body["identity"].update(type="System"), "identity.type"),
    "tier": (lambda body: body["sku"].update(tier="Paid"), "sku.tier"),
    "closed": (lambda body: network(body).update(outboundType="direct"), "properties.networkProfile.outboundType"),
    "read-only": (lambda body: body["properties"].update(fqdn="a.example"), "properties.fqdn"),
    "unknown": (lambda body: body["properties"].update(dnsPrefx="a"), "properties.dnsPrefx"),
    "removed": (
        lambda body: network(body).update(dockerBridgeCidr="172.17.0.1/16"),
        "properties.networkProfile.dockerBridgeCidr",
    ),
    "pool name": (lambda body: profile(body).update(name="NodePool-1"), "properties.agentPoolProfiles[0].name"),
    "text": (lambda body: profile(body).update(count="3"), "properties.agentPoolProfiles[0].count"),
    "pattern": (
        lambda body: network(body).update(dnsServiceIP="10.0.0.300"),
        "properties.networkProfile.dnsServiceIP",
    ),
    # Those of the trial through azure-native's inputs, and the sorts that both leave out.
    "MIG": (
        lambda body: profile(body).update(gpuInstanceProfile="MIG9g"),
        "properties.agentPoolProfiles[0].gpuInstanceProfile",
    ),
    "range": (lambda body: profile(body).update(osDiskSizeGB=4096), "properties.agentPoolProfiles[0].osDiskSizeGB"),
    "fraction": (lambda body: profile(body).update(count=2.5), "properties.agentPoolProfiles[0].count"),
    "true is no number": (lambda body: profile(body).update(count=True), "properties.agentPoolProfiles[0].count"),
    "one is not true": (lambda body: profile(body).update(enableFIPS=1), "properties.agentPoolProfiles[0].enableFIPS"),
    "pool without a name": (lambda body: profile(body).pop("name"), "properties.agentPoolProfiles[0].name"),
    "list for an object": (lambda body: body["properties"].update(networkProfile=[]), "properties.networkProfile"),
    "object for a list": (
        lambda body: body["properties"].update(agentPoolProfiles={}),
        "properties.agentPoolProfiles",
    ),
    "tag": (lambda body: body["tags"].update(team=1), "tags.team"),
    "case": (
        lambda body: network(body).update(loadBalancerSku="Standard"),
        "properties.networkProfile.loadBalancerSku",
    ),
    "long": (lambda body: body.update(name="a" * 64), "name"),
}


def test_a_good_body_has_no_fault() -> None:
    assert bicep.check(CLUSTER, cluster()) == []


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_one_finding_at_its_path(name: str) -> None:
    break_it, path = FAULTS[name]
    body = cluster()
    break_it(body)
    found = bicep.check(CLUSTER, body)
    assert {each.path for each in found} == {path}, found


def test_all_faults_are_found_at_once() -> None:
    body = cluster()
    wanted = set[str]()
    for name in (
        "name",
        "missing",
        "identity",
        "tier",
        "closed",
        "read-only",
        "unknown",
        "removed",
        "pool name",
        "text",
    ):
        FAULTS[name][0](body)
        wanted.add(FAULTS[name][1])
    assert {each.path for each in bicep.check(CLUSTER, body)} == wanted


def test_faults_of_inputs_are_found_through_the_nester() -> None:
    # The SDK raises nothing on any of these.
    inputs = {
        "name": "scoring",
        "location": "westeurope",
        "identity": {"type": "System"},
        "agentPoolProfiles": [{"name": "NodePool-1", "gpuInstanceProfile": "MIG9g"}],
        "networkProfile": {"dnsServiceIP": "10.0.0.300", "outboundType": "direct"},
    }
    assert len(bicep.check(CLUSTER, bodies.nest(CLUSTER, inputs))) == 5


def test_a_cidr_without_a_mask_is_legal_by_the_types() -> None:
    # Known loss: the published pattern allows it, so the stand-in has a test of its own (see test_aks).
    body = cluster()
    network(body)["serviceCidr"] = "10.0.0.0"
    assert bicep.check(CLUSTER, body) == []


def test_values_that_a_preview_does_not_know_pass() -> None:
    body = cluster()
    body["properties"]["networkProfile"] = UNKNOWN
    profile(body)["vmSize"] = UNKNOWN
    assert bicep.check(CLUSTER, body) == []


def test_a_discriminator_chooses_the_fields() -> None:
    compute = bicep.resource_type("Microsoft.MachineLearningServices/workspaces/computes", "2025-12-01")
    body: Body = {
        "name": "scoring",
        "location": "westeurope",
        "properties": {"computeType": "AKS", "resourceId": "/a", "properties": {"clusterPurpose": "FastProd"}},
    }
    assert bicep.check(compute, body) == []
    body["properties"]["properties"]["clusterPurpose"] = "Prod"
    body["properties"]["vmSize"] = "a"
    assert [each.path for each in bicep.check(compute, body)] == [
        "properties.properties.clusterPurpose",
        "properties.vmSize",
    ]
    body["properties"]["computeType"] = "Edge"
    assert [each.path for each in bicep.check(compute, body)] == ["properties.computeType"]


def test_versions_are_those_of_azure_native() -> None:
    assert not bicep.known("Microsoft.ContainerService/managedClusters", "2024-01-01")
    with pytest.raises(KeyError):
        bicep.resource_type("Microsoft.ContainerService/managedClusters", "2024-01-01")
    assert {kind.token for kind in KINDS.values() if kind.resource is None} == {
        "containerregistry:ScopeMap",
        "containerregistry:Token",
        "monitor:AzureMonitorWorkspace",
        "monitor:DataCollectionEndpoint",
        "monitor:DataCollectionRule",
        "monitor:DataCollectionRuleAssociation",
        "privatedns:PrivateZone",
        "privatedns:VirtualNetworkLink",
    }


# Bodies in the shape of Microsoft's published examples for 2025-09-01: the same fields, with values of our own. Each is
# named after its file in Azure/azure-rest-api-specs (MIT licence), specification/containerservice/resource-manager/
# Microsoft.ContainerService/aks/stable/2025-09-01/examples.


def published(**properties: Any) -> Body:
    body: Body = {
        "name": "clustername1",
        "location": "northeurope",
        "tags": {"stage": "production", "cost": ""},
        "sku": {"name": "Base", "tier": "Free"},
        "properties": {
            "kubernetesVersion": "",
            "dnsPrefix": "prefix",
            "agentPoolProfiles": [
                {
                    "name": "nodepool1",
                    "count": 3,
                    "vmSize": "Standard_DS2_v2",
                    "osType": "Linux",
                    "type": "VirtualMachineScaleSets",
                    "enableNodePublicIP": True,
                    "mode": "System",
                }
            ],
            "linuxProfile": {"adminUsername": "admin1", "ssh": {"publicKeys": [{"keyData": "a key"}]}},
            "networkProfile": {
                "loadBalancerSku": "standard",
                "outboundType": "loadBalancer",
                "loadBalancerProfile": {"managedOutboundIPs": {"count": 2}},
            },
            "autoScalerProfile": {"scan-interval": "20s", "scale-down-delay-after-add": "15m"},
            "windowsProfile": {"adminUsername": "admin1", "adminPassword": "a Passw0rd that is long"},
            "servicePrincipalProfile": {"clientId": "an id", "secret": "a secret"},
            "addonProfiles": {},
            "enableRBAC": True,
        },
    }
    body["properties"] |= properties
    return body


def published_update() -> Body:
    body = published(
        upgradeSettings={"overrideSettings": {"forceUpgrade": False, "until": "2026-11-01T13:00:00Z"}},
        autoScalerProfile={
            "balance-similar-node-groups": "true",
            "expander": "priority",
            "max-node-provision-time": "15m",
            "new-pod-scale-up-delay": "1m",
            "skip-nodes-with-system-pods": "false",
        },
        diskEncryptionSetID="/subscriptions/s/resourcegroups/g/providers/Microsoft.Compute/diskEncryptionSets/d",
    )
    profile(body).update(scaleDownMode="Deallocate", availabilityZones=["1", "2", "3"])
    user = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
    body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    return body


def published_gpu_mig() -> Body:
    body = published(
        httpProxyConfig={
            "httpProxy": "http://proxy.example:8080",
            "httpsProxy": "https://proxy.example:8080",
            "noProxy": ["localhost", "127.0.0.1"],
            "trustedCa": "YQ==",
        }
    )
    profile(body).update(vmSize="Standard_ND96asr_v4", gpuInstanceProfile="MIG3g")
    return body


def published_private() -> Body:
    body = published(apiServerAccessProfile={"enablePrivateCluster": True, "enablePrivateClusterPublicFQDN": True})
    profile(body).update(enableEncryptionAtHost=True)
    return body


def published_premium() -> Body:
    body = published(supportPlan="AKSLongTermSupport", apiServerAccessProfile={"disableRunCommand": True})
    body["sku"]["tier"] = "Premium"
    return body


def published_pool(**properties: Any) -> Body:
    return {
        "name": "agentpool1",
        "properties": {
            "orchestratorVersion": "",
            "count": 3,
            "vmSize": "Standard_DS1_v2",
            "osType": "Linux",
            "tags": {"a": "b"},
            "nodeLabels": {"c": "d"},
            "nodeTaints": ["Key=Value:NoSchedule"],
            "scaleSetPriority": "Spot",
            "scaleSetEvictionPolicy": "Delete",
            **properties,
        },
    }


PUBLISHED: dict[str, tuple[bicep.ResourceType, Body]] = {
    "ManagedClustersCreate_Update.json": (CLUSTER, published_update()),
    "ManagedClustersCreate_GPUMIG.json": (CLUSTER, published_gpu_mig()),
    "ManagedClustersCreate_PrivateClusterPublicFQDN.json": (CLUSTER, published_private()),
    "ManagedClustersCreate_Premium.json": (CLUSTER, published_premium()),
    "AgentPoolsCreate_Spot.json": (POOL, published_pool()),
    "AgentPoolsCreate_Update.json": (POOL, published_pool(mode="User")),
    "MaintenanceConfigurationsCreate_Update_MaintenanceWindow.json": (
        WINDOW,
        {
            "name": "aksManagedAutoUpgradeSchedule",
            "properties": {
                "maintenanceWindow": {
                    "schedule": {"relativeMonthly": {"intervalMonths": 2, "weekIndex": "First", "dayOfWeek": "Sunday"}},
                    "durationHours": 8,
                    "utcOffset": "+01:00",
                    "startDate": "2026-12-01",
                    "startTime": "02:30",
                    "notAllowedDates": [{"start": "2026-12-23", "end": "2027-01-05"}],
                }
            },
        },
    ),
}


@pytest.mark.parametrize("file", PUBLISHED)
def test_the_shapes_of_published_examples_pass(file: str) -> None:
    resource, body = PUBLISHED[file]
    assert bicep.check(resource, body) == []


def test_strict_reading_refuses_a_value_that_published_examples_have() -> None:
    # Known loss: several of the examples say sku.name Basic, which is not among the published values.
    body = copy.deepcopy(published_gpu_mig())
    body["sku"]["name"] = "Basic"
    assert [each.path for each in bicep.check(CLUSTER, body)] == ["sku.name"]
    assert bicep.check(CLUSTER, body, strict=False) == []
