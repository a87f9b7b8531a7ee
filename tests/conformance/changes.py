"""What happens to requests while the config changes."""

import threading
from collections import Counter

import httpx

from tests.conformance.endpoints import SPLIT
from tests.conformance.routing import p_value
from tests.conformance.target import Target

CLIENTS = 4
PAUSE_S = 0.004
MOVES = (
    {"one": 0, "two": 100, "three": 0, "four": 0},
    {"one": 25, "two": 25, "three": 25, "four": 25},
    {"one": 100, "two": 0, "three": 0, "four": 0},
)


def no_request_fails_while_weights_change(target: Target) -> None:
    failures: list[str] = []
    answered = Counter[str]()
    done = threading.Event()
    headers = {"authorization": f"Bearer {target.key('split')}"}

    def ask() -> None:
        with httpx.Client(base_url=target.url, headers=headers, timeout=30) as client:
            while not done.wait(PAUSE_S):
                try:
                    answer = client.post("/split/score", json=1)
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    answered[answer.json()["version"]] += 1
                else:
                    failures.append(f"{answer.status_code} {answer.headers} {answer.text}")

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for percents in (*MOVES, SPLIT):
            target.weigh("split", percents)
            seen = _seen(target, headers)
            assert p_value(seen, percents) > 1e-6, (percents, seen)
    finally:
        done.set()
        for client in clients:
            client.join()
    assert not failures
    assert answered.keys() == SPLIT.keys(), answered


def _seen(target: Target, headers: dict[str, str]) -> Counter[str]:
    with httpx.Client(base_url=target.url, headers=headers, timeout=30) as client:
        return Counter(client.post("/split/score", json=1).raise_for_status().json()["version"] for _ in range(200))


CHECKS = (no_request_fails_while_weights_change,)
