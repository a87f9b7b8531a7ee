import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.image.reference import Reference, ReferenceFormatError, is_digest, is_loopback

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12-slim", "docker.io/library/debian:12-slim"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/library/debian", "docker.io/library/debian:latest"),
        ("mcr.microsoft.com/azurelinux/base/python:3.12", "mcr.microsoft.com/azurelinux/base/python:3.12"),
        ("localhost/a", "localhost/a:latest"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
        ("Host/a", "Host/a:latest"),
        ("a/b/c", "docker.io/a/b/c:latest"),
        (f"debian@{DIGEST}", f"docker.io/library/debian@{DIGEST}"),
        (f"x.azurecr.io/a__b/c--d:T_1.0@{DIGEST}", f"x.azurecr.io/a__b/c--d:T_1.0@{DIGEST}"),
        # A port where no registry can be is a tag, as Docker has it.
        ("localhost:5000", "docker.io/library/localhost:5000"),
    ],
)
def test_short_forms_are_read_as_docker_reads_them(text: str, long: str) -> None:
    assert str(Reference.parse(text)) == long
    assert str(Reference.parse(long)) == long


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no repository"),
        ("host.io/", "no repository"),
        ("Debian", "capital letters"),
        ("a//b", "lower-case words"),
        ("a___b", "lower-case words"),
        ("a/-b", "lower-case words"),
        ("a:", "tag"),
        ("a:-b", "tag"),
        ("a:" + "t" * 129, "tag"),
        ("a b", "lower-case words"),
        ("a@sha256:12", "digest"),
        ("a@sha512:" + "0" * 128, "digest"),
        ("a@", "digest"),
        ("-host.io/a", "registry"),
        ("host.io:port/a", "registry"),
        ("https://host.io/a", "registry"),
        ("ab" * 32, "64 hex digits"),
        ("host.io/" + "a" * 250, "255"),
        ("a\n", "lower-case words"),
    ],
)
def test_what_names_no_image_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ReferenceFormatError, match=why):
        Reference.parse(text)


@given(st.text(alphabet=string.ascii_letters + string.digits + ":/@._-[] ", max_size=40))
def test_every_text_is_refused_or_has_one_long_form(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except ReferenceFormatError:
        return
    assert Reference.parse(str(reference)) == reference


def test_an_image_by_digest_drops_the_tag() -> None:
    reference = Reference.parse("debian:12")
    assert str(reference.at(DIGEST)) == f"docker.io/library/debian@{DIGEST}"
    assert Reference.parse(f"debian:12@{DIGEST}").tagged == reference


@pytest.mark.parametrize("registry", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.0.1", "[::1]:5000"])
def test_loopback(registry: str) -> None:
    assert is_loopback(registry)


@pytest.mark.parametrize("registry", ["docker.io", "10.0.0.1:5000", "localhost.example.org", "127.0.0.1.example.org"])
def test_not_loopback(registry: str) -> None:
    assert not is_loopback(registry)


def test_a_digest_is_sha256_and_nothing_more() -> None:
    assert is_digest(DIGEST)
    assert not is_digest(DIGEST + "0")
    assert not is_digest(DIGEST.upper())
