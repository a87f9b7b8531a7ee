"""A small valid project, which each test breaks in its own way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidegate.config import Environment, load
from tidegate.findings import ConfigError, Finding

Values = dict[str, Any]

INFERENCE = {
    "entryScript": "score.py",
    "sourceDirectory": ".",
    "environment": {"name": "x", "python": {"condaDependenciesFile": "conda.yml"}},
}
OLDER = {"entryScript": "score.py", "runtime": "python", "condaFile": "conda.yml"}
DEPLOYMENT = {"computeType": "local", "scoringTimeoutMs": 10000}
CONDA = "dependencies:\n  - python=3.11\n  - pip:\n      - joblib==1.5.1\n"


class Project:
    """A folder with two versions' code and models, and the config that describes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.values: Values = {
            "tidegate:target": "local",
            "tidegate:gateway": {"port": 8081},
            "tidegate:models": {
                "ridge": {"path": "models/ridge.pkl", "tags": {"data": "diabetes"}},
                "forest": {"1": {"path": "models/a.pkl"}, "2": {"path": "models/b.pkl"}},
            },
            "tidegate:endpoints": {
                "diabetes": {
                    "auth": "key",
                    "sample": "sample.json",
                    "versions": {
                        "ridge": {
                            "traffic": 80,
                            "default": True,
                            "control": True,
                            "models": ["ridge:1"],
                            "inference": "ridge/inference.json",
                            "deployment": "ridge/deployment.json",
                        },
                        "forest": {
                            "traffic": 20,
                            "models": ["forest:2"],
                            "inference": "forest/inference.json",
                            "deployment": "forest/deployment.json",
                            "containerResourceRequirements": {"cpu": 0.5},
                            "environment": {"environmentVariables": {"A": "b"}},
                        },
                    },
                }
            },
            "tidegate:keys": {"diabetes": {"primary": "p" * 32, "secondary": "s" * 32}},
        }
        for name in ("models/ridge.pkl", "models/a.pkl", "models/b.pkl", "sample.json"):
            self.write(name, "{}")
        for name, inference in (("ridge", INFERENCE), ("forest", OLDER)):
            self.write(f"{name}/score.py", "def init(): ...\ndef run(data): ...\n")
            self.write(f"{name}/conda.yml", CONDA)
            self.write_json(f"{name}/inference.json", inference)
            self.write_json(f"{name}/deployment.json", DEPLOYMENT)

    @property
    def endpoint(self) -> Values:
        return self.values["tidegate:endpoints"]["diabetes"]

    @property
    def ridge(self) -> Values:
        return self.endpoint["versions"]["ridge"]

    @property
    def forest(self) -> Values:
        return self.endpoint["versions"]["forest"]

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write_json(self, name: str, value: object) -> None:
        self.write(name, json.dumps(value))

    def load(self) -> Environment:
        return load(self.values, root=self.root, stack="test")

    def errors(self) -> list[Finding]:
        """The errors of loading the config as it stands; none where it loads."""
        try:
            self.load()
        except ConfigError as error:
            return [finding for finding in error.findings if finding.severity == "error"]
        return []

    def error(self) -> Finding:
        """The one error."""
        errors = self.errors()
        assert len(errors) == 1, [str(error) for error in errors]
        return errors[0]

    def notes(self, severity: str) -> list[Finding]:
        return [finding for finding in self.load().notes if finding.severity == severity]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """A maker of projects, for tests that run many examples: one folder, a fresh config each time."""
    root = tmp_path_factory.mktemp("project")
    return lambda: Project(root)
