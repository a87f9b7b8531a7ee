"""Rights that Azure has given and does not yet honour: they take minutes to reach all of it."""

import re
from collections.abc import Sequence

PAUSES_S = (5, 10, 20, *[30] * 18)
"""Ten minutes in all, as long as Microsoft says that it may take (azure-docs: role-based-access-control/
troubleshooting.md, "Role assignment changes are not being detected")."""

_NOT_YET = re.compile(
    # What AKS says of an identity without the rights on its kubelet's, its subnets, its routes, its zone.
    r"Custom(KubeletIdentity|RouteTable|PrivateDNSZone)MissingPermission|LinkedAuthorizationFailed"
    # What a cluster with Azure RBAC says of the login that has just been made its administrator.
    r"|is forbidden: User"
)


def pause_before_retry(errors: Sequence[str]) -> float | None:
    """How long to wait before what failed with `errors`, the newest first, is tried again.

    None where another reason is behind the newest one, or it has been tried often enough.
    """
    if not errors or not _NOT_YET.search(errors[0]) or len(errors) > len(PAUSES_S):
        return None
    return float(PAUSES_S[len(errors) - 1])
