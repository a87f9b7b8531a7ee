"""The Pulumi program: reads the stack's config and registers what its target is made of."""

import gc
import json
import os
from pathlib import Path

import pulumi

from stacks import stack_of
from tidegate.config import from_engine
from tidegate.findings import ConfigError

SHOWN_TO_USER = 32  # the exit code by which a program tells the engine that it has said what is wrong


def main() -> None:
    """Load, check, compose."""
    gc.disable()  # what a program makes stays to its end; with Azure's SDK, looking through it is half of the time
    root = Path(pulumi.runtime.get_root_directory())
    try:
        environment = from_engine(
            os.environ["PULUMI_CONFIG"],
            root=root,
            stack=pulumi.get_stack(),
            secret_keys=json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"]),
        )
        for severity, log in (("warning", pulumi.log.warn), ("note", pulumi.log.info)):
            found = [str(note) for note in environment.notes if note.severity == severity]
            if found:
                # One message, since the engine repeats the first line of each at every step.
                log("\n  ".join([f"{severity}s on the configuration: {len(found)}", *found]))
        stack_of(environment.target).deploy(environment, root)
    except ConfigError as error:
        pulumi.log.error(str(error))
        raise SystemExit(SHOWN_TO_USER) from None


main()
