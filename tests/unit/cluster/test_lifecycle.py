"""A cluster's Kubernetes version, tier, upgrades, autoscaler, administrators and monitoring."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cluster.input import AutoscalerInput, AzureInput
from tidegate.cluster.lifecycle import (
    AHEAD,
    GATEWAY_MINORS,
    MINORS,
    Lifecycle,
    check_upgrade,
    read_version,
    resolve_lifecycle,
)
from tidegate.cluster.spec import UpgradeSpec, Window
from tidegate.findings import Finding
from tidegate.parse import known_keys, parse

TODAY = date(2026, 11, 21)
GUID = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
WORKSPACE = f"/subscriptions/{GUID}/resourceGroups/logs/providers/Microsoft.OperationalInsights/workspaces/logs"
LONG_TERM = {"tier": "Premium", "supportPlan": "AKSLongTermSupport", "monitoring": {"prometheus": False}}
SCALED = {"systemPool": {"minCount": 3, "maxCount": 5}}


def resolve(cluster: Any, *, production: bool = True, today: date = TODAY) -> tuple[Lifecycle, list[Finding]]:
    parsed = parse(AzureInput, {"tidegate:clusters": {"main": cluster}})
    entry = (parsed.value.clusters or {})["main"]
    return resolve_lifecycle(
        ("tidegate:clusters", "main"),
        entry,
        entry.purpose or "FastProd",
        production=production,
        today=today,
        broken=parsed.broken,
    )


def found(cluster: Any, **settings: Any) -> list[tuple[str, str, str]]:
    return [
        (finding.severity, finding.rule, finding.path.removeprefix("tidegate:clusters.main."))
        for finding in sorted(resolve(cluster, **settings)[1])
    ]


def test_the_defaults_need_no_word() -> None:
    spec, findings = resolve({})
    assert findings == []
    assert (spec.kubernetes_version, spec.tier, spec.support_plan) == (None, "Standard", "KubernetesOfficial")
    assert spec.upgrade == UpgradeSpec()
    assert spec.autoscaler == {}
    assert spec.monitoring.prometheus
    assert resolve({"purpose": "DevTest"}, production=False)[0].tier == "Free"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.36", (36, None)),
        ("1.36.0", (36, 0)),
        ("1.36.12", (36, 12)),
        ("1.5", (5, None)),
        ("", None),
        ("1", None),
        ("2.36", None),
        ("v1.36", None),
        ("1.36.", None),
        ("1.036", None),
        ("1.36.01", None),
        ("1.36.2.1", None),
        ("1.36-preview", None),
        ("1.36\n", None),
        ("latest", None),
    ],
)
def test_a_version_is_a_minor_or_a_patch(text: str, version: tuple[int, int | None] | None) -> None:
    assert read_version(text) == version


def test_a_version_that_is_none_is_told() -> None:
    assert found({"kubernetesVersion": "latest"}) == [("error", "kubernetes-version", "kubernetesVersion")]


@pytest.mark.parametrize(("minor", "runs"), [(32, False), (33, True), (36, True), (37, False)])
def test_the_gateway_runs_on_some_minors(minor: int, runs: bool) -> None:
    cluster = {"kubernetesVersion": f"1.{minor}"}
    errors = [("error", "kubernetes-gateway", "kubernetesVersion")]
    assert found(cluster, today=date(2026, 1, 1)) == ([] if runs else errors)


def test_the_gateways_minors_are_in_aks_calendar() -> None:
    assert set(GATEWAY_MINORS) <= set(MINORS)
    assert all(support.community < support.long_term for support in MINORS.values())


@pytest.mark.parametrize(
    ("today", "warned"),
    [
        (MINORS[35].community - AHEAD - timedelta(days=1), False),
        (MINORS[35].community - AHEAD, True),
        (MINORS[35].community, True),
        (MINORS[35].community + timedelta(days=1), True),
    ],
)
def test_the_end_of_support_is_warned_of(today: date, warned: bool) -> None:
    said = [("warning", "kubernetes-support", "kubernetesVersion")]
    assert found({"kubernetesVersion": "1.35"}, today=today) == (said if warned else [])


def test_the_last_day_is_still_supported() -> None:
    end = MINORS[34].community
    (last,) = resolve({"kubernetesVersion": "1.34"}, today=end)[1]
    (after,) = resolve({"kubernetesVersion": "1.34"}, today=end + timedelta(days=1))[1]
    assert "ends on 2026-11-30" in last.problem
    assert "ended on 2026-11-30" in after.problem


def test_long_term_support_ends_later() -> None:
    cluster = LONG_TERM | {"kubernetesVersion": "1.34"}
    assert found(cluster) == []
    assert found(cluster, today=MINORS[34].long_term) == [("warning", "kubernetes-support", "kubernetesVersion")]


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("1.34", "1.35", True),
        ("1.34.9", "1.35.0", True),
        ("1.34", "1.34", True),
        ("1.34.1", "1.34.2", True),
        ("1.34.2", "1.34", True),
        ("1.34", "1.34.2", True),
        (None, "1.36", True),
        ("1.34", None, True),
        (None, None, True),
        ("nonsense", "1.36", True),
        ("1.9", "1.10", True),
        ("1.34", "1.36", False),
        ("1.34.2", "1.36", False),
        ("1.35", "1.34", False),
        ("1.34.2", "1.34.1", False),
        ("1.10", "1.9", False),
    ],
)
def test_an_upgrade_takes_one_minor_and_never_goes_back(old: str | None, new: str | None, allowed: bool) -> None:
    assert (check_upgrade(old, new) is None) is allowed


def test_the_next_minor_is_named() -> None:
    assert "write 1.35 first" in (check_upgrade("1.34.2", "1.37") or "")


@given(*[st.tuples(st.integers(0, 99), st.none() | st.integers(0, 20))] * 2)
def test_what_may_be_done_may_not_be_undone(old: tuple[int, int | None], new: tuple[int, int | None]) -> None:
    before, after = (f"1.{minor}" + ("" if patch is None else f".{patch}") for minor, patch in (old, new))
    there, back = check_upgrade(before, after), check_upgrade(after, before)
    assert there is None or back is None or abs(old[0] - new[0]) > 1
    if old[0] != new[0]:
        assert back or there
    if new[0] == old[0] + 1:
        assert there is None


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (LONG_TERM, []),
        (LONG_TERM | {"tier": "Standard"}, [("error", "long-term-support", "supportPlan")]),
        ({"tier": "Premium"}, [("error", "long-term-support", "tier")]),
        ({"tier": "Premium", "supportPlan": "KubernetesOfficial"}, [("error", "long-term-support", "tier")]),
        ({"tier": "Premiun", "supportPlan": "AKSLongTermSupport", "monitoring": {"prometheus": False}}, []),
        ({"tier": "Premium", "supportPlan": 5}, []),
        (LONG_TERM | {"monitoring": {}}, [("error", "long-term-support-keda", "supportPlan")]),
    ],
)
def test_long_term_support_is_premium_without_keda(cluster: Any, said: list[Any]) -> None:
    assert found(cluster) == said


def test_a_free_cluster_in_production_is_warned_of() -> None:
    assert found({"tier": "Free"}) == [("warning", "tier-free", "tier")]
    assert found({"purpose": "DevTest"}) == [("warning", "tier-free", "tier")]
    assert found({"tier": "Free"}, production=False) == []


@pytest.mark.parametrize(
    ("upgrade", "said"),
    [
        ({"channel": "node-image"}, [("warning", "channel-node-image", "upgrade.channel")]),
        (
            {"channel": "node-image", "nodeOSChannel": "NodeImage"},
            [("warning", "channel-node-image", "upgrade.channel")],
        ),
        (
            {"channel": "node-image", "nodeOSChannel": "SecurityPatch"},
            [("error", "channel-node-image", "upgrade.nodeOSChannel")],
        ),
        ({"channel": "rapid"}, [("warning", "channel-rapid", "upgrade.channel")]),
        ({"channel": "stable"}, []),
        ({"nodeOSChannel": "None"}, [("warning", "node-os-updates", "upgrade.nodeOSChannel")]),
        ({"nodeOSChannel": "Unmanaged"}, [("warning", "node-os-updates", "upgrade.nodeOSChannel")]),
        ({"nodeOSChannel": "SecurityPatch"}, []),
    ],
)
def test_channels(upgrade: Any, said: list[Any]) -> None:
    assert found({"upgrade": upgrade}) == said


def test_outside_production_nodes_may_stay_old() -> None:
    assert found({"upgrade": {"nodeOSChannel": "None"}}, production=False) == []


@pytest.mark.parametrize(
    ("version", "channel", "moved"),
    [
        ("1.36", "patch", False),
        ("1.36.2", "patch", True),
        ("1.36", "stable", True),
        ("1.36.2", "stable", True),
        ("1.36", "none", False),
        ("1.36.2", "none", False),
        (None, "stable", False),
    ],
)
def test_a_version_that_a_channel_moves_away_from(version: str | None, channel: str, moved: bool) -> None:
    cluster = {"upgrade": {"channel": channel}} | ({"kubernetesVersion": version} if version else {})
    assert found(cluster) == ([("warning", "channel-moves-version", "kubernetesVersion")] if moved else [])


def test_the_patch_channel_is_the_default() -> None:
    assert found({"kubernetesVersion": "1.36.2"}) == [("warning", "channel-moves-version", "kubernetesVersion")]


@pytest.mark.parametrize(
    "window",
    [
        {"startTime": "00:00", "utcOffset": "+14:00", "durationHours": 4, "intervalWeeks": 1},
        {"startTime": "23:59", "utcOffset": "-12:00", "durationHours": 24, "intervalWeeks": 4},
        {"utcOffset": "+05:30", "dayOfWeek": "Friday"},
        {"utcOffset": "-00:00"},
    ],
)
def test_windows_at_the_bounds(window: Any) -> None:
    spec, findings = resolve({"upgrade": {"window": window, "nodeOSWindow": window}})
    assert findings == []
    written = spec.upgrade.window.model_dump()
    assert spec.upgrade.node_os_window == spec.upgrade.window
    assert written["start_time"] == window.get("startTime", "00:00")
    assert written["duration_hours"] == window.get("durationHours", 4)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("startTime", "24:00"),
        ("startTime", "1:00"),
        ("startTime", "00:60"),
        ("startTime", "00:00:00"),
        ("utcOffset", "+14:01"),
        ("utcOffset", "-12:01"),
        ("utcOffset", "01:00"),
        ("utcOffset", "+1:00"),
        ("utcOffset", "+01:60"),
        ("utcOffset", "Z"),
        ("durationHours", 3),
        ("durationHours", 25),
        ("intervalWeeks", 5),
    ],
)
@pytest.mark.parametrize("window", ["window", "nodeOSWindow"])
def test_windows_past_the_bounds(window: str, key: str, value: Any) -> None:
    assert found({"upgrade": {window: {key: value}}}) == [("error", "maintenance-window", f"upgrade.{window}.{key}")]


def test_one_window_is_for_both_unless_there_are_two() -> None:
    friday = {"dayOfWeek": "Friday"}
    both = resolve({"upgrade": {"window": friday}})[0].upgrade
    assert both.window == both.node_os_window == Window(day_of_week="Friday")
    two = resolve({"upgrade": {"window": friday, "nodeOSWindow": {"durationHours": 8}}})[0].upgrade
    assert two.node_os_window == Window(duration_hours=8)


def test_a_window_for_nothing_is_told() -> None:
    off = {"channel": "none", "nodeOSChannel": "Unmanaged", "window": {}, "nodeOSWindow": {}}
    assert found({"upgrade": off}, production=False) == [
        ("warning", "maintenance-window-unused", "upgrade.nodeOSWindow"),
        ("warning", "maintenance-window-unused", "upgrade.window"),
    ]


GOOD = {
    "expander": ["least-waste"],
    "scanInterval": ["1s", "10s"],
    "scaleDownDelayAfterAdd": ["0m", "10m"],
    "scaleDownDelayAfterDelete": ["10s", "1m"],
    "scaleDownDelayAfterFailure": ["3m"],
    "scaleDownUnneededTime": ["10m"],
    "scaleDownUnreadyTime": ["20m"],
    "scaleDownUtilizationThreshold": ["0", "0.5", "1", "1.0"],
    "maxGracefulTerminationSec": ["0", "600"],
    "maxNodeProvisionTime": ["15m"],
    "maxEmptyBulkDelete": ["1", "1000"],
    "maxTotalUnreadyPercentage": ["0", "45", "100"],
    "okTotalUnreadyCount": ["0", "3"],
    "newPodScaleUpDelay": ["0s", "5m", "1h"],
    "balanceSimilarNodeGroups": ["true", "false"],
    "skipNodesWithLocalStorage": ["true"],
    "skipNodesWithSystemPods": ["false"],
    "ignoreDaemonsetsUtilization": [True],
    "daemonsetEvictionForEmptyNodes": [False],
    "daemonsetEvictionForOccupiedNodes": [True],
}
BAD = {
    "scanInterval": ["10", "0s", "10m", "-1s"],
    "scaleDownDelayAfterAdd": ["10", "10s", "1h"],
    "scaleDownDelayAfterDelete": ["10", "1h"],
    "scaleDownDelayAfterFailure": ["3"],
    "scaleDownUnneededTime": ["600s", "1.5m"],
    "scaleDownUnreadyTime": ["m"],
    "scaleDownUtilizationThreshold": ["1.1", "-0.5", ".5", "50%", "0,5"],
    "maxGracefulTerminationSec": ["600s", ""],
    "maxNodeProvisionTime": ["0m", "900s"],
    "maxEmptyBulkDelete": ["0", "ten"],
    "maxTotalUnreadyPercentage": ["101", "45%"],
    "okTotalUnreadyCount": ["-1"],
    "newPodScaleUpDelay": ["0", "1d"],
}


def test_every_key_of_the_profile_is_tried() -> None:
    assert set(GOOD) == set(known_keys(AutoscalerInput))


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in GOOD.items() for value in values])
def test_values_of_the_autoscaler(key: str, value: Any) -> None:
    spec, findings = resolve(SCALED | {"autoscaler": {key: value}})
    assert findings == []
    assert spec.autoscaler == {key: value}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_values_that_aks_does_not_take(key: str, value: str) -> None:
    assert found(SCALED | {"autoscaler": {key: value}}) == [("error", "autoscaler-profile", f"autoscaler.{key}")]


def test_a_profile_without_an_autoscaled_pool_is_told() -> None:
    profile = {"autoscaler": {"scanInterval": "10s"}}
    assert found(profile) == [("warning", "autoscaler-unused", "autoscaler")]
    assert found(profile | {"pools": {"x": {"minCount": 0, "maxCount": 3}}}) == []
    assert found(profile | {"pools": {"x": {"minCount": 0, "maxCount": "three"}}}) == []
    assert found({"autoscaler": {}}) == []


def test_administrators_are_guids() -> None:
    entra = {
        "tenantId": GUID,
        "adminGroupObjectIDs": [GUID.upper(), GUID],
        "deployerObjectId": GUID,
        "deployerPrincipalType": "User",
        "kubeconfig": "spn",
    }
    spec, findings = resolve({"entra": entra})
    assert findings == []
    assert spec.entra.admin_group_object_ids == (GUID,)
    assert (spec.entra.deployer_principal_type, spec.entra.kubeconfig) == ("User", "spn")
    ci, _ = resolve({"entra": {"deployerObjectId": GUID}})
    person, _ = resolve({})
    assert (ci.entra.deployer_principal_type, person.entra.deployer_principal_type) == ("ServicePrincipal", None)
    wrong = {"tenantId": "acme.com", "adminGroupObjectIDs": [GUID, "admins"], "deployerObjectId": GUID[:-1]}
    assert found({"entra": wrong}) == [
        ("error", "entra-id", "entra.adminGroupObjectIDs[1]"),
        ("error", "entra-id", "entra.deployerObjectId"),
        ("error", "entra-id", "entra.tenantId"),
    ]


def test_logs_go_to_a_workspace_where_there_are_logs() -> None:
    monitoring = {"containerInsights": True, "logAnalyticsWorkspaceID": WORKSPACE}
    spec, findings = resolve({"monitoring": monitoring})
    assert findings == []
    assert spec.monitoring.log_analytics_workspace_id == WORKSPACE
    place = "monitoring.logAnalyticsWorkspaceID"
    assert found({"monitoring": {"logAnalyticsWorkspaceID": WORKSPACE}}) == [("error", "log-analytics", place)]
    assert found({"monitoring": monitoring | {"logAnalyticsWorkspaceID": "logs"}}) == [
        ("error", "log-analytics", place)
    ]
    assert found({"monitoring": {"containerInsights": "yes", "logAnalyticsWorkspaceID": WORKSPACE}}) == []


VALUES = st.none() | st.booleans() | st.integers(-5, 99) | st.text(max_size=8)
CHANNEL = st.sampled_from(["none", "patch", "stable", "rapid", "node-image", "nightly"])
WINDOWS = st.dictionaries(st.sampled_from(["dayOfWeek", "startTime", "utcOffset", "durationHours"]), VALUES)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "kubernetesVersion": VALUES | st.from_regex(r"1\.3[0-9](\.[0-9])?", fullmatch=True),
            "tier": st.sampled_from(["Free", "Standard", "Premium", "Gold"]),
            "supportPlan": st.sampled_from(["KubernetesOfficial", "AKSLongTermSupport", ""]),
            "purpose": st.sampled_from(["FastProd", "DevTest"]),
            "upgrade": st.fixed_dictionaries({}, optional={"channel": CHANNEL, "window": WINDOWS}) | VALUES,
            "autoscaler": st.dictionaries(st.sampled_from([*GOOD, "other"]), VALUES) | VALUES,
            "entra": st.dictionaries(st.sampled_from(["tenantId", "deployerObjectId"]), VALUES),
            "monitoring": st.dictionaries(st.sampled_from(["prometheus", "logAnalyticsWorkspaceID"]), VALUES),
        },
    ),
    st.dates(date(2026, 1, 1), date(2032, 1, 1)),
    st.booleans(),
)
def test_whatever_is_written_gives_a_spec(cluster: dict[str, Any], today: date, production: bool) -> None:
    spec, findings = resolve(cluster, today=today, production=production)
    assert isinstance(spec, Lifecycle)
    assert all(finding.path.startswith("tidegate:clusters.main.") for finding in findings)
