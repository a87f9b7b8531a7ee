# ruff: noqa: N802 (gRPC's method names)
"""A strict stand-in for the plugin of pulumi-docker-build 0.0.22 that really builds and pushes, with buildah.

Written after the provider's own source (provider/internal/image.go): a changed context shows as a difference of
`contextHash`, `context.location` is compared as text, a registry's password is not compared, an update builds anew and
keeps the id, a new state always builds, and a delete takes the digest out of the registry. Stricter than it: it
refuses what would build in a preview, a context whose path is another one on another machine, and a push without
explicit platforms. A registry cache is checked and left aside.
"""

import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pulumi_docker_build
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2

from providers.values import UNKNOWN, decode, encode, plain
from tests.standins import annotations
from tests.standins.bicep import Problem
from tests.standins.buildah import Buildah, BuildahError, Login, is_loopback, repository
from tests.standins.plugin import Plugin, RefusedError, guarded, serve
from tidegate.image.registry import IMAGE_TYPES

Properties = dict[str, Any]

VARIABLE = "TIDEGATE_TEST_BUILDAH"
"""Names the folder of buildah's store."""

EPOCH = "SOURCE_DATE_EPOCH"
TYPE = "docker-build:index:Image"
OUTPUTS = ("contextHash", "digest", "ref")
COMPARED = (
    "addHosts", "buildArgs", "buildOnPreview", "builder", "cacheFrom", "cacheTo", "dockerfile", "exports", "labels",
    "load", "network", "noCache", "platforms", "pull", "push", "secrets", "ssh", "tags", "target",
)  # fmt: skip
BEYOND = ("addHosts", "builder", "exec", "exports", "load", "noCache", "pull", "secrets", "ssh")
"""Inputs of the real plugin that this one cannot honour."""

_TAG = re.compile(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_PLATFORM = re.compile(r"linux/(amd64|arm64)")


class DockerBuild(Plugin):
    """The plugin over one store; `engine` is where a build's output goes."""

    version = "0.0.22"

    def __init__(self, buildah: Buildah, engine: engine_pb2_grpc.EngineStub | None = None) -> None:
        self._buildah = buildah
        self._engine = engine
        self._cancelled = threading.Event()

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    @guarded
    def Check(self, request: Any, context: Any) -> Any:
        inputs = plain(decode(request.news))
        failures = [
            provider_pb2.CheckFailure(property=each.path, reason=f"{TYPE}: {each}")
            for each in problems(_token(request.urn), inputs)
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @guarded
    def Diff(self, request: Any, context: Any) -> Any:
        old, new = _present(plain(decode(request.olds))), _present(plain(decode(request.news)))
        changed = sorted(differences(old, new))
        kind = provider_pb2.PropertyDiff.Kind.Value("UPDATE")
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({re.split(r"[.\[]", path, maxsplit=1)[0] for path in changed}),
            detailedDiff={path: provider_pb2.PropertyDiff(kind=kind) for path in changed},
            hasDetailedDiff=True,
        )

    @guarded
    def Create(self, request: Any, context: Any) -> Any:
        inputs = _present(plain(decode(request.properties)))
        outputs = self._built(inputs, request.urn, preview=request.preview)
        name = request.urn.rsplit("::", maxsplit=1)[-1]
        identity = name if request.preview else outputs["digest"]
        return provider_pb2.CreateResponse(id=identity, properties=encode(outputs))

    @guarded
    def Update(self, request: Any, context: Any) -> Any:
        inputs = _present(plain(decode(request.news)))
        outputs = self._built(inputs, request.urn, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=encode(outputs))

    @guarded
    def Read(self, request: Any, context: Any) -> Any:
        state = plain(decode(request.properties))
        if not any(_manifest("HEAD", tag, state) for tag in state["tags"]):
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    @guarded
    def Delete(self, request: Any, context: Any) -> Any:
        state = plain(decode(request.properties))
        for tag in state["tags"]:
            _manifest("DELETE", tag, state)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self._cancelled.set()
        self._buildah.cancel()
        return empty_pb2.Empty()

    def _built(self, inputs: Properties, urn: str, *, preview: bool) -> Properties:
        if preview:
            return {**inputs, **dict.fromkeys(OUTPUTS, UNKNOWN)}
        digest = self._build(inputs, urn)
        return {
            **inputs,
            "contextHash": context_hash(Path(inputs["context"]["location"])),
            "digest": digest,
            "ref": f"{inputs['tags'][0]}@{digest}",
        }

    def _build(self, inputs: Properties, urn: str) -> str:
        logins = [
            Login(each["address"], each["username"], each["password"])
            for each in inputs.get("registries", [])
            if each.get("username")
        ]
        context = Path(inputs["context"]["location"])
        written = inputs.get("dockerfile", {})
        dockerfile = written.get("inline") or (Path(written.get("location") or context / "Dockerfile")).read_text()

        def say(line: str) -> None:
            self._log(line, urn)

        try:
            self._buildah.build(
                context,
                dockerfile,
                tags=inputs["tags"],
                platform=inputs["platforms"][0],
                build_args=inputs.get("buildArgs", {}),
                labels=inputs.get("labels", {}),
                logins=logins,
                target=inputs.get("target", ""),
                timestamp=inputs.get("buildArgs", {}).get(EPOCH, ""),  # BuildKit's meaning of this argument
                say=say,
            )
            digests = {self._buildah.push(tag, logins=logins, say=say) for tag in inputs["tags"]}
        except BuildahError as error:
            if self._cancelled.is_set():
                raise RefusedError("the build was interrupted") from None
            raise RefusedError(str(error)) from None
        if len(digests) != 1:
            raise RefusedError(f"one image was pushed under several digests: {sorted(digests)}")
        return digests.pop()

    def _log(self, line: str, urn: str) -> None:
        if self._engine is None or not line.strip():
            return
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True)
        self._engine.Log(request, timeout=5)


def problems(token: str, inputs: Properties) -> Iterator[Problem]:
    """Every fault of an image's inputs."""
    if token != TYPE:
        raise RefusedError(f"the stand-in has no type {token}")
    faults = annotations.check(pulumi_docker_build.ImageArgs, inputs)
    yield from faults
    if faults:
        return
    yield from (Problem(name, "is beyond this stand-in") for name in BEYOND if inputs.get(name))
    if inputs.get("network", "default") != "default":
        yield Problem("network", "is beyond this stand-in")
    if inputs.get("buildOnPreview") is not False:
        yield Problem("buildOnPreview", "a preview would build: it defaults to true")
    if inputs.get("push") is not True:
        yield Problem("push", "nothing would be pushed")
    yield from _place_problems(inputs)
    for index, cache in enumerate(inputs.get("cacheTo") or []):
        where = f"cacheTo[{index}].registry"
        if not cache.get("registry"):
            yield Problem(where, "is the one kind of cache that this stand-in has")
        elif cache["registry"].get("ignoreError") is not True:
            yield Problem(f"{where}.ignoreError", "a cache that cannot be written would fail the build")


def _place_problems(inputs: Properties) -> Iterator[Problem]:
    context, dockerfile = inputs.get("context"), inputs.get("dockerfile") or {}
    if not context:
        yield Problem("context", "is required here")
    elif context["location"] is not UNKNOWN and Path(context["location"]).is_absolute():
        yield Problem("context.location", "an absolute path would differ on another machine")
    elif context["location"] is not UNKNOWN and not Path(context["location"]).is_dir():
        yield Problem("context.location", f"{context['location']!r} is no folder")
    if dockerfile.get("inline") and dockerfile.get("location"):
        yield Problem("dockerfile", "has both inline and location")
    if not inputs.get("tags"):
        yield Problem("tags", "is required for a push")
    for index, tag in enumerate(inputs.get("tags") or []):
        if tag is not UNKNOWN and not _TAG.fullmatch(tag):
            yield Problem(f"tags[{index}]", f"{tag!r} is no full reference with a tag")
    platforms = inputs.get("platforms") or []
    if len(platforms) != 1 or not _PLATFORM.fullmatch(str(platforms[0])):
        yield Problem("platforms", f"{platforms!r} is not one platform of Linux")


def differences(old: Properties, new: Properties) -> Iterator[str]:
    """The paths in which new inputs differ from an old state, as the provider compares them."""
    yield from (name for name in COMPARED if old.get(name) != new.get(name))
    if old["context"]["location"] != new["context"]["location"]:
        yield "context.location"
    if [_account(each) for each in old.get("registries", [])] != [_account(each) for each in new.get("registries", [])]:
        yield "registries"
    if old.get("contextHash") != context_hash(Path(new["context"]["location"])):
        yield "contextHash"


def context_hash(folder: Path) -> str:
    """Over names, modes and contents, as the provider's: a mode alone makes another one."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0{path.stat().st_mode:o}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _account(registry: Mapping[str, Any]) -> tuple[Any, Any]:
    return registry.get("address"), registry.get("username")


def _manifest(method: str, tag: str, state: Properties) -> bool:
    """Ask a registry about the digest behind a tag, or delete it; whether it was there."""
    host, _, name = repository(tag).partition("/")
    scheme = "http" if is_loopback(tag) else "https"
    accounts = [each for each in state.get("registries", []) if each["address"] == host and each.get("username")]
    answer = httpx.request(
        method,
        f"{scheme}://{host}/v2/{name}/manifests/{state['digest']}",
        headers={"accept": ", ".join(IMAGE_TYPES)},
        auth=(accounts[0]["username"], accounts[0]["password"]) if accounts else None,
        trust_env=not is_loopback(tag),
    )
    return answer.is_success


def _token(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", maxsplit=1)[-1]


def _present(properties: Mapping[str, Any]) -> Properties:
    return {key: value for key, value in properties.items() if value is not None}


def _engine() -> engine_pb2_grpc.EngineStub:
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(sys.argv[-1]))


if __name__ == "__main__":
    serve(DockerBuild(Buildah(Path(os.environ[VARIABLE])), _engine()))
