"""What a kubeconfig is taken for, how the login program is asked, and that no error shows any of it."""

import base64
import json
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from providers.kubernetes.kubeconfig import KubeconfigError, KubernetesError, LoginError, read_kubeconfig
from tests.standins.kubernetes_server import kubeconfig
from tests.unit.cluster.pki import issue

SERVER = "https://prod-abc.hcp.westeurope.azmk8s.io:443"
EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "command": "kubelogin",
    "args": ["get-token", "--login", "azurecli", "--server-id", "the-server-id"],
    "interactiveMode": "Never",
    "provideClusterInfo": False,
}
SECRET = "t0ken-of-somebody"


@pytest.fixture
def kubelogin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kubelogin` that notes how it was called and prints what `answer` holds."""
    program = tmp_path / "kubelogin"
    program.write_text(
        "#!/bin/sh\n"
        f'cd {tmp_path}; echo "$* $KUBERNETES_EXEC_INFO" >>calls\n'
        "cat answer; [ ! -e said ] || { cat said >&2; exit 1; }\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def answer(folder: Path, token: str, ends_in_s: float | None = 3600) -> None:
    ends = {} if ends_in_s is None else {"expirationTimestamp": _time(time.time() + ends_in_s)}
    (folder / "answer").write_text(json.dumps({"kind": "ExecCredential", "status": {"token": token, **ends}}))


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_a_token_and_where_to() -> None:
    access = read_kubeconfig(kubeconfig(SERVER, {"token": SECRET}))
    assert (access.server, access.host) == (SERVER, "prod-abc.hcp.westeurope.azmk8s.io")
    assert access.bearer(False) == SECRET
    assert SECRET not in repr(access)
    assert access.tls is not None
    assert access.tls.verify_mode == ssl.CERT_REQUIRED


def test_yaml_is_read_too() -> None:
    text = "\n".join(
        (
            "clusters: [{name: c, cluster: {server: 'https://a:443', tls-server-name: b}}]",
            "contexts: [{name: x, context: {cluster: c, user: u}}]",
            "current-context: x",
            f"users: [{{name: u, user: {{token: {SECRET}}}}}]",
        )
    )
    access = read_kubeconfig(text)
    assert (access.server, access.tls_name, access.bearer(False)) == ("https://a:443", "b", SECRET)


def test_a_certificate_stands_for_the_user() -> None:
    signed = issue("me", names=["me"])
    data = {
        "client-certificate-data": base64.b64encode(signed.pem.encode()).decode(),
        "client-key-data": base64.b64encode(signed.key_pem.encode()).decode(),
    }
    access = read_kubeconfig(kubeconfig(SERVER, data))
    assert access.bearer(False) is None
    other = issue("other", names=["other"])
    data["client-key-data"] = base64.b64encode(other.key_pem.encode()).decode()
    with pytest.raises(KubeconfigError, match="a certificate or key in the kubeconfig cannot be read"):
        read_kubeconfig(kubeconfig(SERVER, data))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{{{SECRET}", "neither JSON nor YAML"),
        (f'"{SECRET}"', "not an object"),
        (json.dumps({"users": [{"user": {"token": SECRET}}]}), "no current context"),
        (kubeconfig("http://prod:80", {"token": SECRET}), "not at an https address"),
        (kubeconfig(SERVER, {"password": SECRET}), "no token, no certificate and no program"),
        (kubeconfig(SERVER, {"token": SECRET}, **{"certificate-authority-data": "%"}), "cannot be read"),
        (kubeconfig(SERVER, {"token": SECRET}, **{"certificate-authority": "/ca"}), "certificate-authority-data"),
    ],
)
def test_what_cannot_be_used_is_said_without_being_shown(text: str, said: str) -> None:
    with pytest.raises(KubeconfigError, match=said) as caught:
        read_kubeconfig(text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_program_logs_in_once_and_again_when_its_token_ends(kubelogin: Path) -> None:
    access = read_kubeconfig(kubeconfig(SERVER, {"exec": EXEC}))
    answer(kubelogin, "first")
    assert [access.bearer(False), access.bearer(False)] == ["first", "first"]
    (call,) = calls(kubelogin)
    arguments, _, info = call.partition(" {")
    assert arguments == "get-token --login azurecli --server-id the-server-id"
    assert json.loads("{" + info) == {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    answer(kubelogin, "second", ends_in_s=30)
    assert access.bearer(True) == "second"
    answer(kubelogin, "third", ends_in_s=None)
    assert [access.bearer(False), access.bearer(False)] == ["third", "third"]
    assert len(calls(kubelogin)) == 3


def test_no_kubelogin_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoginError, match="kubelogin is not on PATH; az aks install-cli installs it"):
        read_kubeconfig(kubeconfig(SERVER, {"exec": EXEC})).bearer(False)


def test_a_login_that_fails_is_said_in_the_program_s_words(kubelogin: Path) -> None:
    answer(kubelogin, SECRET)
    (kubelogin / "said").write_text("Error: failed to get token:\n  Please run 'az login'\n")
    with pytest.raises(
        LoginError, match=r"kubelogin could not log in .*: Error: failed to get token: Please run"
    ) as it:
        read_kubeconfig(kubeconfig(SERVER, {"exec": EXEC})).bearer(False)
    assert SECRET not in str(it.value)


@pytest.mark.parametrize("printed", [SECRET, json.dumps({"status": {}}), json.dumps([SECRET])])
def test_an_answer_without_a_token(kubelogin: Path, printed: str) -> None:
    (kubelogin / "answer").write_text(printed)
    with pytest.raises(KubernetesError, match="kubelogin printed no token") as caught:
        read_kubeconfig(kubeconfig(SERVER, {"exec": EXEC})).bearer(False)
    assert SECRET not in str(caught.value)


def test_variables_of_the_program(kubelogin: Path) -> None:
    program: dict[str, Any] = {
        **EXEC,
        "command": "sh",
        "args": ["-c", """printf '{"status": {"token": "%s"}}' "$OF_THE_KUBECONFIG" """],
        "env": [{"name": "OF_THE_KUBECONFIG", "value": "x"}],
    }
    assert read_kubeconfig(kubeconfig(SERVER, {"exec": program})).bearer(False) == "x"
