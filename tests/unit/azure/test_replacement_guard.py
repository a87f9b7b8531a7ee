"""What the guard of a cluster refuses, lets pass and says."""

from collections.abc import Callable
from typing import Any

import pytest

from providers.azure.replacement_guard import ReplacementGuard
from providers.kind import object_failures
from providers.values import UNKNOWN
from tests.unit.azure.cloud import SUBSCRIPTION, Cloud, Said, session
from tests.unit.azure.web import Answer, Asked, Web, refusal
from tidegate.cluster.replacement import IMMUTABLE, guarded

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
Properties = dict[str, Any]
PLAN: Properties = {
    "resourceGroupName": "rg",
    "location": "westeurope",
    "networkProfile": {"serviceCidr": "10.0.0.0/16", "outboundType": "loadBalancer", "ipFamilies": ["IPv4"]},
    "agentPoolProfiles": [{"name": "system", "vmSize": "Standard_D4s_v5"}],
}


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def web(new_web: NewWeb, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Web:
    web = new_web(cloud)
    monkeypatch.setenv("ARM_ENDPOINT", web.url)
    return web


@pytest.fixture
def guard(web: Web) -> ReplacementGuard:
    return ReplacementGuard(session())


@pytest.fixture
def said() -> Said:
    return Said()


def inputs(**changes: Any) -> Properties:
    """Inputs of the guard of `PLAN`; keys of `changes` that are paths change that, others the inputs themselves."""
    given: Properties = {"cluster": "aks", "immutable": guarded(PLAN), "allowed": False, "kubernetesVersion": "1.35"}
    for key, value in changes.items():
        path = key.replace("__", ".")
        (given["immutable"] if path in given["immutable"] else given)[path] = value
    return given


def reasons(guard: ReplacementGuard, old: Properties, new: Properties, said: Said) -> dict[str, str]:
    assert guard.check(old, new) == []
    return {failure.path: failure.reason for failure in guard.inspect(said.call, old, new)}


def test_the_inputs_have_the_form_that_the_plan_gives() -> None:
    assert object_failures(ReplacementGuard.inputs, inputs(subscriptionId=SUBSCRIPTION)) == []


def test_no_change_passes_and_asks_nobody(guard: ReplacementGuard, web: Web, said: Said) -> None:
    given = {"subscriptionId": SUBSCRIPTION}
    assert reasons(guard, inputs(**given), inputs(**given), said) == {}
    assert reasons(guard, inputs(**given), inputs(**given, allowed=True, kubernetesVersion="1.36"), said) == {}
    assert (said.lines, web.asked) == ([], [])


def test_every_change_is_refused_at_its_path_with_the_way_out(guard: ReplacementGuard, said: Said) -> None:
    new = inputs(networkProfile__serviceCidr="10.1.0.0/16", networkProfile__outboundType="userDefinedRouting")
    found = reasons(guard, inputs(), new, said)
    assert found == {
        'immutable["networkProfile.serviceCidr"]': (
            '"10.0.0.0/16" -> "10.1.0.0/16" would make Azure replace the cluster aks and take everything on it down '
            "(every service and pod has its address from it); Azure has no way to change it in place; "
            "to replace it all the same, list it: tidegate:allowReplacement: [aks]"
        ),
        'immutable["networkProfile.outboundType"]': (
            '"loadBalancer" -> "userDefinedRouting" would make Azure replace the cluster aks and take everything on it '
            "down (azure-native does not know the migrations that AKS has); in place: az aks update --outbound-type, "
            "along the paths that AKS documents, then pulumi refresh and the new value in the config; "
            "to replace it all the same, list it: tidegate:allowReplacement: [aks]"
        ),
    }


@pytest.mark.parametrize("path", [fact.path for fact in IMMUTABLE["ManagedCluster"]])
def test_each_path_of_the_table_is_guarded(guard: ReplacementGuard, said: Said, path: str) -> None:
    old, new = inputs(), inputs()
    new["immutable"] = old["immutable"] | {path: "another"}
    (reason,) = reasons(guard, old, new, said).values()
    assert '-> "another"' in reason
    new["immutable"][path] = ""
    old["immutable"] = old["immutable"] | {path: ["before"]}
    (reason,) = reasons(guard, old, new, said).values()
    assert reason.startswith('["before"] -> nothing would')


def test_a_long_value_is_cut(guard: ReplacementGuard, said: Said) -> None:
    (reason,) = reasons(guard, inputs(), inputs(linuxProfile={"key": "x" * 5000}), said).values()
    assert len(reason) < 700


def test_allowed_by_name_it_passes_with_a_notice_and_any_version(guard: ReplacementGuard, said: Said) -> None:
    old = inputs()
    new = inputs(allowed=True, networkProfile__serviceCidr="10.1.0.0/16", kubernetesVersion="1.37")
    assert reasons(guard, old, new, said) == {}
    assert guard.notices(old, new) == [
        "the cluster aks will be REPLACED, and everything on it goes down, for networkProfile.serviceCidr; "
        "tidegate:allowReplacement lists it, take it out afterwards"
    ]
    settled = guard.update(said.call, "aks", old, new)
    assert settled == new
    # The new values are the ones that are held from now on.
    assert (
        reasons(guard, settled, inputs(networkProfile__serviceCidr="10.1.0.0/16", kubernetesVersion="1.37"), said) == {}
    )
    assert len(reasons(guard, settled, inputs(kubernetesVersion="1.37"), said)) == 1


def test_without_a_change_nothing_is_noticed(guard: ReplacementGuard) -> None:
    assert guard.notices(inputs(), inputs(allowed=True)) == []
    assert guard.notices({}, inputs(allowed=True)) == []
    assert guard.notices(inputs(), inputs(networkProfile__serviceCidr="10.1.0.0/16")) == []


def test_what_is_not_known_yet_passes(guard: ReplacementGuard, said: Said) -> None:
    unknown = [
        inputs(networkProfile__serviceCidr=UNKNOWN),
        inputs(networkProfile__ipFamilies=[UNKNOWN]),
        inputs() | {"immutable": UNKNOWN},
        inputs(kubernetesVersion=UNKNOWN),
        inputs(cluster=UNKNOWN, networkProfile__serviceCidr="10.1.0.0/16"),
        inputs(allowed=UNKNOWN, networkProfile__serviceCidr="10.1.0.0/16"),
    ]
    for new in unknown:
        assert reasons(guard, inputs(), new, said) == {}
        assert guard.notices(inputs(), new) == []
        assert reasons(guard, {}, new, said) == {}


def test_a_path_that_was_not_watched_before_is_no_change(guard: ReplacementGuard, said: Said) -> None:
    old = inputs()
    old["immutable"].pop("dnsPrefix")
    assert reasons(guard, old, inputs(dnsPrefix="aks"), said) == {}
    new = inputs()
    new["immutable"].pop("location")
    assert reasons(guard, inputs(), new, said) == {}


@pytest.mark.parametrize(
    ("before", "after", "said_of_it"),
    [
        ("1.35", "1.37", "write 1.36 first"),
        ("1.36", "1.35", "does not go back"),
        ("1.35", "1.36", None),
        ("1.35", "1.35.4", None),
        (None, "1.37", None),
        ("1.35", None, None),
    ],
)
def test_kubernetes_moves_one_minor_version_at_a_time(
    guard: ReplacementGuard, said: Said, before: str | None, after: str | None, said_of_it: str | None
) -> None:
    def version(text: str | None) -> Properties:
        return {name: value for name, value in inputs(kubernetesVersion=text).items() if value is not None}

    found = reasons(guard, version(before), version(after), said)
    assert list(found) == (["kubernetesVersion"] if said_of_it else [])
    assert all(said_of_it and said_of_it in reason for reason in found.values())


def test_deleting_is_always_fine(guard: ReplacementGuard, said: Said) -> None:
    identity, outputs = guard.create(said.call, inputs())
    assert (identity, outputs) == ("aks", inputs())
    guard.delete(said.call, identity, outputs)
    assert guard.read(identity, outputs) == outputs


# -- what has been changed on Azure itself


def test_a_change_that_azure_has_already_passes_and_is_said(guard: ReplacementGuard, cloud: Cloud, said: Said) -> None:
    cloud.add(
        networkProfile={"outboundType": "managedNATGateway", "ipFamilies": ["IPv4"]},
        agentPoolProfiles=[{"name": "other"}, {"name": "system", "vmSize": "standard_d8s_v5"}],
    )
    changes: Properties = {
        "subscriptionId": SUBSCRIPTION,
        "networkProfile__outboundType": "managedNATGateway",
        "agentPoolProfiles[0]__vmSize": "Standard_D8s_v5",
    }
    assert reasons(guard, inputs(), inputs(**changes), said) == {}
    assert said.lines == [
        'agentPoolProfiles[0].vmSize is "Standard_D8s_v5" on Azure already',
        'networkProfile.outboundType is "managedNATGateway" on Azure already',
    ]
    found = reasons(guard, inputs(), inputs(**changes, networkProfile__serviceCidr="10.1.0.0/16"), said)
    assert list(found) == ['immutable["networkProfile.serviceCidr"]']


def test_a_version_that_azure_reached_by_itself_is_where_an_upgrade_begins(
    guard: ReplacementGuard, cloud: Cloud, said: Said
) -> None:
    cloud.add()  # at 1.36.2
    assert reasons(guard, inputs(), inputs(subscriptionId=SUBSCRIPTION, kubernetesVersion="1.37"), said) == {}
    found = reasons(guard, inputs(), inputs(subscriptionId=SUBSCRIPTION, kubernetesVersion="1.38"), said)
    assert "1.36.2 cannot become 1.38 in one step" in found["kubernetesVersion"]


def test_only_the_cluster_itself_speaks_for_it(guard: ReplacementGuard, cloud: Cloud, said: Said) -> None:
    """Where it is not there, another subscription is meant or Azure refuses, what was asked for before counts."""
    new = inputs(networkProfile__outboundType="managedNATGateway")
    assert len(reasons(guard, inputs(), new, said)) == 1
    cloud.add(networkProfile={"outboundType": "managedNATGateway"})
    assert reasons(guard, inputs(), new, said) == {}
    assert len(reasons(guard, inputs(), new | {"subscriptionId": "another"}, said)) == 1
    assert len(reasons(guard, inputs(), new | {"subscriptionId": UNKNOWN}, said)) == 1
    cloud.before = lambda asked: refusal(403, "AuthorizationFailed", "no")
    assert len(reasons(guard, inputs(), new, said)) == 1


# -- the name of a new cluster


def test_a_name_that_is_taken_in_the_region_is_said(guard: ReplacementGuard, cloud: Cloud, said: Said) -> None:
    identity = cloud.add("other-rg", "AKS")
    cloud.add("rg", "different")
    assert reasons(guard, {}, inputs(), said) == {}
    assert said.lines == [f"warning: the name aks is taken in westeurope: {identity}"]


def test_a_free_name_and_a_missing_login_say_nothing(guard: ReplacementGuard, cloud: Cloud, said: Said) -> None:
    assert reasons(guard, {}, inputs(), said) == {}
    cloud.before = lambda asked: refusal(403, "AuthorizationFailed", "no")
    assert reasons(guard, {}, inputs(), said) == {}
    assert said.lines == []
