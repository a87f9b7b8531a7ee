"""A cluster that is said to have part of the gateway, and has not."""

import re
from collections.abc import Collection, Sequence

from tidegate.cluster.spec import Installed

_UNKNOWN_KIND = re.compile(r"no matches for kind \"(?P<kind>\w+)\" in version \"(?P<version>[\w.]+/\w+)\"")

_KEY = "attach.installed"
_INSTALL = {
    "gateway.networking.k8s.io": "az aks update --resource-group GROUP --name CLUSTER --enable-gateway-api",
    "gateway.envoyproxy.io": "helm install eg oci://docker.io/envoyproxy/gateway-helm --version v1.9.1 "
    "--namespace envoy-gateway-system --create-namespace",
}
"""By API group, the command that brings it."""


def explain_missing(installed: Collection[Installed], errors: Sequence[str]) -> str | None:
    """Say what is missing and how it is installed, from the API server's words; None for any other error.

    `installed` is what the config says that the cluster has; `errors` begin with the newest.
    """
    found = _UNKNOWN_KIND.search(errors[0]) if errors else None
    group = found["version"].partition("/")[0] if found else ""
    if found is None or group not in _INSTALL:
        return None
    return (
        f"it has no {found['kind']} of {found['version']}, though {_KEY} says {', '.join(sorted(installed))}: "
        f"run `{_INSTALL[group]}`, or take it out of {_KEY}, and this stack installs it"
    )
