"""A token for an endpoint that takes tokens, from the login that is there; locally from the stack's own issuer."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.errors import CliError
from cli.project import Project
from tidegate.targets.local_paths import state_folder
from tidegate.targets.local_tokens import EARLY_S, LIFETIME_S, LONGEST_S, Issuer, Token

LoginToken = Callable[[str], tuple[str, float]]
"""Asks the login that is there for a token of a scope: its text, and when it ends."""


@dataclass(frozen=True)
class Wish:
    """What a token should say that is not what the endpoint asks for: to see what it refuses. Local stacks only."""

    role: str | None = None
    """Another role; "" for none."""
    audience: str | None = None
    expires_in_s: int | None = None
    """Seconds; below 0 for a token that has ended."""


def token(project: Project, name: str, wish: Wish = Wish(), *, login: LoginToken | None = None) -> Token:
    """A token for one endpoint.

    Raises CliError where the endpoint takes no tokens, or where there is no login that works.
    """
    return token_for(project, name, project.endpoint(name), wish, login=login)


def token_for(
    project: Project, name: str, endpoint: dict[str, Any], wish: Wish = Wish(), *, login: LoginToken | None = None
) -> Token:
    """The same where the endpoint's outputs are at hand."""
    if endpoint["auth"] != "token":
        raise CliError(f"endpoint {name} takes no token (auth: {endpoint['auth']})")
    taken = endpoint["token"]
    if scope := taken.get("scope"):
        if wish != Wish():
            raise CliError("Entra ID decides what is in its tokens; only local stacks sign others")
        text, expires = (login or _from_login)(scope)
        return Token(text, expires)
    return _signed_here(project, name, taken, wish)


def bearer(project: Project, name: str, endpoint: dict[str, Any]) -> str | None:
    """What goes behind `Bearer` for an endpoint with these outputs: a key, a token, or nothing."""
    if endpoint["auth"] == "token":
        return token_for(project, name, endpoint).text
    return endpoint["keys"]["primary"] if endpoint["auth"] == "key" else None


def refresh_at(token: Token) -> datetime:
    """When a client should ask for the next one: a while before this one ends."""
    return datetime.fromtimestamp(max(token.expires - EARLY_S, 0), UTC)


def as_json(token: Token) -> dict[str, Any]:
    """The token, when it ends and when to ask for the next, in UTC."""
    ends = datetime.fromtimestamp(token.expires, UTC)
    return {"token": token.text, "expires": ends.isoformat(), "refreshAfter": refresh_at(token).isoformat()}


def _signed_here(project: Project, name: str, taken: dict[str, Any], wish: Wish) -> Token:
    issuer = Issuer.read(state_folder(project.root, project.stack))
    if issuer is None:
        raise CliError(f"stack {project.stack} has no issuer of tokens on this machine for {name}; run pulumi up")
    lifetime = LIFETIME_S if wish.expires_in_s is None else wish.expires_in_s
    if lifetime > LONGEST_S:
        raise CliError(f"--expires-in {lifetime} is above {LONGEST_S}, the longest that a token may live")
    role = taken["role"] if wish.role is None else wish.role
    audience = taken["audience"] if wish.audience is None else wish.audience
    return issuer.sign(audience, [role] if role else [], lifetime_s=lifetime, now=time.time())


def _from_login(scope: str) -> tuple[str, float]:
    from tidegate.azure.errors import LoginError  # noqa: PLC0415 (only where Entra ID is asked)
    from tidegate.azure.login import Login  # noqa: PLC0415 (as above)

    try:
        return Login().dated_token(scope)
    except LoginError as error:
        raise CliError(str(error)) from error


def show(found: Token) -> None:
    """The token alone on standard output; what is to be known of it on standard error."""
    sys.stdout.write(found.text + "\n")
    sys.stderr.write(f"ask for the next one after {refresh_at(found):%Y-%m-%d %H:%M:%S} UTC\n")
