"""One run of a program on Azure under the SDK's mocks, in a process of its own.

`python -m bench.azure_program components N` registers the stack `prod` with N clusters by the project's components,
`python -m bench.azure_program FILE N` runs a program that registers the same by itself. Answers to functions are read
from standard input. Prints a line of JSON: how many resources there were, the CPU seconds of the whole process, and
those of them by which the config was read and checked.
"""

import json
import resource
import runpy
import sys
import time
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks

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
    program, clusters = sys.argv[1], int(sys.argv[2])
    mocks = Answers(json.load(sys.stdin))
    set_mocks(mocks, "tidegate", "prod")
    reading = 0.0

    @pulumi.runtime.test
    def run() -> None:
        nonlocal reading
        if program == "components":
            reading = _components(clusters)
        else:
            runpy.run_path(program)

    run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    said = {"resources": mocks.resources, "cpu": used.ru_utime + used.ru_stime, "config": reading}
    sys.stdout.write(json.dumps(said) + "\n")


def _components(clusters: int) -> float:
    """Register the stack; the CPU seconds that its config took."""
    began = time.process_time()
    from bench.azure_environment import CHECKOUT, environment  # noqa: PLC0415 (the other program does without)

    given = environment(clusters)
    reading = time.process_time() - began
    from stacks.azure import deploy  # noqa: PLC0415

    deploy(given, CHECKOUT)
    return reading


if __name__ == "__main__":
    main()
