from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from tidegate.findings import Finding
from tidegate.image.python import (
    MINIMUM_PYTHON,
    PythonEnvironment,
    read_conda,
    read_conda_document,
    read_requirements,
)

ROOT = Path(__file__).parents[2]


def conda(*dependencies: str, pip: tuple[str, ...] = ()) -> tuple[PythonEnvironment, list[Finding]]:
    lines = ["dependencies:", *(f"  - {dependency}" for dependency in dependencies)]
    if pip:
        lines += ["  - pip:", *(f"    - {line}" for line in pip)]
    return read_conda("\n".join(lines), file="conda.yml")


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    ("spec", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.2", "numpy==1.2.*"),
        ("numpy =1.2", "numpy==1.2.*"),
        ("numpy 1.2.*", "numpy==1.2.*"),
        ("numpy=1.2.*", "numpy==1.2.*"),
        ("numpy==1.2.*", "numpy==1.2.*"),
        ("numpy=1.*", "numpy==1.*"),
        ("numpy=*", "numpy"),
        ("numpy==1.2.3", "numpy==1.2.3"),
        ("numpy 1.2.3", "numpy==1.2.3"),
        ("numpy=1.2.3=py38h_0", "numpy==1.2.3"),
        ("numpy 1.2.3 py38h_0", "numpy==1.2.3"),
        ("numpy==1.2.3=py38h_0", "numpy==1.2.3"),
        ("numpy>=1.2,<2", "numpy<2,>=1.2"),
        ("numpy >= 1.2, < 2", "numpy<2,>=1.2"),
        ("numpy>=1.2.*", "numpy>=1.2"),
        ("numpy!=1.3.*", "numpy!=1.3.*"),
        ("numpy~=1.2", "numpy~=1.2"),
        ("numpy=2.0rc1", "numpy==2.0rc1"),
        ("conda-forge::numpy=1.2", "numpy==1.2.*"),
        ("Ruamel_Yaml", "ruamel-yaml"),
        ("pytorch=2.1", "torch==2.1.*"),
        ("matplotlib-base", "matplotlib"),
        ("opencv", "opencv-python-headless"),
        ("librosa", "librosa"),
        ("cuda-python", "cuda-python"),
    ],
)
def test_conda_packages_become_requirements(spec: str, requirement: str) -> None:
    environment, findings = conda(f"'{spec}'")
    assert findings == []
    assert environment.requirements == (requirement,)


@pytest.mark.parametrize(
    "spec", ["numpy[version='>=1']", "numpy=1.2|1.3", "numpy=1.1.1k", "numpy>=", "numpy 1 2 3", "=1.2"]
)
def test_a_conda_package_that_cannot_be_translated_is_an_error_at_its_place(spec: str) -> None:
    environment, findings = conda("scipy", f'"{spec}"')
    finding = only(findings)
    assert (finding.path, finding.line, finding.severity) == ("dependencies[1]", 3, "error")
    assert spec in finding.problem
    assert environment.requirements == ("scipy",)


@pytest.mark.parametrize(
    "name", ["libgcc", "libgcc-ng", "cudatoolkit=11.3", "_libgcc_mutex=0.1=main", "r-base", "cuda-nvcc", "graphviz"]
)
def test_a_conda_package_that_is_no_python_package_is_an_error_with_ways_out(name: str) -> None:
    _, findings = conda(name)
    finding = only(findings)
    assert finding.severity == "error"
    assert f"'{name.partition('=')[0]}'" in finding.problem
    assert "local target" in finding.remedy
    assert "AKS" in finding.remedy


@pytest.mark.parametrize("spec", ["python=3.6.2", "python=3.8", "python==3.9.1", "python>=3.6,<3.10", "python 3.9.*"])
def test_a_python_below_the_minimum_names_line_minimum_and_override(spec: str) -> None:
    _, findings = conda("numpy", spec)
    finding = only(findings)
    assert (finding.file, finding.line, finding.path) == ("conda.yml", 3, "dependencies[1]")
    assert f"'{spec}'" in finding.problem
    assert "3.10" in finding.problem
    assert "environment: {python: {condaDependencies:" in finding.remedy


@pytest.mark.parametrize(
    ("spec", "specifier"),
    [
        ("python=3.11", "==3.11.*"),
        ("python>=3.6", ">=3.6"),
        ("python=3", "==3.*"),
        ("python=3.10.4=h_1", "==3.10.4"),
        ("python", ""),
    ],
)
def test_a_python_that_some_supported_release_fits_is_kept(spec: str, specifier: str) -> None:
    environment, findings = conda(spec)
    assert findings == []
    assert environment.python == specifier


def test_the_minimum_is_what_the_scoring_server_declares() -> None:
    assert f'requires-python = ">={MINIMUM_PYTHON}"' in (ROOT / "runtime" / "pyproject.toml").read_text()


def test_the_override_that_the_message_shows_is_accepted() -> None:
    document = {"dependencies": ["python>=3.10", "numpy=2.4"]}
    environment, findings = read_conda_document(document, file="", path="tidegate:endpoints.a")
    assert findings == []
    assert (environment.python, environment.requirements) == (">=3.10", ("numpy==2.4.*",))


def test_a_parsed_document_reports_under_the_given_path() -> None:
    finding = only(read_conda_document({"dependencies": ["libgcc"]}, file="", path="here")[1])
    assert (finding.path, finding.file, finding.line) == ("here.dependencies[0]", "", 0)


def test_azures_server_is_replaced_said_and_its_inference_schema_kept_in_its_place() -> None:
    environment, findings = conda("numpy", pip=("azureml-defaults==1.60.0", "joblib"))
    assert environment.requirements == ("numpy", "inference-schema", "joblib")
    finding = only(findings)
    assert (finding.severity, finding.path, finding.line) == ("note", "dependencies[1].pip[0]", 4)
    assert "azureml-defaults is replaced" in finding.problem


@pytest.mark.parametrize("name", ["azureml-defaults", "azureml-inference-server-http"])
def test_an_inference_schema_that_the_file_asks_for_itself_stays_as_written(name: str) -> None:
    environment, _ = conda("numpy", pip=(name, "inference-schema[numpy-support]==1.8"))
    assert environment.requirements == ("numpy", "inference-schema[numpy-support]==1.8")


def test_two_replaced_packages_bring_inference_schema_once() -> None:
    environment, findings = conda("numpy", pip=("azureml-defaults", "azureml-inference-server-http"))
    assert environment.requirements == ("numpy", "inference-schema")
    assert [finding.severity for finding in findings] == ["note", "note"]


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("azureml-monitoring", "note"),
        ("azureml-telemetry", "note"),
        ("azureml-contrib-services", "note"),
        ("azureml-core", "warning"),
    ],
)
def test_packages_of_the_old_sdk_are_left_out_and_said(name: str, severity: str) -> None:
    environment, findings = conda("numpy", name)
    assert environment.requirements == ("numpy",)
    assert only(findings).severity == severity


def test_pip_as_a_conda_package_means_nothing() -> None:
    environment, findings = conda("pip=20.2", "numpy")
    assert (environment.requirements, findings) == (("numpy",), [])


def test_channels_are_kept_in_order() -> None:
    environment, _ = read_conda("channels: [conda-forge, defaults]\ndependencies: [numpy]", file="c.yml")
    assert environment.channels == ("conda-forge", "defaults")


@pytest.mark.parametrize(
    ("text", "line"), [("dependencies:\n  - [numpy\n", 3), ("a: 1\nname: x\nname: y\n", 3), ("name: \tx: y\n", 1)]
)
def test_malformed_yaml_is_one_finding_with_its_line(text: str, line: int) -> None:
    finding = only(read_conda(text, file="conda.yml")[1])
    assert (finding.file, finding.line, finding.severity) == ("conda.yml", line, "error")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("just text", ""),
        ("", ""),
        ("dependencies: numpy", "dependencies"),
        ("dependencies: [3.5]", "dependencies[0]"),
        ("dependencies: [{pip: numpy}]", "dependencies[0]"),
        ("dependencies: [{npm: [x]}]", "dependencies[0]"),
        ("dependencies: [{pip: [1]}]", "dependencies[0].pip[0]"),
        ("channels: [1]", "channels"),
        ("variables: {A: b}", "variables"),
        ("dependancies: []", "dependancies"),
    ],
)
def test_a_wrong_shape_is_one_error_with_its_path(text: str, path: str) -> None:
    finding = only(read_conda(text, file="conda.yml")[1])
    assert (finding.path, finding.severity) == (path, "error")


def test_all_findings_come_at_once() -> None:
    _, findings = conda("python=3.6", "libgcc", "numpy=1|2", pip=("-e .", "./x", "a b"))
    assert [finding.line for finding in findings] == [2, 3, 4, 6, 7, 8]


def test_a_requirements_file_keeps_order_markers_and_hashes() -> None:
    text = """\
# comment
Scikit_Learn == 1.9.1   # pinned
numpy>=2,<3 \\
    --hash=sha256:bb \\
    --hash=sha256:aa

tomli; python_version < "3.11"
thing @ https://example.com/thing-1.0.whl#sha256=00
"""
    environment, findings = read_requirements(text, file="r.txt")
    assert findings == []
    assert environment.requirements == (
        "scikit-learn==1.9.1",
        "numpy<3,>=2 --hash=sha256:aa --hash=sha256:bb",
        'tomli; python_version < "3.11"',
        "thing @ https://example.com/thing-1.0.whl#sha256=00",
    )


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("-r other.txt", "one file is one environment"),
        ("--requirement=other.txt", "one file is one environment"),
        ("-c limits.txt", "one file is one environment"),
        ("-e .", "source directory"),
        ("--index-url https://example.com/simple", "UV_INDEX"),
        ("--find-links x", "UV_FIND_LINKS"),
        ("--pre", "pre-release"),
        ("--no-binary :all:", "UV_"),
        ("numpy --global-option=x", "UV_"),
        ("./wheels/x-1.0.whl", "source directory"),
        ("x-1.0-py3-none-any.whl", "source directory"),
        ("x @ file:///tmp/x", "source directory"),
        ("https://example.com/x-1.0.whl", "NAME @ https"),
        ("git+https://example.com/x.git", "NAME @ git+https"),
        ("numpy == one", "PEP 508"),
        ("two words", "PEP 508"),
    ],
)
def test_what_an_environment_cannot_hold_is_refused_with_the_way_out(line: str, remedy: str) -> None:
    environment, findings = read_requirements(f"scipy\n{line}\n", file="r.txt")
    finding = only(findings)
    assert (finding.line, finding.severity) == (2, "error")
    assert remedy in finding.remedy
    assert environment.requirements == ("scipy",)


@pytest.mark.parametrize(
    "line",
    [
        "x @ https://user:hunter2@example.com/x.whl",
        "--extra-index-url https://user:hunter2@example.com/simple",
        "x @ git+https://hunter2@example.com/x.git",
        "https://hunter2@example.com/x.whl",
    ],
)
def test_credentials_are_refused_and_never_shown(line: str) -> None:
    for _, findings in (read_requirements(line, file="r.txt"), conda("scipy", pip=(line,)), conda(f'"{line}"')):
        assert "hunter2" not in "".join(map(str, findings))
        assert only(findings).severity == "error"


def test_a_channel_with_a_token_is_refused_and_never_shown() -> None:
    text = "channels: ['https://conda.example.com/t/hunter2/x']\ndependencies: [numpy]"
    environment, findings = read_conda(text, file="c.yml")
    assert "hunter2" not in f"{only(findings)}{environment}"


def test_an_environment_is_canonical_however_it_is_made() -> None:
    made = PythonEnvironment(python=" <4, >=3.10", requirements=("Foo.Bar[b,a] >=1,<2",))
    assert (made.python, made.requirements) == ("<4,>=3.10", ("foo-bar[a,b]<2,>=1",))
    with pytest.raises(ValidationError):
        PythonEnvironment(requirements=("two words",))


@given(st.text())
def test_any_text_gives_an_environment_or_findings(text: str) -> None:
    read_conda(text, file="c.yml")
    read_requirements(text, file="r.txt")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["dependencies", "pip"]), inner),
)


@given(st.fixed_dictionaries({"dependencies": st.lists(plain | st.fixed_dictionaries({"pip": plain}))}))
def test_any_document_gives_an_environment_or_findings(document: dict[str, object]) -> None:
    read_conda_document(document, file="", path="x")


def test_the_example_s_files_read_with_notes_only_and_mean_the_same() -> None:
    read = [
        read_conda((ROOT / f"examples/diabetes/{name}/conda.yml").read_text(), file=name)
        for name in ("ridge", "forest")
    ]
    assert [finding.severity for _, findings in read for finding in findings] == ["note", "note"]
    assert read[0][0] == read[1][0]
    assert YAML(typ="safe").load((ROOT / "examples/diabetes/ridge/conda.yml").read_text())["dependencies"]
