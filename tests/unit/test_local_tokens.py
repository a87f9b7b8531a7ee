"""The local issuer: its keys over rotations, its tokens, and its resource."""

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.kind import Call
from providers.local import token_issuer
from providers.local.layout import Layout
from providers.local.token_issuer import TokenIssuer
from providers.local.xds import Xds
from tidegate.targets.local_tokens import LONGEST_S, Issuer, SigningKey, issuer_file, mint

CALL = Call(lambda _: None, lambda _: None, threading.Event())
NOW = 1_800_000_000.0
URL = "http://127.0.0.1:8080/tokens"
ISSUER = Issuer.new(URL, 1)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "==")


def verify(text: str, keys: dict[str, Any]) -> dict[str, Any]:
    """The claims of a token, checked by the published keys as any client library would; KeyError for an unknown key."""
    head, body, signature = text.split(".")
    key = {each["kid"]: each for each in keys["keys"]}[json.loads(decoded(head))["kid"]]
    numbers = rsa.RSAPublicNumbers(*(int.from_bytes(decoded(key[name]), "big") for name in ("e", "n")))
    numbers.public_key().verify(decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(decoded(body))


def test_a_token_is_signed_by_a_published_key() -> None:
    token = ISSUER.sign("app", ["Score.Invoke"], lifetime_s=60, now=NOW)
    claims = verify(token.text, ISSUER.public_keys())
    assert (claims["iss"], claims["aud"], claims["roles"]) == (URL, "app", ["Score.Invoke"])
    assert claims["iat"] == claims["nbf"] == NOW
    assert claims["exp"] == token.expires == NOW + 60
    assert token.text not in repr(token)


def test_another_issuer_s_token_is_none_of_this_one_s() -> None:
    other = Issuer.new(URL, 1)
    token = other.sign("app", [], now=NOW).text
    with pytest.raises(KeyError):
        verify(token, ISSUER.public_keys())
    (theirs,), (ours,) = other.keys, ISSUER.keys
    disguised = Issuer(URL, 1, (SigningKey(ours.id, theirs.private),))
    with pytest.raises(InvalidSignature):
        verify(disguised.sign("app", [], now=NOW).text, ISSUER.public_keys())


def test_the_public_keys_say_nothing_of_the_private_ones() -> None:
    (key,) = ISSUER.public_keys()["keys"]
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
    assert "PRIVATE" not in repr(ISSUER)


def test_a_token_lives_no_longer_than_its_key_is_published() -> None:
    with pytest.raises(ValueError, match="86400"):
        ISSUER.sign("app", [], lifetime_s=LONGEST_S + 1, now=NOW)


@settings(max_examples=10, deadline=None)  # each rotation makes a key
@given(st.lists(st.tuples(st.booleans(), st.integers(1, LONGEST_S)), max_size=4), st.integers(1, LONGEST_S))
@example([(True, 1), (True, LONGEST_S - 1)], LONGEST_S)
def test_every_token_is_taken_until_it_ends_whatever_is_rotated_meanwhile(
    steps: list[tuple[bool, int]], lifetime_s: int
) -> None:
    issuer, now = ISSUER, NOW
    tokens = [issuer.sign("app", [], lifetime_s=lifetime_s, now=now)]
    for number, (rotate, wait_s) in enumerate(steps, start=2):
        now += wait_s
        issuer = issuer.current(now=now)
        if rotate:
            issuer = issuer.rotated(number, now=now)
        tokens.append(issuer.sign("app", [], lifetime_s=lifetime_s, now=now))
        for token in tokens:
            if token.expires > now:
                assert verify(token.text, issuer.public_keys())


def test_a_key_is_forgotten_once_its_last_token_has_ended() -> None:
    issuer = ISSUER.rotated(2, now=NOW)
    assert len(issuer.current(now=NOW + LONGEST_S - 1).keys) == 2
    assert issuer.current(now=NOW + LONGEST_S).keys == issuer.keys[1:]
    assert issuer.keys[-1].id == json.loads(decoded(issuer.sign("a", [], now=NOW).text.split(".")[0]))["kid"]


# -- the resource


def inputs(state: Path, **changes: Any) -> dict[str, Any]:
    return {"state": str(state), "url": URL, "rotation": 1, "current": True} | changes


@pytest.fixture
def state(tmp_path: Path) -> Path:
    Xds(Layout(tmp_path)).put_listener("127.0.0.1", 8080)
    return tmp_path


def test_the_gateway_knows_the_keys_before_and_after_a_rotation(state: Path) -> None:
    kind, xds = TokenIssuer(), Xds(Layout(state))
    identity, outputs = kind.create(CALL, inputs(state))
    first = mint(state, "app", ["r"])
    assert first
    outputs = kind.update(CALL, identity, outputs, inputs(state, rotation=2))
    second = mint(state, "app", ["r"])
    plan = xds.issuer()
    assert second and plan and plan["url"] == URL
    for token in (first, second):
        assert verify(token.text, plan["keys"])["roles"] == ["r"]
    assert kind.read(identity, outputs) == outputs
    assert first.text.split(".")[0] != second.text.split(".")[0]


def test_what_changes_nothing_keeps_the_key(state: Path) -> None:
    kind = TokenIssuer()
    identity, outputs = kind.create(CALL, inputs(state))
    before = Issuer.read(state)
    kind.update(CALL, identity, outputs, inputs(state))
    assert Issuer.read(state) == before
    kind.update(CALL, identity, outputs, inputs(state, url="http://127.0.0.1:9000/tokens"))
    moved = Issuer.read(state)
    assert before and moved and (moved.url, moved.keys) == ("http://127.0.0.1:9000/tokens", before.keys)


def test_a_key_that_has_outlived_its_tokens_shows_and_goes(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = TokenIssuer()
    identity, outputs = kind.create(CALL, inputs(state))
    outputs = kind.update(CALL, identity, outputs, inputs(state, rotation=2))
    later = time.time() + LONGEST_S + 1
    monkeypatch.setattr(token_issuer.time, "time", lambda: later)
    assert kind.read(identity, outputs) == outputs | {"current": False}
    kind.update(CALL, identity, outputs, inputs(state, rotation=2))
    plan = Xds(Layout(state)).issuer()
    assert plan and len(plan["keys"]["keys"]) == 1
    assert kind.read(identity, outputs) == outputs


def test_what_is_lost_is_seen_and_what_is_deleted_is_gone(state: Path) -> None:
    kind, file = TokenIssuer(), issuer_file(state)
    identity, outputs = kind.create(CALL, inputs(state))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    Xds(Layout(state)).drop_issuer()
    assert kind.read(identity, outputs) is None
    identity, outputs = kind.create(CALL, inputs(state))
    assert kind.read(identity, outputs) == outputs
    for _ in range(2):
        kind.delete(CALL, identity, outputs)
        assert kind.read(identity, outputs) is None
    assert mint(state, "app", []) is None
    assert Xds(Layout(state)).issuer() is None


def test_the_state_of_the_stack_holds_no_private_key(state: Path) -> None:
    _, outputs = TokenIssuer().create(CALL, inputs(state))
    assert outputs == inputs(state)
