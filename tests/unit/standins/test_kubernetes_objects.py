"""What the stand-in for pulumi-kubernetes takes: kubeconfigs that can log in, and objects of the right form."""

from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from providers.values import UNKNOWN
from tests.standins.invokes import kubeconfig
from tests.standins.kubernetes_objects import check, check_kubeconfig
from tests.standins.plugin import RefusedError
from tests.unit.standins.conftest import CLUSTER, Azure

Config = dict[str, Any]


def edited(azure: Azure, change: Callable[[Config], Any] = lambda config: None, login: str = "azurecli") -> str:
    """The kubeconfig that Azure gives, with a way to log in that nobody has to confirm, and a change."""
    if azure.cloud.get(CLUSTER) is None:
        azure.cluster()
    config = YAML(typ="safe").load(kubeconfig(azure.arm.get(CLUSTER)).replace("devicecode", login))
    change(config)
    text = StringIO()
    YAML(typ="safe").dump(config, text)
    return text.getvalue()


def arguments(config: Config) -> list[str]:
    return config["users"][0]["user"]["exec"]["args"]


def reached(config: Config) -> dict[str, Any]:
    return config["clusters"][0]["cluster"]


@pytest.mark.parametrize("login", ["azurecli", "workloadidentity", "spn"])
def test_a_way_to_log_in_without_a_browser(azure: Azure, login: str) -> None:
    found = check_kubeconfig(azure.cloud, edited(azure, login=login))
    assert found is not None
    assert found["id"] == CLUSTER


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["users"][0].update(user={"token": "a"}), "there is a token"),
        (lambda config: config["users"][0]["user"]["exec"].update(command="az"), "'az' is not kubelogin"),
        (lambda config: arguments(config).insert(0, "convert-kubeconfig"), "not get-token"),
        (lambda config: arguments(config).__setitem__(-1, "devicecode"), "somebody at a browser"),
        (lambda config: arguments(config).__setitem__(4, "a"), "--server-id"),
        (lambda config: arguments(config).extend(["--client-secret", "a"]), "a client secret"),
        (lambda config: reached(config).update({"insecure-skip-tls-verify": True}), "insecure-skip-tls-verify"),
        (lambda config: reached(config).update({"certificate-authority-data": "YQ=="}), "unknown authority"),
        (lambda config: config.update({"current-context": "other"}), "no entry other"),
    ],
)
def test_a_kubeconfig_is_refused(azure: Azure, change: Callable[[Config], Any], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        check_kubeconfig(azure.cloud, edited(azure, change))


def test_what_azure_gives_needs_a_browser(azure: Azure) -> None:
    azure.cluster()
    with pytest.raises(RefusedError, match="devicecode needs somebody at a browser"):
        check_kubeconfig(azure.cloud, kubeconfig(azure.arm.get(CLUSTER)))


def test_a_cluster_that_was_made_again_has_another_address(azure: Azure) -> None:
    text = edited(azure)
    azure.arm.delete(CLUSTER)
    assert check_kubeconfig(azure.cloud, text) is None
    azure.cluster()
    assert check_kubeconfig(azure.cloud, text) is None


SECRET = "kubernetes:core/v1:Secret"


def secret(**changes: Any) -> Config:
    metadata = {"name": "tls", "namespace": "scoring", "labels": {"app": "a"}, **changes.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "YQ=="}, **changes}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"kind": "ConfigMap"}, "kind"),
        ({"apiVersion": "v2"}, "apiVersion"),
        ({"metadata": {"name": None}}, "metadata.name"),
        ({"metadata": {"name": "TLS"}}, "metadata.name"),
        ({"metadata": {"namespace": None}}, "metadata.namespace"),
        ({"metadata": {"labels": {"app": "a b"}}}, "metadata.labels.app"),
        ({"metadata": {"label": {}}}, "metadata.label"),
        ({"spec": {}}, "spec"),
        ({"data": ["a"]}, "data"),
    ],
)
def test_an_object_of_the_wrong_form(changes: Config, path: str) -> None:
    assert path in {each.path for each in check(SECRET, secret(**changes))}


def test_objects_of_the_right_form() -> None:
    assert list(check(SECRET, secret())) == []
    assert list(check(SECRET, secret(metadata={"namespace": UNKNOWN}))) == []
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    assert list(check("kubernetes:core/v1:Namespace", namespace)) == []
    custom = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "spec": {"anything": 1}}
    custom["metadata"] = {"name": "a", "namespace": "b"}
    assert list(check("kubernetes:gateway.networking.k8s.io/v1:Gateway", custom)) == []


def test_cluster_wide_objects_have_no_namespace() -> None:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}}
    assert [each.path for each in check("kubernetes:core/v1:Namespace", inputs)] == ["metadata.namespace"]
