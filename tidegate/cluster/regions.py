"""The regions of Azure's public cloud: how they are spelt, which is paired with which, and their zones."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Region:
    """A region of Azure."""

    name: str
    """As ARM writes it: `westeurope`."""
    display_name: str
    """`West Europe`"""
    paired: str | None
    """The region it is paired with. Some have none, and the other's pair may be a third one."""
    zones: tuple[str, ...]
    """Its logical availability zones; empty where it has none."""


def find(location: str) -> Region | None:
    """Return the region that `location` names, as "West Europe" or "westeurope"; None where the table has none."""
    return _regions().get(plain(location))


def nearest(location: str) -> str | None:
    """Return the name of the region that may have been meant."""
    return next(iter(difflib.get_close_matches(plain(location), list(_regions()), n=1)), None)


def plain(location: str) -> str:
    """Return `location` as ARM writes names of regions, known or not: `West Europe` is `westeurope`."""
    return "".join(location.split()).lower()


@cache
def _regions() -> Mapping[str, Region]:
    table = json.loads(files("tidegate.cluster").joinpath("data", "regions.json").read_text(encoding="utf-8"))
    return {
        name: Region(name, row["displayName"], row["pairedRegion"], tuple(row["zones"]))
        for name, row in table["regions"].items()
    }
