"""One registered version of a model in a store that pods fetch it from."""

from pathlib import Path
from typing import ClassVar

from providers.azure.session import Session
from providers.kind import INTEGER, TEXT, TEXT_MAP, Call, Failure, Kind, OperationError, Properties, optional
from providers.models.numbers import changed_content
from providers.models.upload import once_allowed, open_store, told, upload
from providers.values import UNKNOWN


class Model(Kind):
    """`name:number`, a file or a folder. The number stands for its content for ever: other content is refused.

    Outputs: `place` and `manifest` (a SHA-256) name it for a pod, `size` is its bytes.
    """

    type = "tidegate-serving:models:Model"
    inputs: ClassVar = {
        "store": TEXT,
        "name": TEXT,
        "number": INTEGER,
        "path": TEXT,
        "content": TEXT,
        "description": optional(TEXT),
        "tags": optional(TEXT_MAP),
    }
    replace_on = frozenset({"store", "name", "number"})

    def __init__(self, session: Session) -> None:
        self._session = session

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """A number keeps its content."""
        return changed_content(old, new)

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """A moved original is the same model: what is stored keeps the name that scripts may open it by."""
        return {name: old_outputs.get(name, UNKNOWN) for name in ("place", "manifest", "size")} | new

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Upload it; verified while it is read, and found where it is there already."""
        from tidegate.model.content import ContentError  # noqa: PLC0415 (not in a preview)
        from tidegate.model.manifest import model_place, pack_model  # noqa: PLC0415

        name, number = new["name"], new["number"]
        with told(f"{name}:{number}"):
            store = open_store(new["store"], self._session, call)
            there = once_allowed(call, f"{name}:{number}", lambda: store.find(model_place(name, number)))
        called = there.title if there and there.content == new["content"] else ""
        try:
            package = pack_model(name, number, Path(new["path"]), new["content"], called=called)
        except (ContentError, OSError) as error:
            raise OperationError(str(error)) from error
        upload(store, package, call, f"{name}:{number}")
        manifest = package.manifest
        stored = {"place": manifest.place, "manifest": manifest.sha256, "size": manifest.size}
        return f"{name}:{number}", new | stored

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where its manifest is, or is another one."""
        with told(identity):
            there = open_store(outputs["store"], self._session).find(outputs["place"])
        return outputs if there and there.sha256 == outputs["manifest"] else None

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Remove it from the store, never the original; what other models have in common with it stays."""
        with told(identity):
            open_store(outputs["store"], self._session, call).remove(outputs["place"])
