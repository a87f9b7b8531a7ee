"""What the config says of Application Insights and of collected data, with the connection string plain or encrypted."""

from pathlib import Path

import pytest

from tidegate.config import from_engine, from_file
from tidegate.findings import ConfigError, Finding

KEY = "11111111-2222-3333-4444-555555555555"
STACK = """
config:
  tidegate:target: azure
  tidegate:location: westeurope
  tidegate:resourceGroup: scoring
  tidegate:clusters: {{main: {{purpose: DevTest}}}}
  tidegate:registry: {{name: scoring7421}}
  tidegate:endpoints:
    prices:
      versions:
        ridge: {{entryScript: score.py, appInsightsEnabled: true, dataCollection: {{storageEnabled: true}}}}
{more}
"""


def notes(folder: Path, more: str = "") -> list[Finding]:
    (folder / "score.py").write_text("def init(): ...\ndef run(data): return data\n")
    (folder / "Pulumi.dev.yaml").write_text(STACK.format(more=more))
    found = from_file(folder / "Pulumi.dev.yaml", root=folder).notes
    return [note for note in found if note.path == "tidegate:endpoints.prices.versions.ridge"]


def test_what_has_no_place_is_said(tmp_path: Path) -> None:
    said = [(note.severity, note.problem.split(" ")[0]) for note in notes(tmp_path)]
    assert said == [("warning", "appInsightsEnabled"), ("warning", "dataCollection.storageEnabled")]


@pytest.mark.parametrize("given", [f'"InstrumentationKey={KEY};IngestionEndpoint=https://x"', "{secure: v1:abc:def}"])
def test_what_has_a_place_is_applied(tmp_path: Path, given: str) -> None:
    more = f"  tidegate:applicationInsights: {given}\n  tidegate:modelStore: {{account: acmemodels}}"
    assert notes(tmp_path, more) == []


@pytest.mark.parametrize("given", ["hunter2", "IngestionEndpoint=https://x", f"InstrumentationKey={KEY}0"])
def test_what_is_no_connection_string_is_refused_and_not_shown(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigError) as refused:
        notes(tmp_path, f'  tidegate:applicationInsights: "{given}"')
    (error,) = [each for each in refused.value.findings if each.severity == "error"]
    assert error.path == "tidegate:applicationInsights"
    assert given not in str(refused.value)


def test_a_plain_connection_string_is_warned_of(tmp_path: Path) -> None:
    config = (
        '{"tidegate:target": "azure", "tidegate:location": "westeurope", "tidegate:resourceGroup": "scoring",'
        f' "tidegate:applicationInsights": "InstrumentationKey={KEY}"}}'
    )
    for secret, expected in ((["tidegate:applicationInsights"], 0), ([], 1)):
        found = from_engine(config, root=tmp_path, stack="dev", secret_keys=secret).notes
        assert len([note for note in found if note.path == "tidegate:applicationInsights"]) == expected
