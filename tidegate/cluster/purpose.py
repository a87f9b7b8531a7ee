"""What a cluster's purpose asks of its pools: FastProd has room for scoring at any time, DevTest makes no promise."""

from collections.abc import Iterable, Sequence

from tidegate.cluster.input import Purpose
from tidegate.cluster.rule import Rule
from tidegate.cluster.sizes import lookup
from tidegate.cluster.spec import PoolSpec
from tidegate.findings import Finding
from tidegate.parse import Loc

FASTPROD_VCPUS = 12
DEVTEST_VCPUS = 2

NO_ZONES = Rule(
    "no-availability-zones",
    "nodes that are spread over zones outlive the loss of one",
    "aks-docs: availability-zones.md; aks-zone-resiliency.md",
)
SCORING_VCPUS = Rule(
    "scoring-vcpus",
    "a FastProd cluster has at least 12 vCPU for scoring at any time",
    "Azure ML v1: create AKS compute, cluster purpose; azureml-sdk-for-r: attach_aks_compute",
)
DEVTEST_SIZE = Rule(
    "dev-test-vcpus",
    "under 2 vCPU there is hardly room beside AKS's own pods",
    "aks-docs: use-system-pools.md; quotas-skus-regions.md",
)
DEVTEST = Rule(
    "dev-test",
    "a DevTest cluster may have one node, which nothing replaces while it is away",
    "Azure ML v1: create AKS compute, cluster purpose",
)
RULES: tuple[Rule, ...] = (SCORING_VCPUS, DEVTEST_SIZE, DEVTEST, NO_ZONES)


def check_purpose(loc: Loc, pools: Sequence[PoolSpec], purpose: Purpose, *, production: bool) -> list[Finding]:
    """Row C2 and its warnings, over all pools of the cluster at `loc`; sizes that are not known are not counted."""
    if purpose == "FastProd":
        return _check_fast_prod(loc, pools) + _check_zones_used(loc, pools)
    said = "DevTest is not fault tolerant, not for production traffic, and may answer more slowly"
    place = (*loc, "purpose")
    findings = [DEVTEST.warning(place, said, "Write purpose: FastProd") if production else DEVTEST.note(place, said)]
    if scoring_vcpus(pools) < DEVTEST_VCPUS and not _unknown(pools):
        remedy = "Use more or larger nodes"
        findings.append(DEVTEST_SIZE.warning(loc, f"scoring has less than {DEVTEST_VCPUS} vCPU: {_sum(pools)}", remedy))
    return findings


def scoring_vcpus(pools: Iterable[PoolSpec]) -> int:
    """Return the vCPU that scoring pods have at any time, of the sizes that are known: row C2's count."""
    return sum(pool.least * size.vcpus for pool in pools if _counts(pool) and (size := lookup(pool.vm_size)))


def _check_fast_prod(loc: Loc, pools: Sequence[PoolSpec]) -> list[Finding]:
    if scoring_vcpus(pools) >= FASTPROD_VCPUS:
        return []
    problem = f"scoring has less than {FASTPROD_VCPUS} vCPU, which FastProd needs at any time: {_sum(pools)}"
    remedy = "Use more or larger nodes, or write purpose: DevTest"
    if _unknown(pools):
        # The sizes that are not counted may well make up for it.
        return [SCORING_VCPUS.warning(loc, problem, remedy)]
    return [SCORING_VCPUS.error(loc, problem, remedy)]


def _check_zones_used(loc: Loc, pools: Sequence[PoolSpec]) -> list[Finding]:
    names = [pool.name for pool in pools if pool.spot is None and not pool.availability_zones]
    if not names:
        return []
    noun = "pool" if len(names) == 1 else "pools"
    problem = f"{noun} {', '.join(names)} without availability zones: losing one data centre may take all nodes away"
    return [NO_ZONES.note(loc, problem, 'Write availabilityZones: ["1", "2", "3"] where the region has zones')]


def _counts(pool: PoolSpec) -> bool:
    return pool.takes_scoring_pods and pool.spot is None


def _unknown(pools: Iterable[PoolSpec]) -> bool:
    return any(_counts(pool) and pool.least > 0 and lookup(pool.vm_size) is None for pool in pools)


def _sum(pools: Sequence[PoolSpec]) -> str:
    """`system 3 x 2 (Standard_D2s_v5) = 6 vCPU; not counted: spot (Spot)`."""
    counted = [(pool, size) for pool in pools if _counts(pool) and (size := lookup(pool.vm_size))]
    terms = [f"{pool.name} {_nodes(pool)} x {size.vcpus} ({size.name})" for pool, size in counted]
    total = f"{' + '.join(terms) or 'no pool'} = {scoring_vcpus(pools)} vCPU"
    aside = [f"{pool.name} ({reason})" for pool in pools if (reason := _left_out(pool))]
    return total + (f"; not counted: {', '.join(aside)}" if aside else "")


def _nodes(pool: PoolSpec) -> str:
    return f"{pool.least} (its minCount)" if pool.autoscaled else str(pool.least)


def _left_out(pool: PoolSpec) -> str:
    if pool.spot is not None:
        return "Spot"
    if not pool.takes_scoring_pods:
        return "critical add-ons only"
    return "" if lookup(pool.vm_size) else f"{pool.vm_size} is not in the table of sizes"
