"""`python -m tools.ci.preview STACK --plan FILE`: previews, and keeps the plan for those that judge it."""

import argparse
import json
import sys
from pathlib import Path

from tools.ci.engine import Pulumi
from tools.ci.github import Run
from tools.ci.job import flag, show
from tools.ci.login import LoginError, federated
from tools.ci.plan import Message, Plan
from tools.ci.summary import summary


def preview(stack: str, file: Path, run: Run, *, refresh: bool = False) -> Plan:
    """Preview `stack` and write the plan to `file`, a failed one too; `refresh` looks at what is really there."""
    try:
        with federated() as variables:
            plan = Pulumi(stack, variables).preview(refresh=refresh)
    except LoginError as error:
        plan = Plan((), (Message("error", str(error)),), failed=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plan.record(stack=stack, commit=run.commit), indent=1))
    return plan


def main() -> None:
    """Preview, show it in the run's summary, and fail where the preview failed."""
    parser = argparse.ArgumentParser(prog="tools.ci.preview", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--plan", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    plan = preview(options.stack, options.plan, Run.here(), refresh=flag("REFRESH"))
    show(summary(plan, title=f"Preview of {options.stack}"))
    sys.exit(1 if plan.failed else 0)


if __name__ == "__main__":
    main()
