"""What each kind of environment is made of: composition only."""

from importlib import import_module
from types import ModuleType

from tidegate.findings import ConfigError, Finding


def stack_of(target: str) -> ModuleType:
    """The target's own module, and no other: a local stack never pays for the cloud's.

    Raises:
        ConfigError: a package that the target needs is not installed.
    """
    try:
        return import_module(f"stacks.{target}")
    except ModuleNotFoundError as missing:
        problem = f"the target {target} needs {missing.name}, which is not installed"
        raise ConfigError([Finding("tidegate:target", problem, f"Run make setup-{target}")]) from None
