"""The container registry: made here by its name, or one that exists by its id."""

import re
from collections.abc import Mapping

from tidegate.cluster.arm_id import ResourceId, id_form, parse_id
from tidegate.cluster.input import RegistryInput
from tidegate.cluster.naming import check_resource_group
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import ExistingRegistrySpec, RegistrySpec
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

ONE_FORM = Rule(
    "registry-form",
    "a registry is made here under a name, or exists and has an id; settings are of the one that is made",
    "docs/reference/azure.md, Registry",
)
NAME = Rule(
    "registry-name",
    "a registry's name has 5-50 letters and digits and is the first label of its address",
    "bicep-types: Microsoft.ContainerRegistry/registries 2023-01-01-preview, name",
)
ID = Rule(
    "registry-id",
    "an id names subscription, resource group, type and name of one resource",
    "Azure REST: Microsoft.ContainerRegistry/registries",
)
PREMIUM = Rule(
    "registry-premium",
    "a registry without public access is reached by private endpoints, which the Premium tier has",
    "Azure docs: container-registry/container-registry-skus.md",
)
ZONES = Rule(
    "registry-zones",
    "registries of every tier are spread over zones where the region has them, whatever zoneRedundancy says",
    "Azure docs: container-registry/zone-redundancy.md, Understand the zoneRedundancy property",
)
BUILDER = Rule(
    "registry-builder",
    "ACR Tasks run on shared agents, which reach a registry by its public address alone",
    "Azure docs: container-registry/container-registry-private-link.md, Set up private endpoint",
)
RULES: tuple[Rule, ...] = (ONE_FORM, NAME, ID, PREMIUM, ZONES, BUILDER)

REGISTRY: Loc = ("tidegate:registry",)
REGISTRY_TYPE = "Microsoft.ContainerRegistry/registries"
OF_A_MADE_ONE = ("resourceGroup", "sku", "zoneRedundancy", "publicNetworkAccess")


def resolve_registry(
    entry: RegistryInput,
    *,
    location: str,
    resource_group: str,
    tags: Mapping[str, str],
    production: bool,
    broken: Broken,
) -> tuple[RegistrySpec | ExistingRegistrySpec | None, list[Finding]]:
    """Settle the registry; `location`, `resource_group` and `tags` are the environment's."""
    if entry.name is not None and entry.resource_id is not None:
        problem = "name and resourceId are both written"
        remedy = "Keep name to make a registry here, or resourceId to use one that exists"
        return None, [ONE_FORM.error(REGISTRY, problem, remedy)]
    pull_role = entry.pull_role or "AcrPull"
    pull_token = bool(entry.pull_token)
    if entry.resource_id is not None:
        parsed, findings = _existing(entry, entry.resource_id)
        if findings or parsed is None:
            return None, findings
        existing = ExistingRegistrySpec(
            subscription_id=parsed.subscription_id,
            resource_group=parsed.resource_group,
            name=parsed.name,
            pull_role=pull_role,
            pull_token=pull_token,
            builder=entry.builder or "docker",
        )
        return existing, []
    findings = _check_made(entry, broken)
    if entry.name is None or any(finding.severity == "error" for finding in findings):
        return None, findings
    made = RegistrySpec(
        name=entry.name,
        resource_group=entry.resource_group or resource_group,
        location=location,
        sku=entry.sku or "Standard",
        # The setting was one of the Premium tier alone; the others have zones without it.
        zone_redundancy=bool(entry.zone_redundancy) and entry.sku == "Premium",
        public_network_access=entry.public_network_access is not False,
        pull_role=pull_role,
        pull_token=pull_token,
        builder=entry.builder or "docker",
        tags=dict(tags),
        production=production,
    )
    return made, findings


def _existing(entry: RegistryInput, resource_id: str) -> tuple[ResourceId | None, list[Finding]]:
    findings: list[Finding] = []
    written = entry.model_dump(by_alias=True, exclude_none=True)
    if beside := [key for key in OF_A_MADE_ONE if key in written]:
        problem = f"{', '.join(beside)} beside resourceId: an existing registry is left as it is"
        findings.append(ONE_FORM.error(REGISTRY, problem, "Take them out, or write name to make a registry here"))
    parsed = parse_id(resource_id, REGISTRY_TYPE)
    if isinstance(parsed, str):
        problem = f"this is no registry's id: {parsed}"
        findings.append(ID.error((*REGISTRY, "resourceId"), problem, f"Write {id_form(REGISTRY_TYPE)}"))
        return None, findings
    if not _is_name(parsed.name):
        problem, remedy = f'"{parsed.name}" is no name of a registry', "Write the id of a registry that exists"
        findings.append(NAME.error((*REGISTRY, "resourceId"), problem, remedy))
    return parsed, findings


def _check_made(entry: RegistryInput, broken: Broken) -> list[Finding]:
    findings: list[Finding] = []
    if entry.name is None:
        if broken.sound(*REGISTRY, "name") and broken.sound(*REGISTRY, "resourceId"):
            remedy = "Write name to make a registry here, or resourceId to use one that exists"
            findings.append(ONE_FORM.error(REGISTRY, "neither name nor resourceId is written", remedy))
    elif not _is_name(entry.name):
        problem, remedy = f'"{entry.name}" is no name of a registry', "Write 5-50 letters and digits"
        findings.append(NAME.error((*REGISTRY, "name"), problem, remedy))
    if entry.resource_group is not None:
        findings += check_resource_group((*REGISTRY, "resourceGroup"), entry.resource_group)
    if entry.builder == "acr" and entry.public_network_access is False:
        problem = "the registry cannot build by itself without public access"
        findings.append(BUILDER.error((*REGISTRY, "builder"), problem, "Write builder: docker, or leave it out"))
    if entry.sku == "Premium" or not broken.sound(*REGISTRY, "sku"):
        return findings
    if entry.public_network_access is False:
        problem = f"a registry of the tier {entry.sku or 'Standard, the default,'} has no other access than public"
        loc = (*REGISTRY, "publicNetworkAccess")
        findings.append(PREMIUM.error(loc, problem, "Write sku: Premium, or take it out"))
    if entry.zone_redundancy:
        problem = "the setting has no effect: the registry has zones where its region has them"
        findings.append(ZONES.warning((*REGISTRY, "zoneRedundancy"), problem, "Take it out"))
    return findings


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9]{5,50}", name) is not None
