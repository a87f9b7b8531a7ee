"""The functions of azure-native that a program calls for answers."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from tests.standins import api_server, bodies
from tests.standins.aks import CLUSTERS
from tests.standins.arm import Arm
from tests.standins.cloud import CLIENT, DEPLOYER, SUBSCRIPTION, TENANT, TOKEN, ArmError, Body
from tests.standins.kinds import KINDS

Arguments = Mapping[str, Any]

AKS_SERVER_APP = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application of every AKS API server with Entra."""
AKS_CLIENT_APP = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"


def answer(arm: Arm, token: str, arguments: Arguments) -> Body:
    """What a function gives back; `token` is `azure-native:<module>:<function>`."""
    if token in _FUNCTIONS:
        return _FUNCTIONS[token](arm, arguments)
    module, _, function = token.rpartition(":")
    kind = KINDS.get(f"{module}:{function.removeprefix('get')}")
    if kind is None or not function.startswith("get"):
        raise ArmError(400, "UnknownFunction", "the stand-in has no such function; add it to tests/standins/invokes.py")
    body = arm.get(kind.id(arguments))
    flat = bodies.flatten(kind.resource, body) if kind.resource and kind.lifted else {**body, **body["properties"]}
    return {**flat, "id": body["id"], "azureApiVersion": kind.version}


def kubeconfig(cluster: Body) -> str:
    """What AKS gives for `exec`: kubelogin by device code, which a person has to confirm in a browser."""
    name, group = cluster["name"], cluster["id"].split("/")[4]
    user = f"clusterUser_{group}_{name}"
    arguments = (
        *("get-token", "--environment", "AzurePublicCloud", "--server-id", AKS_SERVER_APP),
        *("--client-id", AKS_CLIENT_APP, "--tenant-id", TENANT, "--login", "devicecode"),
    )
    login = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": list(arguments),
        "command": "kubelogin",
        "env": None,
        "provideClusterInfo": False,
    }
    text = StringIO()
    YAML().dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "certificate-authority-data": api_server.authority(cluster),
                        "server": api_server.addresses(cluster)[0],
                    },
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
            "preferences": {},
            "users": [{"name": user, "user": {"exec": login}}],
        },
        text,
    )
    return text.getvalue()


def _client_config(arm: Arm, arguments: Arguments) -> Body:
    return {"clientId": CLIENT, "objectId": DEPLOYER, "subscriptionId": SUBSCRIPTION, "tenantId": TENANT}


def _client_token(arm: Arm, arguments: Arguments) -> Body:
    return {"token": TOKEN}


def _user_credentials(arm: Arm, arguments: Arguments) -> Body:
    kind = KINDS["azure-native:containerservice:ManagedCluster"]
    cluster = arm.get(kind.id(arguments))
    if arguments.get("format") != "exec":
        raise ArmError(400, "BadRequest", f"format {arguments.get('format')!r}: the legacy format needs kubectl < 1.26")
    value = base64.b64encode(kubeconfig(cluster).encode()).decode()
    return {"kubeconfigs": [{"name": "clusterUser", "value": value}]}


def _admin_credentials(arm: Arm, arguments: Arguments) -> Body:
    raise ArmError(400, "BadRequest", f"{CLUSTERS}: local accounts are disabled.")


_FUNCTIONS: Mapping[str, Callable[[Arm, Arguments], Body]] = {
    "azure-native:authorization:getClientConfig": _client_config,
    "azure-native:authorization:getClientToken": _client_token,
    "azure-native:containerservice:listManagedClusterUserCredentials": _user_credentials,
    "azure-native:containerservice:listManagedClusterAdminCredentials": _admin_credentials,
}
