"""Registries, promotion and the model store as a user writes them."""

from typing import Any

import pytest

from tidegate.cluster.delivery import Delivery, resolve_delivery
from tidegate.cluster.input import AzureInput
from tidegate.findings import Finding
from tidegate.model.storage import ModelStoreSpec
from tidegate.parse import parse

REGISTRY = {"name": "acmeimages"}
OBJECT = "0B1F6471-1bf0-4dda-aec3-cb9272f09590"


def resolve(*, production: bool = False, serves: bool = True, **written: Any) -> tuple[Delivery, list[Finding]]:
    given = {"registry": REGISTRY, **written}
    parsed = parse(AzureInput, {f"tidegate:{key}": value for key, value in given.items() if value is not None})
    return resolve_delivery(
        parsed.value,
        location="westeurope",
        resource_group="scoring",
        tags={"team": "ml"},
        production=production,
        serves=serves,
        broken=parsed.broken,
    )


def found(**written: Any) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.rule, finding.path) for finding in resolve(**written)[1]]


def test_nothing_written_is_nothing_settled() -> None:
    assert resolve() == (Delivery(), [])


def test_every_setting_reaches_the_spec() -> None:
    store = {
        "account": "acmemodels",
        "container": "serving",
        "resourceGroup": "models",
        "sku": "Standard_LRS",
        "keptDays": 30,
        "deployerObjectId": OBJECT,
        "deployerPrincipalType": "User",
    }
    delivery, findings = resolve(
        sharedRegistries=["a.azurecr.io", "127.0.0.1:5000", "a.azurecr.io"], promoteFrom="dev", modelStore=store
    )
    assert findings == []
    assert delivery.shared_registries == ("a.azurecr.io", "127.0.0.1:5000")
    assert delivery.promote_from == "dev"
    assert delivery.model_store == ModelStoreSpec(
        account="acmemodels",
        container="serving",
        resource_group="models",
        location="westeurope",
        sku="Standard_LRS",
        kept_days=30,
        deployer_object_id=OBJECT,
        deployer_principal_type="User",
        tags={"team": "ml"},
    )


def test_a_store_stands_with_the_environment_and_is_kept_as_long_as_it() -> None:
    store = resolve(modelStore={"account": "acmemodels", "deployerObjectId": OBJECT}, production=True)[0].model_store
    assert store is not None
    assert (store.resource_group, store.container, store.production) == ("scoring", "models", True)
    assert store.deployer_principal_type == "ServicePrincipal"


def test_endpoints_need_a_registry_and_clusters_alone_do_not() -> None:
    assert found(registry=None) == [("error", "registry-needed", "tidegate:registry")]
    assert found(registry=None, serves=False) == []
    assert found(registry={"wrong": 1}) == []  # which has its own finding


def test_production_that_builds_for_itself_is_warned_of() -> None:
    warned = [("warning", "production-without-promotion", "tidegate:promoteFrom")]
    assert found(production=True) == warned
    assert found(production=True, promoteFrom="dev") == []
    assert found(production=True, promoteFrom=3) == []  # which has its own finding
    assert found(production=True, serves=False) == []


@pytest.mark.parametrize("host", ["https://a.azurecr.io", "a.azurecr.io/team", "acme", "a.azurecr.io:", "a b.io", ""])
def test_a_shared_registry_is_a_host(host: str) -> None:
    assert found(sharedRegistries=["b.azurecr.io", host]) == [
        ("error", "shared-registry", "tidegate:sharedRegistries[1]")
    ]


@pytest.mark.parametrize("name", ["", "org/dev", "a b", "x" * 101])
def test_a_stack_to_promote_from_is_one_of_this_project(name: str) -> None:
    assert found(promoteFrom=name) == [("error", "promotion-stack", "tidegate:promoteFrom")]


@pytest.mark.parametrize(
    ("store", "rule", "key"),
    [
        ({}, "model-store-account", "account"),
        ({"account": "Acme"}, "model-store-account", "account"),
        ({"account": "ab"}, "model-store-account", "account"),
        ({"account": "acme-models"}, "model-store-account", "account"),
        ({"account": "acme", "container": "a--b"}, "model-store-container", "container"),
        ({"account": "acme", "container": "a" * 64}, "model-store-container", "container"),
        ({"account": "acme", "container": "ab"}, "model-store-container", "container"),
        ({"account": "acme", "keptDays": 366}, "model-store-kept-days", "keptDays"),
        ({"account": "acme", "resourceGroup": "a."}, "resource-group-name", "resourceGroup"),
        ({"account": "acme", "deployerObjectId": "me"}, "model-store-deployer", "deployerObjectId"),
    ],
)
def test_what_azure_refuses_is_refused_first(store: Any, rule: str, key: str) -> None:
    assert found(modelStore=store) == [("error", rule, f"tidegate:modelStore.{key}")]
