"""A small valid project, which each test breaks in its own way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
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


class Command:
    """The `tidegate` command in a project whose `pulumi` answers from files and keeps what it is asked."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.root, self._monkeypatch, self._capfd = root, monkeypatch, capfd
        engine = root / "engine"
        engine.mkdir()
        (engine / "pulumi").write_text(PULUMI)
        (engine / "pulumi").chmod(0o755)
        (root / ".tidegate").mkdir()
        (root / ".tidegate" / "engine").write_text(str(engine))
        (root / "Pulumi.yaml").write_text("name: tidegate\n")
        monkeypatch.chdir(root)
        self.outputs({})

    def outputs(self, outputs: Values, keys: Values | None = None) -> None:
        """What `pulumi stack output` answers."""
        (self.root / "plain.json").write_text(json.dumps(outputs))
        (self.root / "secrets.json").write_text(json.dumps(outputs | {"keys": keys or {}}))

    @property
    def calls(self) -> list[str]:
        """The arguments with which `pulumi` was called, without those calls that only read."""
        log = self.root / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if not line.startswith("stack output")]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._monkeypatch.setattr("sys.argv", ["tidegate", *arguments])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        captured = self._capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    def fails(self, *arguments: str) -> str:
        """The one line of an error."""
        code, out, err = self(*arguments)
        assert (code, out) == (1, "")
        assert "Traceback" not in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1, err
        return err.removeprefix("error: ").strip()


PULUMI = """\
#!/bin/sh
echo "$*" >>calls
case "$*" in
*--show-secrets*) cat secrets.json ;;
"stack output"*) cat plain.json ;;
up*) [ ! -e broken ] ;;
esac
"""


@pytest.fixture
def tidegate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capfd)
