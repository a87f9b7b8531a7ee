"""An image that one of Azure's registries builds itself (ACR Tasks)."""

import threading
from pathlib import Path
from typing import ClassVar

from providers.azure.session import Session
from providers.kind import TEXT, TEXT_MAP, Call, Kind, OperationError, Properties
from providers.values import UNKNOWN

PATIENCE_S = 120.0


class RegistryBuild(Kind):
    """`repository:tag`, built from the folder `context` with the text of a Dockerfile.

    The tag is the content: with the same one nothing is built again, whatever else has changed. `digest` is what was
    pushed. Its end leaves the image: others may run it.
    """

    type = "tidegate-serving:image:RegistryBuild"
    inputs: ClassVar = {
        "registryId": TEXT,
        "repository": TEXT,
        "tag": TEXT,
        "context": TEXT,
        "dockerfile": TEXT,
        "platform": TEXT,
        "buildArgs": TEXT_MAP,
    }
    replace_on = frozenset({"registryId", "repository"})

    def __init__(self, session: Session) -> None:
        self._session = session

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """Another tag is another image."""
        known = old_outputs.get("tag") == new["tag"]
        return new | {"digest": old_outputs["digest"] if known and "digest" in old_outputs else UNKNOWN}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Build and push it; the log is shown as it comes."""
        return f"{new['repository']}:{new['tag']}", new | {"digest": self._build(call, new)}

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Build it anew where the tag is another one."""
        if old_outputs["tag"] == new["tag"]:
            return new | {"digest": old_outputs["digest"]}
        return new | {"digest": self._build(call, new)}

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Nothing: `tidegate image prune` knows what nobody runs."""

    def _build(self, call: Call, new: Properties) -> str:
        from tidegate.azure import registry_builds as builds  # noqa: PLC0415 (not in a preview)
        from tidegate.azure.errors import AzureError  # noqa: PLC0415

        build = builds.RemoteBuild(
            Path(new["context"]), new["dockerfile"], new["repository"], new["tag"], new["platform"], new["buildArgs"]
        )
        run = ""
        try:
            with self._session.arm(call.cancelled, patience_s=PATIENCE_S) as arm:
                run = builds.start(arm, new["registryId"], build, call.progress)
                return builds.follow(arm, run, build, call.progress, call.cancelled)
        except (AzureError, OSError) as error:
            if run and call.cancelled.is_set():
                self._cancel(run)
            raise OperationError(f"{new['repository']}: {error}") from error

    def _cancel(self, run: str) -> None:
        from tidegate.azure import registry_builds as builds  # noqa: PLC0415 (as above)
        from tidegate.azure.errors import AzureError  # noqa: PLC0415

        try:
            with self._session.arm(threading.Event(), patience_s=5) as arm:
                builds.cancel(arm, run)
        except AzureError:
            return  # the registry ends a run by itself
