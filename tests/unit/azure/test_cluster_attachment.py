"""A cluster that exists, from the first look to letting go of it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from providers.azure import cluster_attachment
from providers.azure.cluster_attachment import ClusterAttachment
from providers.azure.session import Session
from providers.kind import OperationError, object_failures
from providers.values import UNKNOWN
from tests.unit.azure.cloud import SUBSCRIPTION, TOKEN, Cloud, Said, session
from tests.unit.azure.web import Answer, Asked, Web, refusal
from tidegate.azure.login import Login

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
Properties = dict[str, Any]
OURS, THEIRS = "acme/tidegate/dev", "acme/other/prod"
OWNER, ATTACHMENT = "tidegate-owner", "tidegate-attachment"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def web(new_web: NewWeb, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Web:
    web = new_web(cloud)
    monkeypatch.setenv("ARM_ENDPOINT", web.url)
    return web


@pytest.fixture
def kind(web: Web) -> ClusterAttachment:
    return ClusterAttachment(session())


@pytest.fixture
def said() -> Said:
    return Said()


def inputs(**changes: Any) -> Properties:
    given = {"name": "shared", "resourceGroup": "rg", "clusterName": "aks", "purpose": "FastProd", "owner": OURS}
    return given | changes


def failures(kind: ClusterAttachment, said: Said, new: Properties, old: Properties | None = None) -> list[str]:
    assert object_failures(ClusterAttachment.inputs, new) == []
    found = kind.inspect(said.call, old or {}, new)
    assert {failure.path for failure in found} <= {"clusterName"}
    return [failure.reason for failure in found]


def attached(kind: ClusterAttachment, said: Said, **changes: Any) -> tuple[str, Properties]:
    return kind.create(said.call, inputs(**changes))


# -- in the preview


def test_a_cluster_that_fits_passes_and_nothing_is_written(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.add()
    assert failures(kind, said, inputs()) == []
    assert (cloud.writes, said.lines) == ([], [])


def test_everything_that_does_not_fit_is_told_at_once(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add(
        currentKubernetesVersion="1.30.1",
        networkProfile={"loadBalancerSku": "basic"},
        apiServerAccessProfile={"authorizedIPRanges": ["203.0.113.0/24"]},
    )
    cloud.clusters[identity]["tags"][OWNER] = THEIRS
    found = failures(kind, said, inputs(neededRanges=["198.51.100.0/24"]))
    for part in (
        f"tidegate:clusters.shared.attach: the cluster belongs to {THEIRS}",
        "Kubernetes 1.30.1",
        "load balancer is basic",
        "authorized ranges do not have 198.51.100.0/24",
    ):
        assert sum(part in reason for reason in found) == 1
    assert len(found) == 4


def test_the_own_mark_does_not_stand_against_it(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.clusters[cloud.add()]["tags"]["Tidegate-Owner"] = OURS
    assert failures(kind, said, inputs()) == []


def test_what_should_be_known_is_said(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.add(agentPoolProfiles=[{"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D4s_v5"}])
    assert failures(kind, said, inputs(purpose="DevTest")) == []
    assert any(
        line.startswith(("note: tidegate:clusters.shared", "warning: tidegate:clusters.shared")) for line in said.lines
    )


def test_a_cluster_that_is_not_there(kind: ClusterAttachment, said: Said) -> None:
    (reason,) = failures(kind, said, inputs(clusterName="nowhere"))
    assert reason.startswith(f"there is no cluster /subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/")
    assert "managedClusters/nowhere; name one that exists" in reason


def test_azures_own_words_where_it_refuses(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.before = lambda asked: refusal(403, "AuthorizationFailed", f"no right to read, {TOKEN}")
    (reason,) = failures(kind, said, inputs())
    assert reason == "the cluster aks cannot be read: Azure answered 403 AuthorizationFailed: no right to read, [token]"


def test_without_a_login_the_preview_goes_on_and_says_so(web: Web, said: Said) -> None:
    def nobody() -> Any:
        raise ValueError("nobody is logged in")

    kind = ClusterAttachment(Session(Login({"ARM_SUBSCRIPTION_ID": SUBSCRIPTION}, credential=nobody)))
    assert failures(kind, said, inputs()) == []
    (line,) = said.lines
    assert line.startswith(
        "the cluster aks is only looked over when it is attached: there is no Azure login that works"
    )
    with pytest.raises(OperationError, match="there is no Azure login that works"):
        attached(kind, said)


def test_without_a_subscription_as_well(web: Web, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no Azure CLI
    kind = ClusterAttachment(Session(Login({})))
    assert failures(kind, said, inputs()) == []
    assert "no subscription is named" in said.lines[0]


def test_without_azure_the_preview_goes_on_and_says_so(
    kind: ClusterAttachment, web: Web, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.azure.arm.FIRST_PAUSE_S", 0.01)
    web.close()
    assert failures(kind, said, inputs()) == []
    assert "cannot be reached" in said.lines[0]
    with pytest.raises(OperationError, match="cannot be reached"):
        attached(kind, said)


def test_an_interruption_ends_the_look(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.before = lambda asked: said.cancelled.set() or refusal(429, "Busy", "", Retry_After="15")
    with pytest.raises(OperationError, match="interrupted"):
        kind.inspect(said.call, {}, inputs())


def test_what_stays_as_it_is_or_is_not_known_yet_costs_no_login(kind: ClusterAttachment, web: Web, said: Said) -> None:
    assert failures(kind, said, inputs(), old=inputs()) == []
    assert failures(kind, said, inputs(neededRanges=[UNKNOWN])) == []
    assert failures(kind, said, inputs(clusterName=UNKNOWN)) == []
    assert web.asked == []


def test_a_preview_knows_what_is_known() -> None:
    kind = ClusterAttachment(session())
    planned = kind.planned({}, inputs())
    assert {name for name, value in planned.items() if value is UNKNOWN} == {
        *("resourceId", "location", "kubernetesVersion", "nodeResourceGroup", "oidcIssuer", "kubeletObjectId"),
        *("apiServerAddress", "attachment"),
    }
    assert kind.planned(planned | {"location": "westeurope"}, inputs(purpose="DevTest"))["location"] == "westeurope"


# -- attaching


def test_attaching_marks_the_cluster_and_gives_what_is_known_of_it(
    kind: ClusterAttachment, cloud: Cloud, said: Said
) -> None:
    identity = cloud.add()
    made, outputs = attached(kind, said)
    assert made == identity
    attachment = outputs["attachment"]
    assert outputs == inputs() | {
        "resourceId": identity,
        "location": "westeurope",
        "kubernetesVersion": "1.36.2",
        "nodeResourceGroup": "MC_rg_aks",
        "oidcIssuer": "https://westeurope.oic.example/t/c/",
        "kubeletObjectId": "kubelet-object",
        "apiServerAddress": "aks-1.hcp.westeurope.azmk8s.io",
        "attachment": attachment,
    }
    assert cloud.clusters[identity]["tags"] == {"team": "scoring", OWNER: OURS, ATTACHMENT: attachment}
    assert TOKEN not in str(outputs)


def test_a_cluster_with_less_to_tell(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.add(identityProfile=None, oidcIssuerProfile={"enabled": False}, privateFQDN="aks.privatelink.example")
    _, outputs = attached(kind, said)
    assert (outputs["kubeletObjectId"], outputs["oidcIssuer"]) == (None, None)
    assert outputs["apiServerAddress"] == "aks.privatelink.example"


def test_the_given_subscription_counts(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.add()
    with pytest.raises(OperationError, match="there is no cluster /subscriptions/another/"):
        attached(kind, said, subscriptionId="another")


def test_a_cluster_of_another_stack_is_refused_with_its_owner(
    kind: ClusterAttachment, cloud: Cloud, said: Said
) -> None:
    identity = cloud.add()
    cloud.clusters[identity]["tags"][OWNER] = THEIRS
    with pytest.raises(OperationError, match=f"the cluster belongs to {THEIRS}"):
        attached(kind, said)
    assert cloud.writes == []


def test_of_two_at_the_same_moment_the_later_mark_stays(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()

    def before(asked: Asked) -> Answer | None:
        if cloud.writes and asked.method == "GET":  # between our mark and our second look
            cloud.clusters[identity]["tags"][OWNER] = THEIRS
        return None

    cloud.before = before
    with pytest.raises(OperationError, match=f"{THEIRS} attached the cluster at the same moment, and its mark stays"):
        attached(kind, said)
    assert cloud.clusters[identity]["tags"] == {"team": "scoring", OWNER: THEIRS}


def test_a_mark_that_shows_late_is_waited_for(
    kind: ClusterAttachment, cloud: Cloud, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = cloud.add()
    stale = [Answer(body=cloud.clusters[identity] | {"tags": None})]
    cloud.before = lambda asked: stale.pop() if cloud.writes and stale else None
    assert attached(kind, said)[0] == identity
    assert not stale


def test_a_mark_that_never_shows_is_told_and_taken_back(
    kind: ClusterAttachment, cloud: Cloud, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_attachment, "VISIBLE_S", 0)
    identity = cloud.add()
    stale = Answer(body=cloud.clusters[identity] | {"tags": {}})
    cloud.before = lambda asked: stale if asked.method == "GET" else None
    with pytest.raises(OperationError, match="do not show after 0 s"):
        attached(kind, said)
    assert cloud.clusters[identity]["tags"] == {"team": "scoring"}


def test_an_interruption_takes_the_mark_back(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    cloud.before = lambda asked: said.cancelled.set() if asked.method == "PATCH" else None
    with pytest.raises(OperationError, match="interrupted"):
        attached(kind, said)
    assert [operation for operation, _ in cloud.writes] == ["Merge", "Delete"]
    assert cloud.clusters[identity]["tags"] == {"team": "scoring"}


def test_a_mark_that_cannot_be_set_is_told_in_azures_words(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.add()
    cloud.before = lambda asked: refusal(409, "ScopeLocked", "read only") if asked.method == "PATCH" else None
    with pytest.raises(OperationError, match="409 ScopeLocked: read only"):
        attached(kind, said)


# -- the deployer's own address


@pytest.mark.parametrize(("address", "refused"), [("203.0.113.9", False), ("198.51.100.7", True)])
def test_this_machine_must_be_among_the_authorized_ranges(
    kind: ClusterAttachment, cloud: Cloud, said: Said, monkeypatch: pytest.MonkeyPatch, address: str, refused: bool
) -> None:
    monkeypatch.setenv("TIDEGATE_DEPLOYER_ADDRESS", address)
    cloud.add(apiServerAccessProfile={"authorizedIPRanges": ["203.0.113.0/24"]})
    found = failures(kind, said, inputs())
    assert bool(found) is refused
    assert all(address in reason for reason in found)


def test_an_address_that_cannot_be_had_is_said(
    kind: ClusterAttachment, new_web: NewWeb, cloud: Cloud, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_ADDRESS_SERVICE", new_web(lambda asked: Answer(500)).url)
    cloud.add(apiServerAccessProfile={"authorizedIPRanges": ["203.0.113.0/24"]})
    assert failures(kind, said, inputs()) == []
    assert said.lines[0].startswith("whether this machine may reach the API server is not checked: ")


def test_nobody_is_asked_for_it_without_ranges(
    kind: ClusterAttachment, new_web: NewWeb, cloud: Cloud, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = new_web(lambda asked: Answer(body="203.0.113.9"))
    monkeypatch.setenv("TIDEGATE_ADDRESS_SERVICE", service.url)
    cloud.add()
    assert failures(kind, said, inputs()) == []
    assert service.asked == []


# -- refreshing and changing


def test_reading_follows_the_cluster(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    cloud.add()
    identity, outputs = attached(kind, said)
    assert kind.read(identity, outputs) == outputs
    cloud.clusters[identity]["properties"]["currentKubernetesVersion"] = "1.36.5"
    assert kind.read(identity, outputs) == outputs | {"kubernetesVersion": "1.36.5"}
    del cloud.clusters[identity]
    assert kind.read(identity, outputs) is None


def test_a_lost_mark_shows_as_a_difference_and_is_set_again(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    del cloud.clusters[identity]["tags"][OWNER]
    refreshed = kind.read(identity, outputs)
    assert refreshed
    assert refreshed == outputs | {"owner": ""}
    assert failures(kind, said, inputs(), old=inputs(owner="")) == []
    assert kind.update(said.call, identity, refreshed, inputs()) == outputs
    assert cloud.clusters[identity]["tags"][OWNER] == OURS


def test_a_mark_of_another_stack_shows_as_a_difference_and_is_refused(
    kind: ClusterAttachment, cloud: Cloud, said: Said
) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    cloud.clusters[identity]["tags"][OWNER] = THEIRS
    refreshed = kind.read(identity, outputs)
    assert refreshed
    assert refreshed["owner"] == f"no longer this stack, but {THEIRS}"
    (reason,) = failures(kind, said, inputs(), old=inputs(owner=refreshed["owner"]))
    assert f"the cluster belongs to {THEIRS}" in reason
    with pytest.raises(OperationError, match=f"the cluster belongs to {THEIRS}"):
        kind.update(said.call, identity, refreshed, inputs())


def test_a_change_of_purpose_needs_no_new_mark(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    assert failures(kind, said, inputs(purpose="DevTest"), old=inputs()) == []
    changed = kind.update(said.call, identity, outputs, inputs(purpose="DevTest"))
    assert changed == outputs | {"purpose": "DevTest"}
    assert len(cloud.writes) == 1


def test_a_renamed_stack_keeps_its_cluster(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    new = inputs(owner="acme/tidegate/development")
    assert failures(kind, said, new, old=inputs()) == []
    assert kind.update(said.call, identity, outputs, new) == outputs | {"owner": "acme/tidegate/development"}
    assert cloud.clusters[identity]["tags"][OWNER] == "acme/tidegate/development"


# -- letting go


def test_detaching_takes_just_the_own_marks(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    kind.delete(said.call, identity, outputs)
    assert cloud.clusters[identity]["tags"] == {"team": "scoring"}
    assert attached(ClusterAttachment(session()), said, owner=THEIRS)[0] == identity


@pytest.mark.parametrize("tags", [{OWNER: THEIRS}, {OWNER: OURS, ATTACHMENT: "a newer one"}, {}, None])
def test_a_mark_that_is_not_its_own_stays(
    kind: ClusterAttachment, cloud: Cloud, said: Said, tags: dict[str, str] | None
) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    cloud.clusters[identity]["tags"] = tags
    kind.delete(said.call, identity, outputs)
    assert cloud.clusters[identity]["tags"] == tags
    assert len(cloud.writes) == 1


def test_the_end_of_the_older_of_two_attachments_leaves_the_newer_ones_mark(
    kind: ClusterAttachment, cloud: Cloud, said: Said
) -> None:
    identity = cloud.add()
    _, older = attached(kind, said)
    _, newer = attached(kind, said, name="renamed")
    kind.delete(said.call, identity, older)
    assert cloud.clusters[identity]["tags"] == {"team": "scoring", OWNER: OURS, ATTACHMENT: newer["attachment"]}


def test_a_cluster_that_is_gone_is_let_go_of(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    del cloud.clusters[identity]
    kind.delete(said.call, identity, outputs)


def test_letting_go_needs_azure(kind: ClusterAttachment, cloud: Cloud, said: Said) -> None:
    identity = cloud.add()
    _, outputs = attached(kind, said)
    cloud.before = lambda asked: refusal(403, "AuthorizationFailed", "no")
    with pytest.raises(OperationError, match="403 AuthorizationFailed: no"):
        kind.delete(said.call, identity, outputs)


def test_one_login_serves_all_connections() -> None:
    logins = [session.login for session in [Session()] for _ in range(2)]
    assert logins[0] is logins[1]
    both = Session()
    found: list[Login] = []
    threads = [threading.Thread(target=lambda: found.append(both.login)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(login) for login in found}) == 1
