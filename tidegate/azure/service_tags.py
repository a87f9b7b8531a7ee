"""Azure's service tags by REST: the same content as Microsoft's weekly file."""

from tidegate.azure.arm import Arm, Json

API_VERSION = "2024-05-01"


def fetch_service_tags(arm: Arm, subscription: str, location: str) -> Json:
    """The service tags of all regions, as the weekly file has them (`values`); `location` only picks the version."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/serviceTags"
    first = arm.get(path, API_VERSION)
    rest = arm.follow(first.get("nextLink"), key="values")
    return first | {"values": [*first.get("values", []), *rest]}
