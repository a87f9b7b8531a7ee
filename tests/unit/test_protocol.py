"""The plugin as the engine meets it: over gRPC, with a small kind of resource and an engine that keeps its messages."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from providers.api_key import ApiKey
from providers.kind import INTEGER, TEXT, TEXT_MAP, Call, Failure, Form, Kind, OperationError, Properties, optional
from providers.protocol import Servicer
from providers.values import UNKNOWN, Secret, decode, encode

URN = "urn:pulumi:local::tidegate::tidegate:local:Endpoint$test:index:{}::a"


class Note(Kind):
    """A resource that lives nowhere; its text decides how its life goes."""

    type = "test:index:Note"
    inputs: ClassVar = {
        "text": TEXT,
        "place": optional(TEXT),
        "number": optional(INTEGER),
        "tags": optional(TEXT_MAP),
        "parts": optional(Form(list, items=Form(dict, fields={"name": TEXT}))),
    }
    replace_on = frozenset({"place", "parts"})
    delete_before_replace = True
    secret_outputs = frozenset({"token"})
    refresh_before_update = True

    def __init__(self) -> None:
        self.started = threading.Event()
        self.deleted: list[str] = []

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        if new["text"] == "unchecked":
            raise LookupError("the rules are lost")
        return [Failure("tags.colour", "'red' is taken")] if new.get("tags", {}).get("colour") == "red" else []

    def inspect(self, call: Call, old: Properties, new: Properties) -> list[Failure]:
        match new["text"]:
            case "unreadable":
                return [Failure("text", "nobody can read it")]
            case "undecided":
                raise OperationError("the reader is away")
        if new["text"] == "odd":
            call.info("it reads oddly")
        return []

    def notices(self, old: Properties, new: Properties) -> list[str]:
        return ["the text is another one"] if old and old["text"] != new["text"] else []

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        return new | {"token": old_outputs.get("token", UNKNOWN)}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        match new["text"]:
            case "refused":
                raise OperationError("there is no ink; buy some")
            case "faulty":
                raise LookupError("the pen is lost")
            case "slow":
                self.started.set()
                call.cancelled.wait(30)
                call.stop_if_cancelled()
        call.progress("writing")
        call.info("written")
        return "id-1", new | {"token": "a token"}

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        return None if identity == "gone" else outputs

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        self.deleted.append(identity)


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool, str]] = []

    def Log(self, request: Any, context: Any) -> Any:
        self.lines.append((request.message, request.ephemeral, request.urn))
        return empty_pb2.Empty()


class Plugin:
    """A running plugin and the engine's side of the line to it."""

    def __init__(self, servicer: Servicer, stub: Any, note: Note, engine: Engine) -> None:
        self.servicer, self.stub, self.note, self.engine = servicer, stub, note, engine

    def check(self, new: Properties, old: Properties | None = None, kind: str = "Note") -> dict[str, str]:
        request = provider_pb2.CheckRequest(urn=URN.format(kind), olds=encode(old or {}), news=encode(new))
        return {failure.property: failure.reason for failure in self.stub.Check(request).failures}

    def diff(self, old: Properties, new: Properties) -> Any:
        request = provider_pb2.DiffRequest(urn=URN.format("Note"), id="1", old_inputs=encode(old), news=encode(new))
        return self.stub.Diff(request)

    def create(self, new: Properties, *, preview: bool = False) -> Any:
        request = provider_pb2.CreateRequest(urn=URN.format("Note"), properties=encode(new), preview=preview)
        return self.stub.Create(request)

    def update(self, old: Properties, new: Properties, *, preview: bool = False) -> Any:
        request = provider_pb2.UpdateRequest(
            urn=URN.format("Note"), id="1", olds=encode(old), news=encode(new), preview=preview
        )
        return self.stub.Update(request)


def serve(register: Callable[[Any], None]) -> tuple[grpc.Server, str]:
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    engine, note = Engine(), Note()
    engine_server, engine_address = serve(lambda server: engine_pb2_grpc.add_EngineServicer_to_server(engine, server))
    servicer = Servicer("1.2.3", (note, ApiKey()), engine_address)
    server, address = serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server))
    with grpc.insecure_channel(address) as channel:
        yield Plugin(servicer, provider_pb2_grpc.ResourceProviderStub(channel), note, engine)
    server.stop(None).wait()
    engine_server.stop(None).wait()


def failure_of(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code(), error.details()


# -- the plugin itself


def test_it_says_what_it_is_and_takes_secrets(plugin: Plugin) -> None:
    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == "1.2.3"
    configured = plugin.stub.Configure(provider_pb2.ConfigureRequest())
    assert (configured.acceptSecrets, configured.supportsPreview) == (True, True)
    given = encode({"version": "1"})
    assert plugin.stub.CheckConfig(provider_pb2.CheckRequest(news=given)).inputs == given
    changed = plugin.stub.DiffConfig(provider_pb2.DiffRequest(olds=given, news=encode({})))
    assert changed.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_unknown_type_is_named(plugin: Plugin) -> None:
    request = provider_pb2.CreateRequest(urn=URN.format("Nothing"), properties=encode({}))
    code, text = failure_of(lambda: plugin.stub.Create(request))
    assert code is grpc.StatusCode.NOT_FOUND
    assert text == "tidegate-serving has no resource type test:index:Nothing"


def test_a_late_kind_is_made_once_when_it_is_first_met() -> None:
    made: list[Note] = []
    servicer = Servicer("1.2.3", (), "", {Note.type: lambda: made.append(Note()) or made[-1]})
    assert made == []
    request = provider_pb2.CreateRequest(urn=URN.format("Note"), properties=encode({"text": "a"}))
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert [made.id for made in pool.map(lambda _: servicer.Create(request, None), range(8))] == ["id-1"] * 8
    assert len(made) == 1


# -- Check


def test_check_answers_every_bad_property_by_path(plugin: Plugin) -> None:
    found = plugin.check({"number": "x", "parts": [{"name": "a"}, {}], "tags": {"v1.0": 2}, "more": 1})
    assert set(found) == {"text", "number", "parts[1].name", 'tags["v1.0"]', "more"}
    # The engine drops the path of a nested property, so the reason carries it.
    assert found["parts[1].name"] == "parts[1].name: missing"


def test_check_goes_on_to_the_kind_s_own_rules_and_notices(plugin: Plugin) -> None:
    assert plugin.check({"text": "a", "tags": {"colour": "red"}}) == {"tags.colour": "tags.colour: 'red' is taken"}
    assert plugin.engine.lines == []
    assert plugin.check({"text": "b"}, old={"text": "a"}) == {}
    assert plugin.engine.lines == [("the text is another one", False, URN.format("Note"))]


def test_check_shows_no_secret_and_keeps_it_marked(plugin: Plugin) -> None:
    found = plugin.check({"text": "a", "number": Secret("a key is not a number")})
    assert found == {"number": "number: the secret value is not a whole number"}
    request = provider_pb2.CheckRequest(
        urn=URN.format("Note"), news=encode({"text": Secret("a key"), "place": None, "number": UNKNOWN})
    )
    assert decode(plugin.stub.Check(request).inputs) == {"text": Secret("a key"), "number": UNKNOWN}


def test_what_passes_check_is_held_against_the_world(plugin: Plugin) -> None:
    assert plugin.check({"text": "unreadable"}) == {"text": "text: nobody can read it"}
    assert plugin.check({"text": "odd"}) == {}
    assert plugin.engine.lines == [("it reads oddly", False, URN.format("Note"))]
    # What is wrong by itself is told without a look at the world.
    assert list(plugin.check({"text": "unreadable", "tags": {"colour": "red"}})) == ["tags.colour"]
    code, text = failure_of(lambda: plugin.check({"text": "undecided"}))
    assert (code, text) == (grpc.StatusCode.FAILED_PRECONDITION, "the reader is away")


# -- Diff


def test_a_diff_without_a_difference(plugin: Plugin) -> None:
    same = {"text": "a", "number": 2, "tags": {"a": "b"}}
    answer = plugin.diff(same, same | {"place": None})
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert (list(answer.diffs), list(answer.replaces), dict(answer.detailedDiff)) == ([], [], {})
    assert answer.hasDetailedDiff


def test_a_diff_names_each_path_and_what_happens_there(plugin: Plugin) -> None:
    old = {"text": "a", "tags": {"kept": "1", "v1.0": "1", "gone": "1"}}
    new = {"text": "b", "tags": {"kept": "1", "v1.0": "2", "new": "1"}, "number": 3}
    answer = plugin.diff(old, new)
    kind = provider_pb2.PropertyDiff.Kind
    assert {path: kind.Name(each.kind) for path, each in answer.detailedDiff.items()} == {
        "text": "UPDATE",
        'tags["v1.0"]': "UPDATE",
        "tags.gone": "DELETE",
        "tags.new": "ADD",
        "number": "ADD",
    }
    assert all(each.inputDiff for each in answer.detailedDiff.values())
    assert list(answer.diffs) == ["number", "tags", "text"]
    assert (list(answer.replaces), answer.deleteBeforeReplace) == ([], False)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME


def test_a_diff_that_replaces(plugin: Plugin) -> None:
    old = {"text": "a", "place": "here", "parts": [{"name": "a"}]}
    answer = plugin.diff(old, {"text": "b", "parts": [{"name": "b"}, {"name": "c"}]})
    kind = provider_pb2.PropertyDiff.Kind
    assert {path: kind.Name(each.kind) for path, each in answer.detailedDiff.items()} == {
        "text": "UPDATE",
        "place": "DELETE_REPLACE",
        "parts[0].name": "UPDATE_REPLACE",
        "parts[1]": "ADD_REPLACE",
    }
    assert list(answer.replaces) == ["parts", "place"]
    assert answer.deleteBeforeReplace


def test_a_difference_inside_a_secret_is_told_as_one(plugin: Plugin) -> None:
    answer = plugin.diff({"text": "a", "tags": Secret({"a": "1"})}, {"text": "a", "tags": Secret({"a": "2"})})
    assert list(answer.detailedDiff) == ["tags"]


# -- Create, Update, Read, Delete


def test_previews_know_what_can_be_known(plugin: Plugin) -> None:
    assert decode(plugin.create({"text": "a"}, preview=True).properties) == {"text": "a", "token": Secret(UNKNOWN)}
    old = {"text": "a", "token": Secret("a token")}
    assert decode(plugin.update(old, {"text": UNKNOWN}, preview=True).properties) == {
        "text": UNKNOWN,
        "token": Secret("a token"),
    }
    assert plugin.engine.lines == []


def test_secret_outputs_leave_marked_and_progress_goes_to_the_resource_s_line(plugin: Plugin) -> None:
    made = plugin.create({"text": Secret("a"), "number": 2})
    assert (made.id, made.refresh_before_update) == ("id-1", True)
    assert decode(made.properties)["token"] == Secret("a token")
    assert decode(made.properties)["number"] == 2
    urn = URN.format("Note")
    assert plugin.engine.lines == [("writing", True, urn), ("written", False, urn)]


def test_a_real_key_leaves_as_a_secret(plugin: Plugin) -> None:
    urn = "urn:pulumi:local::tidegate::tidegate-serving:index:ApiKey::a"
    request = provider_pb2.CreateRequest(urn=urn, properties=encode({"endpoint": "e", "name": "n", "rotation": 1}))
    assert isinstance(decode(plugin.stub.Create(request).properties)["value"], Secret)


def test_reading_tells_what_is_there_and_what_is_gone(plugin: Plugin) -> None:
    inputs, outputs = encode({"text": "a"}), encode({"text": "a", "token": Secret("a token")})

    def read(identity: str) -> Any:
        request = provider_pb2.ReadRequest(urn=URN.format("Note"), id=identity, inputs=inputs, properties=outputs)
        return plugin.stub.Read(request)

    there = read("id-1")
    assert (there.id, there.inputs, there.properties) == ("id-1", inputs, outputs)
    assert there.refresh_before_update
    assert read("gone").id == ""


def test_deleting_reaches_the_kind(plugin: Plugin) -> None:
    plugin.stub.Delete(provider_pb2.DeleteRequest(urn=URN.format("Note"), id="id-1", properties=encode({})))
    assert plugin.note.deleted == ["id-1"]


def test_a_refusal_reaches_the_user_word_for_word(plugin: Plugin) -> None:
    code, text = failure_of(lambda: plugin.create({"text": "refused"}))
    assert (code, text) == (grpc.StatusCode.FAILED_PRECONDITION, "there is no ink; buy some")
    assert plugin.servicer.wait_idle(0)


def test_a_fault_reaches_the_user_as_a_fault(plugin: Plugin) -> None:
    code, text = failure_of(lambda: plugin.create({"text": "faulty"}))
    assert code is grpc.StatusCode.INTERNAL
    assert text.startswith("a fault in tidegate-serving:\nTraceback")
    assert "LookupError: the pen is lost" in text
    code, text = failure_of(lambda: plugin.check({"text": "unchecked"}))
    assert (code, "LookupError: the rules are lost" in text) == (grpc.StatusCode.INTERNAL, True)
    assert plugin.servicer.wait_idle(0)


# -- interruption


def test_cancel_ends_waits_and_idleness_is_told(plugin: Plugin) -> None:
    outcome: Future[tuple[grpc.StatusCode, str]] = Future()
    work = threading.Thread(target=lambda: outcome.set_result(failure_of(lambda: plugin.create({"text": "slow"}))))
    work.start()
    assert plugin.note.started.wait(10)
    assert not plugin.servicer.wait_idle(0.05)
    plugin.stub.Cancel(empty_pb2.Empty())
    assert plugin.servicer.wait_idle(10)
    code, text = outcome.result(10)
    work.join()
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "interrupted" in text


def test_it_finds_the_engine_by_the_handshake_where_it_was_not_told_of_one() -> None:
    engine = Engine()
    server, address = serve(lambda server: engine_pb2_grpc.add_EngineServicer_to_server(engine, server))
    servicer = Servicer("1.2.3", (Note(),), "")
    answer = servicer.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address=address), None)
    assert answer.accept_secrets
    request = provider_pb2.CreateRequest(urn=URN.format("Note"), properties=encode({"text": "a"}))
    servicer.Create(request, None)
    server.stop(None).wait()
    assert [line for line, _, _ in engine.lines] == ["writing", "written"]
