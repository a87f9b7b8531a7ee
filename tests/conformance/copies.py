"""Requests that are sent more than once: copies for a shadow, second tries."""

import json
import time
from pathlib import Path
from uuid import uuid4

from scipy.stats import binomtest

from tests.conformance.endpoints import SHADOW_PERCENT
from tests.conformance.target import Target, Values, score
from tests.engine.harness import wait_until

COUNT = 200


def a_shadow_gets_copies_and_answers_nobody(target: Target) -> None:
    note = target.notes / str(uuid4())
    for _ in range(COUNT):
        assert score(target, "shadowed", {"note": str(note)}).raise_for_status().json()["version"] == "live"
    wait_until(lambda: _settled(note))
    copies = [each for each in read(note) if each["version"] == "copy"]
    assert len(read(note)) - len(copies) == COUNT
    assert binomtest(len(copies), COUNT, SHADOW_PERCENT / 100).pvalue > 1e-6
    for each in copies:
        assert "authorization" not in each["headers"]
        assert each["headers"]["x-tidegate-client"] == "primary"
        assert each["headers"]["x-tidegate-version"] == "live"


def a_shadow_is_reached_by_name_and_copies_nothing_of_that(target: Target) -> None:
    note = target.notes / str(uuid4())
    for version in ("copy", "live"):
        for _ in range(20):
            assert (
                score(target, "shadowed", {"note": str(note)}, x_tidegate_version=version).json()["version"] == version
            )
    wait_until(lambda: _settled(note))
    assert [each["version"] for each in read(note)] == ["copy"] * 20 + ["live"] * 20


def a_slow_shadow_slows_nobody(target: Target) -> None:
    answer = score(target, "shadowed", {"sleep": 0.4})
    assert answer.status_code == 200
    answers = [score(target, "shadowed") for _ in range(10)]
    assert all(each.status_code == 200 for each in answers)


def a_busy_answer_is_tried_again_elsewhere_where_that_is_asked_for(target: Target) -> None:
    note = target.notes / str(uuid4())
    assert score(target, "retried", {"note": str(note), "status": 503}).status_code == 503
    assert len(read(note)) == 2
    note = target.notes / str(uuid4())
    assert score(target, "retried", {"note": str(note), "status": 500}).status_code == 500
    assert len(read(note)) == 1
    note = target.notes / str(uuid4())
    assert score(target, "split", {"note": str(note), "status": 503}).status_code == 503
    assert len(read(note)) == 1


def a_client_has_no_say_in_time_and_tries(target: Target) -> None:
    note = target.notes / str(uuid4())
    order = {"note": str(note), "status": 503, "sleep": 0.5}
    wishes = {"x_envoy_retry_on": "5xx", "x_envoy_max_retries": "3", "x_envoy_upstream_rq_timeout_ms": "100"}
    assert score(target, "split", order, **wishes).json()["data"] == order
    assert len(read(note)) == 1


def read(note: Path) -> list[Values]:
    """What scripts have noted."""
    return [json.loads(line) for line in note.read_text().splitlines()] if note.exists() else []


def _settled(note: Path) -> bool:
    """Whether nothing has been noted for a while."""
    return time.time() - note.stat().st_mtime > 0.5


CHECKS = (
    a_shadow_gets_copies_and_answers_nobody,
    a_shadow_is_reached_by_name_and_copies_nothing_of_that,
    a_slow_shadow_slows_nobody,
    a_busy_answer_is_tried_again_elsewhere_where_that_is_asked_for,
    a_client_has_no_say_in_time_and_tries,
)
