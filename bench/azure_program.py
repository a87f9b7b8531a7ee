"""One run of a program under the SDK's mocks, in a process of its own.

`python -m bench.azure_program FILE` reads from standard input what functions answer and the stack's config. Prints a
line of JSON: how many resources there were, and the CPU seconds of the whole process. With `--collector-off`, Python's
garbage collector is off from the program's start.
"""

import gc
import json
import os
import resource
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import SETTINGS

Properties = dict[str, Any]


class Answers(Mocks):
    """Takes every resource, counts it, and answers functions by what it was given."""

    def __init__(self, answers: dict[str, Properties]) -> None:
        self.resources = 0
        self._answers = answers

    def new_resource(self, args: MockResourceArgs) -> tuple[str, Properties]:
        """The inputs again, under an id of the name."""
        self.resources += 1
        outputs = dict(args.inputs)
        if "identity" in outputs:
            # The one input that is a list and an output that is a map.
            outputs["identity"] = {**outputs["identity"], "userAssignedIdentities": {}}
        return f"/{args.name}", outputs

    def call(self, args: MockCallArgs) -> tuple[Properties, list[tuple[str, str]]]:
        """The answer to the function, whatever it is asked."""
        return self._answers[args.token], []


def main() -> None:
    """Run one program and say what it cost."""
    if sys.argv[2:] == ["--collector-off"]:
        gc.disable()
    given = json.load(sys.stdin)
    mocks = Answers(given["answers"])
    os.environ |= {"PULUMI_CONFIG": json.dumps(given["config"]), "PULUMI_CONFIG_SECRET_KEYS": "[]"}
    set_mocks(mocks, "tidegate", "prod")
    SETTINGS.root_directory = str(Path.cwd())  # pyright: ignore[reportAttributeAccessIssue] (a descriptor)

    @pulumi.runtime.test
    def run() -> None:
        runpy.run_path(sys.argv[1], run_name="__main__")

    run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps({"resources": mocks.resources, "cpu": used.ru_utime + used.ru_stime}) + "\n")


if __name__ == "__main__":
    main()
