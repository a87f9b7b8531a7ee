"""What is said of a cluster that lacks what it is said to have."""

from tidegate.gateway.missing import explain_missing


def test_the_gateway_api_comes_by_a_command() -> None:
    error = 'no matches for kind "GatewayClass" in version "gateway.networking.k8s.io/v1"'
    text = explain_missing(["gatewayApi"], [f"the Kubernetes API server reported: {error}"])
    assert text is not None
    assert "no GatewayClass of gateway.networking.k8s.io/v1" in text
    assert "az aks update --resource-group GROUP --name CLUSTER --enable-gateway-api" in text
    assert "attach.installed says gatewayApi" in text


def test_envoy_gateway_comes_by_another() -> None:
    error = 'no matches for kind "EnvoyProxy" in version "gateway.envoyproxy.io/v1alpha1"'
    text = explain_missing(["envoyGateway"], [error, "an older error"])
    assert text is not None
    assert "helm install eg oci://docker.io/envoyproxy/gateway-helm --version v1.9" in text


def test_other_errors_speak_for_themselves() -> None:
    assert explain_missing(["gatewayApi"], []) is None
    assert explain_missing(["gatewayApi"], ["it already exists", 'no matches for kind "Gateway"']) is None
    assert explain_missing(["gatewayApi"], ['no matches for kind "Other" in version "example.com/v1"']) is None
