import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from tidegate.cluster.kubeconfig import KubeconfigError, Mode, rewrite

SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"


def kubeconfig(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "prod", "cluster": {"server": "https://prod:443", "certificate-authority-data": "CA"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "u"}}],
        "current-context": "prod",
        "users": [{"name": "u", "user": user}],
    }


def login(*arguments: str) -> dict[str, Any]:
    command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", *arguments, "--login", "devicecode"],
        "env": None,
        "provideClusterInfo": False,
    }
    return {"exec": command}


AZURES = login(
    *("--environment", "AzurePublicCloud", "--server-id", SERVER),
    *("--client-id", "80faf920-1908-4b52-b5ef-a8e7bedfc67a", "--tenant-id", "tenant"),
)


def encoded(config: object) -> str:
    text = StringIO()
    YAML().dump(config, text)
    return base64.b64encode(text.getvalue().encode()).decode()


def command(mode: Mode, user: dict[str, Any] = AZURES) -> dict[str, Any]:
    return json.loads(rewrite(encoded(kubeconfig(user)), mode))["users"][0]["user"]["exec"]


@pytest.mark.parametrize(
    ("mode", "arguments"),
    [
        ("azurecli", ["--environment", "AzurePublicCloud", "--server-id", SERVER]),
        ("workloadidentity", ["--environment", "AzurePublicCloud", "--server-id", SERVER]),
        ("spn", ["--environment", "AzurePublicCloud", "--server-id", SERVER, "--tenant-id", "tenant"]),
    ],
)
def test_nobody_has_to_sit_at_a_browser(mode: Mode, arguments: list[str]) -> None:
    found = command(mode)
    assert found["args"] == ["get-token", "--login", mode, *arguments]
    assert found["interactiveMode"] == "Never"


def test_what_is_not_the_login_stays() -> None:
    before = kubeconfig(AZURES)
    after = json.loads(rewrite(encoded(before), "azurecli"))
    assert {key: after[key] for key in after if key != "users"} == {
        key: before[key] for key in before if key != "users"
    }


def test_two_answers_with_the_same_content_give_the_same_text() -> None:
    config = kubeconfig(AZURES)
    turned = dict(reversed(config.items()))
    assert encoded(turned) != encoded(config)
    assert rewrite(encoded(turned), "azurecli") == rewrite(encoded(config), "azurecli")


def test_a_certificate_stays_where_the_cluster_has_no_entra() -> None:
    user = {"client-certificate-data": "C", "client-key-data": "K"}
    assert json.loads(rewrite(encoded(kubeconfig(user)), "azurecli"))["users"][0]["user"] == user


def test_azures_server_application_stands_in_where_none_is_named() -> None:
    assert SERVER in command("azurecli", login())["args"]


@pytest.mark.parametrize("answer", ["no base64!", encoded([]), encoded({"users": [{"name": "u"}]}), encoded("text")])
def test_what_is_no_kubeconfig_is_refused_without_being_shown(answer: str) -> None:
    with pytest.raises(KubeconfigError) as refused:
        rewrite(answer, "azurecli")
    assert answer not in str(refused.value)
    assert refused.value.__cause__ is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["users", "user", "exec", "args", "name"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_answer_gives_a_text_or_that_error(answer: object) -> None:
    encoded_answer = base64.b64encode(json.dumps(answer).encode()).decode()
    with suppress(KubeconfigError):
        assert json.loads(rewrite(encoded_answer, "spn"))
