"""The workflow's login to Azure, kept fresh for as long as `pulumi` runs.

GitHub's OIDC token lives for minutes and a cluster takes longer to make. Whatever logs in during an update (the
state's backend, Key Vault, kubelogin, this project's plugin) reads the token from a file, by Azure's workload identity;
a thread writes a new one in time. azure-native asks GitHub itself.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

AUDIENCE = "api://AzureADTokenExchange"
RENEW_S = 120.0
"""GitHub's tokens end after five minutes."""


class LoginError(Exception):
    """GitHub gives no token; the text holds none."""


@contextmanager
def federated(environment: Mapping[str, str] = os.environ, *, renew: float = RENEW_S) -> Iterator[dict[str, str]]:
    """The variables by which Azure's libraries log in while the block runs; none outside of a workflow.

    Raises LoginError where the workflow cannot have a token.
    """
    url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    bearer = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not bearer:
        if environment.get("GITHUB_ACTIONS") == "true":
            raise LoginError("the job gets no OIDC token: it needs the permission `id-token: write`")
        yield {}
        return
    missing = [
        name for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID") if not environment.get(name)
    ]
    if missing:
        raise LoginError(f"set the repository's or the environment's variables {', '.join(missing)}")
    with tempfile.TemporaryDirectory(dir=environment.get("RUNNER_TEMP")) as folder:
        file = Path(folder) / "token"
        ended = threading.Event()
        _write(file, _token(url, bearer))
        thread = threading.Thread(target=_renew, args=(file, lambda: _token(url, bearer), ended, renew), daemon=True)
        thread.start()
        try:
            yield {
                "AZURE_FEDERATED_TOKEN_FILE": str(file),
                "ARM_USE_OIDC": "true",
                "ARM_CLIENT_ID": environment["AZURE_CLIENT_ID"],
                "ARM_TENANT_ID": environment["AZURE_TENANT_ID"],
                "ARM_SUBSCRIPTION_ID": environment["AZURE_SUBSCRIPTION_ID"],
            }
        finally:
            ended.set()
            thread.join()


def _renew(file: Path, ask: Callable[[], str], ended: threading.Event, seconds: float) -> None:
    while not ended.wait(seconds):
        try:
            _write(file, ask())
        except LoginError as error:
            print(f"::warning::{error}; trying again", file=sys.stderr)  # noqa: T201 (a workflow command)


def _token(url: str, bearer: str) -> str:
    try:
        whole = httpx.URL(url).copy_merge_params({"audience": AUDIENCE})
        answer = httpx.get(whole, headers={"authorization": f"Bearer {bearer}"}, timeout=30)
        return str(answer.raise_for_status().json()["value"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise LoginError(f"GitHub gives no OIDC token: {type(error).__name__}") from None


def _write(file: Path, token: str) -> None:
    new = file.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(token)
    new.replace(file)  # a reader never sees half of one
