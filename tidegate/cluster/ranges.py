"""Ranges of addresses as Azure takes them: IPv4, in CIDR form, each beginning at the first address of its block."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, collapse_addresses

from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.parse import Loc

RANGE = Rule(
    "range-form",
    "a range of addresses is IPv4 and begins at the first address of its block",
    "aks-docs: api-server-authorized-ip-ranges.md",
)
RULES: tuple[Rule, ...] = (RANGE,)

MOST = 200
"""Authorized ranges of an API server, counted after merging (aks-docs: api-server-authorized-ip-ranges.md)."""

EVERYONE = IPv4Network("0.0.0.0/0")

PRIVATE: tuple[IPv4Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
)
"""RFC 1918 and RFC 6598."""

_FORM = re.compile(r"[0-9.]+(/[0-9]{1,2})?", re.ASCII)


def normalise(ranges: Iterable[str]) -> tuple[str, ...]:
    """Return the fewest ranges that cover the same addresses, sorted by address; a lone address becomes a /32.

    Raises ValueError where one is not of the form that `read_range` takes.
    """
    return tuple(str(network) for network in collapse_addresses([_network(text) for text in ranges]))


def read_range(loc: Loc, text: str) -> tuple[IPv4Network | None, list[Finding]]:
    """Read the range at `loc`; None with a finding where it is none."""
    try:
        return _network(text), []
    except ValueError:
        return None, [_wrong(loc, text)]


def read_ranges(loc: Loc, texts: Sequence[str]) -> tuple[list[IPv4Network], list[Finding]]:
    """Read the list of ranges at `loc`; those that are none are left out, with a finding each."""
    networks: list[IPv4Network] = []
    findings: list[Finding] = []
    for index, text in enumerate(texts):
        network, wrong = read_range((*loc, index), text)
        networks += [network] if network else []
        findings += wrong
    return networks, findings


def is_private(network: IPv4Network) -> bool:
    """Say whether all its addresses are private ones."""
    return any(network.subnet_of(block) for block in PRIVATE)


def _network(text: str) -> IPv4Network:
    if not _FORM.fullmatch(text):
        raise ValueError(text)
    return IPv4Network(text)


def _wrong(loc: Loc, text: str) -> Finding:
    if ":" in text:
        return RANGE.error(loc, f'"{text}" is not an IPv4 range', "Write an IPv4 range, e.g. 203.0.113.0/24")
    if _FORM.fullmatch(text):
        try:
            block = IPv4Network(text, strict=False)
        except ValueError:
            pass
        else:
            return RANGE.error(loc, f'"{text}" does not begin at the first address of its block', f"Write {block}")
    return RANGE.error(loc, f'"{text}" is no range of addresses', "Write one in CIDR form, e.g. 203.0.113.0/24")
