"""Who may call, who may connect, and what the gateway makes of it."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate_runtime import metrics, scoreboard
from tidegate_runtime.settings import from_environment

from tests.unit.kubernetes.examples import PLAIN, STRICT, endpoint, risk, version
from tidegate.endpoint.spec import AutoScalerSpec, DeploymentSpec, RetrySpec
from tidegate.targets.kubernetes import plan_endpoint
from tidegate.targets.kubernetes.scaling import requests_query


def one(cluster: Any = PLAIN, **given: Any) -> Any:
    return plan_endpoint(endpoint(version("one"), **given), cluster)


def test_policies_are_on_every_route_by_label_from_its_first_moment() -> None:
    plan = plan_endpoint(risk(), PLAIN)
    assert plan.security_policy is not None
    for policy in (plan.security_policy, *plan.traffic_policies):
        (selector,) = policy["spec"]["targetSelectors"]
        for route in (*plan.header_routes, plan.split):
            assert selector["kind"] == route["kind"]
            assert selector["matchLabels"].items() <= route["metadata"]["labels"].items()
            assert policy["metadata"]["namespace"] == route["metadata"]["namespace"]
        other = one().split["metadata"]["labels"]
        assert not selector["matchLabels"].items() <= other.items()


def test_keys_are_those_of_the_endpoint_s_secret() -> None:
    plan = one()
    check = plan.security_policy["spec"]["apiKeyAuth"]
    secret = plan.keys(values={"primary": "eA==", "secondary": "eQ=="})
    assert check["credentialRefs"] == [{"group": "", "kind": "Secret", "name": secret["metadata"]["name"]}]
    assert (check["forwardClientIDHeader"], check["sanitize"]) == ("x-tidegate-client", True)
    assert secret["type"] == "Opaque"


def test_tokens_need_an_issuer_an_audience_and_the_role() -> None:
    plan = plan_endpoint(risk(), PLAIN)
    assert plan.security_policy is not None
    spec = plan.security_policy["spec"]
    tenant = "6f0f2fb8-9c35-4d0f-9f0a-5f3f5f9a0a01"
    providers = spec["jwt"]["providers"]
    assert [each["issuer"] for each in providers] == [
        f"https://login.microsoftonline.com/{tenant}/v2.0",
        f"https://sts.windows.net/{tenant}/",
    ]
    for each in providers:
        assert each["audiences"] == ["1c3e0f10-9d4e-4a57-8a55-0d2b6d3c7e02", "api://risk"]
        assert each["remoteJWKS"]["uri"] == f"https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys"
        assert each["extractFrom"] == {"headers": [{"name": "Authorization", "valuePrefix": "Bearer "}]}
    assert spec["authorization"]["defaultAction"] == "Deny"
    allowed = {each["principal"]["jwt"]["provider"]: each for each in spec["authorization"]["rules"]}
    assert allowed.keys() == {each["name"] for each in providers}
    for rule in allowed.values():
        (claim,) = rule["principal"]["jwt"]["claims"]
        assert (claim["name"], claim["values"], rule["action"]) == ("roles", ["Score.Invoke"], "Allow")
    assert not {"optional", "failOpen"} & spec["jwt"].keys()


def test_second_tries_are_off_unless_asked_for() -> None:
    (policy,) = one().traffic_policies
    assert "retry" not in policy["spec"]
    (policy,) = one(retry=RetrySpec(attempts=3)).traffic_policies
    retry = policy["spec"]["retry"]
    assert (retry["numRetries"], retry["retryOn"]["httpStatusCodes"]) == (3, [503])
    # Without the first of these the codes mean nothing to Envoy; a timeout is no reason to score twice.
    assert set(retry["retryOn"]["triggers"]) == {"retriable-status-codes", "connect-failure"}


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=10**6))
def test_the_largest_request_is_written_as_the_policy_takes_it(megabytes: int) -> None:
    (policy,) = one(max_request_mb=megabytes).traffic_policies
    text = policy["spec"]["requestBuffer"]["limit"]
    assert re.fullmatch(r"[1-9]+[0-9]*([EPTGMK]i|[EPTGMk])?", text)
    assert int(text.removesuffix("Mi")) == megabytes


def test_connections_are_closed_before_the_server_closes_them() -> None:
    (policy,) = one().traffic_policies
    assert policy["spec"]["timeout"]["http"] == {"connectionIdleTimeout": "20s"}
    assert policy["spec"]["healthCheck"] == {"panicThreshold": 0}
    assert set(policy["spec"]["circuitBreaker"].values()) == {1024}


def test_only_the_gateway_and_prometheus_connect_to_pods() -> None:
    plan = plan_endpoint(risk(), PLAIN)
    (policy,) = plan.network_policies
    spec = policy["spec"]
    pods = plan.versions["stable"].deployment(image="image")["spec"]["template"]
    assert spec["podSelector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
    assert spec["policyTypes"] == ["Ingress"]
    found = {
        rule["ports"][0]["port"]: {
            each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for each in rule["from"]
        }
        for rule in spec["ingress"]
    }
    assert found == {"http": {"envoy-gateway-system"}, "metrics": {"kube-system"}}
    assert all(each["podSelector"]["matchLabels"] for rule in spec["ingress"] for each in rule["from"])
    assert {each["name"] for each in pods["spec"]["containers"][0]["ports"]} == set(found)


@pytest.mark.parametrize(
    ("cluster", "query", "kinds"),
    [
        (STRICT, "https://query", ["TriggerAuthentication", "ScaledObject"]),
        (STRICT, None, ["HorizontalPodAutoscaler"]),
        (PLAIN, "https://query", ["HorizontalPodAutoscaler"]),
        (PLAIN, None, ["HorizontalPodAutoscaler"]),
    ],
)
def test_one_scaler_alone(cluster: Any, query: str | None, kinds: list[str]) -> None:
    found = one(cluster).versions["one"].scaler(query_endpoint=query)
    assert [each["kind"] for each in found] == kinds
    target = found[-1]["spec"]["scaleTargetRef"]
    deployment = one(cluster).versions["one"].deployment(image="image")
    assert target == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }


def test_replicas_follow_the_requests_in_them() -> None:
    bounds = DeploymentSpec(max_concurrent_requests=4, autoscaler=AutoScalerSpec(min_replicas=2, target_utilization=75))
    plan = plan_endpoint(endpoint(version("one", deployment=bounds)), STRICT).versions["one"]
    authentication, scaled = plan.scaler(query_endpoint="https://query")
    spec = scaled["spec"]
    (trigger,) = spec["triggers"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 10)
    assert (trigger["metricType"], trigger["metadata"]["threshold"]) == ("AverageValue", "3")
    assert trigger["metadata"]["query"] == requests_query("prices", "one")
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


def test_requests_take_over_from_cpu() -> None:
    # KEDA's webhook refuses a second autoscaler, and the engine makes the new one before it deletes the old one.
    (by_cpu,) = one().versions["one"].scaler(query_endpoint=None)
    _, scaled = one(STRICT).versions["one"].scaler(query_endpoint="https://query")
    assert scaled["metadata"]["annotations"]["scaledobject.keda.sh/transfer-hpa-ownership"] == "true"
    found = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"]
    assert found == by_cpu["metadata"]["name"]


def test_the_query_asks_for_what_the_server_says() -> None:
    told = from_environment(
        {"SERVICE_NAME": "prices", "SERVICE_VERSION": "one", "AZUREML_MODEL_DIR": "."}, entry_script=__file__
    )
    text = metrics.render(told, scoreboard.Scoreboard(1, 1), ready=1, replaced=0)
    gauges = re.findall(r"sum\((.*?)\)", requests_query("prices", "one"))
    assert len(gauges) == 2
    for gauge in gauges:
        assert f"\n{gauge} 0\n" in text


def test_a_refresh_period_that_cannot_be_kept_is_said() -> None:
    def notes(seconds: int) -> list[str]:
        bounds = DeploymentSpec(autoscaler=AutoScalerSpec(refresh_period_s=seconds))
        plan = plan_endpoint(endpoint(version("one", deployment=bounds)), STRICT)
        _, scaled = plan.versions["one"].scaler(query_endpoint="https://query")
        assert scaled["spec"]["pollingInterval"] == max(seconds, 15)
        return [note.problem for note in plan.notes]

    assert notes(1) == notes(15) == notes(60) == []
    (note,) = notes(5)
    assert "refreshPeriodInSeconds 5 cannot be kept" in note
    assert "every 15 s" in note
