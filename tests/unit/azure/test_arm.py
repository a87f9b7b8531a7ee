"""Resource Manager's client against a server on loopback."""

import threading
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from tests.unit.azure.web import Answer, Asked, Web, refusal
from tidegate.azure import arm as arm_module
from tidegate.azure.arm import Arm
from tidegate.azure.errors import ArmError, InterruptedCallError, LoginError, UnreachableError

NewWeb = Callable[[Callable[[Asked], Answer]], Web]
TOKEN = "a-secret-token"
PATH = "/subscriptions/s/providers/Microsoft.X/things/a"


def connect(web: Web, **settings: object) -> Arm:
    return Arm(lambda scope: TOKEN, endpoint=web.url, **settings)  # type: ignore[arg-type] (each test's own)


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    """One answer after the other; the last one for ever."""
    rest = list(answers)
    return lambda asked: rest.pop(0) if len(rest) > 1 else rest[0]


def test_a_call_carries_the_version_and_the_token_of_its_endpoint(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body={"id": 1}))
    scopes: list[str] = []
    with Arm(lambda scope: scopes.append(scope) or TOKEN, endpoint=web.url) as arm:
        assert arm.get(PATH, "2025-01-01") == {"id": 1}
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.query) == ("GET", PATH, {"api-version": "2025-01-01"})
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert set(scopes) == {web.url + "/.default"}


def test_the_endpoint_of_another_cloud_comes_from_the_environment(
    new_web: NewWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = new_web(lambda asked: Answer(body={}))
    monkeypatch.setenv("ARM_ENDPOINT", web.url + "/")
    with Arm(lambda scope: TOKEN) as arm:
        arm.get(PATH, "1")
    assert len(web.asked) == 1


def test_no_token_goes_over_plain_http_to_another_machine() -> None:
    with pytest.raises(UnreachableError, match="only sent over https"):
        Arm(lambda scope: TOKEN, endpoint="http://management.example.com")


def test_a_refusal_has_azures_own_words_and_its_details(new_web: NewWeb) -> None:
    body = {
        "error": {
            "code": "AuthorizationFailed",
            "message": "The client does not have\n authorization.",
            "details": [{"message": "Ask the owner."}, {"message": "Ask the owner."}, "odd", {"message": None}],
        }
    }
    web = new_web(lambda asked: Answer(403, body))
    with connect(web) as arm, pytest.raises(ArmError) as caught:
        arm.get(PATH, "1")
    assert (caught.value.status, caught.value.code) == (403, "AuthorizationFailed")
    assert str(caught.value) == (
        "Azure answered 403 AuthorizationFailed: The client does not have authorization. Ask the owner."
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>gone</html>", "Azure answered 400: <html>gone</html>"),
        ({"code": "Old", "message": "flat"}, "Azure answered 400 Old: flat"),
        ({"error": "plain"}, "Azure answered 400: plain"),
        ({"error": {"code": "C", "details": {"no": "list"}}}, "Azure answered 400 C: without a word"),
        ([1], "Azure answered 400: [1]"),
        (None, "Azure answered 400: without a word"),
    ],
)
def test_a_refusal_in_any_other_form_is_told_as_well(new_web: NewWeb, body: object, said: str) -> None:
    web = new_web(lambda asked: Answer(400, body))
    with connect(web) as arm, pytest.raises(ArmError) as caught:
        arm.get(PATH, "1")
    assert str(caught.value) == said


def test_a_long_refusal_is_cut_and_never_has_the_token(new_web: NewWeb) -> None:
    web = new_web(lambda asked: refusal(400, "Bad", f"you sent {asked.headers['authorization']} " + "x" * 5000))
    with connect(web) as arm, pytest.raises(ArmError) as caught:
        arm.get(PATH, "1")
    assert "you sent Bearer [token] xxx" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_what_is_not_there_is_none_and_other_refusals_are_not(new_web: NewWeb) -> None:
    web = new_web(in_turn(refusal(404, "ResourceNotFound", "gone"), refusal(409, "Conflict", "busy")))
    with connect(web) as arm:
        assert arm.find(PATH, "1") is None
        with pytest.raises(ArmError, match="409 Conflict"):
            arm.find(PATH, "1")


def test_a_list_is_followed_page_after_page(new_web: NewWeb) -> None:
    def answer(asked: Asked) -> Answer:
        if "page" in asked.query:
            return Answer(body={"value": [{"n": 2}]})
        return Answer(body={"value": [{"n": 1}], "nextLink": f"{web.url}{PATH}?page=2"})

    web = new_web(answer)
    with connect(web) as arm:
        assert list(arm.each(PATH, "1")) == [{"n": 1}, {"n": 2}]


def test_no_link_takes_the_token_elsewhere(new_web: NewWeb) -> None:
    other = new_web(lambda asked: Answer(body={}))
    web = new_web(lambda asked: Answer(body={"value": [], "nextLink": other.url + "/steal"}))
    with connect(web) as arm, pytest.raises(UnreachableError, match="the token stays with"):
        list(arm.each(PATH, "1"))
    assert other.asked == []


# -- busy, gone, interrupted


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_azure_is_asked_again_when_it_says_so(new_web: NewWeb, status: int) -> None:
    web = new_web(in_turn(refusal(status, "TooMany", "wait", Retry_After="0"), Answer(body={"id": 1})))
    with connect(web) as arm:
        assert arm.get(PATH, "1") == {"id": 1}
    assert len(web.asked) == 2


class Patient(threading.Event):
    """Never set; waits for nothing and keeps for how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        return False


def test_it_waits_as_long_as_azure_says_and_else_ever_longer(new_web: NewWeb) -> None:
    said, unsaid, patient = refusal(429, "Many", "", Retry_After="7"), refusal(503, "Busy", ""), Patient()
    web = new_web(in_turn(unsaid, unsaid, said, unsaid, Answer(body={})))
    with connect(web, cancelled=patient) as arm:
        arm.get(PATH, "1")
    assert patient.waits == [1, 2, 7, 8]


def test_retry_after_may_be_a_date(new_web: NewWeb) -> None:
    web = new_web(
        in_turn(refusal(429, "TooMany", "", Retry_After=formatdate(time.time() - 5, usegmt=True)), Answer(body={}))
    )
    with connect(web) as arm:
        arm.get(PATH, "1")
    assert len(web.asked) == 2


def test_a_longer_wait_than_there_is_patience_for_is_told_at_once(new_web: NewWeb) -> None:
    web = new_web(lambda asked: refusal(429, "TooManyRequests", "slow down", Retry_After="3600"))
    with connect(web) as arm, pytest.raises(UnreachableError) as caught:
        arm.get(PATH, "1")
    assert str(caught.value) == "Azure is too busy: Azure answered 429 TooManyRequests: slow down"
    assert len(web.asked) == 1


@pytest.mark.parametrize("header", ["soon", ""])
def test_a_retry_after_that_says_nothing_is_a_short_pause(
    new_web: NewWeb, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setattr(arm_module, "FIRST_PAUSE_S", 0.01)
    web = new_web(in_turn(refusal(429, "TooMany", "", Retry_After=header), Answer(body={"id": 1})))
    with connect(web) as arm:
        assert arm.get(PATH, "1") == {"id": 1}


def test_an_interruption_ends_the_wait(new_web: NewWeb) -> None:
    cancelled = threading.Event()

    def answer(asked: Asked) -> Answer:
        cancelled.set()
        return refusal(429, "TooMany", "", Retry_After="60")

    with connect(new_web(answer), cancelled=cancelled) as arm, pytest.raises(InterruptedCallError):
        arm.get(PATH, "1")


def test_nothing_is_sent_after_an_interruption(new_web: NewWeb) -> None:
    web, cancelled = new_web(lambda asked: Answer(body={})), threading.Event()
    cancelled.set()
    with connect(web, cancelled=cancelled) as arm, pytest.raises(InterruptedCallError):
        arm.get(PATH, "1")
    assert web.asked == []


def test_an_endpoint_that_does_not_answer_is_told_soon(new_web: NewWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_module, "FIRST_PAUSE_S", 0.01)
    web = new_web(lambda asked: Answer(body={}))
    web.close()
    with connect(web) as arm, pytest.raises(UnreachableError, match=rf"^{web.url} cannot be reached: "):
        arm.get(PATH, "1")


def test_without_a_login_nothing_is_sent(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(body={}))

    def token(scope: str) -> str:
        raise LoginError("no login")

    with Arm(token, endpoint=web.url) as arm, pytest.raises(LoginError):
        arm.get(PATH, "1")
    assert web.asked == []


# -- changes


def test_a_change_that_is_done_at_once(new_web: NewWeb) -> None:
    web = new_web(lambda asked: Answer(201, {"id": 1}))
    with connect(web) as arm:
        assert arm.put(PATH, "1", {"a": 1}) == {"id": 1}
        assert arm.patch(PATH, "1", {"b": 2}) == {"id": 1}
    assert [(asked.method, asked.body) for asked in web.asked] == [("PUT", {"a": 1}), ("PATCH", {"b": 2})]


def test_a_change_is_waited_for_by_its_operation(new_web: NewWeb) -> None:
    states = ["InProgress", "Succeeded"]

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT":
            return Answer(201, {"state": "Creating"}, {"Azure-AsyncOperation": web.url + "/op", "Retry-After": "0"})
        if asked.path == "/op":
            return Answer(body={"status": states.pop(0)}, headers={"Retry-After": "0"})
        return Answer(body={"state": "Succeeded"})

    web = new_web(answer)
    with connect(web) as arm:
        assert arm.put(PATH, "1", {}) == {"state": "Succeeded"}
    assert [asked.path for asked in web.asked] == [PATH, "/op", "/op", PATH]


def test_a_change_is_waited_for_by_its_location(new_web: NewWeb) -> None:
    statuses = [202, 200]

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT":
            return Answer(202, None, {"Location": web.url + "/result", "Retry-After": "0"})
        if asked.path == "/result":
            return Answer(statuses.pop(0), None, {"Retry-After": "0"})
        return Answer(body={"id": 1})

    web = new_web(answer)
    with connect(web) as arm:
        assert arm.put(PATH, "1", {}) == {"id": 1}
    assert [asked.path for asked in web.asked] == [PATH, "/result", "/result", PATH]


def test_an_operation_that_fails_says_why(new_web: NewWeb) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT":
            return Answer(201, {}, {"Azure-AsyncOperation": web.url + "/op", "Retry-After": "0"})
        return Answer(body={"status": "Failed", "error": {"code": "QuotaExceeded", "message": "no cores"}})

    web = new_web(answer)
    with connect(web) as arm, pytest.raises(ArmError, match="QuotaExceeded: no cores"):
        arm.put(PATH, "1", {})
