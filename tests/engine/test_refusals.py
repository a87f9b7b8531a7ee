"""What is refused before anything is started or changed."""

import pytest

pytestmark = pytest.mark.engine


def test_ten_mistakes_are_ten_findings_and_nothing_is_started(stack):
    good = stack.version("one", traffic=60, default=True)
    stack.models = {"m": {"path": "nowhere.pkl"}}
    stack.endpoints = {
        "echo": {
            "auth": "keys",
            "versions": {
                "one": {**good, "trafic": 3},
                "two": stack.version("two", traffic=50, default=True, scoringTimeoutMs="fast"),
                "Three": stack.version("three"),
            },
        },
        "other": {"sample": "none.json", "versions": {"one": {**good, "models": ["unknown:1"], "gpuCores": 1}}},
        "last": {"versions": {"one": {"entryScript": "score.py", "sourceDirectory": "no/such/folder"}}},
    }
    stack.extra = {"tidegate:gatway": {}}
    failed = stack.up().require_failure().output
    paths = [
        "tidegate:gatway",
        "tidegate:models.m.path",
        "tidegate:endpoints.echo.auth",
        "tidegate:endpoints.echo.versions.one.trafic",
        "tidegate:endpoints.echo.versions.two.scoringTimeoutMs",
        "tidegate:endpoints.echo.versions.Three",
        "tidegate:endpoints.other.sample",
        "tidegate:endpoints.other.versions.one.models[0]",
        "tidegate:endpoints.other.versions.one.gpuCores",
        "tidegate:endpoints.last.versions.one",
    ]
    missing = [path for path in paths if path not in failed]
    assert not missing, failed
    assert not stack.processes()
    assert not stack.state.exists()


def test_a_deleted_default_needs_a_successor(stack):
    versions = {name: stack.version(name, traffic=10) for name in ("one", "two", "three")}
    versions["one"]["default"] = True
    stack.endpoints = {"echo": {"versions": versions}}
    stack.up().require()
    del versions["one"]
    failed = stack.up().require_failure().output
    assert "default: true" in failed
    assert "three" in failed
    assert "two" in failed
    assert stack.client("echo").post("/echo/score", json=1).status_code == 200


def test_a_model_that_changed_under_its_number_is_refused_and_the_old_one_serves(stack):
    reads = """
        from azureml.core.model import Model
        from pathlib import Path
        def init():
            global text
            text = Path(Model.get_model_path("greeting")).read_text()
        def run(raw_data):
            return text
    """
    (stack.root / "greeting.txt").write_text("hello")
    stack.models = {"greeting": {"path": "greeting.txt"}}
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one", reads, models=["greeting:1"])}}}
    stack.up().require()
    (stack.root / "greeting.txt").write_text("goodbye")
    failed = stack.up().require_failure().output
    assert "greeting:1" in failed
    assert "next number" in failed
    assert stack.client("echo").post("/echo/score", json=1).json() == "hello"

    (stack.root / "second.txt").write_text("goodbye")
    (stack.root / "greeting.txt").write_text("hello")
    stack.models = {"greeting": {"1": {"path": "greeting.txt"}, "2": {"path": "second.txt"}}}
    stack.up().require()
    assert stack.client("echo").post("/echo/score", json=1).json() == "hello"
    stack.endpoints["echo"]["versions"]["one"]["models"] = ["greeting:2"]
    stack.up().require()
    assert stack.client("echo").post("/echo/score", json=1).json() == "goodbye"


def test_a_bare_model_path_is_registered_on_the_way(stack):
    reads = """
        import os
        from pathlib import Path
        def init():
            pass
        def run(raw_data):
            return sorted(path.name for path in Path(os.environ["AZUREML_MODEL_DIR"]).iterdir())
    """
    (stack.root / "weights.bin").write_bytes(b"1234")
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one", reads, models=["./weights.bin"])}}}
    stack.up().require()
    assert stack.client("echo").post("/echo/score", json=1).json() == ["weights.bin"]


def test_an_environment_with_a_package_that_does_not_exist_names_it(stack):
    version = stack.version(
        "one",
        environment={"python": {"condaDependencies": {"dependencies": [{"pip": ["no-such-package-tidegate==9"]}]}}},
    )
    stack.endpoints = {"echo": {"versions": {"one": version}}}
    failed = stack.up().require_failure().output
    assert "no-such-package-tidegate" in failed
    assert not stack.pids("tidegate_runtime")


def test_a_stack_on_azure_gets_all_its_mistakes_at_once(stack):
    (stack.root / "Pulumi.dev.yaml").write_text(
        "config:\n  tidegate:target: azure\n  tidegate:location: atlantis\n  tidegate:clusters: {a: {speed: 1}}\n"
    )
    stack.pulumi("stack", "init", "dev").require()
    failed = stack.pulumi("preview", "--non-interactive", "--stack", "dev").require_failure().output
    for place in ("tidegate:location", "tidegate:resourceGroup", "tidegate:clusters.a: ", "tidegate:clusters.a.speed"):
        assert place in failed
    assert "Traceback" not in failed
    assert "to create" not in failed.replace("+ 1 to create", "")


def test_a_stack_on_azure_without_its_packages_says_how_to_get_them(stack, tmp_path, monkeypatch):
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "pulumi_azure_native.py").write_text(
        "raise ModuleNotFoundError('No module named pulumi_azure_native', name='pulumi_azure_native')"
    )
    monkeypatch.setenv("PYTHONPATH", str(absent))
    (stack.root / "Pulumi.dev.yaml").write_text(
        "config: {tidegate:target: azure, tidegate:location: westeurope, tidegate:resourceGroup: scoring}\n"
    )
    stack.pulumi("stack", "init", "dev").require()
    failed = stack.pulumi("preview", "--non-interactive", "--stack", "dev").require_failure().output
    assert "needs pulumi_azure_native, which is not installed. Run make setup-azure" in failed
    assert "Traceback" not in failed
