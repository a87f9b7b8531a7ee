"""What a gateway is made of, by what the cluster's spec says."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.checks import unguarded_routes
from tests.unit.cluster.specs import cluster
from tests.unit.gateway.schemas import faults, schemas
from tests.unit.gateway.specs import INTERNAL, ISSUED, OWN, SPECS, attached
from tidegate.cluster.capacity import platform_demands
from tidegate.cluster.spec import LoadBalancerSpec
from tidegate.gateway.bundles import read_bundle
from tidegate.gateway.names import Manifest
from tidegate.gateway.plan import GatewayPlan, plan_gateway
from tidegate.gateway.proxies import LEAST_DRAIN_S, drain_seconds
from tidegate.targets import envoy

CACHE = "scoring.azurecr.io/cache"
_AZURE = "service.beta.kubernetes.io/azure"


def of_kind(plan: GatewayPlan, kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in plan.manifests if each["kind"] == kind}


def service(plan: GatewayPlan) -> dict[str, Any]:
    return plan.proxies["spec"]["provider"]["kubernetes"]["envoyService"]


@pytest.mark.parametrize("name", SPECS)
def test_every_object_is_of_the_form_that_its_definition_asks_for(name: str) -> None:
    known = schemas()
    for each in plan_gateway(SPECS[name]).manifests:
        if (schema := known.get((each["apiVersion"], each["kind"]))) is not None:
            assert list(faults(each["spec"], schema["properties"]["spec"], "spec")) == []
        else:
            assert each["kind"] == "NetworkPolicy"


@pytest.mark.parametrize("name", SPECS)
def test_every_object_is_marked_and_stands_in_a_namespace_of_the_gateway(name: str) -> None:
    plan = plan_gateway(SPECS[name])
    seen = set[tuple[str, str | None, str]]()
    for each in plan.manifests:
        metadata = each["metadata"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "tidegate"
        assert metadata.get("namespace") in (None, "tidegate-gateway", *plan.namespaces)
        identity = (each["kind"], metadata.get("namespace"), metadata["name"])
        assert identity not in seen
        seen.add(identity)


def test_without_tls_there_is_one_listener_and_no_name() -> None:
    plan = plan_gateway(cluster())
    assert [each["name"] for each in plan.gateway["spec"]["listeners"]] == ["http"]
    assert (plan.host, plan.tls, plan.issuer, plan.certificate) == ("", False, None, None)
    assert of_kind(plan, "HTTPRoute").keys() == {"unknown-path"}


def test_an_own_certificate_is_served_under_its_name() -> None:
    plan = plan_gateway(cluster(tls=OWN))
    http, https = plan.gateway["spec"]["listeners"]
    assert (http["port"], https["port"]) == (80, 443)
    assert https["tls"]["certificateRefs"] == [{"group": "", "kind": "Secret", "name": "scoring-certificate"}]
    assert (plan.host, plan.tls, plan.issuer) == ("a.example.com", True, None)
    assert "cert-manager" not in plan.bundles
    assert "KEY" not in json.dumps(list(plan.manifests))


def test_an_issued_certificate_goes_into_the_secret_that_the_listener_names() -> None:
    plan = plan_gateway(cluster(tls=ISSUED))
    assert plan.issuer is not None
    assert plan.certificate is not None
    assert plan.certificate["spec"]["secretName"] == "scoring-certificate"
    assert plan.certificate["spec"]["dnsNames"] == [plan.host] == [ISSUED.domain]
    assert plan.certificate["spec"]["issuerRef"]["name"] == plan.issuer["metadata"]["name"]
    assert plan.issuer["spec"]["acme"]["email"] == "ops@example.com"
    assert service(plan)["annotations"][f"{_AZURE}-dns-label-name"] == "scores"
    assert plan.bundles[-1] == "cert-manager"
    assert "cert-manager" in plan.namespaces


def test_an_issuer_needs_no_mail_address() -> None:
    issuer = plan_gateway(cluster(tls=ISSUED.model_copy(update={"acme_email": ""}))).issuer
    assert issuer is not None
    assert "email" not in issuer["spec"]["acme"]


def test_with_tls_plain_http_carries_nothing_but_the_way_to_https() -> None:
    routes = of_kind(plan_gateway(cluster(tls=OWN)), "HTTPRoute")
    by_listener = {each["spec"]["parentRefs"][0]["sectionName"]: name for name, each in routes.items()}
    assert by_listener == {"http": "to-https", "https": "unknown-path"}
    # An ACME challenge has a route with an exact path, which goes before a prefix.
    (match,) = routes["to-https"]["spec"]["rules"][0]["matches"]
    assert match["path"] == {"type": "PathPrefix", "value": "/"}


@pytest.mark.parametrize("name", SPECS)
def test_the_policy_pack_takes_the_gateways_own_routes(name: str) -> None:
    assert list(unguarded_routes(of_kind(plan_gateway(SPECS[name]), "HTTPRoute").values(), [])) == []


def test_an_internal_front_has_its_address_in_its_subnet() -> None:
    annotations = service(plan_gateway(cluster(load_balancer=INTERNAL)))["annotations"]
    assert annotations[f"{_AZURE}-load-balancer-internal"] == "true"
    assert annotations[f"{_AZURE}-load-balancer-internal-subnet"] == "scoring"
    own = service(plan_gateway(cluster(load_balancer=LoadBalancerSpec(type="InternalLoadBalancer"))))["annotations"]
    assert f"{_AZURE}-load-balancer-internal-subnet" not in own


def test_callers_keep_their_addresses_and_their_silent_connections() -> None:
    given = service(plan_gateway(cluster()))
    assert given["externalTrafficPolicy"] == "Local"
    assert given["annotations"] == {f"{_AZURE}-load-balancer-tcp-idle-timeout": "30"}


@settings(deadline=None)  # how fast it is depends on what else the machine does
@given(st.floats(min_value=0.001, max_value=24 * 3600))
def test_a_proxy_serves_the_longest_request_before_it_goes(longest_request_s: float) -> None:
    drain = drain_seconds(longest_request_s)
    assert drain >= longest_request_s + 30
    assert drain >= LEAST_DRAIN_S
    assert drain % 60 == 0
    assert drain <= max(LEAST_DRAIN_S, longest_request_s + 90)
    plan = plan_gateway(cluster(), longest_request_s=longest_request_s)
    assert plan.proxies["spec"]["shutdown"]["drainTimeout"] == f"{drain}s"


def test_the_proxies_are_what_capacity_is_counted_with() -> None:
    proxies = plan_gateway(cluster()).proxies["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    (demand,) = (each for each in platform_demands(("cluster",)) if each.name == "gateway proxies")
    requests = proxies["container"]["resources"]["requests"]
    assert proxies["replicas"] == demand.replicas
    assert proxies["strategy"]["rollingUpdate"] == {"maxSurge": demand.surge, "maxUnavailable": 0}
    # Beside each proxy stands Envoy Gateway's shutdown manager: 10m and 32Mi.
    assert (int(requests["cpu"].removesuffix("m")) + 10) / 1000 == pytest.approx(demand.cpu, abs=0.005)
    assert (int(requests["memory"].removesuffix("Mi")) + 32) / 1024 == pytest.approx(demand.memory_gib, abs=0.01)
    tolerated = {each["key"] for each in proxies["pod"]["tolerations"]}
    assert tolerated == {taint.partition("=")[0] for taint in demand.tolerations}


def test_requests_are_read_as_by_the_local_listener() -> None:
    (chain,) = envoy.listener("127.0.0.1", 8080, {}, {})["filter_chains"]
    local = chain["filters"][0]["typed_config"]
    policy = of_kind(plan_gateway(cluster(tls=OWN)), "ClientTrafficPolicy")["scoring"]["spec"]
    times = policy["timeout"]["http"]
    assert times["requestHeadersReceivedTimeout"] == local["request_headers_timeout"]
    assert times["requestReceivedTimeout"] == local["request_timeout"]
    assert times["streamIdleTimeout"] == local["stream_idle_timeout"]
    assert (policy["headers"]["requestID"] == "PreserveOrGenerate") == local["preserve_external_request_id"]
    assert policy["path"]["disableMergeSlashes"] != local["merge_slashes"]
    assert policy["tls"] == {"minVersion": "1.2"}


@pytest.mark.parametrize(("tls", "listeners"), [(None, ["http"]), (OWN, ["http", "https"])])
def test_the_gateways_own_answers_have_the_local_form_on_every_listener(tls: Any, listeners: list[str]) -> None:
    patches = of_kind(plan_gateway(cluster(tls=tls)), "EnvoyPatchPolicy")["answers"]["spec"]["jsonPatches"]
    assert [each["name"] for each in patches] == [f"tidegate-gateway/scoring/{name}" for name in listeners]
    assert all(each["operation"]["value"] == envoy.local_replies() for each in patches)


def test_a_path_of_nobody_gets_a_plain_text_that_the_answers_form_turns_into_json() -> None:
    (filter_,) = of_kind(plan_gateway(cluster()), "HTTPRouteFilter").values()
    assert filter_["spec"]["directResponse"]["statusCode"] == 404
    assert "contentType" not in filter_["spec"]["directResponse"]


def test_the_access_log_has_no_credential() -> None:
    (settings,) = plan_gateway(cluster()).proxies["spec"]["telemetry"]["accessLog"]["settings"]
    logged = json.dumps(settings).lower()
    assert "authorization" not in logged
    assert "cookie" not in logged
    assert "req(:path)" not in logged  # with its query


def test_a_cluster_keeps_what_it_has_of_the_gateway() -> None:
    assert plan_gateway(attached()).bundles == ("gateway-api", "envoy-gateway-crds", "envoy-gateway")
    managed = plan_gateway(attached(installed=("gatewayApi",)))
    assert managed.bundles == ("envoy-gateway-crds", "envoy-gateway")
    assert managed.namespaces == ("envoy-gateway-system",)
    both = plan_gateway(attached(installed=("envoyGateway",)))  # which cannot be without the Gateway API
    assert (both.bundles, both.namespaces) == ((), ())
    # Nobody else's pods are cut off.
    assert {each["metadata"]["namespace"] for each in of_kind(both, "NetworkPolicy").values()} == {"tidegate-gateway"}


def test_an_attached_cluster_has_a_front_of_its_own() -> None:
    plan = plan_gateway(attached(tls=OWN, load_balancer=INTERNAL))
    assert (plan.host, plan.tls) == ("a.example.com", True)
    assert service(plan)["annotations"][f"{_AZURE}-load-balancer-internal-subnet"] == "scoring"


@pytest.mark.parametrize("spec", [cluster(tls=ISSUED, gateway_images=CACHE), attached(gateway_images=CACHE)])
def test_all_images_come_from_the_registry_that_is_named(spec: Any) -> None:
    plan = plan_gateway(spec)
    bundles = [read_bundle(name, mirror=plan.mirror) for name in plan.bundles]
    text = json.dumps([[*plan.manifests], [each.objects for each in bundles]])
    images = set(re.findall(r"[\w.-]+(?:/[\w.-]+)+/(?:envoy|gateway|cert-manager-[a-z]+):[\w.-]+", text))
    assert {image.rpartition(":")[0].rpartition("/")[2] for image in images} >= {"envoy", "gateway"}
    assert all(image.startswith((f"{CACHE}/envoyproxy/", f"{CACHE}/jetstack/")) for image in images)
    assert "docker.io/envoyproxy" not in text


def test_only_the_world_s_ports_are_open_to_the_world() -> None:
    policies = [each for each in plan_gateway(cluster()).policies if each["kind"] == "NetworkPolicy"]
    open_ports = [
        port["port"]
        for each in policies
        for rule in each["spec"].get("ingress", [])
        if "from" not in rule
        for port in rule["ports"]
    ]
    assert open_ports == [10080, 10443]
    denied = [each["metadata"]["namespace"] for each in policies if each["spec"]["podSelector"] == {}]
    assert sorted(denied) == ["envoy-gateway-system", "tidegate-gateway"]
