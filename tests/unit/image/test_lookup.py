"""Where an image comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.findings import ConfigError
from tidegate.image.credentials import CredentialsError
from tidegate.image.lookup import Registries, Remembered, find_image, promoted, promoted_digest
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryError

OWN, FIRST, SECOND = "own.azurecr.io", "first.azurecr.io", "second.azurecr.io"
NAME, TAG = "tidegate/environment", "e1-1"
DIGEST = "sha256:" + "1" * 64
REGISTRIES = Registries(OWN, shared=(FIRST, SECOND))


class Hosts:
    """Registries of which some have the image; `asked` are those that had to say so."""

    def __init__(self, *having: str) -> None:
        self.having = having
        self.asked: list[str] = []

    def digest_of(self, reference: Reference) -> str | None:
        assert (reference.repository, reference.tag, reference.digest) == (NAME, TAG, "")
        self.asked.append(reference.registry)
        return DIGEST if reference.registry in self.having else None


def find(hosts: Hosts, remembered: Remembered | None = None, registries: Registries = REGISTRIES) -> Reference | None:
    return find_image(NAME, TAG, registries, remembered, hosts.digest_of)


def remember(host: str, *, built: bool, tag: str = TAG) -> Remembered:
    return Remembered(Reference(host, NAME, tag, DIGEST), built)


def test_the_own_registry_is_asked_before_the_shared_ones_in_their_order() -> None:
    hosts = Hosts(SECOND)
    assert find(hosts) == Reference(SECOND, NAME, TAG, DIGEST)
    assert hosts.asked == [OWN, FIRST, SECOND]
    assert find(Hosts(OWN, FIRST, SECOND)) == Reference(OWN, NAME, TAG, DIGEST)
    assert find(Hosts()) is None


def test_a_registry_that_is_yet_to_be_made_is_not_asked() -> None:
    hosts = Hosts(FIRST)
    assert find(hosts, registries=Registries(OWN, own_exists=False, shared=(FIRST,))) is not None
    assert hosts.asked == [FIRST]


@given(having=st.sets(st.sampled_from([OWN, FIRST, SECOND])))
def test_a_build_of_this_stack_stays_declared_whatever_registries_hold(having: set[str]) -> None:
    hosts = Hosts(*having)
    assert find(hosts, remember(OWN, built=True)) is None
    assert hosts.asked == []


def test_a_build_for_another_content_or_registry_says_nothing() -> None:
    assert find(Hosts(OWN), remember(OWN, built=True, tag="e1-2")) is not None
    assert find(Hosts(OWN), remember("old.azurecr.io", built=True)) is not None


@given(
    place=st.sampled_from([OWN, FIRST, SECOND]),
    further=st.sets(st.sampled_from([OWN, FIRST, SECOND])),
)
def test_what_was_found_before_costs_one_request(place: str, further: set[str]) -> None:
    hosts = Hosts(place, *further)
    assert find(hosts, remember(place, built=False)) == Reference(place, NAME, TAG, DIGEST)
    assert hosts.asked == [place]


def test_a_registry_that_is_shared_no_longer_is_not_asked() -> None:
    hosts = Hosts(FIRST)
    assert find(hosts, remember(FIRST, built=False), Registries(OWN)) is None
    assert hosts.asked == [OWN]


@pytest.mark.parametrize("error", [RegistryError(OWN, "DENIED: no"), CredentialsError("the file is damaged")])
def test_who_cannot_be_asked_has_not_said_that_it_is_missing(error: Exception) -> None:
    def refuse(_: Reference) -> str | None:
        raise error

    with pytest.raises(ConfigError) as raised:
        find_image(NAME, TAG, REGISTRIES, None, refuse)
    assert str(error) in str(raised.value)
    assert f"{OWN}/{NAME}:{TAG}" in str(raised.value)


RAN = {f"{NAME}:{TAG}": f"{OWN}/{NAME}@{DIGEST}", "tidegate/e-ridge:v1-1": f"{OWN}/tidegate/e-ridge@{DIGEST}"}
PATH = "tidegate:endpoints.e.versions.ridge"


def test_what_ran_is_promoted_by_its_digest() -> None:
    assert promoted(NAME, TAG, RAN, stack="dev", path=PATH) == Reference(OWN, NAME, TAG, DIGEST)
    named = Reference(OWN, NAME, digest=DIGEST)
    assert promoted_digest(named, RAN, stack="dev", path=PATH) == named


def test_what_never_ran_is_refused_and_what_did_is_named() -> None:
    with pytest.raises(ConfigError) as raised:
        promoted(NAME, "e1-2", RAN, stack="dev", path=PATH)
    text = str(raised.value)
    assert f"{PATH}: {NAME}:e1-2 never ran in the stack dev; it ran {NAME}:{TAG}" in text
    assert "v1-1" not in text
    with pytest.raises(ConfigError, match="never ran in the stack dev"):
        promoted_digest(Reference(OWN, NAME, digest="sha256:" + "2" * 64), RAN, stack="dev", path=PATH)
