"""`make up` and `make down` in a checkout: what git sees of them, and what stays."""

import subprocess
import sys

import pytest

from tests.engine.harness import CHECKOUT

pytestmark = pytest.mark.engine


@pytest.fixture
def checkout(stack):
    """A committed project with one endpoint, as `make up` finds it."""
    (stack.root / ".gitignore").write_text((CHECKOUT / ".gitignore").read_text())
    (stack.root / ".gitattributes").write_text("Pulumi.local.yaml filter=tidegate-local\n")
    stack.endpoints = {"echo": {"versions": {"one": stack.version("one")}}}
    (stack.root / "Pulumi.local.yaml").unlink()
    stack.write()  # without the salt that the stack's first selection has put there
    git(stack, "init", "-q")
    git(stack, "add", "-A")
    git(stack, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "begin")
    return stack


def git(stack, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, cwd=stack.root, capture_output=True, text=True).stdout


def test_git_sees_nothing_but_what_the_user_changes(checkout):
    stack = checkout
    up = stack.run(sys.executable, "-m", "tools.up").require().output
    assert "encryptionsalt:" in (stack.root / "Pulumi.local.yaml").read_text()
    assert git(stack, "status", "--porcelain") == ""
    assert "one          100 %  (default)" in up
    key = stack.key("echo")
    assert key not in up

    # the line to paste scores the sample's place: here the script returns what it gets
    (line,) = (line for line in up.splitlines() if "curl" in line)
    assert "tidegate keys show echo" in line

    stack.tidegate("keys", "rotate", "echo", "secondary").require()
    changed = [
        line for line in git(stack, "diff", "-U0").splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert "".join(changed).replace(" ", "") == "+keyRotation:+secondary:2"
    git(stack, "checkout", "--", "Pulumi.local.yaml")
    stack.pulumi("up", "--yes", "--skip-preview", "--stack", "local").require()
    assert git(stack, "status", "--porcelain") == ""

    stack.run(sys.executable, "-m", "tools.down").require()
    assert git(stack, "status", "--porcelain") == ""
    assert not (stack.root / ".tidegate").exists()
    assert not stack.processes()
    # for the fixture's own end
    (stack.root / ".tidegate" / "backend").mkdir(parents=True)
    (stack.root / ".tidegate" / "passphrase").write_text("test")
    stack.pulumi("stack", "select", "local", "--create").require()


def test_a_lost_passphrase_is_said_before_anything_is_overwritten(checkout):
    stack = checkout
    stack.run(sys.executable, "-m", "tools.up").require()
    passphrase = stack.root / ".tidegate" / "passphrase"
    kept = passphrase.read_text()
    passphrase.unlink()
    failed = stack.run(sys.executable, "-m", "tools.up").require_failure().output
    assert "lost passphrase" in failed
    assert not passphrase.exists()
    passphrase.write_text(kept)
    stack.run(sys.executable, "-m", "tools.up").require()
    assert stack.client("echo").post("/echo/score", json=1).status_code == 200


def test_given_keys_outlive_make_down(checkout):
    stack = checkout
    stack.run(sys.executable, "-m", "tools.up").require()
    for name in ("primary", "secondary"):
        value = f"{name}-key-that-clients-hold-since-2021"
        stack.pulumi("config", "set", "--secret", "--path", f"tidegate:keys.echo.{name}", value).require()
    stack.run(sys.executable, "-m", "tools.up").require()
    assert "stays" in stack.run(sys.executable, "-m", "tools.down").require().output
    assert not stack.processes()
    stack.run(sys.executable, "-m", "tools.up").require()
    assert stack.key("echo") == "primary-key-that-clients-hold-since-2021"
