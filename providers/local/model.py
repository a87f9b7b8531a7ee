"""One registered version of a model, copied by its content."""

import shutil
from pathlib import Path
from typing import ClassVar

from providers.kind import INTEGER, TEXT, TEXT_MAP, Call, Failure, Kind, OperationError, Properties, optional
from providers.local.layout import Layout, private_folder
from providers.models.numbers import changed_content
from providers.values import UNKNOWN


class Model(Kind):
    """`name:number`, a file or a folder. The number stands for its content for ever: other content is refused."""

    type = "tidegate-serving:local:Model"
    inputs: ClassVar = {
        "state": TEXT,
        "name": TEXT,
        "number": INTEGER,
        "path": TEXT,
        "content": TEXT,
        "description": optional(TEXT),
        "tags": optional(TEXT_MAP),
    }
    replace_on = frozenset({"state", "name", "number"})
    refresh_before_update = True

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """A number keeps its content."""
        return changed_content(old, new)

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """The copy's place follows from name, number and content."""
        folder = UNKNOWN if new["state"] is UNKNOWN else str(_folder(new) / Path(new["path"]).name)
        # A moved original is the same model: the copy keeps the name that scripts may open it by.
        return new | {"copy": old_outputs.get("copy", folder)}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Copy the model; verified while it is read."""
        from tidegate.model.content import copy_content  # noqa: PLC0415 (not in a preview)

        outputs = self.planned({}, new)
        private_folder(_folder(new))
        call.progress(f"copying {new['path']}")
        try:
            copy_content(Path(new["path"]), Path(outputs["copy"]), new["content"])
        except (OSError, ValueError) as error:
            raise OperationError(f"{new['path']} could not be copied: {error}") from error
        return f"{new['name']}:{new['number']}", outputs

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where its copy is gone."""
        return outputs if Path(outputs["copy"]).exists() else None

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Remove the copy, never the original."""
        shutil.rmtree(Path(outputs["copy"]).parent, ignore_errors=True)
        name = _folder(outputs).parent
        if name.exists() and not any(name.iterdir()):
            name.rmdir()


def _folder(properties: Properties) -> Path:
    digest = str(properties["content"]).removeprefix("sha256:")[:12]
    return Layout(Path(properties["state"])).models / properties["name"] / f"{properties['number']}-{digest}"
