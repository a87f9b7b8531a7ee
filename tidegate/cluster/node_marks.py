"""Labels and taints of a pool's nodes: what Kubernetes and AKS allow, and what is added to those that are written."""

import re
from collections.abc import Mapping, Sequence

from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.parse import Loc

SPOT_KEY = "kubernetes.azure.com/scalesetpriority"
SPOT_TAINT = f"{SPOT_KEY}=spot:NoSchedule"
GPU_TAINT = "sku=gpu:NoSchedule"
ADDONS_KEY = "CriticalAddonsOnly"
ADDONS_TAINT = f"{ADDONS_KEY}=true:NoSchedule"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
RESERVED = ("kubernetes.azure.com", "kubernetes.io")

LABEL = Rule(
    "node-label",
    "a label's key is a name of at most 63 characters, with a DNS prefix where one is wanted, and its value is such a "
    "name or empty",
    "Kubernetes: Labels and Selectors, Syntax and character set",
)
RESERVED_LABEL = Rule(
    "reserved-node-label",
    "AKS keeps labels and taints under kubernetes.azure.com/ and kubernetes.io/ to itself and refuses others there",
    "aks-docs: use-labels.md, Reserved prefixes; use-node-taints.md",
)
TAINT = Rule(
    "node-taint",
    "a taint is key=value:Effect, its effect NoSchedule, PreferNoSchedule or NoExecute; a node has one for each key "
    "and effect",
    "aks-docs: use-node-taints.md; Kubernetes: NodeSpec.taints",
)
ADDONS = Rule(
    "critical-addons-only",
    "CriticalAddonsOnly keeps application pods off the nodes of AKS's own pods, and those are of mode System",
    "aks-docs: use-system-pools.md",
)
RULES: tuple[Rule, ...] = (LABEL, RESERVED_LABEL, TAINT, ADDONS)

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def check_labels(loc: Loc, labels: Mapping[str, str], *, spot: bool) -> list[Finding]:
    """Check the labels at `loc`; a Spot pool may write the one that Azure puts there anyway."""
    findings: list[Finding] = []
    for key, value in labels.items():
        place = (*loc, key)
        if spot and (key, value) == (SPOT_KEY, "spot"):
            continue
        if problem := _key_problem(key):
            remedy = "Write a name such as tier or example.com/tier"
            findings.append(LABEL.error(place, f'"{key}" is no key of a label: {problem}', remedy))
        elif reserved := _reserved(key):
            problem = f'"{key}" is under {reserved}/, which AKS keeps to itself'
            findings.append(RESERVED_LABEL.error(place, problem, "Choose another prefix, or none"))
        if value and not _NAME.fullmatch(value):
            problem = f'"{value}" is no value of a label: it has at most 63 letters, digits, -, _ and .'
            findings.append(LABEL.error(place, problem, "Begin and end it with a letter or a digit"))
    return findings


def check_taints(loc: Loc, taints: Sequence[str], *, system: bool, spot: bool) -> list[Finding]:
    """Check the taints at `loc`; only a pool of mode System may keep application pods away."""
    findings: list[Finding] = []
    seen: dict[tuple[str, str], str] = {}
    for index, taint in enumerate(taints):
        place = (*loc, index)
        if spot and taint == SPOT_TAINT:
            continue
        key, _, rest = taint.partition("=")
        value, _, effect = rest.rpartition(":")
        if effect not in EFFECTS or not _NAME.fullmatch(value) or _key_problem(key):
            remedy = f"Write key=value:Effect, with one of {', '.join(EFFECTS)}: workload=scoring:NoSchedule"
            findings.append(TAINT.error(place, f'"{taint}" is no taint', remedy))
            continue
        if reserved := _reserved(key):
            problem = f'"{taint}" is under {reserved}/, which AKS keeps to itself'
            findings.append(RESERVED_LABEL.error(place, problem, "Choose another prefix, or none"))
        if key == ADDONS_KEY and not system:
            findings.append(ADDONS.error(place, f'"{taint}" stands on a pool of mode User', "Take it out"))
        if seen.setdefault((key, effect), taint) != taint:
            problem = f'"{taint}" has the key and the effect of "{seen[key, effect]}"'
            findings.append(TAINT.error(place, problem, "Leave one of them"))
    return findings


def check_addons_only(loc: Loc) -> Finding:
    """Refuse criticalAddonsOnly, written at `loc`, on a pool of mode User."""
    problem = "criticalAddonsOnly stands on a pool of mode User, where AKS's own pods are not"
    return ADDONS.error(loc, problem, "Take it out, or write mode: System")


def all_labels(labels: Mapping[str, str], *, spot: bool) -> dict[str, str]:
    """Return the labels with the one that Azure adds to Spot nodes: undeclared, it would show as a change."""
    return {**labels, **({SPOT_KEY: "spot"} if spot else {})}


def all_taints(taints: Sequence[str], *, spot: bool, gpu: bool, addons_only: bool) -> tuple[str, ...]:
    """Return the taints with those that Azure (Spot) and this product (GPU, add-ons) add, each once."""
    added = ((SPOT_TAINT, spot), (GPU_TAINT, gpu), (ADDONS_TAINT, addons_only))
    return tuple(dict.fromkeys([*taints, *(taint for taint, wanted in added if wanted)]))


def _key_problem(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name):
        return "its name has 1-63 letters, digits, -, _ and dots, and begins and ends with a letter or a digit"
    if slash and not _PREFIX.fullmatch(prefix):
        return "its prefix is no DNS name"
    return ""


def _reserved(key: str) -> str:
    prefix = key.rpartition("/")[0]
    return next((domain for domain in RESERVED if prefix == domain or prefix.endswith(f".{domain}")), "")
