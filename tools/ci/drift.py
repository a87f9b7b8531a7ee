"""`python -m tools.ci.drift STACK`: whether what is there is still what the program says; one issue a stack tells."""

import argparse
import os
import sys

from tools.ci.comment import body_of, is_ours, marker
from tools.ci.engine import Pulumi
from tools.ci.github import GitHub, GitHubError, Json, Run
from tools.ci.job import show
from tools.ci.login import LoginError, federated
from tools.ci.plan import Plan
from tools.ci.summary import code, summary


def report(github: GitHub, plan: Plan, *, stack: str, run: Run) -> str:
    """Open, rewrite or close the stack's issue; what was done, in a few words.

    What the program leaves to others, such as the node count of an autoscaled pool, is no step of a plan and so no
    drift.
    """
    mark = marker("drift", stack)
    issue = next((each for each in github.pages("issues", state="open") if _is(each, mark)), None)
    if not plan.steps:
        if issue is None:
            return "no drift"
        github.post(f"issues/{issue['number']}/comments", {"body": f"Gone in [this run]({run.link})."})
        github.patch(f"issues/{issue['number']}", {"state": "closed", "state_reason": "completed"})
        return f"no drift any more: closed #{issue['number']}"
    body = body_of(
        mark, _text(plan, stack, run), note=f"**Too long for an issue:** the rest is in [this run]({run.link})."
    )
    if issue is None:
        made = github.post("issues", {"title": f"Stack {stack} is not what main says", "body": body})
        return f"drift: opened #{made['number']}"
    # Its body is rewritten, which tells nobody anew: a drift that stays is not news.
    github.patch(f"issues/{issue['number']}", {"body": body})
    return f"drift: #{issue['number']} says so"


def main() -> None:
    """Preview with a refresh, report, and fail only where that was not possible."""
    parser = argparse.ArgumentParser(prog="tools.ci.drift", description=__doc__)
    parser.add_argument("stack")
    stack = parser.parse_args().stack
    run = Run.here()
    try:
        with federated() as variables:
            plan = Pulumi(stack, variables).preview(refresh=True)
        show(summary(plan, title=f"Drift of {stack}"))
        if plan.failed:
            sys.exit(f"::error::whether {stack} has drifted cannot be told: the preview failed")
        with GitHub(run, os.environ["GITHUB_TOKEN"]) as github:
            show(f"\n{report(github, plan, stack=stack, run=run)}\n")
    except (GitHubError, LoginError) as error:
        sys.exit(f"::error::{error}")


def _is(issue: Json, mark: str) -> bool:
    return "pull_request" not in issue and is_ours(issue, mark)


def _text(plan: Plan, stack: str, run: Run) -> str:
    return f"""\
What is there differs from what `main` says of {code(stack)}: somebody changed it by hand, or a merge waits for its
deployment.

- To undo it, run the workflow preview on `main` with *refresh*, read what it plans, then run deploy with *refresh*.
- To keep it, write it into the stack's config in a pull request.

Seen by [this run]({run.link}). Rewritten every night; closed when both are the same again.

{summary(plan, title="What an update would do")}"""


if __name__ == "__main__":
    main()
