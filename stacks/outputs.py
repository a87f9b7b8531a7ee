"""What a stack says of its endpoints, in the same words for every target."""

from typing import Any

import pulumi

from tidegate.endpoint.spec import EndpointSpec
from tidegate.targets.envoy import paths

Described = dict[str, Any]


def describe_endpoint(spec: EndpointSpec, url: pulumi.Output[str], *, issuer: pulumi.Input[str] = "") -> Described:
    """An endpoint's addresses below the gateway's `url`, its versions with their percents, and who may call.

    `issuer` makes its tokens, where it asks for one.
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
        described["token"] = {"issuer": issuer, "audience": spec.token.audiences[0], "role": spec.token.role}
    if spec.shadows:
        described["shadows"] = dict(spec.shadows)
    return described
