"""How many vCPUs a subscription may have in a region, by VM family."""

from dataclasses import dataclass

from tidegate.azure.arm import Arm

API_VERSION = "2024-07-01"


@dataclass(frozen=True)
class Usage:
    """What is used of a limit, in vCPUs."""

    used: int
    limit: int


def compute_usage(arm: Arm, subscription: str, location: str) -> dict[str, Usage]:
    """The quota of each VM family by Azure's name for it (`standardDSv5Family`); `cores` is the whole region's."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages"
    return {
        str(each["name"]["value"]): Usage(used=int(each["currentValue"]), limit=int(each["limit"]))
        for each in arm.each(path, API_VERSION)
    }
