import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.cluster.input import AzureInput
from tidegate.config import load
from tidegate.findings import ConfigError
from tidegate.stack_input import AZURE_KEYS


def test_the_keys_of_azure_are_those_of_its_input() -> None:
    assert {field.alias for field in AzureInput.model_fields.values()} == AZURE_KEYS


def test_another_target_says_what_it_leaves_aside(tmp_path: Path) -> None:
    values = {"tidegate:target": "local", "tidegate:clusters": {"a": {"nonsense": 1}}, "tidegate:location": "x"}
    (note,) = load(values, root=tmp_path, stack="local").notes
    assert (note.severity, note.problem) == (
        "note",
        "not applied on the local target: tidegate:clusters, tidegate:location",
    )


def test_on_azure_the_same_keys_are_checked(tmp_path: Path) -> None:
    values = {"tidegate:target": "azure", "tidegate:clusters": {"sea": {"nonsense": 1}}, "tidegate:location": "x"}
    with pytest.raises(ConfigError) as raised:
        load(values, root=tmp_path, stack="dev")
    assert {"tidegate:clusters.sea.nonsense", "tidegate:location"} <= {f.path for f in raised.value.findings}


def test_a_local_stack_loads_nothing_of_azure(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tidegate.config import load;"
        "load({'tidegate:target': 'local'}, root=Path.cwd(), stack='local');"
        "print([name for name in sys.modules if 'azure' in name or name.startswith('tidegate.cluster')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "[]"
