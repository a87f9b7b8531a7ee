"""What a report says of an endpoint that changes in every way, whole: as text and as Markdown."""

from typing import Any

from tests.golden.conftest import Golden
from tests.unit.report.records import CONTENTS, endpoint, version
from tidegate.report.diff import compare
from tidegate.report.markdown import as_markdown
from tidegate.report.text import as_text

BEFORE = endpoint(
    {"forest": version(20), "old": version(0), "ridge": version(80)},
    default="ridge",
    control="ridge",
    settings={"maxRequestSizeInMB": "100", "namespace": "diabetes"},
)
AFTER = endpoint(
    {
        "blend": version(0, inPlace={"shadow": "10 %"}),
        "forest": version(
            70,
            contents={
                **CONTENTS,
                "requirements": ["numpy==2.5.*", "pandas==3.0.*"],
                "code": "s1-" + "e" * 64,
                "models": {"ridge:2": "sha256:" + "f" * 64},
            },
            restarting={"scoringTimeoutMs": "90000", "gpuCores": "1"},
            strategy="Recreate: pool gpu has no room for both",
            tags={"team": "risk"},
        ),
        "ridge": version(30, replicas="2-20", description="Ridge regression"),
    },
    auth="token",
    keys={},
    default="forest",
    control="ridge",
    settings={"maxRequestSizeInMB": "5", "namespace": "diabetes", "auth.token.role": "Score.Invoke"},
    tags={"team": "risk"},
)
OPEN = endpoint({"ridge": version(100)}, auth="none", keys={}, default="ridge")


def reports() -> dict[str, Any]:
    return {
        "changed": compare(BEFORE, AFTER),
        "new": compare({}, BEFORE),
        "opened": compare(endpoint({"ridge": version(100)}, default="ridge"), OPEN),
        "removed": compare(BEFORE, {}),
    }


def test_the_words(golden: Golden) -> None:
    text = {name: as_text(report).splitlines() for name, report in reports().items()}
    markdown = {name: as_markdown(report).splitlines() for name, report in reports().items()}
    golden("report", {"text": text, "markdown": markdown})
