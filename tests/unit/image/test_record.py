from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.image.changes import changes
from tidegate.image.inputs import ImageInputs
from tidegate.image.python import PythonEnvironment
from tidegate.image.record import record
from tidegate.image.reference import Reference

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def made(*, code: str = f"s1-{'a' * 64}", models: dict[str, str] | None = None, **inputs: Any) -> dict[str, object]:
    defaults: dict[str, Any] = {
        "image": Reference.parse(f"docker.io/library/python@{ONE}"),
        "dockerfile": "",
        "context": None,
        "docker_steps": (),
        "python": PythonEnvironment(python="==3.11.*", requirements=("numpy==1.26.4", "scikit-learn==1.5.2")),
        "platform": "linux/amd64",
        "server": "0.1.0+abc",
    }
    return record(ImageInputs(**{**defaults, **inputs}), code=code, models=models or {})


def python(*requirements: str, version: str = "==3.11.*", **more: Any) -> PythonEnvironment:
    return PythonEnvironment(python=version, requirements=requirements, **more)


@pytest.mark.parametrize(
    ("new", "part", "text"),
    [
        (
            made(python=python("numpy==1.26.4", "scikit-learn==1.6.1")),
            "environment",
            "scikit-learn: ==1.5.2 -> ==1.6.1",
        ),
        (
            made(python=python("numpy==1.26.4", "scikit-learn==1.5.2", "pandas")),
            "environment",
            "package added: pandas",
        ),
        (made(python=python("numpy==1.26.4")), "environment", "package taken out: scikit-learn==1.5.2"),
        (
            made(python=python("scikit-learn==1.5.2", "numpy==1.26.4")),
            "environment",
            "the order of the packages counts, and it has changed",
        ),
        (
            made(python=python("numpy==1.26.4", "scikit-learn==1.5.2", version="==3.12.*")),
            "environment",
            "Python: ==3.11.* -> ==3.12.*",
        ),
        (
            made(image=Reference.parse(f"docker.io/library/python@{TWO}")),
            "environment",
            "the base image: docker.io/library/python@sha256:111111111111"
            " -> docker.io/library/python@sha256:222222222222",
        ),
        (made(docker_steps=("RUN true",)), "environment", "Docker step added: RUN true"),
        (made(platform="linux/arm64"), "environment", "the platform: linux/amd64 -> linux/arm64"),
        (made(server="0.1.0+def"), "environment", "the scoring server: 0.1.0+abc -> 0.1.0+def"),
        (made(code=f"s1-{'b' * 64}"), "code", "the code: s1-aaaaaaaaaaaa -> s1-bbbbbbbbbbbb"),
        (made(models={"ridge:1": ONE}), "models", "the model ridge:1: (none) -> sha256:111111111111"),
    ],
)
def test_each_input_is_named_with_before_and_after(new: dict[str, object], part: str, text: str) -> None:
    (change,) = changes(made(), new)
    assert (change.part, change.text) == (part, text)


def test_a_given_dockerfile_is_compared_by_line() -> None:
    old, new = "FROM a\nRUN one\n", "FROM a\nRUN two\n"
    (change,) = changes(made(image=None, dockerfile=old), made(image=None, dockerfile=new))
    assert change.text == "the base Dockerfile: line 2: RUN one -> RUN two"


def test_a_change_of_a_package_names_it() -> None:
    (change,) = changes(made(), made(python=python("numpy==1.26.4", "scikit_learn==1.6.1")))
    assert change.package == "scikit-learn"


REQUIREMENTS = st.lists(st.sampled_from(["a", "b==1", "b==2", "c>=1,<2", "d[x]==1"]), max_size=4, unique=True)


@given(REQUIREMENTS, REQUIREMENTS, st.sampled_from(["s1-a", "s1-b"]), st.sampled_from(["s1-a", "s1-b"]))
def test_two_records_have_no_change_exactly_where_they_make_one_image(
    before: list[str], after: list[str], old_code: str, new_code: str
) -> None:
    old, new = made(python=python(*before), code=old_code), made(python=python(*after), code=new_code)
    found = changes(old, new)
    assert bool([change for change in found if change.part == "environment"]) is (old["key"] != new["key"])
    assert bool([change for change in found if change.part == "code"]) is (old_code != new_code)


def test_a_record_of_another_release_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    assert changes({"key": "e1-x", "models": "none", "requirements": None}, made())
