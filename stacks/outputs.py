"""What a stack says of its endpoints, in the same words for every target."""

from typing import Any

import pulumi

from tidegate.endpoint.spec import EndpointSpec
from tidegate.targets.envoy import paths

Described = dict[str, Any]


def describe_endpoint(
    spec: EndpointSpec, url: pulumi.Output[str], *, issuer: pulumi.Output[str] | None = None
) -> Described:
    """An endpoint's addresses below the gateway's `url`, its versions with their percents, and who may call.

    `issuer` makes its tokens, where it asks for one and Entra ID does not: that is asked for tokens of a `scope`.
    """
    score, swagger = (path for path in paths(spec.name) if path.startswith("/api/"))
    described: Described = {
        "address": pulumi.Output.concat(url, score),
        "swagger": pulumi.Output.concat(url, swagger),
        "auth": spec.auth,
        "default": spec.default,
        "control": spec.control,
        "versions": dict(spec.percents),
    }
    if spec.token:
        described["token"] = {"audience": spec.token.audiences[0], "role": spec.token.role} | (
            {"issuer": spec.token.issuers[0], "scope": spec.token.scope} if issuer is None else {"issuer": issuer}
        )
    if spec.shadows:
        described["shadows"] = dict(spec.shadows)
    return described
