"""The gateway of a local stack: one Envoy, one listener."""

import os
import time
from pathlib import Path
from typing import ClassVar

from providers.kind import INTEGER, TEXT, Call, Failure, Kind, OperationError, Properties
from providers.local.envoy_admin import Admin
from providers.local.layout import Layout, private_folder, replace_json
from providers.local.ports import refusal
from providers.local.supervisor import Supervisor, base_environment
from providers.local.xds import Xds, envoy_binary
from tidegate.targets import envoy

PROGRAM = "gateway"
START_S = 20.0


class Gateway(Kind):
    """Envoy on the files of its folder. `url` is where clients reach it from this machine."""

    type = "tidegate-serving:local:Gateway"
    inputs: ClassVar = {"state": TEXT, "address": TEXT, "port": INTEGER}
    replace_on = frozenset({"state"})
    refresh_before_update = True

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """The port is one that a program may ask for."""
        if 0 < new["port"] < 1 << 16:
            return []
        return [Failure("port", f"{new['port']} is not between 1 and 65535")]

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """The URL follows from the inputs."""
        return new | {"url": url(new["address"], new["port"])}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Start Envoy and listen; a port that somebody holds is refused with its holder."""
        layout = Layout(Path(new["state"]))
        supervisor, xds = Supervisor(layout), Xds(layout)
        supervisor.remove(PROGRAM)  # what an interrupted update may have left would hold the port
        _refuse_taken(new)
        private_folder(layout.gateway)
        xds.clear()
        xds.compose()
        bootstrap = layout.gateway / "bootstrap.json"
        replace_json(bootstrap, envoy.bootstrap(str(layout.gateway), str(layout.admin_socket)))
        call.progress("starting Envoy")
        supervisor.add(
            PROGRAM,
            command=[
                *(envoy_binary(), "--config-path", str(bootstrap), "--log-level", "warning"),
                # A second Envoy of the same user would meet the first one's shared memory.
                *("--disable-hot-restart", "--concurrency", str(min(os.cpu_count() or 1, 4))),
            ],
            environment=base_environment(),
            folder=layout.gateway,
            log=layout.logs / "gateway.log",
            sockets=[layout.admin_socket],
        )
        try:
            _wait_live(call, supervisor, layout)
            xds.put_listener(new["address"], new["port"])
        except BaseException:
            supervisor.remove(PROGRAM)
            raise
        return PROGRAM, self.planned({}, new)

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where supervisord no longer keeps Envoy up."""
        return outputs if Supervisor(Layout(Path(outputs["state"]))).up(PROGRAM) else None

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Move the listener; requests on the old address are finished."""
        if new["port"] != old_outputs["port"]:  # else it is ours
            _refuse_taken(new)
        Xds(Layout(Path(new["state"]))).put_listener(new["address"], new["port"])
        return self.planned(old_outputs, new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """End Envoy; its folder goes with the host."""
        layout = Layout(Path(outputs["state"]))
        Supervisor(layout).remove(PROGRAM)
        layout.admin_socket.unlink(missing_ok=True)
        Xds(layout).clear()


def url(address: str, port: int) -> str:
    """Where a client on this machine reaches a listener, wildcard addresses by the loopback one."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)  # noqa: S104 (compared, not bound)
    return f"http://{host}:{port}"


def _refuse_taken(new: Properties) -> None:
    taken = refusal(new["address"], new["port"])
    if taken:
        raise OperationError(
            f"{taken}; free it, or set another one: pulumi config set --path 'tidegate:gateway.port' PORT"
        )


def _wait_live(call: Call, supervisor: Supervisor, layout: Layout) -> None:
    admin = Admin(layout.admin_socket)
    deadline = time.monotonic() + START_S
    while not admin.live():
        call.stop_if_cancelled()
        if not supervisor.up(PROGRAM) or time.monotonic() > deadline:
            tail = (layout.logs / "gateway-0.log").read_text(errors="replace").splitlines()[-5:]
            raise OperationError("Envoy did not start:\n" + "\n".join(tail))
        time.sleep(0.02)
