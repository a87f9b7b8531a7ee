"""`tidegate token`: what is signed here, what is asked of the login, and what is refused."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.errors import CliError
from cli.project import Project
from cli.token import Wish, bearer, token, token_for
from tests.unit.conftest import Command
from tidegate.targets.local_tokens import EARLY_S, LIFETIME_S, Issuer, issuer_file

TAKEN = {"issuer": "http://127.0.0.1:8080/tokens", "audience": "the-app", "role": "Score.Invoke"}
LOCAL = {"auth": "token", "token": TAKEN}
ENTRA = {"auth": "token", "token": TAKEN | {"scope": "api://the-app/.default"}}


@pytest.fixture
def signing(tidegate: Command) -> Command:
    """The command in a project whose local stack has an issuer and an endpoint that takes its tokens."""
    file = issuer_file(tidegate.root / ".tidegate" / "local")
    file.parent.mkdir(parents=True)
    file.write_text(Issuer.new(TAKEN["issuer"], 1).to_json())
    tidegate.outputs({"endpoints": {"echo": LOCAL, "open": {"auth": "none"}}})
    return tidegate


def claims(text: str) -> dict[str, Any]:
    head, body, _ = text.split(".")
    parts = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body)]
    assert parts[0]["alg"] == "RS256"
    return parts[1]


def test_the_token_alone_is_on_standard_output(signing: Command) -> None:
    code, out, err = signing("token", "echo")
    assert code == 0
    said = claims(out.rstrip("\n"))
    assert (said["iss"], said["aud"], said["roles"]) == (TAKEN["issuer"], "the-app", ["Score.Invoke"])
    assert abs(said["exp"] - time.time() - LIFETIME_S) < 60
    assert f"{datetime.fromtimestamp(said['exp'] - EARLY_S, UTC):%Y-%m-%d %H:%M:%S} UTC" in err


def test_as_json_it_says_when_it_ends_and_when_to_ask_again(signing: Command) -> None:
    _, out, err = signing("token", "echo", "--json")
    found = json.loads(out)
    ends = datetime.fromtimestamp(claims(found["token"])["exp"], UTC)
    assert datetime.fromisoformat(found["expires"]) == ends
    assert (ends - datetime.fromisoformat(found["refreshAfter"])).total_seconds() == EARLY_S
    assert err == ""


def test_a_local_issuer_signs_what_is_asked_for(signing: Command) -> None:
    _, out, _ = signing("token", "echo", "--role", "", "--audience", "another", "--expires-in", "-600")
    said = claims(out.strip())
    assert (said["roles"], said["aud"]) == ([], "another")
    assert said["exp"] < time.time() - 500


def test_what_is_refused(signing: Command) -> None:
    assert "takes no token (auth: none)" in signing.fails("token", "open")
    assert "no endpoint 'nope'" in signing.fails("token", "nope")
    assert "above 86400" in signing.fails("token", "echo", "--expires-in", "86401")
    issuer_file(signing.root / ".tidegate" / "local").unlink()
    assert "no issuer of tokens on this machine" in signing.fails("token", "echo")


def test_elsewhere_the_login_is_asked_for_the_scope(tidegate: Command) -> None:
    project, asked = Project(tidegate.root, "prod"), []

    def login(scope: str) -> tuple[str, float]:
        asked.append(scope)
        return "from Entra ID", 1800.0

    found = token_for(project, "echo", ENTRA, login=login)
    assert (found.text, found.expires, asked) == ("from Entra ID", 1800.0, ["api://the-app/.default"])
    assert "from Entra ID" not in repr(found)
    with pytest.raises(CliError, match="Entra ID decides"):
        token_for(project, "echo", ENTRA, Wish(role="Another"), login=login)


def test_what_a_request_carries(signing: Command) -> None:
    project = Project(signing.root)
    assert bearer(project, "open", {"auth": "none", "keys": {}}) is None
    assert bearer(project, "echo", {"auth": "key", "keys": {"primary": "the key"}}) == "the key"
    assert claims(bearer(project, "echo", LOCAL) or "")["aud"] == "the-app"
    assert token(project, "echo").text
