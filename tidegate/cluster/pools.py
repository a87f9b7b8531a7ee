"""The node pools of a cluster: complete specs of what a user writes, and what is refused."""

import re
from datetime import date
from math import ceil

from tidegate.cluster import node_marks, pool_sizes
from tidegate.cluster.input import ClusterInput, NodesInput, PoolInput, Purpose, SystemPoolInput
from tidegate.cluster.purpose import check_purpose
from tidegate.cluster.rule import Rule
from tidegate.cluster.sizes import lookup
from tidegate.cluster.spec import SYSTEM_POOL, PoolSpec, SpotSpec
from tidegate.findings import Finding
from tidegate.parse import Broken, Loc

DEFAULT_SIZE = "Standard_D4s_v5"
DEFAULT_SURGE = "10%"
MOST_NODES = 1000
LEAST_PODS, MOST_PODS = 10, 250
SYSTEM_PODS = 30
LEAST_DISK, MOST_DISK = 30, 2048

NAME = Rule(
    "pool-name",
    "a pool's name on Azure has at most 12 lower-case letters and digits and begins with a letter; four of them are "
    "the hash that lets a changed pool stand beside the old one",
    "bicep-types: Microsoft.ContainerService 2025-09-01, agentPoolName; aks-docs: create-node-pools.md",
)
COUNT = Rule(
    "pool-count",
    "a pool has 0 to 1000 nodes, one of mode System at least 1, and the autoscaler's count lies between its limits",
    "bicep-types: Microsoft.ContainerService 2025-09-01, count; aks-docs: cluster-autoscaler.md",
)
AUTOSCALER = Rule(
    "pool-autoscaler",
    "the cluster autoscaler needs both limits of a pool",
    "aks-docs: cluster-autoscaler.md",
)
SYSTEM_NODES = Rule(
    "system-pool-nodes",
    "a system pool has at least two nodes; Azure lets one through and advises against it",
    "aks-docs: use-system-pools.md",
)
PODS = Rule(
    "max-pods",
    "a node takes 10 to 250 pods, one of a system pool at least 30, and a pool has room for 30 in all",
    "aks-docs: concepts-network-ip-address-planning.md, Maximum pods per node; use-system-pools.md",
)
DISK = Rule(
    "os-disk-size",
    "an OS disk has 30 to 2048 GB",
    "bicep-types: Microsoft.ContainerService 2025-09-01, osDiskSizeGB; aks-docs: node-autoprovision-aksnodeclass.md",
)
EPHEMERAL = Rule(
    "ephemeral-os-disk",
    "an ephemeral OS disk lies on the host's cache or temporary disk, which must hold it",
    "azure-compute-docs: ephemeral-os-disks.md, and Feature support on each series' page",
)
SURGE = Rule(
    "max-surge",
    "the surge of an upgrade is a number of nodes from 1, or a percentage from 1% to 100%",
    "bicep-types: Microsoft.ContainerService 2025-09-01, AgentPoolUpgradeSettings; aks-docs: upgrade-aks-cluster.md",
)
SPOT_SURGE = Rule(
    "spot-surge",
    'AKS answers "Spot pools can\'t set max surge"',
    "aks-docs: spot-node-pool.md, Upgrade a Spot node pool; Azure/bicep-types-az issue 2217",
)
SPOT_MODE = Rule(
    "spot-system-pool",
    "Azure takes Spot nodes away, so a Spot pool is of mode User",
    "aks-docs: use-system-pools.md; spot-node-pool.md",
)
SPOT_PRICE = Rule(
    "spot-price",
    "the highest price of a Spot node is -1, or above 0 with at most five decimals",
    "aks-docs: spot-node-pool.md",
)
ZONES = Rule(
    "availability-zones",
    'a region numbers its availability zones "1", "2" and "3"',
    "bicep-types: Microsoft.ContainerService 2025-09-01, availabilityZones; aks-docs: availability-zones.md",
)
SUBNET = Rule(
    "pool-subnet",
    "a subnet is named by its whole resource id",
    "bicep-types: Microsoft.ContainerService 2025-09-01, vnetSubnetID",
)
RULES: tuple[Rule, ...] = (
    NAME,
    COUNT,
    AUTOSCALER,
    SYSTEM_NODES,
    PODS,
    DISK,
    EPHEMERAL,
    SURGE,
    SPOT_SURGE,
    SPOT_MODE,
    SPOT_PRICE,
    ZONES,
    SUBNET,
)

_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")
_SURGE = re.compile(r"([1-9][0-9]{0,3})(%?)")
_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)


def resolve_pools(
    loc: Loc, entry: ClusterInput, purpose: Purpose, production: bool, broken: Broken, *, today: date
) -> tuple[PoolSpec | None, tuple[PoolSpec, ...], list[Finding]]:
    """Check and complete the pools of the cluster at `loc`; rows C1, C2, C8 and C9.

    The system pool, None where a value in it was already refused; the further pools, sorted by name; the findings.
    `today` decides which sizes are gone.
    """
    place = (*loc, "systemPool")
    known = purpose if broken.sound(*loc, "purpose") else None
    given = entry.system_pool or SystemPoolInput.model_validate({})
    first = _Pool(place, SYSTEM_POOL, given, purpose=known, today=today, broken=broken)
    others = [
        _Pool((*loc, "pools", name), name, pool, purpose=known, today=today, broken=broken)
        for name, pool in sorted((entry.pools or {}).items())
    ]
    findings = [finding for pool in others for finding in _check_name(pool.loc, pool.name)]
    findings += [finding for pool in (first, *others) for finding in pool.check()]
    system, further = first.spec(), tuple(pool.spec() for pool in others)
    if known and broken.sound(*place) and broken.sound(*loc, "pools"):
        findings += check_purpose(loc, (system, *further), known, production=production)
    return system if broken.sound(*place) else None, further, findings


def _check_name(loc: Loc, name: str) -> list[Finding]:
    if name == SYSTEM_POOL:
        problem = f'"{name}" is the name of the cluster\'s first pool, which stands under systemPool'
        return [NAME.error(loc, problem, "Choose another name")]
    if not _NAME.fullmatch(name):
        problem = f'"{name}" is no name of a pool: 1-8 lower-case letters and digits, a letter first'
        return [NAME.error(loc, problem, "Choose another name, e.g. scoring")]
    return []


class _Pool:
    """One pool as it is written, with its defaults."""

    def __init__(
        self,
        loc: Loc,
        name: str,
        entry: PoolInput | SystemPoolInput,
        *,
        purpose: Purpose | None,
        today: date,
        broken: Broken,
    ) -> None:
        self.loc = loc
        self.name = name
        self._entry: NodesInput = entry
        self._purpose = purpose
        self._broken = broken
        self._today = today
        self._first = isinstance(entry, SystemPoolInput)
        self._spot = entry.spot if isinstance(entry, PoolInput) else None
        self._gpu = entry.gpu if isinstance(entry, PoolInput) else None
        self._system = isinstance(entry, SystemPoolInput) or entry.mode == "System"
        self._vm_size = entry.vm_size or DEFAULT_SIZE
        self._size = lookup(self._vm_size)
        self._scaled = entry.min_count is not None and entry.max_count is not None

    def spec(self) -> PoolSpec:
        entry = self._entry
        gpus = ceil(self._size.gpus) if self._size else 0
        given = tuple(dict.fromkeys(entry.node_taints or ()))
        spot = None
        if self._spot:
            spot = SpotSpec(
                max_price=-1.0 if self._spot.max_price is None else self._spot.max_price,
                eviction_policy=self._spot.eviction_policy or "Delete",
            )
        return PoolSpec(
            name=self.name,
            vm_size=self._size.name if self._size else self._vm_size,
            count=self._count(),
            min_count=entry.min_count if self._scaled else None,
            max_count=entry.max_count if self._scaled else None,
            mode="System" if self._system else "User",
            availability_zones=tuple(sorted(set(entry.availability_zones or ()))),
            node_labels=node_marks.all_labels(entry.node_labels or {}, spot=spot is not None),
            node_taints=node_marks.all_taints(
                given, spot=spot is not None, gpu=gpus > 0, addons_only=bool(entry.critical_addons_only)
            ),
            max_pods=entry.max_pods,
            os_sku=entry.os_sku or "Ubuntu",
            os_disk_type=entry.os_disk_type,
            os_disk_size_gb=entry.os_disk_size_gb,
            max_surge=None if spot else _surge(entry.max_surge),
            encryption_at_host=bool(entry.enable_encryption_at_host),
            fips=bool(entry.enable_fips),
            subnet_id=entry.vnet_subnet_id,
            spot=spot,
            gpus=gpus,
            gpu_driver=((self._gpu.driver if self._gpu else None) or "Install") if gpus else None,
            mig_profile=self._gpu.mig_profile if self._gpu and gpus else None,
            tags=entry.tags or {},
        )

    def check(self) -> list[Finding]:
        entry, spot = self._entry, self._spot is not None
        return [
            *self._check_size(),
            *self._check_count(),
            *self._check_system_nodes(),
            *self._check_pods(),
            *self._check_disk(),
            *self._check_surge(),
            *self._check_spot(),
            *self._check_zones(),
            *self._check_subnet(),
            *node_marks.check_labels((*self.loc, "nodeLabels"), entry.node_labels or {}, spot=spot),
            *node_marks.check_taints(
                (*self.loc, "nodeTaints"), entry.node_taints or (), system=self._system, spot=spot
            ),
            *([node_marks.check_addons_only((*self.loc, "criticalAddonsOnly"))] if self._misplaced_addons() else []),
        ]

    def _count(self) -> int:
        entry = self._entry
        if entry.count is not None:
            return entry.count
        count = 3 if self._first and self._purpose == "FastProd" else 1
        if self._scaled and entry.min_count is not None and entry.max_count is not None:
            count = max(entry.min_count, min(count, entry.max_count)) if self._first else entry.min_count
        return count

    def _check_size(self) -> list[Finding]:
        if not self._broken.sound(*self.loc, "vmSize"):
            return []
        return pool_sizes.check_size(
            self.loc,
            self._vm_size,
            self._size,
            system=self._system,
            image=self._entry.os_sku or "Ubuntu",
            gpu=self._gpu,
            today=self._today,
        )

    def _check_count(self) -> list[Finding]:
        entry = self._entry
        least, most, count = entry.min_count, entry.max_count, entry.count
        findings: list[Finding] = []
        for key, value, missing in (("minCount", least, most), ("maxCount", most, least)):
            other = "maxCount" if key == "minCount" else "minCount"
            if value is not None and missing is None and self._broken.sound(*self.loc, other):
                problem = f"{key} is {value}, and {other} is missing"
                findings.append(AUTOSCALER.error((*self.loc, key), problem, f"Write {other} too, or count alone"))
        for key, value in (("count", count), ("minCount", least), ("maxCount", most)):
            if value is not None and value > MOST_NODES:
                problem = f"{value} nodes are too many: a pool has at most {MOST_NODES}"
                findings.append(COUNT.error((*self.loc, key), problem, "Spread them over several pools"))
            if value == 0 and self._system:
                problem = "a pool of mode System cannot have 0 nodes"
                findings.append(COUNT.error((*self.loc, key), problem, "Write 2 or more"))
        if least is not None and most is not None and least > most:
            problem = f"minCount {least} is above maxCount {most}"
            return [*findings, COUNT.error((*self.loc, "minCount"), problem, "Lower it, or raise maxCount")]
        if least is not None and most is not None and count is not None and not least <= count <= most:
            problem = f"count {count} is not between minCount {least} and maxCount {most}"
            remedy = "Leave it out, or write a number between them"
            findings.append(COUNT.error((*self.loc, "count"), problem, remedy))
        return findings

    def _check_system_nodes(self) -> list[Finding]:
        key = "minCount" if self._scaled else "count"
        least = self._entry.min_count if self._scaled else self._count()
        if not self._system or least != 1 or self._purpose is None or not self._broken.sound(*self.loc, key):
            return []
        problem = "a system pool of one node is gone while that node is upgraded or fails"
        if self._purpose == "DevTest":
            return [SYSTEM_NODES.warning((*self.loc, key), problem, "Write 2 or more where that matters")]
        return [SYSTEM_NODES.error((*self.loc, key), problem, "Write 2 or more; Azure advises 3 in production")]

    def _check_pods(self) -> list[Finding]:
        pods, place = self._entry.max_pods, (*self.loc, "maxPods")
        if pods is None:
            return []
        if not LEAST_PODS <= pods <= MOST_PODS:
            problem = f"maxPods {pods} is not between {LEAST_PODS} and {MOST_PODS}"
            return [PODS.error(place, problem, f"Write a number from {LEAST_PODS} to {MOST_PODS}")]
        if self._system and pods < SYSTEM_PODS:
            problem = f"maxPods {pods} is too few: a node of a system pool takes at least {SYSTEM_PODS}"
            return [PODS.error(place, problem, f"Write {SYSTEM_PODS} or more")]
        if 0 < self._count() * pods < SYSTEM_PODS:
            problem = f"{self._count()} x {pods} pods are too few: a pool has room for at least {SYSTEM_PODS}"
            return [PODS.error(place, problem, "Raise it, or use more nodes")]
        return []

    def _check_disk(self) -> list[Finding]:
        size, disk = self._size, self._entry.os_disk_size_gb
        findings: list[Finding] = []
        if disk is not None and not LEAST_DISK <= disk <= MOST_DISK:
            problem = f"an OS disk of {disk} GB cannot be had"
            remedy = f"Write {LEAST_DISK} to {MOST_DISK}, or leave it to AKS"
            findings.append(DISK.error((*self.loc, "osDiskSizeGB"), problem, remedy))
        if self._entry.os_disk_type != "Ephemeral" or not self._broken.sound(*self.loc, "vmSize"):
            return findings
        place, remedy = (*self.loc, "osDiskType"), "Write Managed, or choose a size with a temporary disk"
        if size is not None and size.ephemeral_os_disk is False:
            problem = f"{size.name} has no room for an ephemeral OS disk on its host"
            findings.append(EPHEMERAL.error(place, problem, remedy))
        elif size is None or size.ephemeral_os_disk is None:
            problem = f"whether {self._vm_size} has room for an ephemeral OS disk is not known here"
            findings.append(EPHEMERAL.warning(place, problem, "Look at Feature support on the page of its series"))
        elif disk is not None and disk > size.local_gib:
            problem = f"the OS disk of {disk} GB is larger than the temporary disk of {size.name}, {size.local_gib} GiB"
            findings.append(EPHEMERAL.warning(place, problem, "Make it smaller, unless the size's cache holds it"))
        return findings

    def _check_surge(self) -> list[Finding]:
        surge, place = self._entry.max_surge, (*self.loc, "maxSurge")
        if surge is None:
            return []
        if self._spot is not None:
            problem = "a Spot pool cannot have a surge"
            return [SPOT_SURGE.error(place, problem, "Take maxSurge out")]
        if not _is_surge(surge):
            problem = f'"{surge}" is neither a number of nodes nor a percentage'
            return [SURGE.error(place, problem, "Write a number from 1, or a percentage such as 33%")]
        return []

    def _check_spot(self) -> list[Finding]:
        if self._spot is None:
            return []
        findings: list[Finding] = []
        if self._system:
            problem = "a Spot pool is of mode System"
            findings.append(SPOT_MODE.error((*self.loc, "mode"), problem, "Write mode: User"))
        price = self._spot.max_price
        if price is not None and not _is_price(price):
            problem = f"the price {price:.15g} is neither -1 nor above 0 with at most five decimals"
            remedy = "Write US dollars an hour, e.g. 0.12345, or -1 for up to the normal price"
            findings.append(SPOT_PRICE.error((*self.loc, "spot", "maxPrice"), problem, remedy))
        return findings

    def _check_zones(self) -> list[Finding]:
        findings: list[Finding] = []
        zones = self._entry.availability_zones or []
        for index, zone in enumerate(zones):
            place = (*self.loc, "availabilityZones", index)
            if zone not in ("1", "2", "3"):
                findings.append(ZONES.error(place, f'"{zone}" is no availability zone', 'Write "1", "2" or "3"'))
            elif zone in zones[:index]:
                findings.append(ZONES.error(place, f'zone "{zone}" stands here twice', "Take one of them out"))
        return findings

    def _check_subnet(self) -> list[Finding]:
        subnet = self._entry.vnet_subnet_id
        if subnet is None or _SUBNET.fullmatch(subnet):
            return []
        remedy = (
            "Write its whole id: /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Network/"
            "virtualNetworks/<network>/subnets/<subnet>"
        )
        return [SUBNET.error((*self.loc, "vnetSubnetID"), f'"{subnet}" is no id of a subnet', remedy)]

    def _misplaced_addons(self) -> bool:
        return bool(self._entry.critical_addons_only) and not self._system and self._broken.sound(*self.loc, "mode")


def _surge(surge: str | None) -> str:
    return DEFAULT_SURGE if surge is None or not _is_surge(surge) else surge


def _is_surge(surge: str) -> bool:
    found = _SURGE.fullmatch(surge)
    return found is not None and int(found[1]) <= (100 if found[2] else MOST_NODES)


def _is_price(price: float) -> bool:
    return price == -1 or (price > 0 and round(price, 5) == price)
