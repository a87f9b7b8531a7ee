import pytest

from tidegate.azure.propagation import PAUSES_S, pause_before_retry

KUBELET = (
    'Code="CustomKubeletIdentityMissingPermissionError" Message="The cluster using user-assigned managed identity..."'
)
FORBIDDEN = 'secrets is forbidden: User "00000000" cannot create resource "secrets" in API group ""'


@pytest.mark.parametrize(
    "error",
    [
        KUBELET,
        FORBIDDEN,
        'Code="CustomRouteTableMissingPermission" Message="..."',
        'Code="CustomPrivateDNSZoneMissingPermissionError" Message="..."',
        'Code="LinkedAuthorizationFailed" Message="The client has permission to perform action..."',
    ],
)
def test_a_right_that_is_not_there_yet_is_waited_for(error: str) -> None:
    assert pause_before_retry([error]) == PAUSES_S[0]
    assert pause_before_retry([error, error, error]) == PAUSES_S[2]


@pytest.mark.parametrize(
    "error",
    ["", 'Code="QuotaExceeded" Message="..."', 'Code="AuthorizationFailed" Message="The client does not have..."'],
)
def test_any_other_failure_stays_one(error: str) -> None:
    assert pause_before_retry([error]) is None
    assert pause_before_retry([error, KUBELET]) is None  # the newest counts


def test_nobody_waits_for_ever() -> None:
    assert pause_before_retry([FORBIDDEN] * len(PAUSES_S)) == PAUSES_S[-1]
    assert pause_before_retry([FORBIDDEN] * (len(PAUSES_S) + 1)) is None
    assert 500 < sum(PAUSES_S) < 700


def test_without_an_error_there_is_nothing_to_try_again() -> None:
    assert pause_before_retry([]) is None
