"""How a cluster lives: its Kubernetes version, tier and upgrades, who scales and administers it, what is measured."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from tidegate.cluster.arm_id import id_form, parse_id
from tidegate.cluster.input import ClusterInput, EntraInput, UpgradeInput, WindowInput
from tidegate.cluster.rule import Rule
from tidegate.cluster.spec import EntraSpec, MonitoringSpec, Purpose, Spec, UpgradeSpec, Window
from tidegate.findings import Finding
from tidegate.guid import GUID
from tidegate.parse import Broken, Loc

VERSION = Rule(
    "kubernetes-version",
    "AKS takes a minor version, which stands for its newest patch, or one patch of it",
    "aks-docs: supported-kubernetes-versions.md, Alias minor version",
)
SUPPORT = Rule(
    "kubernetes-support",
    "AKS supports a minor version for about a year, and for a second one under long-term support",
    "aks-docs: supported-kubernetes-versions.md, AKS Kubernetes release calendar",
)
GATEWAY = Rule(
    "kubernetes-gateway",
    "the gateway, Envoy Gateway 1.9, is made for Kubernetes 1.33 to 1.36",
    "Envoy Gateway: site/content/en/news/releases/matrix.md",
)
LONG_TERM = Rule(
    "long-term-support",
    "long-term support and the Premium tier are switched on and off together",
    "aks-docs: free-standard-pricing-tiers.md; long-term-support.md",
)
LONG_TERM_KEDA = Rule(
    "long-term-support-keda",
    "AKS moves no cluster with the KEDA add-on to long-term support",
    "aks-docs: long-term-support.md, Unsupported add-ons and features",
)
FREE = Rule(
    "tier-free",
    "the Free tier has no uptime guarantee and is meant for fewer than 10 nodes",
    "aks-docs: free-standard-pricing-tiers.md",
)
NODE_IMAGE = Rule(
    "channel-node-image",
    "the cluster channel node-image sets the node OS channel to NodeImage, and is no longer recommended",
    "aks-docs: auto-upgrade-node-os-image.md, known limitations; auto-upgrade-cluster.md",
)
CHANNEL_VERSION = Rule(
    "channel-moves-version",
    "the channel patch moves a cluster to the newest patch, stable and rapid to a newer minor version",
    "aks-docs: auto-upgrade-cluster.md, Cluster auto-upgrade channels",
)
CHANNEL_GATEWAY = Rule(
    "channel-rapid",
    "the channel rapid moves a cluster to the newest minor version, whatever runs on it",
    "aks-docs: auto-upgrade-cluster.md; Envoy Gateway: site/content/en/news/releases/matrix.md",
)
NODE_UPDATES = Rule(
    "node-os-updates",
    "with the channel None nobody updates a node, and with Unmanaged it updates itself and nobody restarts it",
    "aks-docs: auto-upgrade-node-os-image.md, Available node OS upgrade channels",
)
WINDOW = Rule(
    "maintenance-window",
    "a maintenance window begins at HH:MM at an offset from UTC, lasts 4-24 hours and comes every 1-4 weeks",
    "bicep-types: Microsoft.ContainerService/managedClusters/maintenanceConfigurations 2025-09-01",
)
WINDOW_UNUSED = Rule(
    "maintenance-window-unused",
    "a maintenance window says when automatic upgrades come, and switches none on",
    "aks-docs: planned-maintenance.md",
)
AUTOSCALER = Rule(
    "autoscaler-profile",
    "AKS takes the autoscaler's values as text, times with the unit that each has",
    "bicep-types: ManagedClusterPropertiesAutoScalerProfile 2025-09-01",
)
AUTOSCALER_UNUSED = Rule(
    "autoscaler-unused",
    "the autoscaler's profile is about pools that have minCount and maxCount",
    "aks-docs: cluster-autoscaler.md",
)
ENTRA_ID = Rule(
    "entra-id",
    "Entra ID names tenants, groups and logins by GUIDs",
    "Microsoft Graph: directoryObject, id",
)
LOGS = Rule(
    "log-analytics",
    "logs of nodes and pods go to a Log Analytics workspace, given by its id",
    "Azure REST: Microsoft.OperationalInsights/workspaces",
)
RULES: tuple[Rule, ...] = (
    VERSION, SUPPORT, GATEWAY, LONG_TERM, LONG_TERM_KEDA, FREE, NODE_IMAGE, CHANNEL_VERSION, CHANNEL_GATEWAY,
    NODE_UPDATES, WINDOW, WINDOW_UNUSED, AUTOSCALER, AUTOSCALER_UNUSED, ENTRA_ID, LOGS,
)  # fmt: skip

LOG_ANALYTICS_TYPE = "Microsoft.OperationalInsights/workspaces"
AHEAD = timedelta(days=60)
"""How long before its end a version's support is warned of: an upgrade needs planning."""


@dataclass(frozen=True)
class Support:
    """The last days of a minor version's support."""

    community: date
    long_term: date


MINORS: Mapping[int, Support] = {
    32: Support(date(2026, 3, 31), date(2027, 3, 31)),
    33: Support(date(2026, 7, 31), date(2027, 7, 31)),
    34: Support(date(2026, 11, 30), date(2027, 11, 30)),
    35: Support(date(2027, 3, 31), date(2028, 3, 31)),
    36: Support(date(2027, 6, 30), date(2028, 6, 30)),
    37: Support(date(2027, 10, 31), date(2028, 10, 31)),
}
"""AKS's calendar of August 2026, by minor version; a month there means its last day. Source: rule SUPPORT."""

GATEWAY_MINORS = range(33, 37)
"""The minor versions for which the pinned gateway is made. Source: rule GATEWAY."""


class Lifecycle(Spec):
    """The part of a cluster's spec that this module settles."""

    kubernetes_version: str | None
    tier: Literal["Free", "Standard", "Premium"]
    support_plan: Literal["KubernetesOfficial", "AKSLongTermSupport"]
    upgrade: UpgradeSpec
    autoscaler: dict[str, str | bool]
    entra: EntraSpec
    monitoring: MonitoringSpec


def resolve_lifecycle(
    loc: Loc, entry: ClusterInput, purpose: Purpose, *, production: bool, today: date, broken: Broken
) -> tuple[Lifecycle, list[Finding]]:
    """Settle the life of the cluster at `loc`; `today` decides which support has ended."""
    tier = entry.tier or ("Standard" if purpose == "FastProd" else "Free")
    upgrade, findings = _upgrade(loc, entry.upgrade or UpgradeInput.model_validate({}), broken)
    findings += _check_version(loc, entry, today)
    findings += _check_channel(loc, entry, upgrade, production=production)
    findings += _check_tier(loc, entry, tier, production=production, broken=broken)
    findings += _check_autoscaler(loc, entry, broken)
    entra, more = _entra((*loc, "entra"), entry.entra or EntraInput.model_validate({}))
    monitoring, logs = _monitoring(loc, entry, broken)
    spec = Lifecycle(
        kubernetes_version=entry.kubernetes_version,
        tier=tier,
        support_plan=entry.support_plan or "KubernetesOfficial",
        upgrade=upgrade,
        autoscaler=entry.autoscaler.model_dump(by_alias=True, exclude_none=True) if entry.autoscaler else {},
        entra=entra,
        monitoring=monitoring,
    )
    return spec, findings + more + logs


def read_version(text: str) -> tuple[int, int | None] | None:
    """Read "1.36" or "1.36.2" as minor and patch; None where it is neither."""
    match = re.fullmatch(r"1\.(0|[1-9][0-9]?)(?:\.(0|[1-9][0-9]{0,2}))?", text)
    if match is None:
        return None
    return int(match[1]), int(match[2]) if match[2] else None


def check_upgrade(old: str | None, new: str | None) -> str | None:
    """Rule C15: say why a cluster cannot go from version `old` to `new` in one step, or None where it can.

    None for a version means that Azure chose it, and nobody knows here which one it is.
    """
    before, after = read_version(old or ""), read_version(new or "")
    if before is None or after is None:
        return None
    if after[0] > before[0] + 1:
        return (
            f"Kubernetes {old} cannot become {new} in one step, Azure upgrades by one minor version at a time: "
            f"write 1.{before[0] + 1} first"
        )
    lower_patch = after[0] == before[0] and None not in (before[1], after[1]) and (after[1] or 0) < (before[1] or 0)
    if after[0] < before[0] or lower_patch:
        return f"Kubernetes {old} cannot become {new} again, Azure does not go back to an older version"
    return None


def _check_version(loc: Loc, entry: ClusterInput, today: date) -> list[Finding]:
    place: Loc = (*loc, "kubernetesVersion")
    text = entry.kubernetes_version
    if text is None:
        return []
    version = read_version(text)
    if version is None:
        remedy = f'Write a minor version, e.g. "{_newest(today)}", or a patch of it, or leave it out'
        return [VERSION.error(place, f'"{text}" is no version of Kubernetes', remedy)]
    minor = version[0]
    if minor not in GATEWAY_MINORS:
        lowest, highest = min(GATEWAY_MINORS), max(GATEWAY_MINORS)
        problem = f"the gateway is not made for Kubernetes 1.{minor}, only for 1.{lowest} to 1.{highest}"
        return [GATEWAY.error(place, problem, f'Write "{_newest(today)}", or leave it out')]
    long_term = entry.support_plan == "AKSLongTermSupport"
    end = MINORS[minor].long_term if long_term else MINORS[minor].community
    support = "long-term support" if long_term else "support"
    remedy = "Upgrade it, by one minor version at a time"
    if not long_term and MINORS[minor].long_term >= today:
        remedy += f", or take long-term support until {MINORS[minor].long_term}"
    if end < today:
        problem = f"the {support} of Kubernetes 1.{minor} ended on {end}; Azure supports no new cluster with it"
        return [SUPPORT.warning(place, problem, remedy)]
    if end - today <= AHEAD:
        return [SUPPORT.warning(place, f"the {support} of Kubernetes 1.{minor} ends on {end}", remedy)]
    return []


def _newest(today: date) -> str:
    """The newest minor version that is supported and that the gateway runs on."""
    usable = [minor for minor in GATEWAY_MINORS if MINORS[minor].community >= today]
    return f"1.{max(usable, default=max(GATEWAY_MINORS))}"


def _check_channel(loc: Loc, entry: ClusterInput, upgrade: UpgradeSpec, *, production: bool) -> list[Finding]:
    findings: list[Finding] = []
    place: Loc = (*loc, "upgrade")
    channel = upgrade.channel
    if channel == "node-image":
        if upgrade.node_os_channel != "NodeImage":
            problem = f"the channel node-image cannot be had with the node OS channel {upgrade.node_os_channel}"
            remedy = "Write nodeOSChannel: NodeImage, or another channel"
            findings.append(NODE_IMAGE.error((*place, "nodeOSChannel"), problem, remedy))
        else:
            remedy = (
                "Write channel: none with nodeOSChannel: NodeImage, which updates node images too, or channel: patch"
            )
            findings.append(NODE_IMAGE.warning((*place, "channel"), "the channel node-image is outdated", remedy))
    if channel == "rapid":
        problem = f"Azure may move the cluster past Kubernetes 1.{max(GATEWAY_MINORS)}, the gateway's last"
        remedy = "Write channel: patch, or stable, which keeps one minor version behind"
        findings.append(CHANNEL_GATEWAY.warning((*place, "channel"), problem, remedy))
    findings += _check_pinned(loc, entry, channel)
    if production and upgrade.node_os_channel in ("None", "Unmanaged"):
        problem = f"with the node OS channel {upgrade.node_os_channel}, Azure updates no node"
        remedy = "Write nodeOSChannel: NodeImage or SecurityPatch"
        findings.append(NODE_UPDATES.warning((*place, "nodeOSChannel"), problem, remedy))
    written = entry.upgrade
    if written and written.window and channel == "none":
        problem, remedy = "the window has no effect: channel none upgrades nothing", "Write a channel, or leave it out"
        findings.append(WINDOW_UNUSED.warning((*place, "window"), problem, remedy))
    if written and written.node_os_window and upgrade.node_os_channel in ("None", "Unmanaged"):
        problem = f"the window has no effect: Azure upgrades nothing with the channel {upgrade.node_os_channel}"
        findings.append(WINDOW_UNUSED.warning((*place, "nodeOSWindow"), problem, "Write another, or leave it out"))
    return findings


def _check_pinned(loc: Loc, entry: ClusterInput, channel: str) -> list[Finding]:
    """A version that a channel moves away from: sending it again would be going back, which Azure refuses."""
    version = read_version(entry.kubernetes_version or "")
    if version is None:
        return []
    place: Loc = (*loc, "kubernetesVersion")
    minor, patch = version
    if channel in ("stable", "rapid"):
        problem = f"the channel {channel} moves the cluster to newer minor versions than 1.{minor}"
        remedy = "Leave kubernetesVersion out, or write channel: patch"
        return [CHANNEL_VERSION.warning(place, problem, remedy)]
    if channel == "patch" and patch is not None:
        problem = f"the channel patch moves the cluster to newer patches than {entry.kubernetes_version}"
        return [CHANNEL_VERSION.warning(place, problem, f'Write "1.{minor}", or channel: none')]
    return []


def _check_tier(loc: Loc, entry: ClusterInput, tier: str, *, production: bool, broken: Broken) -> list[Finding]:
    findings: list[Finding] = []
    long_term = entry.support_plan == "AKSLongTermSupport"
    sound = broken.sound(*loc, "tier") and broken.sound(*loc, "supportPlan")
    if sound and long_term and tier != "Premium":
        problem = f"long-term support needs the Premium tier, not {tier}"
        findings.append(LONG_TERM.error((*loc, "supportPlan"), problem, "Write tier: Premium, or leave it out"))
    if sound and tier == "Premium" and not long_term:
        remedy = "Write supportPlan: AKSLongTermSupport, or tier: Standard"
        findings.append(LONG_TERM.error((*loc, "tier"), "the Premium tier needs long-term support", remedy))
    if long_term and not (entry.monitoring and entry.monitoring.prometheus is False):
        problem = "long-term support cannot be had with KEDA, which monitoring.prometheus brings"
        remedy = "Write monitoring.prometheus: false, and give endpoints a fixed number of replicas"
        findings.append(LONG_TERM_KEDA.error((*loc, "supportPlan"), problem, remedy))
    if production and tier == "Free" and broken.sound(*loc, "tier"):
        problem = "a cluster of a production environment is of the Free tier, without a guarantee"
        findings.append(FREE.warning((*loc, "tier"), problem, "Write tier: Standard"))
    return findings


def _upgrade(loc: Loc, given: UpgradeInput, broken: Broken) -> tuple[UpgradeSpec, list[Finding]]:
    place: Loc = (*loc, "upgrade")
    window, findings = _window((*place, "window"), given.window)
    node_os_window, more = _window((*place, "nodeOSWindow"), given.node_os_window)
    if given.node_os_window is None and broken.sound(*place, "nodeOSWindow"):
        node_os_window = window
    spec = UpgradeSpec(
        channel=given.channel or "patch",
        node_os_channel=given.node_os_channel or "NodeImage",
        window=window,
        node_os_window=node_os_window,
    )
    return spec, findings + more


def _window(loc: Loc, given: WindowInput | None) -> tuple[Window, list[Finding]]:
    if given is None:
        return Window(), []
    findings: list[Finding] = []
    if given.start_time is not None and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", given.start_time):
        problem = f'"{given.start_time}" is no time of day'
        findings.append(WINDOW.error((*loc, "startTime"), problem, 'Write HH:MM, from "00:00" to "23:59"'))
    if given.utc_offset is not None and not _is_offset(given.utc_offset):
        problem = f'"{given.utc_offset}" is no offset from UTC'
        findings.append(WINDOW.error((*loc, "utcOffset"), problem, 'Write it as "+01:00", from "-12:00" to "+14:00"'))
    for key, value, low, high in (
        ("durationHours", given.duration_hours, 4, 24),
        ("intervalWeeks", given.interval_weeks, 1, 4),
    ):
        if value is not None and not low <= value <= high:
            findings.append(WINDOW.error((*loc, key), f"{value} is out of range", f"Write {low} to {high}"))
    return Window(**given.model_dump(exclude_none=True)), findings


def _is_offset(text: str) -> bool:
    match = re.fullmatch(r"([+-])([0-9]{2}):([0-5][0-9])", text)
    if match is None:
        return False
    minutes = int(match[2]) * 60 + int(match[3])
    return minutes <= (14 if match[1] == "+" else 12) * 60


_MINUTES = (r"[0-9]{1,5}m", 'Write minutes, as "10m"')
_COUNT = (r"[0-9]{1,5}", 'Write a whole number as text, as "10"')
_FORMS: Mapping[str, tuple[str, str]] = {
    "scanInterval": (r"[1-9][0-9]{0,4}s", 'Write seconds, as "10s"'),
    "scaleDownDelayAfterAdd": _MINUTES,
    "scaleDownDelayAfterDelete": (r"[0-9]{1,5}[ms]", 'Write minutes or seconds, as "10s"'),
    "scaleDownDelayAfterFailure": _MINUTES,
    "scaleDownUnneededTime": _MINUTES,
    "scaleDownUnreadyTime": _MINUTES,
    "scaleDownUtilizationThreshold": (r"0(\.[0-9]{1,5})?|1(\.0{1,5})?", 'Write a number from "0" to "1", as "0.5"'),
    "maxGracefulTerminationSec": (r"[0-9]{1,5}", 'Write seconds without a unit, as "600"'),
    "maxNodeProvisionTime": (r"[1-9][0-9]{0,4}m", 'Write minutes, as "15m"'),
    "maxEmptyBulkDelete": (r"[1-9][0-9]{0,4}", 'Write a whole number from 1 as text, as "10"'),
    "maxTotalUnreadyPercentage": (r"[0-9]|[1-9][0-9]|100", 'Write a whole number from "0" to "100"'),
    "okTotalUnreadyCount": _COUNT,
    "newPodScaleUpDelay": (r"[0-9]{1,5}[smh]", 'Write seconds, minutes or hours, as "0s"'),
}
"""Each value's form and how to write it; the rest of the profile has closed sets of values."""


def _check_autoscaler(loc: Loc, entry: ClusterInput, broken: Broken) -> list[Finding]:
    if entry.autoscaler is None:
        return []
    place: Loc = (*loc, "autoscaler")
    findings: list[Finding] = []
    written = entry.autoscaler.model_dump(by_alias=True, exclude_none=True)
    for key, value in written.items():
        form, remedy = _FORMS.get(key, ("", ""))
        if form and not re.fullmatch(form, str(value)):
            findings.append(AUTOSCALER.error((*place, key), f'"{value}" does not fit here', remedy))
    pools = [pool for pool in (entry.system_pool, *(entry.pools or {}).values()) if pool]
    sound = broken.sound(*loc, "pools") and broken.sound(*loc, "systemPool")
    if written and sound and all(pool.max_count is None for pool in pools):
        remedy = "Write minCount and maxCount at a pool, or leave it out"
        findings.append(AUTOSCALER_UNUSED.warning(place, "no pool is autoscaled", remedy))
    return findings


def _entra(loc: Loc, given: EntraInput) -> tuple[EntraSpec, list[Finding]]:
    groups = given.admin_group_object_ids or []
    places: list[tuple[Loc, str | None]] = [
        ((*loc, "tenantId"), given.tenant_id),
        ((*loc, "deployerObjectId"), given.deployer_object_id),
        *(((*loc, "adminGroupObjectIDs", index), group) for index, group in enumerate(groups)),
    ]
    findings = [
        ENTRA_ID.error(place, f'"{value}" is no GUID', "Write the id that Entra shows, not the name")
        for place, value in places
        if value is not None and not re.fullmatch(GUID, value)
    ]
    # Who is named is the one that CI logs in as, whoever runs pulumi.
    named = "ServicePrincipal" if given.deployer_object_id else None
    spec = EntraSpec(
        tenant_id=given.tenant_id,
        admin_group_object_ids=tuple(sorted({group.lower() for group in groups})),
        deployer_object_id=given.deployer_object_id,
        deployer_principal_type=given.deployer_principal_type or named,
        kubeconfig=given.kubeconfig or "azurecli",
    )
    return spec, findings


def _monitoring(loc: Loc, entry: ClusterInput, broken: Broken) -> tuple[MonitoringSpec, list[Finding]]:
    given = entry.monitoring
    if given is None:
        return MonitoringSpec(), []
    place: Loc = (*loc, "monitoring")
    findings: list[Finding] = []
    workspace = given.log_analytics_workspace_id
    if workspace is not None:
        key: Loc = (*place, "logAnalyticsWorkspaceID")
        if isinstance(problem := parse_id(workspace, LOG_ANALYTICS_TYPE), str):
            problem = f"this is no Log Analytics workspace's id: {problem}"
            findings.append(LOGS.error(key, problem, f"Write {id_form(LOG_ANALYTICS_TYPE)}"))
        if not given.container_insights and broken.sound(*place, "containerInsights"):
            remedy = "Write containerInsights: true, or leave it out"
            findings.append(LOGS.error(key, "no logs are collected that could go there", remedy))
    spec = MonitoringSpec(
        prometheus=given.prometheus is not False,
        container_insights=bool(given.container_insights),
        log_analytics_workspace_id=workspace,
    )
    return spec, findings
