"""The plugin's way to Azure: one login for all resources of an update, found when the first of them needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a local stack must not pay for what only Azure needs
    from tidegate.azure.arm import Arm
    from tidegate.azure.login import Login


class Session:
    """Opens connections to Azure Resource Manager, with the login that this process finds unless one is given."""

    def __init__(self, login: "Login | None" = None) -> None:
        self._login = login
        self._lock = threading.Lock()

    @contextmanager
    def arm(self, cancelled: threading.Event, *, patience_s: float) -> "Iterator[Arm]":
        """A connection for one call of the engine; it ends its waits when `cancelled` is set, or after `patience_s`."""
        from tidegate.azure.arm import Arm  # noqa: PLC0415

        with Arm(self.login.token, cancelled=cancelled, patience_s=patience_s) as arm:
            yield arm

    @property
    def login(self) -> "Login":
        """The login, the same one each time: its tokens are kept."""
        from tidegate.azure.login import Login  # noqa: PLC0415

        with self._lock:
            if self._login is None:
                self._login = Login()
            return self._login
