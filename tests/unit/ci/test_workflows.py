"""What the workflows and the scripts have to agree on; actionlint and zizmor (tools/check) look at the rest."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tools.ci.review import LABEL
from tools.ci.reviewed import PLAN, WORKFLOW, artifact

FOLDER = Path(__file__).parents[3] / ".github"
FILES = sorted([*FOLDER.glob("workflows/*.yml"), *FOLDER.glob("actions/*/action.yml")])
READ = {"contents": "read"}
LOGIN = {**READ, "id-token": "write"}


def read(name: str) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load((FOLDER / "workflows" / name).read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_of_others_is_pinned_and_says_its_version(file):
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    for name, comment in used:
        if not name.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name), name
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_script_is_there(file):
    for module in re.findall(r"python -m (\S+)", file.read_text()):
        assert importlib.util.find_spec(module), module
    for tool in re.findall(r"\b(tools/[\w-]+)", re.sub(r"#.*", "", file.read_text())):
        assert (FOLDER.parent / tool).exists(), tool


@pytest.mark.parametrize(
    ("workflow", "job", "permissions"),
    [
        ("check.yml", "lint", READ),
        ("check.yml", "test", READ),
        ("preview.yml", "preview", {**LOGIN, "pull-requests": "write"}),
        ("deploy.yml", "dev", {**LOGIN, "actions": "read", "pull-requests": "read"}),
        ("deploy.yml", "prod", {**LOGIN, "actions": "read", "pull-requests": "read"}),
        ("drift.yml", "drift", {**LOGIN, "issues": "write"}),
    ],
)
def test_a_job_has_the_rights_that_it_needs_and_no_more(workflow, job, permissions):
    written = read(workflow)
    assert written["permissions"] == {}
    assert written["jobs"][job]["permissions"] == permissions


def test_the_deployment_finds_what_the_preview_keeps():
    (job,) = read(WORKFLOW)["jobs"].values()
    (upload,) = [step["with"] for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert upload["name"] == artifact("${{ matrix.stack }}")
    assert Path(upload["path"]).name == PLAN
    assert LABEL in read(WORKFLOW)["on"]["workflow_dispatch"]["inputs"]


def test_prod_waits_for_dev_and_for_its_environment():
    jobs = read("deploy.yml")["jobs"]
    assert jobs["prod"]["needs"] == "dev"
    assert {name: job["environment"] for name, job in jobs.items()} == {"dev": "dev", "prod": "prod"}


def test_the_two_deployments_differ_in_their_stack_alone():
    jobs = read("deploy.yml")["jobs"]
    prod = {**jobs["prod"]}
    del prod["needs"]
    assert str(prod).replace("prod", "dev") == str(jobs["dev"])
