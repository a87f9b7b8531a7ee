"""A stack on Azure."""

from pathlib import Path

import pulumi

from tidegate.config import Environment

SHOWN_TO_USER = 32
"""The exit code by which a program tells the engine that it has said what is wrong."""


def deploy(environment: Environment, root: Path) -> None:
    """Refuse: the Azure parts are not built yet."""
    del root
    pulumi.log.error(
        f"stack {environment.stack}: the target azure is not built yet; nothing was registered. "
        "The target local is: make up"
    )
    raise SystemExit(SHOWN_TO_USER)
