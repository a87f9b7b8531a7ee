"""How what endpoints run gets to a cluster: further registries, the stack to promote from, the store to fetch from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.cluster.input import AzureInput, ModelStoreInput
from tidegate.cluster.naming import check_resource_group
from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.guid import GUID
from tidegate.image.reference import Reference, ReferenceFormatError
from tidegate.model.storage import RECORDS, ModelStoreSpec
from tidegate.parse import Broken, Loc

REGISTRY = Rule(
    "registry-needed",
    "a cluster pulls the images of endpoints from a registry",
    "docs/reference/azure.md, Registry",
)
SHARED = Rule(
    "shared-registry",
    "a registry is named by its host",
    "the module github.com/distribution/reference, grammar",
)
STACK = Rule(
    "promotion-stack",
    "a stack's name has letters, digits, hyphens, underscores and dots",
    "Pulumi docs: iac/concepts/stacks, Stack names",
)
PROMOTION = Rule(
    "production-without-promotion",
    "what was built for production has run nowhere before",
    "docs/how-to/images.md, Promote",
)
STORE = Rule(
    "model-store-needed",
    "what pods fetch when they start lies in a store of the stack",
    "docs/how-to/models.md, Where models are kept",
)
ACCOUNT = Rule(
    "model-store-account",
    "a storage account's name has 3-24 lower-case letters and digits",
    "Azure docs: azure-resource-manager/management/resource-name-rules.md, Microsoft.Storage",
)
CONTAINER = Rule(
    "model-store-container",
    "a container's name has 3-63 lower-case letters, digits and single hyphens, neither end a hyphen",
    "Azure docs: azure-resource-manager/management/resource-name-rules.md, Microsoft.Storage",
)
KEPT = Rule(
    "model-store-kept-days",
    "Azure keeps what was deleted for 1-365 days",
    "Azure docs: storage/blobs/soft-delete-blob-overview.md",
)
DEPLOYER = Rule(
    "model-store-deployer",
    "Entra ID knows principals by GUIDs",
    "Azure docs: role-based-access-control/role-assignments-steps.md",
)
RULES: tuple[Rule, ...] = (REGISTRY, SHARED, STACK, PROMOTION, STORE, ACCOUNT, CONTAINER, KEPT, DEPLOYER)

_MEBIBYTE = 1 << 20

STORE_LOC: Loc = ("tidegate:modelStore",)


@dataclass(frozen=True)
class Delivery:
    """What was settled."""

    shared_registries: tuple[str, ...] = ()
    promote_from: str = ""
    model_store: ModelStoreSpec | None = None


def resolve_delivery(
    given: AzureInput,
    *,
    location: str,
    resource_group: str,
    tags: Mapping[str, str],
    production: bool,
    serves: bool,
    broken: Broken,
) -> tuple[Delivery, list[Finding]]:
    """Settle it; `location`, `resource_group` and `tags` are the environment's, `serves` says that it has endpoints."""
    findings: list[Finding] = []
    if serves and given.registry is None and broken.sound("tidegate:registry"):
        problem, remedy = "endpoints run images, and there is no registry for them", "Write name, or resourceId"
        findings.append(REGISTRY.error(("tidegate:registry",), problem, remedy))
    shared = given.shared_registries or []
    for index, host in enumerate(shared):
        if not _is_host(host):
            remedy = "Write a host alone, such as shared.azurecr.io"
            findings.append(SHARED.error(("tidegate:sharedRegistries", index), f'"{host}" is no registry', remedy))
    findings += _check_promotion(given.promote_from, production=production, serves=serves, broken=broken)
    store = None
    if given.model_store is not None:
        store, more = _store(
            given.model_store,
            location=location,
            resource_group=resource_group,
            tags=tags,
            production=production,
            broken=broken,
        )
        findings += more
    return Delivery(tuple(dict.fromkeys(shared)), given.promote_from or "", store), findings


def without_store(loc: Loc, size: int) -> Finding:
    """What is said of a version whose content, of `size` bytes, is fetched where there is no store."""
    problem = f"its code and models ({size / _MEBIBYTE:.1f} MiB) are fetched by its pods, and there is no store"
    return STORE.error(loc, problem, "Write tidegate:modelStore, or delivery: baked at the version")


def _check_promotion(stack: str | None, *, production: bool, serves: bool, broken: Broken) -> list[Finding]:
    loc: Loc = ("tidegate:promoteFrom",)
    if stack is None:
        if not (production and serves and broken.sound(*loc)):
            return []
        problem = "production builds images of its own, that no other stack has run"
        return [PROMOTION.warning(loc, problem, "Write the name of the stack that runs them first, such as dev")]
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stack):
        return []
    return [STACK.error(loc, f'"{stack}" is no name of a stack', "Write the name of a stack of this project")]


def _store(
    entry: ModelStoreInput,
    *,
    location: str,
    resource_group: str,
    tags: Mapping[str, str],
    production: bool,
    broken: Broken,
) -> tuple[ModelStoreSpec | None, list[Finding]]:
    findings: list[Finding] = []
    account, container, kept = entry.account, entry.container or "models", entry.kept_days or 14
    if account is None:
        if broken.sound(*STORE_LOC, "account"):
            remedy = "Write a name that no other storage account of Azure has"
            findings.append(ACCOUNT.error((*STORE_LOC, "account"), "the storage account has no name", remedy))
    elif not re.fullmatch(r"[a-z0-9]{3,24}", account):
        remedy = "Write 3-24 lower-case letters and digits"
        findings.append(ACCOUNT.error((*STORE_LOC, "account"), f'"{account}" is no storage account', remedy))
    if not re.fullmatch(r"(?=.{3,63}$)[a-z0-9](-?[a-z0-9])+", container):
        remedy = "Write 3-63 lower-case letters, digits and single hyphens"
        findings.append(CONTAINER.error((*STORE_LOC, "container"), f'"{container}" is no container', remedy))
    elif container == RECORDS:
        problem = f'"{container}" is the container for what pods write, beside this one'
        findings.append(CONTAINER.error((*STORE_LOC, "container"), problem, "Choose another, or leave it out"))
    if kept > 365:
        findings.append(KEPT.error((*STORE_LOC, "keptDays"), f"{kept} days are too many", "Write 1-365"))
    if entry.resource_group is not None:
        findings += check_resource_group((*STORE_LOC, "resourceGroup"), entry.resource_group)
    deployer = entry.deployer_object_id
    if deployer is not None and not re.fullmatch(GUID, deployer):
        remedy = "Write the id that Entra shows, not the name"
        findings.append(DEPLOYER.error((*STORE_LOC, "deployerObjectId"), f'"{deployer}" is no GUID', remedy))
    if findings or account is None:
        return None, findings
    spec = ModelStoreSpec(
        account=account,
        resource_group=entry.resource_group or resource_group,
        location=location,
        container=container,
        sku=entry.sku or "Standard_ZRS",
        kept_days=kept,
        deployer_object_id=deployer,
        # Who is named is the one that CI logs in as, whoever runs pulumi.
        deployer_principal_type=entry.deployer_principal_type or ("ServicePrincipal" if deployer else None),
        production=production,
        tags=dict(tags),
    )
    return spec, []


def _is_host(text: str) -> bool:
    try:
        return Reference.parse(f"{text}/a").registry == text
    except ReferenceFormatError:
        return False
