"""The addresses from which Azure ML calls, by Microsoft's service tags."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import cast

from tidegate.cluster.ranges import normalise
from tidegate.cluster.regions import find
from tidegate.cluster.rule import Rule
from tidegate.findings import Finding
from tidegate.parse import Loc

SERVICE_TAGS = Rule(
    "service-tags",
    "Azure ML reaches the API server from the addresses of its service tag, in the workspace's region and the paired "
    "one",
    "ml-docs: v1/how-to-create-attach-kubernetes.md; Microsoft: ServiceTags_Public_<date>.json",
)
UNPAIRED = Rule(
    "workspace-region-unpaired",
    "thirteen of Azure's regions have no paired region",
    "Azure: GET /subscriptions/{id}/locations; tidegate/cluster/data/regions.json",
)
RULES: tuple[Rule, ...] = (SERVICE_TAGS, UNPAIRED)

TAG = "AzureMachineLearning"

_SPELT_OTHERWISE: Mapping[str, str] = {
    "francecentral": "centralfrance",
    "francesouth": "southfrance",
    "germanywestcentral": "germanywc",
    "germanynorth": "germanyn",
    "norwayeast": "norwaye",
    "norwaywest": "norwayw",
    "switzerlandnorth": "switzerlandn",
    "switzerlandwest": "switzerlandw",
}
"""Regions that service tags write in another way (azure-docs: service-tags-overview.md)."""

PLACE: Loc = ("tidegate:workspace", "serviceTags")


class ServiceTagError(LookupError):
    """A document has no ranges of Azure ML for a region, or is none of service tags; `str()` says which."""


def load(path: Path) -> Mapping[str, object]:
    """Read Microsoft's service-tag file. Raises ServiceTagError where it cannot be read or is no JSON object."""
    try:
        document: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ServiceTagError("the file cannot be read as JSON") from error
    if not isinstance(document, Mapping):
        raise ServiceTagError("the file is no JSON object")
    return cast(Mapping[str, object], document)


def ranges_of(document: Mapping[str, object], region: str) -> tuple[str, ...]:
    """Return Azure ML's IPv4 ranges for `region` and its pair, merged; `document` is the file or the API's answer.

    A pair without a tag of its own is left out: `workspace_ranges` says so. Raises ServiceTagError where the region
    itself has none, because a cluster that the workspace cannot reach fails only much later.
    """
    own, paired = _both(document, region)
    return normalise([*own, *paired])


def workspace_ranges(
    document: Mapping[str, object], region: str, *, loc: Loc = PLACE
) -> tuple[tuple[str, ...], list[Finding]]:
    """Return what `ranges_of` does, with its error and what is known of the pair as findings at `loc`."""
    try:
        own, paired = _both(document, region)
    except ServiceTagError as error:
        remedy = "Download ServiceTags_Public_<date>.json anew, or leave serviceTags out: then the login asks Azure"
        return (), [SERVICE_TAGS.error(loc, str(error), remedy)]
    ranges = normalise([*own, *paired])
    known = find(region)
    if known is None or known.paired is None:
        problem = f"{region} has no paired region: Azure ML's addresses of {region} alone are let in"
        return ranges, [UNPAIRED.note(loc, problem)]
    if not paired:
        problem = f"{known.paired}, the pair of {region}, has no tag {TAG}: the addresses of {region} alone are let in"
        return ranges, [SERVICE_TAGS.warning(loc, problem)]
    return ranges, []


def _both(document: Mapping[str, object], region: str) -> tuple[list[str], list[str]]:
    """Azure ML's ranges of the region, and of its pair; raises where the region has none."""
    known = find(region)
    own = _prefixes(document, known.name if known else region)
    if own is None:
        raise ServiceTagError(f"there is no service tag {TAG} for {region}")
    return own, (_prefixes(document, known.paired) or [] if known and known.paired else [])


def _prefixes(document: Mapping[str, object], region: str) -> list[str] | None:
    """Azure ML's IPv4 ranges for one region; None where it has no tag."""
    spellings = {region.lower(), _SPELT_OTHERWISE.get(region.lower(), region.lower())}
    values = document.get("values")
    if not isinstance(values, list):
        raise ServiceTagError("the document has no list of service tags under values")
    for value in cast(list[object], values):
        if not isinstance(value, Mapping):
            continue
        tag = cast(Mapping[str, object], value)
        service, _, place = str(tag.get("name", "")).partition(".")
        properties = tag.get("properties")
        if service.lower() != TAG.lower() or not place or not isinstance(properties, Mapping):
            continue
        described = cast(Mapping[str, object], properties)
        if not spellings.isdisjoint({place.lower(), str(described.get("region", "")).lower()}):
            return _ipv4(str(tag["name"]), described.get("addressPrefixes"))
    return None


def _ipv4(name: str, prefixes: object) -> list[str]:
    found = [str(prefix) for prefix in cast(list[object], prefixes)] if isinstance(prefixes, list) else []
    try:
        networks = [str(IPv4Network(prefix)) for prefix in found if ":" not in prefix]
    except ValueError as error:
        raise ServiceTagError(f"the service tag {name} has a range that is none") from error
    if not networks:
        raise ServiceTagError(f"the service tag {name} has no IPv4 ranges")
    return networks
