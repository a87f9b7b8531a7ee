"""What an endpoint's plan holds as a whole, and what may change without new pods."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.kubernetes.examples import EXAMPLES, PLAIN, STRICT, endpoint, everything, objects, risk, version
from tidegate.endpoint.spec import DeploymentSpec, EndpointSpec
from tidegate.names import ENDPOINT
from tidegate.targets.kubernetes import plan_endpoint

NAMES = st.from_regex(ENDPOINT.pattern, fullmatch=True)
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)


@st.composite
def endpoints(draw: st.DrawFn) -> EndpointSpec:
    """Endpoints of any names, weights, marks and words."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    return with_choices(draw, names, draw(NAMES), draw(st.sampled_from(["key", "none"])))


def with_choices(draw: st.DrawFn, names: list[str], name: str, auth: str) -> EndpointSpec:
    default = draw(st.sampled_from(names))
    control = draw(st.sampled_from([*names, None]))
    shares = draw(st.lists(st.integers(0, 100 // len(names)), min_size=len(names), max_size=len(names)))
    versions = [
        version(
            each,
            traffic=share,
            default=each == default,
            control=each == control,
            tags=draw(TEXTS),
            description=draw(st.text(max_size=9)),
        )
        for each, share in zip(names, shares, strict=True)
    ]
    return endpoint(*versions, name=name, auth=auth, tags=draw(TEXTS), description=draw(st.text(max_size=9)))


@st.composite
def changes(draw: st.DrawFn) -> tuple[EndpointSpec, EndpointSpec]:
    """An endpoint before and after a change of weights, marks and words."""
    before = draw(endpoints())
    names = [each.name for each in before.versions]
    return before, with_choices(draw, names, before.name, before.auth)


@settings(deadline=None, max_examples=50)
@given(changes())
def test_weights_marks_and_words_make_no_new_pods(change: tuple[EndpointSpec, EndpointSpec]) -> None:
    before, after = (everything(plan_endpoint(each, STRICT)) for each in change)
    for name, each in before["versions"].items():
        other = after["versions"][name]
        for part in ("service", "disruption budget", "scaler", "strategy", "generation"):
            assert each[part] == other[part]
        assert without_words(each["deployment"]) == without_words(other["deployment"])
    for part in ("namespace", "service account", "keys", "security policy", "network policies", "filters"):
        assert before[part] == after[part]
    assert [route["spec"] for route in before["header routes"]] == [route["spec"] for route in after["header routes"]]


def without_words(deployment: Any) -> Any:
    found = copy.deepcopy(deployment)
    for name in ("description", "tags"):
        found["metadata"]["annotations"].pop(f"tidegate.dev/{name}", None)
    return found


def test_what_runs_makes_new_pods() -> None:
    first = plan_endpoint(endpoint(version("one")), PLAIN).versions["one"]
    deployments = [
        DeploymentSpec(max_concurrent_requests=2),
        DeploymentSpec(scoring_timeout_ms=61000),
        DeploymentSpec(memory_gb=1),
    ]
    for deployment in deployments:
        other = plan_endpoint(endpoint(version("one", deployment=deployment)), PLAIN).versions["one"]
        assert other.generation != first.generation
    more = plan_endpoint(
        endpoint(version("one", deployment=DeploymentSpec(num_replicas=4, autoscaler=None))), PLAIN
    ).versions["one"]
    assert more.generation == first.generation  # more pods are no new ones


@settings(deadline=None, max_examples=50)
@given(st.lists(endpoints(), min_size=2, max_size=4, unique_by=lambda each: each.name))
def test_endpoints_in_one_namespace_share_no_object_but_the_namespace(several: list[EndpointSpec]) -> None:
    seen: set[tuple[str, str]] = set()
    for each in several:
        plan = plan_endpoint(each.model_copy(update={"namespace": "shared"}), PLAIN)
        own = {(found["kind"], found["metadata"]["name"]) for found in objects(everything(plan))}
        own.remove(("Namespace", "shared"))
        if plan.security_policy is None:
            assert ("Secret" not in {kind for kind, _ in own}) and each.auth == "none"
        assert not own & seen
        seen |= own


def test_every_object_says_whose_it_is() -> None:
    for make, cluster in EXAMPLES.values():
        spec = make()
        for found in objects(everything(plan_endpoint(spec, cluster))):
            labels = found["metadata"]["labels"]
            assert labels["app.kubernetes.io/managed-by"] == "tidegate"
            assert labels.get("tidegate.dev/production") == ("true" if cluster.production else None)
            if found["kind"] != "Namespace":
                assert labels["tidegate.dev/endpoint"] == spec.name
                assert found["metadata"]["namespace"] == spec.namespace
                assert found["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


def test_open_endpoints_are_marked_as_such() -> None:
    for make, cluster in EXAMPLES.values():
        spec = make()
        plan = plan_endpoint(spec, cluster)
        marks = {each["metadata"]["labels"].get("tidegate.dev/anonymous") for each in (*plan.header_routes, plan.split)}
        assert marks == {"true" if spec.auth == "none" else None}
        assert (plan.security_policy is None) == (spec.auth == "none")


def test_values_of_later_are_passed_on_as_they_are() -> None:
    image, content, client, query, key = (object() for _ in range(5))
    plan = plan_endpoint(endpoint(version("one")), STRICT)
    one = plan.versions["one"]
    (container,) = one.deployment(image=image, content=content)["spec"]["template"]["spec"]["containers"]
    assert container["image"] is image
    assert [each["value"] for each in container["env"] if each["name"] == "TIDEGATE_CONTENT"] == [content]
    account = plan.service_account(client_id=client)
    assert account["metadata"]["annotations"]["azure.workload.identity/client-id"] is client
    authentication, scaled = one.scaler(query_endpoint=query, client_id=client)
    assert scaled["spec"]["triggers"][0]["metadata"]["serverAddress"] is query
    assert authentication["spec"]["podIdentity"]["identityId"] is client
    assert plan.keys(values={"primary": key})["data"] == {"primary": key}


def test_a_plan_is_made_anew_each_time() -> None:
    # What changes one rendering of a Deployment (a transformation of Pulumi's) must not reach the next.
    one = plan_endpoint(endpoint(version("one")), PLAIN).versions["one"]
    first = one.deployment(image="a")
    first["spec"]["template"]["spec"]["containers"].clear()
    assert one.deployment(image="a")["spec"]["template"]["spec"]["containers"]


def test_how_long_a_rollout_waits() -> None:
    stable = plan_endpoint(risk(), PLAIN).versions["stable"]
    assert (stable.startup_s, stable.drain_s) == (45, 91)
