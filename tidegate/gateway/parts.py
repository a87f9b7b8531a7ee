"""A cluster that is attached, and has other parts of the gateway than its config says."""

import re
from collections.abc import Sequence

_ABSENT = re.compile(r"no matches for kind \"(?P<kind>\w+)\" in version \"(?P<version>[\w.]+/\w+)\"")
_PRESENT = re.compile(r"already exists")

_KEY = "attach.installed"
_PARTS = {
    "gateway.networking.k8s.io": (
        "gatewayApi",
        "az aks update --resource-group GROUP --name CLUSTER --enable-gateway-api",
    ),
    "gateway.envoyproxy.io": (
        "envoyGateway",
        "helm install eg oci://docker.io/envoyproxy/gateway-helm --version v1.9.1 --namespace envoy-gateway-system "
        "--create-namespace",
    ),
}
"""By API group, the part's name in the config and the command that installs it."""


def explain(name: str, errors: Sequence[str]) -> str | None:
    """Say what the cluster lacks, or has already, from the API server's words; None for any other error.

    `name` ends with the name of the object that could not be made; `errors` begin with the newest.
    """
    newest = errors[0] if errors else ""
    if found := _ABSENT.search(newest):
        group = found["version"].partition("/")[0]
        if group in _PARTS:
            part, command = _PARTS[group]
            return (
                f"it has no {found['kind']} of {found['version']}, though {_KEY} says {part}: run `{command}`, or take "
                f"{part} out of {_KEY}, and this stack installs it"
            )
    if _PRESENT.search(newest):
        for group, (part, _) in _PARTS.items():
            if name.endswith(f".{group}"):
                return (
                    f"it has the definitions of {group} already: write {_KEY}: [{part}], and they are used as they are"
                )
    return None
