"""The end of a compute target."""

from collections.abc import Callable
from typing import Any

import pytest

from providers.azure.compute_detachment import ComputeDetachment
from providers.kind import OperationError, object_failures
from tests.unit.azure.cloud import SUBSCRIPTION, Said, session
from tests.unit.azure.web import Answer, Asked, Web, refusal
from tidegate.cluster.plan.workspace import plan_detachment
from tidegate.cluster.spec import WorkspaceSpec

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
INPUTS: dict[str, Any] = plan_detachment(
    WorkspaceSpec(name="ml", resource_group="hub", location="westeurope"), name="prod", cluster="/the/cluster"
)
TARGET = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.MachineLearningServices/workspaces/ml"
    "/computes/prod"
)


@pytest.fixture
def answering(new_web: NewWeb, monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], Web]:
    def answer(answer: Answer) -> Web:
        web = new_web(lambda asked: answer)
        monkeypatch.setenv("ARM_ENDPOINT", web.url)
        return web

    return answer


def test_the_target_is_detached_and_the_cluster_stays(answering: Callable[[Answer], Web]) -> None:
    web = answering(Answer(status=204))
    ComputeDetachment(session()).delete(Said().call, "id", INPUTS)
    (asked,) = web.asked
    assert (asked.method, asked.path) == ("DELETE", TARGET)
    assert asked.query == {"api-version": "2025-12-01", "underlyingResourceAction": "Detach"}


def test_what_is_gone_already_is_no_error(answering: Callable[[Answer], Web]) -> None:
    web = answering(refusal(404, "ComputeNotFound", "gone"))
    ComputeDetachment(session()).delete(Said().call, "id", INPUTS)
    assert len(web.asked) == 1


def test_azures_refusal_reaches_the_user(answering: Callable[[Answer], Web]) -> None:
    answering(refusal(403, "AuthorizationFailed", "not yours"))
    with pytest.raises(OperationError, match="AuthorizationFailed: not yours"):
        ComputeDetachment(session()).delete(Said().call, "id", INPUTS)


def test_azure_is_waited_for(new_web: NewWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.method == "DELETE":
            return Answer(202, headers={"azure-asyncoperation": f"{web.url}/operation", "retry-after": "0"})
        return Answer(
            body={"status": "Succeeded" if len(web.asked) > 2 else "InProgress"}, headers={"retry-after": "0"}
        )

    web = new_web(answer)
    monkeypatch.setenv("ARM_ENDPOINT", web.url)
    ComputeDetachment(session()).delete(Said().call, "id", INPUTS)
    assert [asked.path for asked in web.asked] == [TARGET, "/operation", "/operation"]


def test_nothing_is_asked_before_the_end(answering: Callable[[Answer], Web]) -> None:
    web = answering(Answer(status=500))
    assert object_failures(ComputeDetachment.inputs, INPUTS) == []
    identity, outputs = ComputeDetachment(session()).create(Said().call, INPUTS)
    assert (identity, outputs) == ("hub/ml/prod", INPUTS)
    assert web.asked == []


def test_a_target_of_another_cluster_is_detached_first() -> None:
    assert "cluster" in ComputeDetachment.replace_on
    assert ComputeDetachment.delete_before_replace
