"""Addresses that do not fit."""

from collections.abc import Mapping

from tidegate.cluster.input import ClusterInput
from tidegate.cluster.network import resolve_network
from tidegate.findings import Finding
from tidegate.parse import Broken

EXISTING = {
    "vnetName": "hub",
    "vnetResourceGroupName": "network",
    "subnetName": "aks",
    "serviceCidr": "10.1.0.0/16",
    "dnsServiceIP": "10.1.0.10",
}
VNET = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/network/providers/Microsoft.Network"
    "/virtualNetworks"
)


def said(network: Mapping[str, object], **cluster: object) -> list[Finding]:
    entry = ClusterInput.model_validate({**cluster, "network": network})
    return resolve_network(("tidegate:clusters", "scoring"), entry, Broken())[2]


def dns(address: str) -> list[Finding]:
    return said({"serviceCidr": "10.1.0.0/16", "dnsServiceIP": address})


LARGE = {"large": {"minCount": 1, "maxCount": 250, "maxSurge": "33%"}}

CASES = [
    ("range-private", "pods with public addresses", lambda: said({"podCidr": "11.0.0.0/16"})),
    ("range-private", "a network with public addresses", lambda: said({"addressSpace": "172.0.0.0/16"})),
    ("range-kept-by-aks", "services", lambda: said({"serviceCidr": "172.30.0.0/17"})),
    ("range-kept-by-aks", "a network around two of them", lambda: said({"addressSpace": "172.16.0.0/12"})),
    ("ranges-disjoint", "services in the network", lambda: said({"addressSpace": "10.0.0.0/8"})),
    ("ranges-disjoint", "pods and services", lambda: said({"podCidr": "10.2.0.0/16", "serviceCidr": "10.2.4.0/22"})),
    ("ranges-disjoint", "pods in AKS's subnet", lambda: said({"podCidr": "10.224.0.0/16"})),
    ("ranges-disjoint", "an existing subnet", lambda: said({**EXISTING, "subnetCidr": "10.1.4.0/24"})),
    ("service-range-size", "too large", lambda: said({"serviceCidr": "10.0.0.0/12"})),
    ("service-range-size", "too small", lambda: said({"serviceCidr": "10.1.0.0/30"})),
    ("dns-service-address", "no address", lambda: dns("dns")),
    ("dns-service-address", "another range", lambda: dns("10.0.0.10")),
    ("dns-service-address", "the range's first", lambda: dns("10.1.0.0")),
    ("dns-service-address", "the API server's", lambda: dns("10.1.0.1")),
    ("dns-service-address", "the range's last", lambda: dns("10.1.255.255")),
    ("pod-range-size", "a /24 for each node", lambda: said({"podCidr": "10.244.0.0/23"})),
    ("pod-range-size", "the default for many nodes", lambda: said({}, pools=LARGE)),
    ("node-subnet-size", "a network made here", lambda: said({"addressSpace": "10.224.0.0/24"}, pools=LARGE)),
    (
        "node-subnet-size",
        "an existing subnet, with a private endpoint and the front in it",
        lambda: said(
            {**EXISTING, "subnetCidr": "10.3.0.0/29"},
            apiServer={"private": {}},
            loadBalancer={"type": "InternalLoadBalancer"},
        ),
    ),
    (
        "pool-subnet-network",
        "in AKS's network",
        lambda: said({}, pools={"batch": {"vnetSubnetID": f"{VNET}/hub/subnets/batch"}}),
    ),
    (
        "pool-subnet-network",
        "another network",
        lambda: said(EXISTING, systemPool={"vnetSubnetID": f"{VNET}/spoke/subnets/system"}),
    ),
]
