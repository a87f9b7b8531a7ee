"""Ids of Azure resources: nine parts between slashes, of which case does not count."""

import re
from dataclasses import dataclass

from tidegate.guid import GUID


@dataclass(frozen=True)
class ResourceId:
    """What an id says."""

    subscription_id: str
    """In lower case."""
    resource_group: str
    name: str


def parse_id(text: str, resource_type: str) -> ResourceId | str:
    """Read the id of a resource of `resource_type` (`Microsoft.X/things`), or return what is wrong with it."""
    parts = text.split("/")
    provider, _, kind = resource_type.partition("/")
    if len(parts) != 9:
        return (
            f"of its nine parts between slashes, it has {len(parts)}"
            if len(parts) < 9
            else "it has more than nine parts"
        )
    _, subscriptions, subscription, groups, group, providers, own_provider, own_kind, name = parts
    if parts[0]:
        return "it does not begin with a slash"
    for part, word in ((subscriptions, "subscriptions"), (groups, "resourceGroups"), (providers, "providers")):
        if part.lower() != word.lower():
            return f'"{part}" stands where {word} belongs'
    if (own_provider.lower(), own_kind.lower()) != (provider.lower(), kind.lower()):
        return f"it is one of {own_provider}/{own_kind}, not of {resource_type}"
    if not re.fullmatch(GUID, subscription):
        return f'"{subscription}" is no subscription id'
    if not group or not name:
        return "its resource group or its name is empty"
    return ResourceId(subscription.lower(), group, name)


def id_form(resource_type: str) -> str:
    """What an id of `resource_type` looks like, for a remedy."""
    return f"/subscriptions/<id>/resourceGroups/<group>/providers/{resource_type}/<name>"
