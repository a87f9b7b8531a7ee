import stat
import time
from pathlib import Path

import pytest

from tests.standins.github_server import OIDC_BEARER, GitHubServer
from tools.ci.login import LoginError, federated

IDENTITY = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "AZURE_SUBSCRIPTION_ID": "subscription"}


def job(server: GitHubServer, folder: Path) -> dict[str, str]:
    return {**server.oidc, **IDENTITY, "RUNNER_TEMP": str(folder)}


def test_a_job_logs_in_by_a_file_that_only_it_can_read(server, tmp_path):
    with federated(job(server, tmp_path)) as variables:
        file = Path(variables.pop("AZURE_FEDERATED_TOKEN_FILE"))
        assert file.read_text() == "token-1"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert file.is_relative_to(tmp_path)
        assert variables == {
            "ARM_USE_OIDC": "true",
            "ARM_CLIENT_ID": "client",
            "ARM_TENANT_ID": "tenant",
            "ARM_SUBSCRIPTION_ID": "subscription",
        }
    assert list(tmp_path.iterdir()) == []


def test_the_token_is_renewed_and_a_reader_never_sees_half_of_one(server, tmp_path):
    with federated(job(server, tmp_path), renew=0.01) as variables:
        file = Path(variables["AZURE_FEDERATED_TOKEN_FILE"])
        deadline = time.monotonic() + 20
        seen = {file.read_text()}
        while len(seen) < 4:
            seen.add(file.read_text())
            assert time.monotonic() < deadline, seen
    assert all(text.startswith("token-") for text in seen)


def test_a_renewal_that_fails_keeps_the_token_and_is_tried_again(server, tmp_path, monkeypatch, capfd):
    with federated(job(server, tmp_path), renew=0.01) as variables:
        file = Path(variables["AZURE_FEDERATED_TOKEN_FILE"])
        given = server._token
        failed = []

        def fail(query, headers):
            failed.append(query)
            return {}

        monkeypatch.setattr(server, "_token", fail)
        deadline = time.monotonic() + 20
        while len(failed) < 2:
            assert time.monotonic() < deadline
        kept = file.read_text()
        monkeypatch.setattr(server, "_token", given)
        while file.read_text() == kept:
            assert time.monotonic() < deadline
    assert kept.startswith("token-")
    assert "::warning::GitHub gives no OIDC token: KeyError; trying again" in capfd.readouterr().err


def test_a_person_logs_in_by_own_means():
    with federated({}) as variables:
        assert variables == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "it needs the permission `id-token: write`"),
        ({"AZURE_CLIENT_ID": "", "AZURE_TENANT_ID": ""}, "variables AZURE_CLIENT_ID, AZURE_TENANT_ID"),
        ({"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong"}, "GitHub gives no OIDC token: HTTPStatusError"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/"}, "GitHub gives no OIDC token: ConnectError"),
    ],
)
def test_a_job_that_cannot_log_in_is_told_why(server, tmp_path, changed, said):
    with pytest.raises(LoginError) as caught, federated({**job(server, tmp_path), **changed}):
        pass
    assert said in str(caught.value)
    assert OIDC_BEARER not in str(caught.value)
