"""What clients see of an endpoint, on the local target: real engine, real Envoy, real scoring processes."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance.endpoints import SCRIPT, endpoints
from tests.conformance.suite import CHECKS
from tests.conformance.target import Target, Values
from tests.engine.harness import Stack, stacks
from tidegate.targets.local_tokens import Issuer

pytestmark = pytest.mark.engine


class LocalTarget:
    """The endpoints as a local stack."""

    def __init__(self, stack: Stack, notes: Path) -> None:
        self._stack, self.notes = stack, notes
        stack.endpoints = endpoints(self._version)
        stack.up().require()
        self.url = stack.url
        outputs = stack.outputs()
        self._keys: Mapping[str, Mapping[str, str]] = outputs["keys"]
        self._tokens: Mapping[str, Mapping[str, str]] = {
            name: endpoint["token"] for name, endpoint in outputs["endpoints"].items() if "token" in endpoint
        }

    def key(self, endpoint: str, name: str = "primary") -> str:
        return self._keys[endpoint][name]

    def token(
        self,
        endpoint: str,
        *,
        audience: str | None = None,
        role: str | None = None,
        expires_in_s: int = 600,
        forged: bool = False,
    ) -> str:
        taken = self._tokens[endpoint]
        issuer = Issuer.new(taken["issuer"], 1) if forged else Issuer.read(self._stack.state)
        assert issuer
        roles = [taken["role"] if role is None else role] if role != "" else []
        return issuer.sign(audience or taken["audience"], roles, lifetime_s=expires_in_s, now=time.time()).text

    def weigh(self, endpoint: str, traffic: Mapping[str, int]) -> None:
        for name, percent in traffic.items():
            self._stack.endpoints[endpoint]["versions"][name]["traffic"] = percent
        self._stack.up().require()

    def _version(self, name: str, **settings: object) -> Values:
        return self._stack.version(name, SCRIPT, **settings)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("local")
    with stacks(folder, engine) as make:
        notes = folder / "notes"
        notes.mkdir()
        yield LocalTarget(make(), notes)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_local_stack(target: Target, check: Callable[[Target], None]):
    check(target)
