import re
from pathlib import Path

import pytest

from tidegate.image.server import server_version


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    folder = tmp_path / "runtime"
    package = folder / "src" / "server"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "server"\nversion = "1.2.3"\n')
    (package / "__init__.py").write_text("")
    (package / "app.py").write_text("A = 1\n")
    return folder


def test_it_is_the_version_and_twelve_digits(runtime: Path) -> None:
    assert re.fullmatch(r"1\.2\.3\+[0-9a-f]{12}", server_version(runtime))


def test_a_changed_renamed_or_new_file_changes_it(runtime: Path) -> None:
    app = runtime / "src" / "server" / "app.py"
    seen = [server_version(runtime)]
    app.write_text("A = 2\n")
    seen.append(server_version(runtime))
    app.rename(app.with_name("main.py"))
    seen.append(server_version(runtime))
    app.with_name("data.json").write_text("{}")
    seen.append(server_version(runtime))
    project = runtime / "pyproject.toml"
    project.write_text(project.read_text() + "# a dependency\n")
    seen.append(server_version(runtime))
    assert len(set(seen)) == len(seen)


def test_compiled_files_tests_and_the_place_do_not_count(runtime: Path, tmp_path: Path) -> None:
    before = server_version(runtime)
    cache = runtime / "src" / "server" / "__pycache__"
    cache.mkdir()
    (cache / "app.cpython-311.pyc").write_bytes(b"0")
    (runtime / "src" / "server.egg-info").mkdir()
    (runtime / "src" / "server.egg-info" / "PKG-INFO").write_text("x")
    (runtime / "tests").mkdir()
    (runtime / "tests" / "test_app.py").write_text("")
    assert server_version(runtime.rename(tmp_path / "elsewhere")) == before
