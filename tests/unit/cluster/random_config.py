"""Configs of stacks on Azure drawn at random: sound ones, with some of their keys changed, added or taken out."""

import copy
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import SecretStr

from tidegate.cluster.input import AzureInput
from tidegate.parse import Input

Tree = dict[str, Any]
Draw = Any

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
NETWORK = f"{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.Network"
RANGES = ["203.0.113.0/24", "198.51.100.0/25", "198.51.100.128/25", "10.0.0.0/8", "0.0.0.0/0", "203.0.113.9/24"]
SPACES = ["10.224.0.0/16", "10.0.0.0/8", "192.168.0.0/20", "100.64.0.0/16", "172.16.0.0/30", "10.1.2.3/16"]
GUID = "8e2f0f1c-7a53-4f0e-8a5a-6f0f4f2f7d10"
DURATIONS = ["10s", "10m", "1h", "0s", "10", "-1m"]

WORDS: Mapping[str, list[str]] = {
    "tidegate:location": ["westeurope", "West Europe", "eastus2", "brazilsouth", "qatarcentral", "mars"],
    "location": ["northeurope", "North Europe", "southindia", "europe"],
    "vmSize": ["Standard_D4s_v5", "standard_d8s_v5", "Standard_NC4as_T4_v3", "Standard_NC24ads_A100_v4",
               "Standard_B4ms", "Standard_E4s_v5", "Standard_F4s_v2", "Standard_ND96isr_MI300X_v5",
               "Standard_NV6ads_A10_v5", "Standard_X1"],
    "kubernetesVersion": ["1.36", "1.36.2", "1.35", "1.20", "1.99", "v1.36"],
    "availabilityZones": ["1", "2", "3", "4"],
    "nodeTaints": ["team=a:NoSchedule", "sku=gpu:NoSchedule", "a:NoExecute", "a=b:PreferNoSchedule", "a=b:Never",
                   "CriticalAddonsOnly=true:NoSchedule"],
    "maxSurge": ["1", "33%", "0", "100%", "101%", "x"],
    "addressSpace": SPACES, "serviceCidr": [*SPACES, "10.0.0.0/16"], "podCidr": [*SPACES, "10.244.0.0/16"],
    "subnetCidr": ["10.20.0.0/22", *SPACES], "dockerBridgeCidr": ["172.17.0.1/16"],
    "dnsServiceIP": ["10.0.0.10", "10.2.0.10", "10.0.0.1", "10.0.0.256"],
    "nextHopIpAddress": ["10.224.255.4", "8.8.8.8", "firewall"],
    "allowedSourceRanges": RANGES, "authorizedIPRanges": RANGES,
    "privateDNSZone": ["system", "none", f"{NETWORK}/privateDnsZones/privatelink.westeurope.azmk8s.io", "zone"],
    "subnetId": [f"{NETWORK}/virtualNetworks/hub/subnets/apiserver", "apiserver"],
    "vnetSubnetID": [f"{NETWORK}/virtualNetworks/hub/subnets/pool", "pool"],
    "subnetName": ["scoring", "nodes", "gateway", "other"],
    "sku": ["Standard", "Basic", "Premium"],
    "leafDomainLabel": ["scoring-7421", "Scoring", "x"], "acmeEmail": ["a@example.com", "a"],
    "cname": ["scoring.example.com", "*"], "certificate": ["chain.pem"], "key": ["key.pem"],
    "tenantId": [GUID, "tenant"], "adminGroupObjectIDs": [GUID, "group"], "deployerObjectId": [GUID, "me"],
    "startTime": ["22:00", "24:00", "9:00"], "utcOffset": ["+01:00", "-09:30", "1"],
    "scaleDownUtilizationThreshold": ["0.5", "1", "2", "half"], "maxTotalUnreadyPercentage": ["45", "101"],
    "logAnalyticsWorkspaceID": [
        f"{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.OperationalInsights/workspaces/w"
    ],
    "resourceId": [f"{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/theirs",
                   f"{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/images"],
    "name": ["scoring7421", "scoring-ml", "a", "A-very-long-name-of-something-that-is-there"],
    "tidegate:resourceGroup": ["scoring"], "resourceGroup": ["scoring", "hub", "ends."], "nodeResourceGroup": ["nodes"],
    "tidegate:existingResourceGroups": ["hub", "SCORING"], "tidegate:allowReplacement": ["scoring", "nobody"],
    "dnsPrefix": ["scoring", "-a"], "serviceTags": ["ServiceTags.json"],
    "vnetName": ["hub"], "vnetResourceGroupName": ["hub"],
}  # fmt: skip
"""What may stand under a key that takes text, some of it right; other keys get durations or any text."""

NAMES: Mapping[str, list[str]] = {
    "tidegate:clusters": ["scoring", "second", "Scoring", "a", "ends-"],
    "pools": ["cpu", "gpu", "spot", "system", "Large"],
    "tidegate:tlsKeys": ["scoring", "nobody"],
}

SEEDS: list[Tree] = [
    {"tidegate:clusters": {"scoring": {"apiServer": {"authorizedIPRanges": ["203.0.113.0/24"]}}}},
    {
        "tidegate:clusters": {"scoring": {"purpose": "DevTest", "pools": {"cpu": {"minCount": 0, "maxCount": 3}}}},
        "tidegate:registry": {"name": "scoring7421"},
    },
    {
        "tidegate:clusters": {
            "scoring": {
                "network": {"addressSpace": "10.224.0.0/16", "outboundType": "userAssignedNATGateway"},
                "apiServer": {"private": {"enableVnetIntegration": True}},
                "loadBalancer": {"type": "InternalLoadBalancer"},
                "pools": {"gpu": {"vmSize": "Standard_NC4as_T4_v3"}, "spot": {"spot": {"maxPrice": 0.1}}},
                "upgrade": {"window": {"dayOfWeek": "Saturday"}},
                "autoscaler": {"expander": "least-waste"},
                "monitoring": {"containerInsights": True},
            }
        },
        "tidegate:registry": {"name": "scoring7421", "sku": "Premium", "publicNetworkAccess": False, "pullToken": True},
    },
    {
        "tidegate:clusters": {
            "scoring": {
                "network": {
                    "vnetName": "hub",
                    "vnetResourceGroupName": "hub",
                    "subnetName": "nodes",
                    "subnetCidr": "10.20.0.0/22",
                    "serviceCidr": "10.2.0.0/16",
                    "dnsServiceIP": "10.2.0.10",
                    "outboundType": "userDefinedRouting",
                    "defaultRouteExists": True,
                },
                "apiServer": {"private": {}},
                "loadBalancer": {"type": "InternalLoadBalancer", "subnetName": "scoring"},
            },
            "theirs": {"attach": {"resourceGroup": "others", "name": "theirs"}},
        },
        "tidegate:workspace": {"name": "scoring-ml", "resourceGroup": "hub", "location": "westeurope"},
        "tidegate:tags": {"team": "scoring"},
    },
]
"""Sound environments of different sorts."""

_PLACE: Tree = {"tidegate:target": "azure", "tidegate:location": "westeurope", "tidegate:resourceGroup": "scoring"}

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda child: st.lists(child, max_size=2) | st.dictionaries(st.text(max_size=4), child, max_size=2),
    max_leaves=4,
)


def sound(number: int) -> Tree:
    """One of the sound environments, whole."""
    return {**_PLACE, **copy.deepcopy(SEEDS[number])}


@st.composite
def configs(draw: Draw, most: int = 5) -> Tree:
    """A sound environment with up to `most` changes."""
    tree = sound(draw(st.integers(0, len(SEEDS) - 1)))
    for _ in range(draw(st.integers(0, most))):
        _change(draw, AzureInput, tree)
    return tree


def _change(draw: Draw, model: type[Input], tree: Tree) -> None:
    """Change the tree at one place that the model knows, somewhere below; now and then to what no model knows."""
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    key = draw(st.sampled_from(sorted(fields)))
    kind = _bare(fields[key])
    if draw(st.integers(0, 30)) == 0:
        tree[key] = draw(_JSON)
    elif draw(st.integers(0, 5)) == 0:
        tree.pop(key, None)
    elif _is_input(kind):
        _change(draw, kind, _below(tree, key))
    elif get_origin(kind) is dict:
        name = draw(st.sampled_from(NAMES.get(key, ["team", "kubernetes.azure.com/a", ""])))
        member = _bare(get_args(kind)[1])
        if _is_input(member):
            _change(draw, member, _below(_below(tree, key), name))
        else:
            _below(tree, key)[name] = draw(_value(key, member))
    else:
        tree[key] = draw(_value(key, kind))


def _below(tree: Tree, key: str) -> Tree:
    if not isinstance(tree.get(key), dict):
        tree[key] = {}
    return tree[key]


def _value(key: str, kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is list:
        return st.lists(_value(key, _bare(get_args(kind)[0])), max_size=3)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.sampled_from([0, 1, 2, 3, 4, 10, 16, 30, 110, 128, 250, 1000, 5000])
    if kind is float:
        return st.sampled_from([-1.0, 0.1, 0.123456, 0.0, -2.0])
    if kind in (str, SecretStr):
        return st.sampled_from(WORDS.get(key, ["a", "x y", *DURATIONS]))
    raise TypeError(f"no values for {key}: {kind}")


def _is_input(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Input)


def _bare(annotation: Any) -> Any:
    """The type without None and marks."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(each for each in get_args(annotation) if each is not type(None)))
    return annotation
