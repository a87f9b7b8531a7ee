from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.image.retention import StoredImage, judge, used_in

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def image(number: int, *tags: str, parts: tuple[str, ...] = ()) -> StoredImage:
    return StoredImage(f"sha256:{number:064x}", tags, BEGIN + timedelta(days=number), parts)


def kept(images: list[StoredImage], used: frozenset[str] = frozenset(), *, keep: int = 0) -> set[str]:
    return {verdict.image.digest for verdict in judge(images, used, keep=keep) if verdict.keep}


def test_what_a_state_mentions_is_kept_by_digest_or_by_name() -> None:
    one, two, three = image(1, "e1-" + "a" * 64), image(2, "e1-" + "b" * 64), image(3, "e1-" + "c" * 64)
    state = f'{{"ref": "host/tidegate/environment@{one.digest}", "key": "e1-{"b" * 64}"}}'
    assert kept([one, two, three], used_in([state])) == {one.digest, two.digest}


def test_a_name_cut_short_is_recognised() -> None:
    cut = image(1, "v1-" + "a" * 37)
    assert kept([cut], used_in([f'"v1-{"a" * 64}"'])) == {cut.digest}


def test_an_ordinary_tag_protects_nothing() -> None:
    assert kept([image(1, "cache"), image(2, "latest")], used_in(["cache latest"])) == set()


def test_the_newest_unused_ones_stay() -> None:
    images = [image(number) for number in range(1, 6)]
    assert kept(images, keep=2) == {images[3].digest, images[4].digest}


def test_the_parts_of_an_index_stay_with_it() -> None:
    part, index, loose = image(1), image(2, "e2-" + "a" * 64, parts=(image(1).digest,)), image(3)
    assert kept([part, index, loose], used_in(["e2-" + "a" * 64])) == {part.digest, index.digest}


@given(
    st.lists(st.integers(1, 30), unique=True, max_size=10),
    st.sets(st.integers(1, 30), max_size=10),
    st.integers(0, 5),
)
def test_nothing_used_ever_goes_and_the_order_does_not_matter(numbers: list[int], used: set[int], keep: int) -> None:
    images = [image(number) for number in numbers]
    names = frozenset(image(number).digest for number in used)
    found = kept(images, names, keep=keep)
    assert {i.digest for i in images} & names <= found
    assert len(found - names) == min(keep, len({i.digest for i in images} - names))
    assert kept(images[::-1], names, keep=keep) == found
