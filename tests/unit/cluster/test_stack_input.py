import subprocess
import sys
from pathlib import Path

import pytest

from tests.standins.cloud import Cloud
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


def loaded(script: str) -> list[str]:
    """The modules of another process of Python when the script ends."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; from pathlib import Path; {script}; print('\\n'.join(sys.modules))"],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_local_stack_loads_nothing_of_azure() -> None:
    modules = loaded(
        "from tidegate.config import load; load({'tidegate:target': 'local'}, root=Path.cwd(), stack='local');"
        "import stacks.local"
    )
    assert "stacks.local" in modules
    assert not [name for name in modules if "azure" in name or name.startswith(("tidegate.cluster", "pulumi_"))]


def test_a_stack_on_azure_loads_what_its_config_uses(tmp_path: Path) -> None:
    def used(file: str, *existing: str) -> set[str]:
        cloud = Cloud(tmp_path / file)
        for identity in existing:
            cloud.put(identity, {"location": "westeurope", "properties": {}})
        modules = loaded(
            "from stacks.azure import deploy; from tests.standins.mocks import record;"
            "from dataclasses import replace; from tidegate.config import from_file;"
            f"environment = replace(from_file(Path({file!r}), root=Path.cwd()), endpoints=());"
            f"record(lambda: deploy(environment, Path.cwd()), cloud=Path({str(tmp_path)!r}) / {file!r})"
        )
        parts = [name.split(".") for name in modules]
        # The SDK has a stand-in of each of its modules from the start, which loads what is in it at first use.
        return {each[1] for each in parts if each[0] in ("pulumi_azure_native", "pulumi_kubernetes") and len(each) > 2}

    group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/scoring-dev"
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/scoringdev7421"
    small, large = used("Pulumi.dev.yaml"), used("Pulumi.prod.yaml", group, registry)
    assert {"containerservice", "managedidentity", "resources"} <= small
    assert not small & {"network", "privatedns", "machinelearningservices", "operationalinsights", "apps"}
    assert {"network", "apps"} <= large
