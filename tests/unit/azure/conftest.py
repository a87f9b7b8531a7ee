"""Azure on loopback: whatever is tested here, nothing beyond this machine is asked."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.azure.web import Answer, Asked, Web


@pytest.fixture
def new_web() -> Iterator[Callable[[Callable[[Asked], Answer]], Web]]:
    """Makes web servers, and ends them."""
    made: list[Web] = []

    def make(answer: Callable[[Asked], Answer]) -> Web:
        made.append(Web(answer))
        return made[-1]

    yield make
    for web in made:
        web.close()


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable or program of the machine decides a test."""
    for name in (
        *("ARM_ENDPOINT", "ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
        *("ARM_CLIENT_ID", "ARM_TENANT_ID", "ARM_CLIENT_SECRET", "ARM_USE_OIDC", "ARM_OIDC_TOKEN"),
        *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"),
        *("TIDEGATE_DEPLOYER_ADDRESS", "TIDEGATE_ADDRESS_SERVICE"),
    ):
        monkeypatch.delenv(name, raising=False)
    # The environment's credential alone is tried: managed identity would look for one at a link-local address.
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
