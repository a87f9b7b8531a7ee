"""`python -m tools.ci.deploy STACK`: updates a stack, if that does what was reviewed and nothing else."""

import argparse
import os
import sys

from tools.ci.engine import Pulumi
from tools.ci.github import GitHub, GitHubError, Run
from tools.ci.job import flag, show
from tools.ci.login import LoginError, federated
from tools.ci.plan import Plan, differences
from tools.ci.reviewed import WAY_OUT, NotReviewedError, reviewed
from tools.ci.summary import code, summary


def refusal(github: GitHub, now: Plan, *, commit: str, stack: str) -> str:
    """Why `now` may not be carried out, in Markdown; empty where it may."""
    if now.failed:
        return "The preview failed."
    if now.credentials:
        return "An output would show a credential."
    if not now.steps:
        return ""  # nothing that anybody would have to review
    try:
        seen = reviewed(github, commit, stack)
    except NotReviewedError as error:
        return str(error)
    lines = differences(seen.plan, now)
    if not lines:
        return ""
    listed = "\n".join(f"- {code(line)}" for line in lines)
    return f"This is not [what was reviewed]({seen.link}): the state has moved since.\n\n{listed}\n\n{WAY_OUT}"


def main() -> None:
    """Preview, compare, update."""
    parser = argparse.ArgumentParser(prog="tools.ci.deploy", description=__doc__)
    parser.add_argument("stack")
    stack = parser.parse_args().stack
    run, refresh = Run.here(), flag("REFRESH")
    try:
        with GitHub(run, os.environ["GITHUB_TOKEN"]) as github, federated() as variables:
            pulumi = Pulumi(stack, variables)
            plan = pulumi.preview(refresh=refresh)
            against = refusal(github, plan, commit=run.commit, stack=stack)
            text = summary(plan, title=f"Deployment of {stack}")
            show(f"{text}\n**Stopped.** {against}\n" if against else text)
            if against:
                sys.exit(f"::error::{stack} is not deployed: {against.splitlines()[0]}")
            sys.exit(pulumi.up(refresh=refresh))
    except (GitHubError, LoginError) as error:
        sys.exit(f"::error::{error}")


if __name__ == "__main__":
    main()
