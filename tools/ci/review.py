"""`python -m tools.ci.review STACK --plan FILE`: shows a plan to the reviewers, and says whether it may be merged."""

import argparse
import json
import os
import sys
from pathlib import Path

from tools.ci.comment import body_of, marker, upsert
from tools.ci.github import GitHub, GitHubError, Run
from tools.ci.job import flag, pull_request
from tools.ci.plan import Plan, from_record
from tools.ci.summary import code, summary

LABEL = "allow-replacement"


def review(github: GitHub, plan: Plan, *, stack: str, run: Run, number: int | None, allowed: bool) -> list[str]:
    """Comment on the pull request `number`, or none; what stands against merging.

    What is destroyed needs a label, or where there is no pull request `allowed`.
    """
    if number is not None:
        allowed = LABEL in {label["name"] for label in github.pages(f"issues/{number}/labels")}
        foot = f"<sub>of {run.commit[:12]} by [this run]({run.link}) &middot; plan {plan.digest[:15]}</sub>"
        consent = f"The label {code(LABEL)} is there." if allowed else f"That needs the label {code(LABEL)} here."
        text = summary(plan, title=f"Preview of {stack}", consent=consent, foot=foot)
        mark = marker("preview", stack)
        upsert(
            github,
            number,
            mark,
            body_of(mark, text, note=f"**Too long for a comment:** the rest is in [this run]({run.link})."),
        )
    found: list[str] = []
    if plan.failed:
        found.append("the preview failed")
    if plan.destructive and not allowed:
        names = ", ".join(step.name for step in plan.destructive)
        way = f"add the label {LABEL}" if number is not None else "run it again with allow-replacement"
        found.append(f"{names} would be replaced or deleted: {way} if that is meant")
    return [*found, *plan.credentials]


def main() -> None:
    """Read the plan, comment, and fail with what stands against it."""
    parser = argparse.ArgumentParser(prog="tools.ci.review", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--plan", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    run = Run.here()
    try:
        plan = from_record(json.loads(options.plan.read_text()))
        with GitHub(run, os.environ["GITHUB_TOKEN"]) as github:
            against = review(
                github,
                plan,
                stack=options.stack,
                run=run,
                number=pull_request(),
                allowed=flag("ALLOW_REPLACEMENT"),
            )
    except FileNotFoundError:
        against = [f"there is no plan of {options.stack}; the step before says why"]
    except (GitHubError, ValueError) as error:
        against = [str(error)]
    sys.exit("\n".join(f"::error::{each}" for each in against) or 0)


if __name__ == "__main__":
    main()
