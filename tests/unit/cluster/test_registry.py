"""The container registry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.input import AzureInput
from tidegate.cluster.registry import resolve_registry
from tidegate.cluster.spec import ExistingRegistrySpec, RegistrySpec
from tidegate.findings import Finding
from tidegate.parse import parse

SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared/providers/Microsoft.ContainerRegistry/registries/acmeimages"


def resolve(registry: Any) -> tuple[RegistrySpec | ExistingRegistrySpec | None, list[Finding]]:
    parsed = parse(AzureInput, {"tidegate:registry": registry})
    assert parsed.value.registry is not None
    return resolve_registry(
        parsed.value.registry,
        location="westeurope",
        resource_group="scoring",
        tags={"team": "ml"},
        production=True,
        broken=parsed.broken,
    )


def found(registry: Any) -> list[tuple[str, str, str]]:
    return [
        (finding.severity, finding.rule, finding.path.removeprefix("tidegate:registry"))
        for finding in sorted(resolve(registry)[1])
    ]


def test_a_name_makes_a_registry_of_the_environment() -> None:
    made = RegistrySpec(
        name="acmeimages", resource_group="scoring", location="westeurope", tags={"team": "ml"}, production=True
    )
    assert resolve({"name": "acmeimages"}) == (made, [])
    assert (made.sku, made.public_network_access, made.pull_role, made.pull_token) == (
        "Standard", True, "AcrPull", False,
    )  # fmt: skip


def test_every_setting_reaches_the_spec() -> None:
    role = "Container Registry Repository Reader"
    spec, findings = resolve(
        {
            "name": "acmeimages",
            "resourceGroup": "images",
            "sku": "Premium",
            "zoneRedundancy": True,
            "publicNetworkAccess": False,
            "pullRole": role,
            "pullToken": True,
        }
    )
    assert findings == []
    assert spec == RegistrySpec(
        name="acmeimages",
        resource_group="images",
        location="westeurope",
        sku="Premium",
        zone_redundancy=True,
        public_network_access=False,
        pull_role=role,
        pull_token=True,
        tags={"team": "ml"},
        production=True,
    )


def test_an_id_is_of_a_registry_that_exists() -> None:
    spec, findings = resolve({"resourceId": ID, "pullToken": True})
    assert findings == []
    assert spec == ExistingRegistrySpec(
        subscription_id=SUBSCRIPTION, resource_group="shared", name="acmeimages", pull_token=True
    )


@pytest.mark.parametrize("name", ["a" * 5, "1" * 50, "AcmeImages"])
def test_names_at_the_bounds(name: str) -> None:
    assert found({"name": name}) == []


@pytest.mark.parametrize("name", ["", "a" * 4, "a" * 51, "acme-images", "acme.images", "ümlaut", "acmeimages\n"])
def test_names_past_the_bounds(name: str) -> None:
    assert found({"name": name}) == [("error", "registry-name", ".name")]


def test_one_form_or_the_other() -> None:
    assert found({"name": "acmeimages", "resourceId": ID}) == [("error", "registry-form", "")]
    assert found({}) == [("error", "registry-form", "")]
    assert found({"sku": "Premium"}) == [("error", "registry-form", "")]


@pytest.mark.parametrize("broken", [{"name": 5}, {"resourceId": ["x"]}])
def test_what_was_refused_already_is_not_missing(broken: dict[str, Any]) -> None:
    assert resolve(broken) == (None, [])


def test_an_existing_registry_is_left_as_it_is() -> None:
    _, (finding,) = resolve({"resourceId": ID, "sku": "Premium", "resourceGroup": "x", "pullToken": True})
    assert finding.rule == "registry-form"
    assert finding.problem.startswith("resourceGroup, sku beside resourceId")


@pytest.mark.parametrize(
    ("resource_id", "rule"),
    [
        ("acmeimages", "registry-id"),
        (ID.replace("registries", "webhooks"), "registry-id"),
        (ID.replace("acmeimages", "acme-images"), "registry-name"),
    ],
)
def test_an_id_has_its_form(resource_id: str, rule: str) -> None:
    assert found({"resourceId": resource_id}) == [("error", rule, ".resourceId")]


@pytest.mark.parametrize("sku", [{}, {"sku": "Basic"}, {"sku": "Standard"}])
def test_private_access_is_premium(sku: dict[str, str]) -> None:
    closed = {"name": "acmeimages", "publicNetworkAccess": False}
    assert found(closed | sku) == [("error", "registry-premium", ".publicNetworkAccess")]
    assert found(closed | {"sku": "Premium"}) == []
    assert found(closed | {"sku": "Premiun"}) == []
    assert found({"name": "acmeimages", "publicNetworkAccess": True} | sku) == []


def test_zones_need_no_tier_and_are_not_sent_below_premium() -> None:
    spec, findings = resolve({"name": "acmeimages", "zoneRedundancy": True})
    assert isinstance(spec, RegistrySpec)
    assert not spec.zone_redundancy
    assert [(finding.severity, finding.rule) for finding in findings] == [("warning", "registry-zones")]
    assert found({"name": "acmeimages", "zoneRedundancy": False}) == []


def test_the_resource_group_has_its_form() -> None:
    assert found({"name": "acmeimages", "resourceGroup": "a."}) == [("error", "resource-group-name", ".resourceGroup")]


TEXT = st.text(max_size=12) | st.sampled_from(["acmeimages", ID, "Premium", "AcrPull"])


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("name", "resourceId", "resourceGroup", "sku", "pullRole"), TEXT)
        | dict.fromkeys(("zoneRedundancy", "publicNetworkAccess", "pullToken"), st.booleans()),
    )
)
def test_whatever_is_written_gives_a_spec_or_a_finding(registry: dict[str, Any]) -> None:
    parsed = parse(AzureInput, {"tidegate:registry": registry})
    spec, findings = resolve(registry)
    errors = [finding for finding in findings if finding.severity == "error"]
    assert not (spec and errors)
    assert spec or errors or parsed.findings
