"""Where the API server of a pretended cluster is: nowhere, or, for tests that run one, where the environment says."""

import base64
import os

from tests.standins.cloud import Body, guid

SERVER = "KUBERNETES_STANDIN_SERVER"
"""The variable with the real API server's address; every pretended cluster then leads to it."""
AUTHORITY = "KUBERNETES_STANDIN_AUTHORITY"
"""The variable with the PEM of its authority, in base64."""
TOKEN = "KUBERNETES_STANDIN_TOKEN"
"""The variable with the token that kubelogin gives."""


def addresses(cluster: Body) -> list[str]:
    """The addresses of a cluster; the first is the one that a kubeconfig names."""
    if SERVER in os.environ:
        return [os.environ[SERVER]]
    properties = cluster["properties"]
    hosts = (properties.get("fqdn"), properties.get("privateFQDN"))
    return [f"https://{host}:443" for host in hosts if host]


def authority(cluster: Body) -> str:
    """The cluster's own certificate authority, base64."""
    if SERVER in os.environ:
        return os.environ[AUTHORITY]
    content = guid(cluster["properties"]["resourceUID"], "authority")
    pem = f"-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n"
    return base64.b64encode(pem.encode()).decode()
