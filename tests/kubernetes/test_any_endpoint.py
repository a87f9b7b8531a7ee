"""Whatever endpoint the rules let through, the API server takes all of its objects."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kubernetes.api import Api
from tests.kubernetes.endpoints import CONTENT, IMAGE, PROMETHEUS, TENANT, Values, load_endpoint, manifests, plan, pods
from tests.kubernetes.endpoints import version as with_code
from tidegate.parse import LARGEST

pytestmark = [pytest.mark.kubernetes, pytest.mark.usefixtures("definitions")]

names = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{2,31}", fullmatch=True),
    st.sampled_from(["a--", "a" * 32, "a" + "-" * 31, "a0-"]),
)
# Control characters beyond ASCII: the API server's reader of patches knows no form of them.
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\t\n\x1f"), max_size=60)
counts = st.one_of(st.integers(1, 100), st.sampled_from([1, 99_999, 100_000, LARGEST]))
amounts = st.one_of(st.floats(0.001, 64), st.sampled_from([0.0001, 0.1, 1.0005, 3, 1e6, LARGEST]))


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Values]:
    """A mapping in which any of the fields may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def scalers(draw: st.DrawFn) -> Values:
    least, more = draw(st.integers(1, 50)), draw(st.integers(0, 50))
    return {
        "autoScaler": {"minReplicas": least, "maxReplicas": least + more}
        | draw(optional(targetUtilization=st.integers(1, 100), refreshPeriodInSeconds=counts))
    }


@st.composite
def versions(draw: st.DrawFn) -> Values:
    built = st.builds(
        lambda variables: with_code(environment={"name": "plain", "environmentVariables": variables}),
        st.dictionaries(st.from_regex("[ -<>-~]{1,20}", fullmatch=True), texts),
    )
    cpu, memory = draw(amounts), draw(amounts)
    limits = {"cpuLimit": cpu * 2, "memoryInGBLimit": memory * 2} if max(cpu, memory) < LARGEST / 2 else {}
    requirements = {"cpu": cpu, "memoryInGB": memory, **draw(st.sampled_from([{}, limits]))}
    # What goes into an image cannot be said of one that is there.
    built = st.builds(lambda made, arguments: made | arguments, built, optional(arguments=st.lists(texts, max_size=3)))
    return {
        **draw(st.one_of(built, st.just({"image": IMAGE}))),
        **draw(st.one_of(st.just({}), scalers(), st.fixed_dictionaries({"numReplicas": counts}))),
        "containerResourceRequirements": requirements,
        **draw(
            optional(
                tags=st.dictionaries(texts, texts, max_size=3),
                description=texts,
                gpuCores=st.integers(0, 8),
                nodePool=st.from_regex(r"[a-z][a-z0-9]{0,11}", fullmatch=True),
                scoringTimeoutMs=counts,
                maxConcurrentRequestsPerContainer=counts,
                maxQueueWaitMs=st.one_of(st.just(0), counts),
                livenessProbeRequirements=optional(
                    periodSeconds=counts,
                    initialDelaySeconds=counts,
                    timeoutSeconds=counts,
                    successThreshold=counts,
                    failureThreshold=counts,
                ),
            )
        ),
    }


@st.composite
def shares(draw: st.DrawFn, most: int) -> list[Values]:
    """What at most sixteen versions get, the first one as default, and copies for some of those that get nothing."""
    count = draw(st.integers(1, most))
    if count == 1:
        return [{}]
    left, given = 100, []
    for index in range(1, count):
        percent = draw(st.integers(0, left // 2)) if index < 15 else 0
        left -= percent
        given.append({"traffic": percent} if percent else draw(optional(shadow=st.integers(0, 100))))
    return [{"default": True}, *given]


@st.composite
def endpoints(draw: st.DrawFn) -> tuple[str, Values]:
    each = draw(shares(20))
    if len(each) > 4:  # many versions are alike: what differs is tried in small endpoints
        body = draw(versions())
        bodies = [body] * len(each)
    else:
        bodies = [draw(versions()) for _ in each]
    called = draw(st.lists(names, min_size=len(each), max_size=len(each), unique=True))
    token = {"token": {"tenantId": TENANT, "applicationId": TENANT}}
    endpoint = {
        "auth": draw(st.sampled_from(["key", "none", token])),
        "versions": {name: body | share for name, body, share in zip(called, bodies, each, strict=True)},
        **draw(
            optional(
                tags=st.dictionaries(texts, texts, max_size=3),
                description=texts,
                retry=st.fixed_dictionaries({"attempts": st.integers(1, 3)}),
                maxRequestSizeInMB=st.integers(1, 1024),
                serviceAccount=st.sampled_from(["scorer", "a" * 63]),
            )
        ),
    }
    return draw(names), endpoint


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    endpoints(),
    st.fixed_dictionaries({"tls": st.booleans(), "keda": st.booleans(), "production": st.booleans()}),
    st.sampled_from([None, CONTENT]),
    st.sampled_from([None, PROMETHEUS]),
)
def test_what_the_rules_allow_goes_in(
    api: Api,
    namespace: str,
    tmp_path: Path,
    given: tuple[str, Values],
    facts: Values,
    content: str | None,
    prometheus: str | None,
) -> None:
    name, values = given
    endpoint = load_endpoint(tmp_path, {**values, "namespace": namespace}, name)
    keys = {"primary": "cHJpbWFyeQ=="} if endpoint.auth == "key" else {}
    objects = list(manifests(plan(endpoint, **facts), keys=keys, content=content, prometheus=prometheus))
    api.apply(objects[1])  # the service account, which pods need
    with api.expecting_no_warning():
        for each in objects:
            api.apply(each, dry_run=True)
            for pod in pods(each):
                api.create(pod, dry_run=True)
