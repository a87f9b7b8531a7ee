"""As much of Azure as the plugin's kinds ask: clusters and their tags, strict about what it is asked."""

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from providers.azure.session import Session
from providers.kind import Call
from tests.unit.azure.web import Answer, Asked, refusal
from tidegate.azure.login import Login

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
CLUSTERS = "/providers/Microsoft.ContainerService/managedClusters"
TOKEN = "the-login-s-token"


@dataclass
class GivenToken:
    token: str = TOKEN
    expires_on: int = 1 << 40


class GivenCredential:
    def get_token(self, *scopes: str) -> GivenToken:
        return GivenToken()


def session() -> Session:
    """A session with a login that works."""
    return Session(Login({"ARM_SUBSCRIPTION_ID": SUBSCRIPTION}, credential=GivenCredential))


@dataclass
class Said:
    """A call of the engine that keeps what it was told."""

    lines: list[str] = field(default_factory=list[str])
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def call(self) -> Call:
        return Call(progress=lambda text: None, info=self.lines.append, cancelled=self.cancelled)


class Cloud:
    """Answers for a `Web`. `clusters` by id; `before` may answer a request first."""

    def __init__(self) -> None:
        self.clusters: dict[str, dict[str, Any]] = {}
        self.writes: list[Any] = []

    def before(self, asked: Asked) -> Answer | None:
        return None

    def add(self, group: str = "rg", name: str = "aks", **properties: Any) -> str:
        identity = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}{CLUSTERS}/{name}"
        self.clusters[identity] = {
            "id": identity,
            "name": name,
            "location": "westeurope",
            "tags": {"team": "scoring"},
            "properties": {
                "provisioningState": "Succeeded",
                "kubernetesVersion": "1.36",
                "currentKubernetesVersion": "1.36.2",
                "powerState": {"code": "Running"},
                "fqdn": f"{name}-1.hcp.westeurope.azmk8s.io",
                "nodeResourceGroup": f"MC_{group}_{name}",
                "networkProfile": {"loadBalancerSku": "standard", "outboundType": "loadBalancer"},
                "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://westeurope.oic.example/t/c/"},
                "identityProfile": {"kubeletidentity": {"objectId": "kubelet-object", "clientId": "kubelet-client"}},
                "agentPoolProfiles": [
                    {"name": "system", "mode": "System", "count": 3, "vmSize": "Standard_D4s_v5", "osType": "Linux"}
                ],
            }
            | properties,
        }
        return identity

    def __call__(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "AuthenticationFailed", "no token")
        answer = self.before(asked)
        if answer:
            return answer
        version = asked.query.get("api-version")
        if asked.method == "PATCH":
            return self._tag(asked, version)
        if asked.method != "GET" or version != "2025-09-01":
            return refusal(400, "InvalidApiVersionParameter", f"{asked.method} {version}")
        if asked.path == f"/subscriptions/{SUBSCRIPTION}{CLUSTERS}":
            return Answer(body={"value": list(self.clusters.values())})
        cluster = self.clusters.get(asked.path)
        return Answer(body=cluster) if cluster else refusal(404, "ResourceNotFound", "was not found")

    def _tag(self, asked: Asked, version: str | None) -> Answer:
        scope = re.fullmatch(r"(.*)/providers/Microsoft\.Resources/tags/default", asked.path)
        cluster = self.clusters.get(scope[1]) if scope else None
        match asked.body:
            case {"operation": operation, "properties": {"tags": dict(tags)}} if len(asked.body) == 2:
                pass
            case _:
                return refusal(400, "BadRequest", "not a patch of tags")
        if version != "2021-04-01" or cluster is None:
            return refusal(404, "ResourceNotFound", "was not found")
        self.writes.append((operation, tags))
        there = dict(cluster["tags"])
        if operation == "Merge":
            there |= tags
        elif operation == "Delete":
            there = {name: value for name, value in there.items() if tags.get(name) != value}
        else:
            return refusal(400, "BadRequest", operation)
        cluster["tags"] = there
        return Answer(body={"properties": {"tags": there}})
