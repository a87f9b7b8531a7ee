"""The public address from which this machine reaches Azure, which an API server with authorized ranges must let in."""

import ipaddress
import os
from collections.abc import Mapping

import httpx

from tidegate.azure.errors import UnreachableError

SERVICE = "https://api.ipify.org"
"""Answers with the caller's IPv4 address. Azure itself has no such service."""


def deployer_address(environment: Mapping[str, str] | None = None) -> str:
    """This machine's public IPv4 address.

    TIDEGATE_DEPLOYER_ADDRESS says it where it is known (a runner with a fixed address; then nobody is asked), and
    TIDEGATE_ADDRESS_SERVICE names another service that answers with it. Raises `UnreachableError`.
    """
    environment = os.environ if environment is None else environment
    given = environment.get("TIDEGATE_DEPLOYER_ADDRESS")
    if given:
        return _address(given, "TIDEGATE_DEPLOYER_ADDRESS")
    service = environment.get("TIDEGATE_ADDRESS_SERVICE") or SERVICE
    try:
        answer = httpx.get(service, timeout=10).raise_for_status().text
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"this machine's public address cannot be had from {service} ({error}); set TIDEGATE_DEPLOYER_ADDRESS to it"
        ) from error
    return _address(answer, service)


def _address(text: str, source: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise UnreachableError(f"{source} says {text.strip()[:60]!r}, which is no IPv4 address") from None
