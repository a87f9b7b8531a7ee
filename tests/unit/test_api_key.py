"""A key's life: kept, rotated alone, given, given no longer."""

import base64
import threading
from typing import Any

from providers.api_key import ApiKey
from providers.kind import Call
from providers.values import UNKNOWN

CALL = Call(lambda _: None, lambda _: None, threading.Event())
INPUTS: dict[str, Any] = {"endpoint": "diabetes", "name": "primary", "rotation": 1}
GIVEN = "a-key-that-clients-hold-since-2021"


def create(**changes: Any) -> dict[str, Any]:
    identity, outputs = ApiKey().create(CALL, INPUTS | changes)
    assert identity == "diabetes/primary"
    return outputs


def update(old: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return ApiKey().update(CALL, "diabetes/primary", old, INPUTS | changes)


def test_a_made_key_has_256_bits_and_is_like_no_other() -> None:
    keys = {create()["value"] for _ in range(50)}
    assert len(keys) == 50
    assert all(len(base64.urlsafe_b64decode(key + "=")) == 32 for key in keys)


def test_a_key_is_kept_until_its_number_is_raised() -> None:
    first = create()
    assert update(first)["value"] == first["value"]
    second = update(first, rotation=2)
    assert second["value"] != first["value"]
    assert update(second, rotation=2)["value"] == second["value"]
    assert update(second, rotation=1)["value"] not in (first["value"], second["value"])


def test_a_given_key_is_taken_and_its_end_makes_a_new_one() -> None:
    given = create(value=GIVEN)
    assert given["value"] == GIVEN
    assert update(create(), value=GIVEN)["value"] == GIVEN
    assert update(given, value="another-key-of-a-client-since-2022")["value"] == "another-key-of-a-client-since-2022"
    made = update(given)
    assert made["value"] != GIVEN
    assert update(made)["value"] == made["value"]


def test_a_preview_knows_the_key_that_stays_and_no_other() -> None:
    kind, made, given = ApiKey(), create(), create(value=GIVEN)
    assert kind.planned({}, INPUTS)["value"] is UNKNOWN
    assert kind.planned(made, INPUTS)["value"] == made["value"]
    assert kind.planned(made, INPUTS | {"rotation": 2})["value"] is UNKNOWN
    assert kind.planned(given, INPUTS)["value"] is UNKNOWN
    assert kind.planned(made, INPUTS | {"value": GIVEN})["value"] == GIVEN
