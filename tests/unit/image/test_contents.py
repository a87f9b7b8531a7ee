from providers.image.contents import CONTENTS, Contents
from tests.unit.image.test_record import made, python
from tidegate.image.record import Record

BUMPED = made(python=python("numpy==1.26.4", "scikit-learn==1.6.1"))


def inputs(contents: Record) -> dict[str, object]:
    return {"version": "diabetes/ridge", **contents}


def test_the_form_is_that_of_a_record() -> None:
    assert made().keys() == CONTENTS.keys()
    assert not Contents().check({}, inputs(made()))


def test_a_new_or_an_unchanged_version_has_nothing_to_say() -> None:
    assert Contents().notices({}, inputs(made())) == []
    assert Contents().notices(inputs(made()), inputs(made())) == []


def test_a_changed_package_is_named() -> None:
    (said,) = Contents().notices(inputs(made()), inputs(BUMPED))
    assert said == ("diabetes/ridge: the environment's image is made anew: scikit-learn: ==1.5.2 -> ==1.6.1")


def test_changed_code_keeps_the_environment() -> None:
    (said,) = Contents().notices(inputs(made()), inputs(made(code="s1-" + "b" * 64)))
    assert said.startswith("diabetes/ridge: the environment's image is kept, the layer with the code is made anew: ")


def test_a_model_keeps_its_content_under_its_number() -> None:
    before = inputs(made(models={"ridge:1": "sha256:" + "a" * 64, "old:1": "sha256:" + "c" * 64}))
    after = inputs(made(models={"ridge:1": "sha256:" + "b" * 64, "ridge:2": "sha256:" + "a" * 64}))
    (refused,) = Contents().check(before, after)
    assert refused.path == "models"
    assert "no longer holds what ridge:1 was registered with (sha256:aaaaaaaaaaaa, now sha256:bbbb" in refused.reason
    assert "tidegate model register ridge PATH" in refused.reason
    assert Contents().check({}, after) == []


def test_a_registered_number_keeps_what_it_was_registered_with() -> None:
    before = {"version": "scorer:1", **made()}
    (refused,) = Contents().check(before, {"version": "scorer:1", **BUMPED})
    assert refused.path == "version"
    assert "scorer:1 was registered with something else: scikit-learn: ==1.5.2 -> ==1.6.1" in refused.reason
    assert "next number in tidegate:images.scorer" in refused.reason
    moved = {"base": "sha256:" + "e" * 64, "server": "0.2.0+0", "key": "e1-" + "e" * 64}
    assert Contents().check(before, {**before, **moved}) == []
    assert Contents().check(inputs(made()), inputs(BUMPED)) == []


def test_what_changes_both_is_told_as_the_larger() -> None:
    (said,) = Contents().notices(inputs(made()), inputs({**BUMPED, "code": "s1-" + "b" * 64}))
    assert "the environment's image is made anew" in said
    assert "scikit-learn" in said
    assert "the code" in said
