"""What a report says of two records."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.records import CONTENTS, ENDPOINTS, UNTIMED, VERSIONS, Record, endpoint, version
from tidegate.report.diff import MOST, EndpointReport, VersionRow, compare


def said(report: EndpointReport) -> list[str]:
    return [f"{each.subject}: {each.text}" for each in report.sentences]


def row(report: EndpointReport, name: str) -> VersionRow:
    return next(each for each in report.rows if each.version == name)


@UNTIMED
@given(ENDPOINTS)
def test_equal_records_give_nothing(record: Record) -> None:
    report = compare(record, copy.deepcopy(record))
    assert (bool(report), report.event, report.rows, report.sentences) == (False, "unchanged", (), ())


@UNTIMED
@given(ENDPOINTS, st.data())
def test_every_difference_of_a_version_is_on_its_row_and_on_no_other(record: Record, data: st.DataObject) -> None:
    changed = copy.deepcopy(record)
    name = data.draw(st.sampled_from(sorted(changed["versions"])))
    part = data.draw(st.sampled_from(sorted(changed["versions"][name])))
    changed["versions"][name][part] = data.draw(VERSIONS)[part]
    report = compare(record, changed)
    differs = record != changed
    assert bool(report) == differs
    if differs:
        assert row(report, name).fate in ("restarts", "in place")
        assert {each.fate for each in report.rows if each.version != name} <= {"unchanged"}
        in_table = part in ("percent", "replicas")
        assert in_table or any(each.subject == name for each in report.sentences)


@UNTIMED
@given(ENDPOINTS, st.data())
def test_every_difference_of_the_endpoint_is_said(record: Record, data: st.DataObject) -> None:
    changed = copy.deepcopy(record)
    part = data.draw(st.sampled_from(["auth", "keys", "default", "control", "settings", "description", "tags"]))
    changed[part] = data.draw(ENDPOINTS)[part]
    report = compare(record, changed)
    assert bool(report) == (record != changed)
    # The keys are told with every change, so they alone prove nothing.
    subjects = {each.subject for each in report.sentences} - ({"keys"} if part != "keys" else set())
    assert bool(subjects) == (record != changed)


@UNTIMED
@given(ENDPOINTS, ENDPOINTS)
def test_all_versions_of_before_and_after_have_one_row(old: Record, new: Record) -> None:
    report = compare(old, new)
    names = [each.version for each in report.rows]
    assert names == (sorted({**old["versions"], **new["versions"]}) if old != new else [])
    came, went = new["versions"].keys() - old["versions"], old["versions"].keys() - new["versions"]
    for fate, expected in (("new", came), ("removed", went)):
        assert {each.version for each in report.rows if each.fate == fate} == expected


def test_a_weight_changes_in_place_with_the_image_and_the_keys_kept() -> None:
    report = compare(endpoint(), endpoint({"one": version(50), "two": version(50)}))
    assert report.rows == (
        VersionRow("one", "80 % -> 50 %", "kept", "1-10", "in place"),
        VersionRow("two", "20 % -> 50 %", "kept", "1-10", "in place"),
    )
    assert said(report) == ["keys: primary kept; secondary kept"]


def test_a_new_version_and_one_that_goes() -> None:
    report = compare(endpoint(), endpoint({"one": version(90), "three": version(10)}))
    assert row(report, "three") == VersionRow("three", "10 %", "new", "1-10", "new")
    assert row(report, "two") == VersionRow("two", "20 % -> -", "-", "1-10", "removed")


@pytest.mark.parametrize(
    ("part", "value", "cell", "why"),
    [
        ("code", "s1-" + "e" * 64, "new: code", "the code: s1-cccccccccccc -> s1-eeeeeeeeeeee"),
        (
            "models",
            {"ridge:2": "sha256:" + "d" * 64},
            "new: models",
            "the model ridge:2: (none) -> sha256:dddddddddddd",
        ),
        ("requirements", ["numpy==2.5.*", "scikit-learn==1.9.1"], "new: environment", "numpy: ==2.4.* -> ==2.5.*"),
        ("key", "e1-" + "1" * 64, "new", "what it is made from is another"),
    ],
)
def test_a_new_image_restarts_its_version_and_says_why(part: str, value: object, cell: str, why: str) -> None:
    changed = endpoint({"one": version(80, contents={**CONTENTS, part: value}), "two": version(20)})
    report = compare(endpoint(), changed)
    assert (row(report, "one").image, row(report, "one").fate) == (cell, "restarts")
    assert (row(report, "two").image, row(report, "two").fate) == ("kept", "unchanged")
    assert any(each.startswith("one: new image: ") and why in each for each in said(report))


def test_a_given_image() -> None:
    given_image = compare(endpoint(), endpoint({"one": version(80, image="scorer:3", contents={}), "two": version(20)}))
    assert row(given_image, "one").image == "new: given"
    assert "one: image (made here) -> scorer:3" in said(given_image)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (("1", "1"), ("2", "1"), "primary rotated (1 -> 2); secondary kept"),
        (("1", "1"), ("given", "1"), "primary given in place of the one made here; secondary kept"),
        (("given", "given"), ("1", "given"), "primary made in place of the given one; secondary given"),
        ((), ("1", "1"), "primary made; secondary made"),
        (("1", "1"), (), "no longer asked for; auth: key again makes new ones"),
    ],
)
def test_keys(old: tuple[str, ...], new: tuple[str, ...], text: str) -> None:
    before, after = (dict(zip(("primary", "secondary"), keys, strict=False)) for keys in (old, new))
    assert f"keys: {text}" in said(compare(endpoint(keys=before), endpoint(keys=after)))


def test_the_mode_of_access_the_default_and_the_control_move() -> None:
    before = endpoint(control="one")
    after = endpoint({"two": version(100)}, auth="none", keys={}, default="two", control="two")
    assert said(compare(before, after))[:4] == [
        "auth: key -> none: everybody who reaches the gateway may score",
        "keys: no longer asked for; auth: key again makes new ones",
        "default: one -> two; one is removed",
        "control: one -> two; one is removed",
    ]


def test_what_restarts_says_by_which_setting_and_that_capacity_is_lost() -> None:
    slower = {
        "restarting": {"scoringTimeoutMs": "90000", "gpuCores": "1"},
        "strategy": "Recreate: pool gpu has no room",
    }
    report = compare(endpoint(), endpoint({"one": version(80, **slower), "two": version(20)}))
    assert row(report, "one").fate == "restarts"
    assert "one: restarts: gpuCores (none) -> 1; scoringTimeoutMs 60000 -> 90000" in said(report)
    assert "one: all its pods are replaced at once (Recreate): pool gpu has no room" in said(report)


def test_the_reason_for_a_strategy_changes_nothing_and_another_strategy_no_pod() -> None:
    one, other, recreated = (
        endpoint({"one": version(100, strategy=each)})
        for each in ("RollingUpdate: 2 GPUs", "RollingUpdate: 3 GPUs", "Recreate: no room")
    )
    assert not compare(one, other)
    assert not compare(endpoint({"one": version(100)}), one)
    assert [each.fate for each in compare(one, recreated).rows] == ["in place"]
    assert "one: in place: strategy RollingUpdate -> Recreate" in said(compare(one, recreated))


def test_another_namespace_makes_every_version_anew() -> None:
    report = compare(endpoint(), endpoint(settings={"namespace": "scoring", "sample": "a.json"}))
    assert {each.fate for each in report.rows} == {"restarts"}
    assert "namespace: diabetes -> scoring; everything is made anew there" in said(report)
    assert "in place: sample (none) -> a.json" in said(report)


def test_many_reasons_are_counted() -> None:
    many = [f"package-{number:02}" for number in range(MOST + 3)]
    changed = endpoint({"one": version(100, contents={**CONTENTS, "requirements": many})})
    text = next(each for each in said(compare(endpoint({"one": version(100)}), changed)) if "new image" in each)
    assert text.endswith("; and 5 more")
    assert text.count(";") == MOST


@UNTIMED
@given(ENDPOINTS, st.data())
def test_a_record_of_an_earlier_release_is_compared_too(record: Record, data: st.DataObject) -> None:
    earlier = copy.deepcopy(record)
    del earlier[data.draw(st.sampled_from(sorted(earlier.keys() - {"endpoint", "versions"})))]
    for each in earlier["versions"].values():
        del each[data.draw(st.sampled_from(sorted(each)))]
    assert compare(earlier, record).endpoint == "diabetes"
    assert not compare(earlier, copy.deepcopy(earlier))


def test_a_shadow_that_is_new_is_told() -> None:
    versions = {"one": version(100), "next": version(0, inPlace={"shadow": "10 %"})}
    for before in ({}, endpoint({"one": version(100)})):
        assert "next: gets copies of 10 % of the requests (shadow)" in said(compare(before, endpoint(versions)))


def test_an_endpoint_that_is_new_and_one_that_goes() -> None:
    made = compare({}, endpoint(control="one"))
    assert (made.event, [each.fate for each in made.rows]) == ("new", ["new", "new"])
    assert said(made) == ["auth: key", "keys: primary made; secondary made", "default: one", "control: one"]
    gone = compare(endpoint(), {})
    assert (gone.endpoint, gone.event) == ("diabetes", "removed")
    assert [each.weight for each in gone.rows] == ["80 % -> -", "20 % -> -"]
