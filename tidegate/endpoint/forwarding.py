"""How the gateway hands an endpoint's requests on, beside their split: copies for shadows, second tries."""

from collections.abc import Mapping

from tidegate.endpoint.input import EndpointInput, VersionInput
from tidegate.endpoint.spec import RetrySpec
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc, key_path

RETRIED = 503
"""Azure ML's answer, and ours, for "no replica is free": of all statuses the only one that may be tried again."""

MOST_SHADOWS = 13
"""Of an endpoint: a rule of the Gateway API takes 16 filters, and three are needed for other things."""


def resolve_retry(loc: Loc, endpoint: EndpointInput) -> tuple[RetrySpec | None, list[Finding]]:
    """What is tried again, and how often; None where nothing is."""
    given = endpoint.retry
    if given is None:
        return None, []
    findings: list[Finding] = []
    if given.on not in (None, RETRIED):
        problem = f"{given.on} cannot be tried again: the script may have done its work"
        findings.append(Finding(key_path((*loc, "retry", "on")), problem, f"Write {RETRIED}, or leave retry out"))
    return RetrySpec(on=(RETRIED,), attempts=given.attempts or 1), findings


def check_shadows(loc: Loc, versions: Mapping[str, VersionInput], broken: Broken) -> list[Finding]:
    """Rule E7: a version that gets copies gets no live request of its own."""
    findings: list[Finding] = []
    copied = sum(1 for version in versions.values() if version.shadow)
    if copied > MOST_SHADOWS:
        problem = f"{copied} versions get copies of requests, and a route can copy to {MOST_SHADOWS}"
        findings.append(Finding(key_path((*loc, "versions")), problem, "Take shadow out of some of them"))
    for name, version in versions.items():
        place = (*loc, "versions", name)
        if not version.shadow:
            continue
        path = key_path((*place, "shadow"))
        if version.traffic:
            problem = f"the version has {version.traffic} percent of the traffic, and would score some requests twice"
            findings.append(Finding(path, problem, "Take traffic out, or shadow"))
        elif version.default or (len(versions) == 1 and broken.sound(*loc, "versions")):
            problem = "the default version answers live requests"
            findings.append(Finding(path, problem, "Take shadow out, or make another version the default"))
    return findings
