"""What is said of a cluster that has other parts of the gateway than its config says."""

from tidegate.gateway.parts import explain


def test_the_gateway_api_comes_by_a_command() -> None:
    error = 'no matches for kind "GatewayClass" in version "gateway.networking.k8s.io/v1"'
    text = explain("them.tidegate", [f"the Kubernetes API server reported: {error}"])
    assert text is not None
    assert "no GatewayClass of gateway.networking.k8s.io/v1" in text
    assert "az aks update --resource-group GROUP --name CLUSTER --enable-gateway-api" in text
    assert "take gatewayApi out of attach.installed" in text


def test_envoy_gateway_comes_by_another() -> None:
    error = 'no matches for kind "EnvoyProxy" in version "gateway.envoyproxy.io/v1alpha1"'
    text = explain("them.tidegate-gateway.scoring", [error, "an older error"])
    assert text is not None
    assert "helm install eg oci://docker.io/envoyproxy/gateway-helm --version v1.9" in text


def test_what_is_there_already_is_to_be_named() -> None:
    text = explain("them.gateways.gateway.networking.k8s.io", ["it already exists"])
    assert text is not None
    assert text.endswith("write attach.installed: [gatewayApi], and they are used as they are")
    text = explain("them.backends.gateway.envoyproxy.io", ["it already exists"])
    assert text is not None
    assert "[envoyGateway]" in text


def test_other_errors_speak_for_themselves() -> None:
    assert explain("them.gateways.gateway.networking.k8s.io", []) is None
    assert explain("them.tidegate", ['no matches for kind "Other" in version "example.com/v1"']) is None
    assert explain("them.tidegate-gateway.scoring", ["it already exists"]) is None
    assert explain("them.gateways.gateway.networking.k8s.io", ["forbidden", "it already exists"]) is None
