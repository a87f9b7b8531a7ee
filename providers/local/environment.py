"""The Python environment of a stack's versions, built once for each content."""

import os
from pathlib import Path
from typing import ClassVar

from providers.kind import TEXT, TEXTS, Call, Kind, OperationError, Properties
from providers.local.layout import Layout, private_folder
from providers.values import UNKNOWN
from tidegate.cache import cache_folder


class Environment(Kind):
    """A virtual environment in the machine's cache, named by its key; this resource is a stack's use of it.

    The environment stays in the cache when the resource goes: another stack may use it, and a build takes minutes.
    A link in the state folder says that it is in use.
    """

    type = "tidegate-serving:local:Environment"
    inputs: ClassVar = {"state": TEXT, "key": TEXT, "python": TEXT, "requirements": TEXTS, "server": TEXT}
    replace_on = frozenset({"state", "key"})
    refresh_before_update = True

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """The interpreter's path is known once it is built."""
        return new | {"interpreter": old_outputs.get("interpreter", UNKNOWN)}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Build the environment, or find it in the cache."""
        from providers.local.virtual_environment import BuildError, build_environment  # noqa: PLC0415 (not in a preview)

        try:
            folder = build_environment(
                new["key"],
                python=new["python"],
                requirements=new["requirements"],
                server=Path(new["server"]),
                cache=cache_folder(os.environ),
                progress=call.progress,
                cancelled=call.cancelled,
            )
        except BuildError as error:
            raise OperationError(str(error)) from error
        link = _link(new)
        private_folder(link.parent)
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
        return new["key"], new | {"interpreter": str(folder / "bin" / "python")}

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where the cache or the state folder was emptied."""
        return outputs if Path(outputs["interpreter"]).exists() and _link(outputs).is_symlink() else None

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Give up the use of the environment."""
        _link(outputs).unlink(missing_ok=True)


def _link(properties: Properties) -> Path:
    return Layout(Path(properties["state"])).environments / properties["key"]
