"""The issuer of a local stack's tokens: signs as Entra ID does, and lets the gateway know its keys."""

import time
from pathlib import Path
from typing import ClassVar

from providers.kind import BOOLEAN, INTEGER, TEXT, Call, Failure, Kind, Properties
from providers.local.layout import Layout, private_folder, replace_file
from providers.local.xds import Xds
from tidegate.targets.local_tokens import Issuer, issuer_file


class TokenIssuer(Kind):
    """A key pair whose public half the gateway knows, so that no request waits for an issuer.

    Another `rotation` makes another key; the one before is taken until the last token that it signed has ended.
    `current` is always asked to be true; it reads as false once a key has outlived its tokens, which the next update
    then removes.
    """

    type = "tidegate-serving:local:TokenIssuer"
    inputs: ClassVar = {"state": TEXT, "url": TEXT, "rotation": INTEGER, "current": BOOLEAN}
    replace_on = frozenset({"state"})
    refresh_before_update = True

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """Rotations count up from 1."""
        if new["rotation"] > 0:
            return []
        return [Failure("rotation", f"{new['rotation']} is not 1 or more")]

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Make the first key."""
        _put(new, Issuer.new(new["url"], new["rotation"]))
        return "tokens", dict(new)

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where its file is, or where the gateway takes other keys than its own."""
        layout = Layout(Path(outputs["state"]))
        issuer = Issuer.read(layout.state)
        if issuer is None or Xds(layout).issuer() != {"url": issuer.url, "keys": issuer.public_keys()}:
            return None
        return outputs | {"current": issuer.current(now=time.time()) == issuer}

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Sign with another key, or under another URL; forget the keys whose tokens have ended."""
        now = time.time()
        issuer = Issuer.read(Path(new["state"])) or Issuer.new(new["url"], new["rotation"])
        issuer = issuer.current(now=now)
        if issuer.rotation != new["rotation"]:
            issuer = issuer.rotated(new["rotation"], now=now)
        _put(new, Issuer(new["url"], new["rotation"], issuer.keys))
        return dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Take no token any more, and forget the keys."""
        layout = Layout(Path(outputs["state"]))
        Xds(layout).drop_issuer()
        issuer_file(layout.state).unlink(missing_ok=True)


def _put(new: Properties, issuer: Issuer) -> None:
    layout = Layout(Path(new["state"]))
    # The gateway first: no token is signed that it would not take.
    Xds(layout).put_issuer({"url": issuer.url, "keys": issuer.public_keys()})
    file = issuer_file(layout.state)
    private_folder(file.parent)
    replace_file(file, issuer.to_json())
