"""Tokens, shadows, second tries, sizes, given images, and where an endpoint runs: what may be written, what follows."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.conftest import Project
from tidegate.cluster.plan.objects import GATEWAY_NAMESPACE, GPU_NAMESPACE
from tidegate.config import load
from tidegate.endpoint.placement import TAKEN
from tidegate.endpoint.spec import RetrySpec, TokenSpec
from tidegate.findings import ConfigError, Finding
from tidegate.gateway.names import CONTROLLER_NAMESPACE
from tidegate.gateway.plan import CERT_MANAGER_NAMESPACE

TENANT = "11111111-2222-3333-4444-555555555555"
APPLICATION = "66666666-7777-8888-9999-AAAAAAAAAAAA"
TOKEN = {"tenantId": TENANT, "applicationId": APPLICATION}
ENDPOINT = "tidegate:endpoints.diabetes"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
IMAGE = f"mine.azurecr.io/scoring@sha256:{0:064}"


def paths(project: Project) -> list[str]:
    return [error.path for error in project.errors()]


# -- tokens


def test_tokens_are_those_of_an_application(project: Project) -> None:
    project.endpoint["auth"] = {"token": TOKEN}
    endpoint = project.load().endpoints[0]
    assert endpoint.auth == "token"
    assert endpoint.token is not None
    assert endpoint.token == TokenSpec(tenant_id=TENANT, application_id=APPLICATION.lower())
    assert endpoint.token.role == "Score.Invoke"
    assert endpoint.token.issuers == (f"https://login.microsoftonline.com/{TENANT}/v2.0",)
    assert endpoint.token.audiences == (APPLICATION.lower(),)
    assert endpoint.token.scope == f"api://{APPLICATION.lower()}/.default"


def test_v1_tokens_name_another_issuer_and_another_audience(project: Project) -> None:
    project.endpoint["auth"] = {"token": TOKEN | {"applicationIdUri": "api://scoring", "role": "Score"}}
    token = project.load().endpoints[0].token
    assert token is not None
    assert token.issuers[1] == f"https://sts.windows.net/{TENANT}/"
    assert token.audiences == (APPLICATION.lower(), "api://scoring")
    assert (token.scope, token.role) == ("api://scoring/.default", "Score")


@pytest.mark.parametrize(
    ("auth", "path", "said"),
    [
        ("token", "auth", "does not say whose tokens are taken. Write auth: {token: {tenantId: GUID"),
        ("keys", "auth", "Write key or none"),
        ({}, "auth.token", '"token" is missing'),
        ({"token": {"tenantId": TENANT}}, "auth.token.applicationId", '"applicationId" is missing'),
        ({"token": TOKEN | {"tenantId": "contoso"}}, "auth.token.tenantId", "directory (tenant) ID"),
        ({"token": TOKEN | {"applicationId": f"{APPLICATION}0"}}, "auth.token.applicationId", "is no GUID"),
        ({"token": TOKEN | {"applicationIdUri": "scoring"}}, "auth.token.applicationIdUri", "application ID URI"),
        ({"token": TOKEN | {"role": "a role"}}, "auth.token.role", "without white space"),
        ({"token": TOKEN | {"roles": ["a"]}}, "auth.token.roles", 'Did you mean "role"'),
    ],
)
def test_whose_tokens_has_to_be_said(project: Project, auth: object, path: str, said: str) -> None:
    project.endpoint["auth"] = auth
    error = project.error()
    assert error.path == f"{ENDPOINT}.{path}"
    assert said in str(error)


def test_files_that_ask_for_tokens_need_the_endpoint_to_say_whose(project: Project) -> None:
    del project.endpoint["auth"]
    for version in ("ridge", "forest"):
        project.write_json(f"{version}/deployment.json", {"tokenAuthEnabled": True})
    error = project.error()
    assert error.path == f"{ENDPOINT}.auth"
    assert "Write auth: {token: {tenantId: GUID, applicationId: GUID}} at the endpoint" in str(error)
    project.endpoint["auth"] = {"token": TOKEN}
    assert project.load().endpoints[0].auth == "token"


def test_given_keys_that_nobody_is_asked_for_are_noted(project: Project) -> None:
    def said() -> list[str]:
        return [note.problem for note in project.notes("note") if note.path == "tidegate:keys.diabetes"]

    assert said() == []
    for auth, word in (({"token": TOKEN}, "token"), ("none", "none")):
        project.endpoint["auth"] = auth
        assert said() == [f"nobody is asked for a key: the endpoint's auth is {word}"]


def test_tokens_need_no_listing_in_production(project: Project) -> None:
    project.values["tidegate:production"] = True
    project.endpoint["auth"] = {"token": TOKEN}
    assert project.load().endpoints[0].auth == "token"


# -- shadows


def test_a_version_without_traffic_takes_copies(project: Project) -> None:
    project.ridge["traffic"], project.forest["traffic"], project.forest["shadow"] = 100, 0, 10
    endpoint = project.load().endpoints[0]
    assert endpoint.shadows == {"forest": 10}
    assert endpoint.percents == {"forest": 0, "ridge": 100}


def test_several_shadows_are_several_copies(project: Project) -> None:
    del project.forest["traffic"]
    project.forest["shadow"] = 100
    project.endpoint["versions"]["third"] = {"entryScript": "ridge/score.py", "shadow": 50}
    assert project.load().endpoints[0].shadows == {"forest": 100, "third": 50}


def test_a_route_copies_to_thirteen_versions(project: Project) -> None:
    for number in range(13):
        project.endpoint["versions"][f"copy-{number}"] = {"entryScript": "ridge/score.py", "shadow": 5}
    assert len(project.load().endpoints[0].shadows) == 13
    project.endpoint["versions"]["copy-13"] = {"entryScript": "ridge/score.py", "shadow": 5}
    assert project.error().path == f"{ENDPOINT}.versions"


def test_a_version_with_traffic_or_the_default_takes_no_copies(project: Project) -> None:
    project.forest["shadow"] = 10
    assert (project.error().path, "20 percent" in project.error().problem) == (
        f"{ENDPOINT}.versions.forest.shadow",
        True,
    )
    del project.forest["shadow"], project.ridge["traffic"], project.forest["traffic"]
    project.ridge["shadow"] = 1
    assert "the default version answers" in project.error().problem
    project.ridge["shadow"] = 0
    assert project.load().endpoints[0].shadows == {}


def test_the_only_version_takes_no_copies(project: Project) -> None:
    del project.endpoint["versions"]["forest"]
    del project.ridge["default"], project.ridge["traffic"]
    project.ridge["shadow"] = 5
    assert project.error().path == f"{ENDPOINT}.versions.ridge.shadow"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)  # it makes a project each time
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_no_version_both_answers_and_takes_copies(
    new_project: Any, traffic: int, shadow: int, others: int, default_shadow: int
) -> None:
    project = new_project()
    project.forest["traffic"], project.forest["shadow"] = traffic, shadow
    project.ridge["traffic"], project.ridge["shadow"] = others, default_shadow
    if traffic + others > 100 or default_shadow or (traffic and shadow):
        assert project.errors()
    else:
        endpoint = project.load().endpoints[0]
        assert all(not endpoint.percents[name] for name in endpoint.shadows)


# -- second tries, sizes


def test_a_busy_replica_s_request_may_be_tried_again(project: Project) -> None:
    assert project.load().endpoints[0].retry is None
    for written, attempts in (({}, 1), ({"on": 503}, 1), ({"attempts": 3}, 3)):
        project.endpoint["retry"] = written
        assert project.load().endpoints[0].retry == RetrySpec(on=(503,), attempts=attempts)


@pytest.mark.parametrize(
    ("retry", "path", "said"),
    [
        ({"on": 500}, "retry.on", "the script may have done its work"),
        ({"on": [503]}, "retry.on", "is no whole number"),
        ({"attempts": 0}, "retry.attempts", "from 1 to 3"),
        ({"attempts": 4}, "retry.attempts", "from 1 to 3"),
        (503, "retry", "is no mapping"),
    ],
)
def test_nothing_else_is_tried_again(project: Project, retry: object, path: str, said: str) -> None:
    project.endpoint["retry"] = retry
    assert (project.error().path, said in str(project.error())) == (f"{ENDPOINT}.{path}", True)


def test_how_large_a_request_may_be(project: Project) -> None:
    assert project.load().endpoints[0].max_request_mb == 100
    for size in (1, 1024):
        project.endpoint["maxRequestSizeInMB"] = size
        assert project.load().endpoints[0].max_request_mb == size
    for size in (0, 1025, 1.5, "1"):
        project.endpoint["maxRequestSizeInMB"] = size
        assert project.error().path == f"{ENDPOINT}.maxRequestSizeInMB"


# -- what one machine has no use for


def test_what_only_clusters_know_is_noted_on_one_machine(project: Project) -> None:
    in_a_cluster = {"cluster": "main", "serviceAccount": "scorer", "identityClientId": TENANT, "namespace": "team"}
    project.endpoint.update(in_a_cluster)
    project.ridge.update({"nodePool": "gpu", "delivery": "baked"})
    endpoint = project.load().endpoints[0]
    assert endpoint.cluster == ""
    said = {note.path: note.problem for note in project.notes("note")}
    for key in ("cluster", "serviceAccount", "identityClientId", "namespace"):
        assert said[f"{ENDPOINT}.{key}"] == f"not applied on the local target: {key}"
    assert said[f"{ENDPOINT}.versions.ridge"] == "not applied on the local target: nodePool, delivery"


def test_one_machine_runs_no_images(project: Project) -> None:
    project.endpoint["versions"]["boxed"] = {"image": IMAGE}
    error = project.error()
    assert error.path == f"{ENDPOINT}.versions.boxed.image"
    assert "no images" in error.problem


@pytest.mark.parametrize(
    ("key", "value"),
    [("serviceAccount", "Scorer"), ("serviceAccount", "a" * 64), ("identityClientId", "me")],
)
def test_names_of_pods_to_the_outside_have_their_form(project: Project, key: str, value: str) -> None:
    project.endpoint[key] = value
    assert project.error().path == f"{ENDPOINT}.{key}"


# -- in a cluster


CLUSTER: dict[str, Any] = {
    "purpose": "DevTest",
    "systemPool": {"minCount": 1, "maxCount": 10},
    "apiServer": {"authorizedIPRanges": ["203.0.113.0/24"]},
    "pools": {"gpu": {"vmSize": "Standard_NC4as_T4_v3"}},
}
ATTACHED = {
    "attach": {
        "resourceId": f"/subscriptions/{TENANT}/resourceGroups/g/providers/Microsoft.ContainerService"
        "/managedClusters/theirs"
    }
}


class OnAzure:
    """The project with a cluster instead of this machine."""

    def __init__(self, project: Project) -> None:
        self.project = project
        del project.values["tidegate:gateway"]
        project.values |= {
            "tidegate:target": "azure",
            "tidegate:location": "westeurope",
            "tidegate:resourceGroup": "scoring",
            "tidegate:registry": {"name": "scoring7421"},
            "tidegate:clusters": {"main": CLUSTER},
        }

    def load(self) -> Any:
        return load(self.project.values, root=self.project.root, stack="dev", now=NOW)

    def errors(self) -> list[Finding]:
        try:
            self.load()
        except ConfigError as error:
            return [finding for finding in error.findings if finding.severity == "error"]
        return []

    def error(self) -> Finding:
        (error,) = self.errors()
        return error


@pytest.fixture
def azure(project: Project) -> OnAzure:
    return OnAzure(project)


def test_the_only_cluster_is_the_endpoint_s(azure: OnAzure) -> None:
    endpoint = azure.load().endpoints[0]
    assert (endpoint.cluster, endpoint.service_account, endpoint.identity_client_id) == ("main", "diabetes", "")


def test_a_service_account_belongs_to_one_endpoint(azure: OnAzure) -> None:
    azure.project.values["tidegate:endpoints"]["other"] = {**azure.project.endpoint, "namespace": "diabetes"}
    assert {endpoint.service_account for endpoint in azure.load().endpoints} == {"diabetes", "other"}
    azure.project.values["tidegate:endpoints"]["other"]["serviceAccount"] = "diabetes"
    assert azure.error().path == "tidegate:endpoints.other.serviceAccount"
    assert "of namespace diabetes is that of endpoint diabetes" in azure.error().problem
    azure.project.values["tidegate:endpoints"]["other"]["namespace"] = "elsewhere"
    assert azure.errors() == []
    azure.project.endpoint["serviceAccount"] = "default"
    assert azure.error().path == f"{ENDPOINT}.serviceAccount"


def test_an_endpoint_without_a_cluster_is_told_both_ways_to_one(azure: OnAzure) -> None:
    azure.project.values["tidegate:clusters"] = {}
    errors = [error for error in azure.errors() if error.path == f"{ENDPOINT}.cluster"]
    assert len(errors) == 1
    assert "Make one under tidegate:clusters" in errors[0].remedy
    assert "attach" in errors[0].remedy


def test_of_several_clusters_one_is_named(azure: OnAzure) -> None:
    azure.project.values["tidegate:clusters"] = {"main": CLUSTER, "theirs": ATTACHED}
    assert (azure.error().path, azure.error().remedy) == (f"{ENDPOINT}.cluster", "Write one of main, theirs")
    azure.project.endpoint["cluster"] = "theirs"
    assert azure.load().endpoints[0].cluster == "theirs"
    azure.project.endpoint["cluster"] = "mine"
    assert 'there is no cluster "mine"' in azure.error().problem


def test_a_cluster_that_cannot_be_read_is_one_mistake(azure: OnAzure) -> None:
    azure.project.values["tidegate:clusters"] = {"main": 5}
    assert [error.path for error in azure.errors()] == ["tidegate:clusters.main"]


def test_a_pool_is_one_of_the_cluster_s_that_takes_scoring_pods(azure: OnAzure) -> None:
    azure.project.ridge["nodePool"] = "gpu"
    assert azure.load().endpoints[0].versions[1].node_pool == "gpu"
    azure.project.ridge["nodePool"] = "gpus"
    assert azure.error().path == f"{ENDPOINT}.versions.ridge.nodePool"
    assert azure.error().remedy == "Known pools: gpu, system"


def test_the_pools_of_an_attached_cluster_are_its_owner_s_business(azure: OnAzure) -> None:
    azure.project.values["tidegate:clusters"] = {"theirs": ATTACHED}
    azure.project.ridge["nodePool"] = "anything"
    assert azure.errors() == []


@pytest.mark.parametrize(
    "namespace",
    [
        *sorted(TAKEN),
        "kube-system",
        "aks-command",
        GATEWAY_NAMESPACE,
        GPU_NAMESPACE,
        CONTROLLER_NAMESPACE,
        CERT_MANAGER_NAMESPACE,
    ],
)
def test_a_namespace_is_none_of_the_cluster_s_own(azure: OnAzure, namespace: str) -> None:
    azure.project.endpoint["namespace"] = namespace
    assert (azure.error().path, namespace in azure.error().problem) == (f"{ENDPOINT}.namespace", True)


def test_an_open_endpoint_of_a_fastprod_cluster_is_listed_by_name(azure: OnAzure) -> None:
    azure.project.endpoint["auth"] = "none"
    assert azure.errors() == []
    azure.project.values["tidegate:clusters"] = {"theirs": ATTACHED}
    assert azure.error().path == f"{ENDPOINT}.auth"


def test_a_given_image_runs_as_it_is(azure: OnAzure) -> None:
    azure.project.endpoint["versions"]["boxed"] = {"image": IMAGE, "numReplicas": 2}
    boxed = azure.load().endpoints[0].versions[0]
    assert (boxed.image, boxed.inference, boxed.deployment.num_replicas) == (IMAGE, None, 2)
    with pytest.raises(ValueError, match="nothing is built"):
        _ = boxed.built_from


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"image": "mine.azurecr.io/scoring:latest"}, "image", "names no digest, so that it could move"),
        ({"entryScript": "ridge/score.py"}, "entryScript", "says what is built"),
        ({"environment": {}}, "environment", "says what is built"),
        ({"models": ["ridge:1"]}, "models", "goes into what is built"),
        ({"delivery": "baked"}, "delivery", "goes into what is built"),
    ],
)
def test_nothing_is_built_beside_a_given_image(azure: OnAzure, changes: Any, path: str, said: str) -> None:
    azure.project.endpoint["versions"]["boxed"] = {"image": IMAGE, **changes}
    assert (azure.error().path, said in str(azure.error())) == (f"{ENDPOINT}.versions.boxed.{path}", True)


def test_what_no_pod_can_apply_is_said_once_a_version(azure: OnAzure) -> None:
    azure.project.ridge["port"] = 6789
    azure.project.ridge["environment"] = {"docker": {"shmSize": "2g"}}
    notes = [note for note in azure.load().notes if note.severity == "note"]
    said = [note.problem for note in notes if note.path == f"{ENDPOINT}.versions.ridge"]
    assert said == ["not applied in a cluster: port, environment.docker.shmSize"]


def test_tls_that_a_file_asks_for_is_the_cluster_s(azure: OnAzure) -> None:
    azure.project.write_json("ridge/deployment.json", {"sslEnabled": True, "cname": "scoring.example.com"})
    error = azure.error()
    assert (error.file, error.path) == ("ridge/deployment.json", "sslEnabled")
    assert "tidegate:clusters.main.tls" in error.remedy
    azure.project.values["tidegate:clusters"] = {
        "main": CLUSTER | {"tls": {"leafDomainLabel": "scoring-7421", "acmeEmail": "a@example.com"}}
    }
    notes = [note for note in azure.load().notes if note.file == "ridge/deployment.json"]
    assert [note.path for note in notes] == ["cname"]
