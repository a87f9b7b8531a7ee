"""What the rules over registries, promotion and the model store say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.test_delivery import resolve
from tidegate.cluster.delivery import without_store
from tidegate.findings import Finding


def of(**written: Any) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(**written)[1]


def store(**written: Any) -> Callable[[], Sequence[Finding]]:
    return of(modelStore={"account": "acmemodels", **written})


CASES = [
    ("registry-needed", "Endpoints without a registry", of(registry=None)),
    ("shared-registry", "An address in place of a host", of(sharedRegistries=["https://shared.azurecr.io"])),
    ("promotion-stack", "A stack of another project", of(promoteFrom="acme/other/dev")),
    ("production-without-promotion", "Production that builds", of(production=True)),
    (
        "model-store-needed",
        "A large model and no store",
        lambda: [without_store(("tidegate:endpoints", "diabetes", "versions", "ridge"), 700 << 20)],
    ),
    ("model-store-account", "No account", of(modelStore={})),
    ("model-store-account", "Capital letters", store(account="acmeModels")),
    ("model-store-container", "Two hyphens", store(container="acme--models")),
    ("model-store-container", "The container of collected data", store(container="records")),
    ("model-store-kept-days", "More than a year", store(keptDays=400)),
    ("model-store-deployer", "A name in place of an id", store(deployerObjectId="ci@acme.example")),
]
