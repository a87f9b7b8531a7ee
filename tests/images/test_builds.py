"""Images through the real engine, built by buildah and kept in a real registry."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images.base import REPOSITORY as BASE
from tests.images.base import TAG as BASE_TAG
from tests.images.front import DENIED, FULL, Front
from tests.images.registry import RegistryServer
from tests.images.stack import ImageStack
from tests.standins.registry import PASSWORD, USER

pytestmark = [pytest.mark.images, pytest.mark.engine]

RIDGE = "tidegate/e-ridge"
ENVIRONMENT = "tidegate/environment"
BUILDS = ["environment.build", "ridge.build"]

NewStack = Callable[..., ImageStack]
NewRegistry = Callable[..., RegistryServer]


def test_what_is_missing_is_built_and_pushed_once(stack: ImageStack, registry: RegistryServer) -> None:
    assert "5 to create" in stack.preview().require().output
    assert not registry.tags(ENVIRONMENT)  # a preview builds nothing

    stack.up().require()

    tag = stack.tag()
    digest = registry.digest(RIDGE, tag)
    assert stack.images()[f"{RIDGE}:{tag}"] == f"{registry.address}/{RIDGE}@{digest}"
    before = registry.requests()
    assert any(each.startswith("PUT ") for each in before)
    assert "5 unchanged" in stack.up().require().output
    assert registry.requests() == before  # what this stack has built it need not ask for
    assert stack.builds() == BUILDS


def test_a_change_of_code_reuses_the_environment(stack: ImageStack, registry: RegistryServer) -> None:
    stack.up().require()
    first = stack.tag()
    environment = registry.digest(ENVIRONMENT, stack.tag("environment"))
    stack.version("ridge", "print('another')")

    changed = stack.up().require()

    assert "1 updated" in changed.output
    assert registry.tags(ENVIRONMENT) == [stack.tag("environment")]
    assert registry.digest(ENVIRONMENT, stack.tag("environment")) == environment
    below = registry.layers(ENVIRONMENT, stack.tag("environment"))
    assert registry.layers(RIDGE, stack.tag())[: len(below)] == below
    assert registry.layers(RIDGE, first)[: len(below)] == below
    assert registry.tags(RIDGE) == sorted([first, stack.tag()])  # what others may run stays


def test_content_that_was_there_before_is_not_built_again(stack: ImageStack, registry: RegistryServer) -> None:
    stack.up().require()
    first = stack.images()
    stack.version("ridge", "print('another')")
    stack.up().require()
    stack.version("ridge", "print('ridge')")
    before = len(registry.requests())

    stack.up().require()

    assert stack.images() == first
    assert stack.builds() == ["environment.build"]
    asked = f"HEAD /v2/{RIDGE}/manifests/{stack.tag()}"
    assert registry.requests()[before:] == [asked]
    assert "unchanged" in stack.up().require().output
    assert registry.requests()[before:] == [asked, asked]  # one request for an image, with nothing changed


def test_a_new_stack_uses_what_another_has_built(new_stack: NewStack, registry: RegistryServer) -> None:
    first = new_stack("first")
    first.up().require()
    pushed = [each for each in registry.requests() if each.startswith("PUT ")]
    second = new_stack("second")

    second.up().require()

    assert second.images() == first.images()
    assert second.builds() == []
    assert [each for each in registry.requests() if each.startswith("PUT ")] == pushed
    first.destroy().require()
    assert registry.tags(RIDGE) == [second.tag()]  # the end of the builder takes nothing away from the others


def test_shared_registries_are_asked_in_their_order(new_stack: NewStack, new_registry: NewRegistry) -> None:
    shared = [new_registry("empty"), new_registry("first"), new_registry("second")]
    for name in ("first", "second"):
        index = 1 if name == "first" else 2
        new_stack(name, address=shared[index].address).up().require()
    own = new_registry("team")
    stack = new_stack("team", address=own.address)
    stack.described["shared"] = [each.address for each in shared]

    stack.up().require()

    assert all(image.startswith(shared[1].address) for image in stack.images().values())
    assert stack.builds() == []
    assert own.tags(RIDGE) == []
    everywhere = [own, *shared]
    before = sum(len(each.requests()) for each in everywhere)
    assert "unchanged" in stack.up().require().output
    assert sum(len(each.requests()) for each in everywhere) == before + 2  # the two images, where they were found


def test_an_image_that_is_gone_from_where_it_was_found_is_built(new_stack: NewStack, new_registry: NewRegistry) -> None:
    shared, own = new_registry("shared"), new_registry("team")
    new_stack("builder", address=shared.address).up().require()
    stack = new_stack("team", address=own.address)
    stack.described["shared"] = [shared.address]
    stack.up().require()
    stack.described["shared"] = []

    stack.up().require()

    assert stack.builds() == BUILDS
    assert own.tags(RIDGE) == [stack.tag()]


def test_production_runs_the_digest_of_the_test_environment(stack: ImageStack) -> None:
    stack.up().require()
    ran = stack.images()
    stack.described["promoteFrom"] = "dev"
    stack.select("prod").up().require()

    promoted = stack.images()
    assert promoted.keys() == ran.keys()
    assert {name: image.partition("@")[2] for name, image in promoted.items()} == {
        name: image.partition("@")[2] for name, image in ran.items()
    }
    assert stack.builds() == []


def test_production_refuses_what_the_test_environment_never_ran(stack: ImageStack, registry: RegistryServer) -> None:
    stack.up().require()
    before = stack.tag()
    stack.version("ridge", "print('another')")
    stack.described["fails"] = True
    stack.up().require_failure()  # built and pushed, but its rollout failed
    assert stack.tag() in registry.tags(RIDGE)
    stack.described |= {"fails": False, "promoteFrom": "dev"}

    refused = stack.select("prod").up().require_failure()

    assert f"{RIDGE}:{stack.tag()} never ran in the stack dev; it ran {RIDGE}:{before}" in refused.output
    assert "tidegate:endpoints.e.versions.ridge" in refused.output
    stack.version("ridge", "print('ridge')")
    stack.described["digest"] = f"{registry.address}/{RIDGE}@sha256:{'0' * 64}"
    assert f"the digest sha256:{'0' * 64} never ran in the stack dev" in stack.up().require_failure().output
    stack.described["digest"] = f"{registry.address}/{RIDGE}@{registry.digest(RIDGE, before)}"
    stack.up().require()


def test_two_builds_of_one_key_at_once_are_one_image(new_stack: NewStack, registry: RegistryServer) -> None:
    # Two machines, as two runs of CI are.
    stacks = [new_stack("first", machine="one"), new_stack("second", machine="two")]
    running = [
        each.start("up", "--yes", "--skip-preview", "--non-interactive", "--stack", each.name) for each in stacks
    ]
    outputs = [process.communicate(timeout=300)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0], outputs
    assert stacks[0].images() == stacks[1].images()
    assert registry.tags(RIDGE) == [stacks[0].tag()]
    third = new_stack("third")
    third.up().require()
    assert third.builds() == []
    assert third.images() == stacks[0].images()


def test_the_output_of_a_build_reaches_the_terminal(stack: ImageStack) -> None:
    output = stack.up().require().output
    assert "STEP 2/2: COPY packages /packages" in output
    assert "Writing manifest to image destination" in output


def test_an_interrupted_build_leaves_nothing_behind(new_stack: NewStack, registry_with_base: RegistryServer) -> None:
    registry = registry_with_base
    stack = new_stack(address=registry.address)
    context = {"packages": b"numpy"}
    slow = f"FROM {registry.address}/{BASE}:{BASE_TAG}\nCOPY packages /packages\nRUN echo begun; exec sleep 300.5\n"
    stack.describe("environment", ENVIRONMENT, "e1-slow", slow, context)
    running = stack.start("up", "--yes", "--skip-preview", "--non-interactive", "--stack", "dev")
    output = iter(running.stdout or ())
    assert any(line.rstrip().endswith(" begun") for line in output)

    running.send_signal(signal.SIGINT)
    rest = "".join(output)

    assert running.wait(timeout=60) != 0
    assert "the build was interrupted" in rest
    assert not [each for each in Path("/proc").glob("[0-9]*/cmdline") if b"300.5" in _command(each)]
    assert registry.tags(ENVIRONMENT) == []
    assert stack.builds() == []
    stack.describe("environment", ENVIRONMENT, "e1-slow", "FROM scratch\nCOPY packages /packages\n", context)
    stack.up().require()
    assert stack.builds() == BUILDS


def test_a_password_is_used_and_never_shown(new_stack: NewStack, new_registry: NewRegistry) -> None:
    closed = new_registry("closed", asks_for_password=True)
    stack = new_stack(address=closed.address)
    stack.log_in(closed.address, USER, PASSWORD)

    output = stack.up().require().output

    assert closed.tags(RIDGE) == [stack.tag()]
    state = stack.pulumi("stack", "export", "--stack", "dev").require().output
    assert PASSWORD not in output + state
    stack.version("ridge", "print('another')")
    stack.log_in(closed.address, USER, "wrong secret")
    refused = stack.up().require_failure().output
    assert "UNAUTHORIZED: authentication required" in refused
    assert "wrong secret" not in refused


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("denies", f"DENIED: {DENIED} (HTTP 403)"),
        ("garbage", "<html>Sign in to the guest network</html>"),
        ("slow", "does not answer"),
    ],
)
def test_a_registry_that_cannot_be_asked_stops_the_update(
    fault: str, words: str, new_stack: NewStack, front: Front, registry: RegistryServer
) -> None:
    stack = new_stack(address=front.address)
    front.fault, front.patience_s = fault, 1.5  # pyright: ignore[reportAttributeAccessIssue] -- of the parameters

    refused = stack.up().require_failure().output

    assert words in refused
    assert f"registry {front.address}" in refused
    assert "Traceback" not in refused
    front.fault = ""
    assert stack.builds() == []
    assert registry.tags(ENVIRONMENT) == []
    stack.up().require()
    assert stack.builds() == BUILDS


def test_a_registry_that_is_down_stops_the_update(new_stack: NewStack, front: Front) -> None:
    stack = new_stack(address="127.0.0.1:9")  # the port of discard: nobody listens
    refused = stack.up().require_failure().output
    assert "registry 127.0.0.1:9: does not answer" in refused
    assert stack.builds() == []


def test_what_was_pushed_in_half_does_not_count_as_built(
    new_stack: NewStack, front: Front, registry: RegistryServer
) -> None:
    stack = new_stack(address=front.address)
    front.fault = "loses manifests"

    refused = stack.up().require_failure().output

    assert FULL in refused
    assert any(each.startswith("PUT /v2/tidegate/environment/blobs") for each in registry.requests())  # layers went up
    assert registry.tags(ENVIRONMENT) == []
    assert stack.builds() == []
    front.fault = ""
    stack.up().require()
    assert stack.builds() == BUILDS
    name = f"{RIDGE}:{stack.tag()}"
    assert stack.images()[name].endswith(f"@{registry.digest(RIDGE, stack.tag())}")


def test_a_change_behind_a_fault_leaves_what_ran(new_stack: NewStack, front: Front, registry: RegistryServer) -> None:
    stack = new_stack(address=front.address)
    stack.up().require()
    ran = stack.images()
    stack.version("ridge", "print('another')")
    front.fault = "loses manifests"

    stack.up().require_failure()

    assert stack.images() == ran
    assert stack.tag() not in registry.tags(RIDGE)
    front.fault = ""
    stack.up().require()
    assert json.dumps(stack.images()).count("@sha256:") == 2
    assert stack.tag() in registry.tags(RIDGE)


def _command(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""
