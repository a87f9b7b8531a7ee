"""The code of versions in a store that pods fetch it from."""

from pathlib import Path
from typing import ClassVar

from providers.azure.session import Session
from providers.kind import TEXT, Call, Kind, OperationError, Properties
from providers.models.upload import once_allowed, open_store, told, upload
from providers.values import UNKNOWN


class Code(Kind):
    """A source directory by its snapshot's digest; one resource for all versions that have this code.

    Outputs: `place` and `manifest` (a SHA-256) name it for a pod, `size` is its bytes.
    """

    type = "tidegate-serving:models:Code"
    inputs: ClassVar = {"store": TEXT, "path": TEXT, "digest": TEXT}
    replace_on = frozenset({"store", "digest"})

    def __init__(self, session: Session) -> None:
        self._session = session

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """What is stored follows from the digest alone."""
        return {name: old_outputs.get(name, UNKNOWN) for name in ("place", "manifest", "size")} | new

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Upload what is not there yet."""
        from tidegate.image.snapshot import SnapshotError, take_snapshot  # noqa: PLC0415 (not in a preview)
        from tidegate.model.manifest import pack_code  # noqa: PLC0415

        try:
            snapshot = take_snapshot(Path(new["path"]))
        except (SnapshotError, OSError) as error:
            raise OperationError(str(error)) from error
        if snapshot.digest != new["digest"]:
            raise OperationError(f"{new['path']} was edited while the update ran; run pulumi up again")
        package = pack_code(snapshot)
        with told(new["path"]):
            store = open_store(new["store"], self._session, call)
            once_allowed(call, new["path"], lambda: store.find(package.manifest.place))
        upload(store, package, call, Path(new["path"]).name)
        manifest = package.manifest
        return manifest.place, new | {"place": manifest.place, "manifest": manifest.sha256, "size": manifest.size}

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where its manifest is, or is another one."""
        with told(identity):
            there = open_store(outputs["store"], self._session).find(outputs["place"])
        return outputs if there and there.sha256 == outputs["manifest"] else None

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Remove it from the store; what other code has in common with it stays."""
        with told(identity):
            open_store(outputs["store"], self._session, call).remove(outputs["place"])
