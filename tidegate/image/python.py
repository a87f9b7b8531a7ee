"""The Python packages of an environment, read from v1's conda files and from pip's requirements files."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tidegate.findings import Finding, Severity
from tidegate.image.conda import MatchSpecError, is_python_package, parse_match_spec, python_name
from tidegate.image.pip import HASH_OPTION, LineError, check_line, read_lines, without_credentials

MINIMUM_PYTHON = "3.10"
"""The oldest Python that the scoring server runs on: `requires-python` of `runtime/pyproject.toml`."""


def canonical_requirement(text: str) -> str:
    """One spelling for each meaning of a PEP 508 requirement, with its `--hash` options behind it.

    Raises:
        ValueError: `text` is not a requirement.
    """
    words = text.split(HASH_OPTION)
    try:
        requirement = Requirement(words[0].strip())
    except InvalidRequirement as error:
        raise ValueError(f"not a requirement: {str(error).splitlines()[0]}") from error
    requirement.name = canonicalize_name(requirement.name)
    return " ".join([str(requirement), *sorted(f"{HASH_OPTION}{word.strip()}" for word in words[1:])])


def _canonical_specifier(text: str) -> str:
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise ValueError(str(error)) from error


class PythonEnvironment(BaseModel):
    """Python and its packages, in canonical spelling: equal meaning and equal order make equal values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: Annotated[str, AfterValidator(_canonical_specifier)] = ""
    """PEP 440 specifier such as `==3.11.*`; empty for any that the scoring server supports."""
    requirements: tuple[Annotated[str, AfterValidator(canonical_requirement)], ...] = ()
    """PEP 508, in the order of the file, each followed by its `--hash` options."""
    channels: tuple[str, ...] = ()
    """Conda channels as given; a target without conda leaves them aside."""
    native: tuple[str, ...] = ()
    """Conda packages that are no Python packages (`cudatoolkit=11.8`), as given but for white space; images only."""


def read_conda(text: str, *, file: str, native: bool = False) -> tuple[PythonEnvironment, list[Finding]]:
    """Read the text of a conda environment file (YAML).

    Its pip part and those conda packages that are Python packages become requirements. Packages of Azure ML whose
    place this product's scoring server takes are left out and reported as notes. `pip` itself is left out, since uv
    does its work. `name` and `prefix` mean nothing here.

    Args:
        text: the file's content; it may be anything.
        file: the file's path, for the findings.
        native: whether the target's environments can hold conda packages that are no Python packages; where they
            cannot, each is an error.

    Returns:
        What could be read, and everything that was found; the environment is of use where no finding is an error.
    """
    try:
        document: object = YAML(typ="rt").load(text)  # pyright: ignore[reportUnknownMemberType] -- untyped in ruamel
    except MarkedYAMLError as error:
        what, line = _yaml_problem(error)
        return PythonEnvironment(), [Finding("", f"is not YAML: {what}", "Correct the line", file=file, line=line)]
    except (YAMLError, ValueError) as error:  # control characters; numbers and dates that are none
        return PythonEnvironment(), [Finding("", f"is not YAML: {str(error).splitlines()[0]}", file=file)]
    return read_conda_document(document, file=file, native=native)


def read_conda_document(
    document: object, *, file: str, path: str = "", native: bool = False
) -> tuple[PythonEnvironment, list[Finding]]:
    """Read conda dependencies that are already parsed, such as `environment.python.condaDependencies` of v1.

    Args:
        document: mappings, lists and plain values; lines are reported for those that ruamel.yaml loaded round-trip.
        file: the file it stands in; empty for the stack config.
        path: its key path there; the paths of the findings begin with it.
        native: as for `read_conda`.

    Returns:
        As `read_conda`.
    """
    return _CondaReader(file, path, native=native).read(document)


def read_requirements(text: str, *, file: str) -> tuple[PythonEnvironment, list[Finding]]:
    """Read the text of a pip requirements file; findings carry the line and no key path.

    Comments, continued lines, markers and `--hash` are pip's. Other options are refused, each with its way out.

    Returns:
        As `read_conda`.
    """
    packages = _Packages(file)
    for number, line in read_lines(text):
        packages.add_line(line, path="", line=number)
    return PythonEnvironment(requirements=packages.requirements()), packages.findings


_INFERENCE_SCHEMA = "inference-schema"

_REPLACED: Mapping[str, tuple[Severity, str, tuple[str, ...]]] = {
    "azureml-defaults": (
        "note",
        "is replaced by this product's scoring server; its dependency inference-schema is kept",
        (_INFERENCE_SCHEMA,),
    ),
    "azureml-inference-server-http": (
        "note",
        "is replaced by this product's scoring server; its dependency inference-schema is kept",
        (_INFERENCE_SCHEMA,),
    ),
    "azureml-contrib-services": (
        "note",
        "is left out: the scoring server brings rawhttp, AMLRequest and AMLResponse",
        (),
    ),
    "azureml-monitoring": ("note", "is left out: the scoring server brings ModelDataCollector", ()),
    "azureml-telemetry": ("note", "is left out: scoring does not use it", ()),
    "azureml-core": (
        "warning",
        "is left out: the scoring server brings azureml.core.model.Model, and nothing else of that SDK",
        (),
    ),
}
"""Azure ML packages that do not go into an environment: how it is said, why, and what they brought that is kept."""


class _Packages:
    """Collects requirements in order, and what is to be said about them."""

    def __init__(self, file: str) -> None:
        self.findings: list[Finding] = []
        self._file = file
        self._given: list[str] = []
        self._implied: set[int] = set()

    def requirements(self) -> tuple[str, ...]:
        """What was added; what a replaced package brought is in it only where the file does not ask for it itself."""
        asked = {_name(text) for index, text in enumerate(self._given) if index not in self._implied}
        kept: list[str] = []
        for index, text in enumerate(self._given):
            if index in self._implied and (text in asked or text in kept):
                continue
            kept.append(text)
        return tuple(kept)

    def add_line(self, text: str, *, path: str, line: int) -> None:
        """Add one line of pip's."""
        try:
            requirement = canonical_requirement(check_line(text))
        except LineError as error:
            self.report(path, line, error.problem, error.remedy)
        except ValueError as error:
            self.report(path, line, f"'{text}' is {error}", "Write NAME==VERSION, or another form of PEP 508")
        else:
            self.add(requirement, path=path, line=line)

    def add(self, requirement: str, *, path: str, line: int) -> None:
        """Add a canonical requirement."""
        name = _name(requirement)
        if name not in _REPLACED:
            self._given.append(requirement)
            return
        severity, reason, brought = _REPLACED[name]
        self.report(path, line, f"{name} {reason}", severity=severity)
        for implied in brought:
            self._implied.add(len(self._given))
            self._given.append(implied)

    def report(self, path: str, line: int, problem: str, remedy: str = "", *, severity: Severity = "error") -> None:
        self.findings.append(Finding(path, problem, remedy, file=self._file, line=line, severity=severity))


class _CondaReader:
    """Reads one conda document."""

    def __init__(self, file: str, path: str, *, native: bool) -> None:
        self._file = file
        self._path = path
        self._takes_native = native
        self._native: list[str] = []
        self._packages = _Packages(file)
        self._python: list[str] = []

    def read(self, document: object) -> tuple[PythonEnvironment, list[Finding]]:
        channels: tuple[str, ...] = ()
        if not isinstance(document, Mapping):
            self._report("", 0, f"{_shown(document)} is not a mapping", _FORM)
            return PythonEnvironment(), self._packages.findings
        mapping = cast(Mapping[object, object], document)
        for key, value in mapping.items():
            line = _line(mapping, key)
            if key == "channels":
                channels = self._channels(value, line)
            elif key == "dependencies":
                self._dependencies(value, line)
            elif key == "variables":
                remedy = "Write them as environmentVariables of the environment"
                self._report("variables", line, "variables are conda's and never reach the script here", remedy)
            elif key not in {"name", "prefix", "platforms"}:
                self._report(str(key), line, f"{_shown(key)} is not a key of a conda file", _FORM)
        environment = PythonEnvironment(
            python=",".join(self._python),
            requirements=self._packages.requirements(),
            channels=channels,
            native=tuple(self._native),
        )
        return environment, self._packages.findings

    def _channels(self, value: object, line: int) -> tuple[str, ...]:
        texts = _entries(value) or [value]
        channels = tuple(text for text in texts if isinstance(text, str))
        if value is not None and len(channels) != len(texts):
            self._report("channels", line, f"{_shown(value)} is not a list of names", "Write channels: [conda-forge]")
        if any(re.search(r"://[^/\s]*@|/t/", channel) for channel in channels):
            self._report("channels", line, "a channel's URL has credentials in it", "Take the channel out")
            return ()
        return channels

    def _dependencies(self, value: object, line: int) -> None:
        entries = _entries(value)
        if entries is None:
            self._report("dependencies", line, f"{_shown(value)} is not a list", _FORM)
            return
        for index, entry in enumerate(entries):
            place, line = f"dependencies[{index}]", _line(entries, index)
            pip = _pip_entries(entry)
            if isinstance(entry, str):
                self._conda_package(entry, place, line)
            elif pip is not None:
                self._pip_part(pip, f"{place}.pip")
            else:
                self._report(place, line, f"{_shown(entry)} is neither a package nor a pip part with a list", _FORM)

    def _pip_part(self, entries: Sequence[object], place: str) -> None:
        for index, entry in enumerate(entries):
            at = _line(entries, index)
            if isinstance(entry, str):
                for _, text in read_lines(entry):
                    self._packages.add_line(text, path=self._place(f"{place}[{index}]"), line=at)
            else:
                self._report(f"{place}[{index}]", at, f"{_shown(entry)} is not a package", "Write NAME==VERSION")

    def _conda_package(self, text: str, place: str, line: int) -> None:
        try:
            name, specifier = parse_match_spec(text)
        except MatchSpecError as error:
            self._report(place, line, f"'{without_credentials(text)}' {error}", _OTHER_SPELLING)
            return
        if name == "python":
            self._python_version(text, specifier, place, line)
        elif not is_python_package(name) and self._takes_native:
            self._native.append(" ".join(text.split()))
        elif not is_python_package(name):
            self._report(place, line, f"'{name}' is a conda package that is no Python package", _NO_CONDA)
        elif name != "pip":
            self._packages.add(
                canonical_requirement(f"{python_name(name)}{specifier}"), path=self._place(place), line=line
            )

    def _python_version(self, text: str, specifier: str, place: str, line: int) -> None:
        if _allows_supported_python(specifier):
            self._python.append(specifier)
            return
        problem = f"'{text}' allows no Python from {MINIMUM_PYTHON} on, and the scoring server needs one"
        self._report(place, line, problem, _OTHER_PYTHON)

    def _report(self, place: str, line: int, problem: str, remedy: str) -> None:
        self._packages.report(self._place(place), line, problem, remedy)

    def _place(self, place: str) -> str:
        return ".".join(part for part in (self._path, place) if part)


_FORM = "Write dependencies: [python>=3.11, numpy=2.4, {pip: [joblib==1.5.3]}]"
_OTHER_SPELLING = "Write name=version, or move it to the pip part"
_NO_CONDA = (
    "Take it out where the Python packages bring it along, as most wheels do; "
    "else install it on the machine (local target) or by a Docker step (AKS)"
)
_OTHER_PYTHON = (
    f"Write python>={MINIMUM_PYTHON} here, or override the file in the stack config: "
    f'environment: {{python: {{condaDependencies: {{dependencies: ["python>={MINIMUM_PYTHON}", ...]}}}}}}'
)


def _name(requirement: str) -> str:
    return Requirement(requirement.split(HASH_OPTION, maxsplit=1)[0].strip()).name


def _entries(value: object) -> Sequence[object] | None:
    return cast(Sequence[object], value) if isinstance(value, list) else None


def _pip_entries(entry: object) -> Sequence[object] | None:
    """The list in an entry `{pip: [...]}`, or None where `entry` is something else."""
    if not isinstance(entry, Mapping):
        return None
    mapping = cast(Mapping[object, object], entry)
    return _entries(mapping["pip"]) if list(mapping) == ["pip"] else None


def _allows_supported_python(specifier: str) -> bool:
    """Whether some Python from the minimum on fits; tried out on every release that may come to be."""
    oldest = int(MINIMUM_PYTHON.split(".")[1])
    allowed = SpecifierSet(specifier)
    return any(allowed.contains(f"3.{minor}.{micro}") for minor in range(oldest, oldest + 20) for micro in range(40))


def _yaml_problem(error: Any) -> tuple[str, int]:
    """What ruamel.yaml says about malformed YAML, and the line from 1; its error class has no types."""
    line: int = error.problem_mark.line + 1 if error.problem_mark else 0
    return str(error.problem or error.context), line


def _line(container: object, key: object) -> int:
    """The line, from 1, of a key or an entry that ruamel.yaml loaded; 0 for other containers."""
    if isinstance(container, CommentedMap | CommentedSeq):
        positions = cast(Mapping[object, Sequence[int]], container.lc.data or {})  # pyright: ignore[reportUnknownMemberType] -- untyped in ruamel
        return positions[key][0] + 1 if key in positions else 0
    return 0


def _shown(value: object) -> str:
    """A value in a sentence: plain values as they are, others by kind."""
    if isinstance(value, str | bool | int | float) or value is None:
        return f"'{value}'" if isinstance(value, str) else f"{value}".lower() if value is not None else "nothing"
    return "a mapping" if isinstance(value, Mapping) else "a list"
