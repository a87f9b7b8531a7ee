import hashlib
import random
import re
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from tidegate.image.key import environment_key
from tidegate.image.python import PythonEnvironment, read_conda


@dataclass(frozen=True)
class Parts:
    python: PythonEnvironment
    base: str
    docker_steps: tuple[str, ...]
    platform: str
    server: str

    @property
    def key(self) -> str:
        return environment_key(
            self.python, base=self.base, docker_steps=self.docker_steps, platform=self.platform, server=self.server
        )


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
texts = st.text(max_size=8)
environments = st.builds(
    PythonEnvironment,
    python=st.sampled_from(["", ">=3.10", "==3.11.*"]),
    requirements=st.lists(names, max_size=4).map(tuple),
    channels=st.lists(names, max_size=3).map(tuple),
)
parts = st.builds(Parts, environments, texts, st.lists(texts, max_size=3).map(tuple), texts, texts)


def key_of(text: str) -> str:
    environment, findings = read_conda(text, file="conda.yml")
    assert findings == []
    return Parts(environment, "", (), "linux/amd64", "0.1.0+0").key


@given(parts)
def test_a_key_has_its_form_and_stays_the_same(given_parts: Parts) -> None:
    assert re.fullmatch(r"e1-[0-9a-f]{64}", given_parts.key)
    assert replace(given_parts).key == given_parts.key


@given(parts, parts)
def test_two_environments_share_a_key_only_if_all_their_parts_are_equal(one: Parts, other: Parts) -> None:
    assert (one.key == other.key) == (one == other)


@given(parts, parts, st.sampled_from(["python", "base", "docker_steps", "platform", "server"]))
def test_each_part_alone_changes_the_key(one: Parts, other: Parts, part: str) -> None:
    changed = replace(one, **{part: getattr(other, part)})
    assert (changed.key == one.key) == (getattr(one, part) == getattr(other, part))


@given(environments, environments, st.sampled_from(["python", "requirements", "channels"]))
def test_each_part_of_the_python_environment_alone_changes_the_key(
    one: PythonEnvironment, other: PythonEnvironment, part: str
) -> None:
    changed = one.model_copy(update={part: getattr(other, part)})
    keys = {Parts(environment, "", (), "", "").key for environment in (one, changed)}
    assert (len(keys) == 1) == (getattr(one, part) == getattr(other, part))


@given(st.lists(names, min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_order_counts_in_every_list(words: list[str], generator: random.Random) -> None:
    shuffled = words.copy()
    generator.shuffle(shuffled)
    same = shuffled == words

    def made(requirements: list[str], channels: list[str], steps: list[str]) -> str:
        environment = PythonEnvironment(requirements=tuple(requirements), channels=tuple(channels))
        return Parts(environment, "", tuple(steps), "", "").key

    base = made(words, words, words)
    assert (made(shuffled, words, words) == base) == same
    assert (made(words, shuffled, words) == base) == same
    assert (made(words, words, shuffled) == base) == same


def test_formatting_comments_and_names_do_not_count() -> None:
    plain = (
        "name: a\nchannels: [conda-forge]\ndependencies:\n- python=3.11\n- numpy>=2,<3\n- pip:\n  - Foo_Bar[b,a]>=1\n"
    )
    other = """\
# what the team uses
name: another
prefix: /somewhere
channels:
    - "conda-forge"   # one
dependencies: ["python=3.11.*", 'numpy <3, >=2', {"pip": ["foo-bar[a, b] >= 1"]}]
"""
    assert key_of(plain) == key_of(other)


def test_the_order_of_dependencies_counts() -> None:
    assert key_of("dependencies: [numpy, scipy]") != key_of("dependencies: [scipy, numpy]")


def test_where_one_field_ends_and_the_next_begins_counts() -> None:
    empty = PythonEnvironment()
    assert Parts(empty, "a", ("b",), "", "").key != Parts(empty, "", ("a", "b"), "", "").key
    assert Parts(empty, "", ("ab",), "", "").key != Parts(empty, "", ("a", "b"), "", "").key
    assert Parts(empty, "", (), "a", "b").key != Parts(empty, "", (), "b", "a").key


def test_the_form_is_settled() -> None:
    """Images in registries carry keys: a change to the form takes a new prefix."""
    environment = PythonEnvironment(python="==3.11.*", requirements=("numpy==2.4.*",), channels=("conda-forge",))
    key = environment_key(
        environment, base="b@sha256:0", docker_steps=["RUN true"], platform="linux/amd64", server="0.1.0+0"
    )
    form = (
        '{"base":"b@sha256:0","channels":["conda-forge"],"docker_steps":["RUN true"],"platform":"linux/amd64",'
        '"python":"==3.11.*","requirements":["numpy==2.4.*"],"server":"0.1.0+0"}'
    )
    assert key == f"e1-{hashlib.sha256(form.encode()).hexdigest()}"
