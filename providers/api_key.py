"""An endpoint's key: made once, kept until its rotation number is raised."""

import secrets
from typing import ClassVar

from providers.kind import INTEGER, TEXT, Call, Kind, Properties, optional
from providers.values import UNKNOWN

BYTES = 32
"""256 bits of randomness; 43 characters of URL-safe base64."""


class ApiKey(Kind):
    """A key that clients send as `Authorization: Bearer <value>`.

    `value` as an input gives the key (clients hold it already); without it one is made, and a higher `rotation` makes
    another one.
    """

    type = "tidegate-serving:index:ApiKey"
    inputs: ClassVar = {"endpoint": TEXT, "name": TEXT, "rotation": INTEGER, "value": optional(TEXT)}
    replace_on = frozenset({"endpoint", "name"})
    secret_outputs = frozenset({"value"})

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """The key of before where nothing about it changes."""
        if "value" in new:
            return new
        # A key that was given and no longer is must not live on as if it had been made here.
        kept = old_outputs.get("rotation") == new["rotation"] and not old_outputs.get("given", False)
        return new | {"value": old_outputs["value"] if kept and "value" in old_outputs else UNKNOWN}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Take the key that is given, or make one."""
        return f"{new['endpoint']}/{new['name']}", self._settled({}, new)

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Keep the key, or make a new one where the rotation number was raised."""
        return self._settled(old_outputs, new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Nothing: a key lives in the state alone."""

    def _settled(self, old_outputs: Properties, new: Properties) -> Properties:
        settled = self.planned(old_outputs, new) | {"given": "value" in new}
        if settled["value"] is UNKNOWN:
            settled["value"] = secrets.token_urlsafe(BYTES)
        return settled
