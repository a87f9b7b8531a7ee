import pytest

from tidegate.image.base import BaseDockerfileError, dockerfile_images, pinned_dockerfile, quoted
from tidegate.image.reference import Reference


def names(text: str) -> list[str]:
    return [str(reference).removeprefix("docker.io/library/") for reference in dockerfile_images(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM debian", ["debian:latest"]),
        ("# a\n\nfrom debian:12 as Build\nFROM build\nFROM scratch", ["debian:12"]),
        ("FROM --platform=linux/amd64 debian:12", ["debian:12"]),
        ("FROM a:1\nCOPY --chown=1 --from=b:2 /x /x\nCOPY --from=0 / /", ["a:1", "b:2"]),
        ("FROM a:1 AS x\nCOPY --from=x / /\nFROM a:1", ["a:1"]),
        ("FROM a:1\nRUN --mount=type=bind,from=b:2,target=/b --mount=from=c:3,target=/c true", ["a:1", "b:2", "c:3"]),
        (
            "FROM a:1\nRUN --mount=type=cache,target=/c \\\n  --mount=type=bind,from=b:2,target=/b \\\n  x",
            ["a:1", "b:2"],
        ),
        ("FROM a:1\nRUN <<EOF\nFROM nothing\nEOF\nCOPY --from=b:2 / /", ["a:1", "b:2"]),
        ("FROM a:1\nRUN <<-'ONE' cat <<TWO\nFROM x\n\tONE\nFROM y\nTWO\nFROM b:2", ["a:1", "b:2"]),
        ("FROM a:1\nRUN echo FROM b\nENV X='<<EOF'\nFROM b:2", ["a:1", "b:2"]),
        ("# escape=\\\nFROM a:1", ["a:1"]),
    ],
)
def test_the_images_of_a_dockerfile(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "no FROM"),
        ("RUN true", 1, "no FROM"),
        ("ARG A=debian\nFROM $A", 2, "variable"),
        ("FROM a\nCOPY --from=${B} / /", 2, "variable"),
        ("FROM Debian", 1, "capital letters"),
        ("# escape=`\nFROM a", 1, "escape"),
    ],
)
def test_what_cannot_be_looked_up_is_refused_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(BaseDockerfileError, match=problem) as caught:
        dockerfile_images(text)
    assert caught.value.line == line
    assert caught.value.remedy


def test_pinning_replaces_names_and_nothing_else() -> None:
    text = "FROM  a:1 AS a\r\nRUN --mount=from=b,target=/b --mount=from=b,target=/c cp a:1 b\nCOPY --from=a / /\n"

    def named(reference: Reference) -> str:
        return f"<{reference.repository.removeprefix('library/')}>"

    assert pinned_dockerfile(text, named) == (
        "FROM  <a> AS a\nRUN --mount=from=<b>,target=/b --mount=from=<b>,target=/c cp a:1 b\nCOPY --from=a / /\n"
    )
    assert pinned_dockerfile("FROM a", named) == "FROM <a>\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b", '"a b"'), ('"\\$', '"\\"\\\\\\$"'), ("a\nb\x00", '"a b "'), ("é", '"é"'), ("", '""')],
)
def test_a_value_in_quotes_is_only_itself(value: str, text: str) -> None:
    assert quoted(value) == text
