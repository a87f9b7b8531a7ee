"""One upload into a store, with its progress in the engine's display."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from providers.azure.session import Session
from providers.kind import Call, OperationError

if TYPE_CHECKING:  # the start of the plugin must not pay for what an upload needs
    from tidegate.model.manifest import Package
    from tidegate.model.store import ModelStore

EVERY_S = 0.5
"""How often progress is shown."""
ROLE_PATIENCE_S = 300.0
ROLE_PAUSE_S = 5.0
"""azure-docs: role-based-access-control/troubleshooting.md, "Role assignment changes are not being detected"."""
WIDTH = 24
"""Of the bar, in characters."""

T = TypeVar("T")

_MEBIBYTE = 1 << 20


def open_store(location: str, session: Session, call: Call | None = None) -> "ModelStore":
    """The store at a container's URL or in a folder; a folder needs no login."""
    from tidegate.model.store import open_store  # noqa: PLC0415

    return open_store(location, session.login.token, call.cancelled if call else None)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Make what can go wrong with a store an OperationError."""
    from tidegate.azure.errors import AzureError  # noqa: PLC0415
    from tidegate.model.store import StoreError  # noqa: PLC0415

    try:
        yield
    except (StoreError, AzureError, OSError) as error:
        raise OperationError(f"{what}: {error}") from error


def once_allowed(call: Call, what: str, look: Callable[[], T]) -> T:
    """What the first look into a store gives; a role that was just given is waited for: it takes Azure minutes."""
    from tidegate.model.store import DeniedError  # noqa: PLC0415

    until = time.monotonic() + ROLE_PATIENCE_S
    while True:
        try:
            return look()
        except DeniedError:
            if time.monotonic() + ROLE_PAUSE_S > until:
                raise
            call.progress(f"{what}: waiting for a role on the store to take effect")
            call.cancelled.wait(ROLE_PAUSE_S)
            _stop_if_cancelled(call, what)


def upload(store: "ModelStore", package: "Package", call: Call, what: str) -> None:
    """Add a package to a store; OperationError for what a user can act on."""
    total = sum({file.sha256: file.size for file in package.manifest.files}.values())
    display = _Display(call, what, total)
    try:
        with told(what):
            store.add(package, display.add)
    except OperationError:
        _stop_if_cancelled(call, what)
        raise


def bar(what: str, done: int, total: int) -> str:
    """One line: `ridge:1 [######------------------]  25 %, 128.0 of 512.0 MiB`; sizes in bytes."""
    share = done / total if total else 1.0
    full = int(share * WIDTH)
    sizes = f"{done / _MEBIBYTE:.1f} of {total / _MEBIBYTE:.1f} MiB"
    return f"{what} [{'#' * full}{'-' * (WIDTH - full)}] {int(share * 100):>3} %, {sizes}"


class _Display:
    """Shows what is done, now and then and at the end; ends the upload when the user has interrupted it."""

    def __init__(self, call: Call, what: str, total: int) -> None:
        self._call, self._what, self._total = call, what, total
        self._done = 0
        self._shown_at = 0.0

    def add(self, count: int) -> None:
        _stop_if_cancelled(self._call, self._what)
        self._done += count
        now = time.monotonic()
        if now - self._shown_at >= EVERY_S or self._done == self._total:
            self._shown_at = now
            self._call.progress(bar(self._what, self._done, self._total))


def _stop_if_cancelled(call: Call, what: str) -> None:
    if call.cancelled.is_set():
        raise OperationError(f"the upload of {what} was interrupted; the next pulumi up goes on with it")
