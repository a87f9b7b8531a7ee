"""The machine's part of a local stack: its state folder and the supervisord in it."""

import shutil
from pathlib import Path
from typing import ClassVar

from providers.kind import BOOLEAN, TEXT, Call, Failure, Kind, Properties
from providers.local.layout import Layout, private_folder
from providers.local.supervisor import Supervisor


class Host(Kind):
    """Made first, deleted last: everything else of the stack lives in its folder and under its supervisord."""

    type = "tidegate-serving:local:Host"
    inputs: ClassVar = {"state": TEXT, "running": BOOLEAN}
    replace_on = frozenset({"state"})
    refresh_before_update = True

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """The state folder is an absolute path."""
        if Path(new["state"]).is_absolute():
            return []
        return [Failure("state", f"{new['state']!r} is not an absolute path")]

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Start supervisord, after whatever an earlier one has left behind."""
        layout = Layout(Path(new["state"]))
        supervisor = Supervisor(layout)
        private_folder(layout.state)
        if not supervisor.alive():
            call.progress("starting supervisord")
            supervisor.start()
        return new["state"], dict(new)

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Not running after a reboot, or when supervisord was ended; gone where its folder is, too."""
        layout = Layout(Path(identity))
        running = Supervisor(layout).alive()
        return outputs | {"running": running} if running or layout.state.exists() else None

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Start supervisord where it no longer runs."""
        return self.create(call, new)[1]

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """End every process of the stack and remove its folder."""
        layout = Layout(Path(identity))
        call.progress("ending the stack's processes")
        Supervisor(layout).shut_down()
        shutil.rmtree(layout.run, ignore_errors=True)
        shutil.rmtree(layout.state, ignore_errors=True)
