"""A stack on Azure."""

from pathlib import Path

from tidegate.config import Environment
from tidegate.findings import ConfigError, Finding


def deploy(environment: Environment, root: Path) -> None:  # noqa: ARG001 (what every stack takes)
    """Refuse: the Azure parts are not built yet, and nothing is registered."""
    raise ConfigError(
        [Finding("tidegate:target", f"{environment.target} is not built yet", "The target local is: run make up")]
    )
