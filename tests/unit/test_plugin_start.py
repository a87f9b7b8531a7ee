"""What the plugin's process imports when it starts: each preview and each update of any stack waits for it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("pydantic", "httpx", "azure", "cryptography", "uv", "tidegate.cluster", "tidegate.azure", "providers.azure")


def loaded(statement: str) -> set[str]:
    """The modules of `HEAVY` that a fresh process has after a statement."""
    script = (
        "import sys\nfrom providers.stubs import skip_sdk\nskip_sdk()\nimport providers.serve as serve\n"
        f"{statement}\nprint(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return set(done.stdout.split()) & set(HEAVY)


def test_the_start_imports_nothing_of_azure() -> None:
    assert loaded("serve.late_kinds()") == set()


def test_a_guard_whose_cluster_does_not_change_needs_little_of_it() -> None:
    types = "kinds = serve.late_kinds(); guard = kinds['tidegate-serving:azure:ReplacementGuard']()"
    same = "{'cluster': 'a', 'immutable': {'location': 'b'}, 'allowed': False}"
    assert loaded(f"{types}; guard.check({same}, {same}); guard.inspect(None, {same}, {same})") == {"providers.azure"}


def test_every_late_kind_is_the_one_of_its_type() -> None:
    loaded("for name, make in serve.late_kinds().items(): assert make().type == name, name")
