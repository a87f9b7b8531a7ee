"""Conda's package specifications in the terms of Python packaging.

Conda's own rules for match specifications are in conda's documentation, "Package match specifications".
"""

import re
from collections.abc import Mapping

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


class MatchSpecError(Exception):
    """A specification that has no meaning for Python packages; `str()` says why, without what was written."""


def parse_match_spec(text: str) -> tuple[str, str]:
    """Return the name and the PEP 440 specifier of a conda dependency.

    `numpy=1.2` is `==1.2.*`, as are `numpy 1.2.*` and `numpy==1.2.*`; `numpy=1.2.3=py38_0`, `numpy 1.2.3` and
    `numpy==1.2.3` are `==1.2.3`; ranges stay ranges. A channel before `::` is dropped. The name is conda's, in lower
    case.

    Raises:
        MatchSpecError: alternatives (`|`), brackets, or versions that are none in Python.
    """
    bare = text.split("::", 1)[-1].strip()
    match = re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)(.*)", bare)
    if match is None:
        raise MatchSpecError("is not of the form name, name=version or name>=version")
    name, rest = match.group(1).lower(), match.group(2)
    if "[" in rest or "|" in rest:
        raise MatchSpecError("uses brackets or alternatives, which Python packages do not have")
    return name, _specifier(rest)


def python_name(name: str) -> str:
    """The Python package that a conda package holds: the same name, but for a few."""
    return _PYTHON_NAMES.get(name, canonicalize_name(name))


def is_python_package(name: str) -> bool:
    """Whether conda's package `name` is a Python package as far as is known; unknown names are taken for one."""
    return name not in _NOT_PYTHON and not _NOT_PYTHON_PATTERN.fullmatch(name)


def _specifier(rest: str) -> str:
    """Translate what stands behind the name: operators may have spaces around them, a build may follow."""
    tight = re.sub(r"\s*([=<>!~,]+)\s*", r"\1", rest.strip())
    version, build = _split_build(tight)
    if version.startswith("=") and not version.startswith("==") and build:
        version = version[1:]  # with a build, conda reads `=1.2=` as exactly 1.2
    clauses = [_clause(part) for part in version.split(",") if part]
    try:
        return str(SpecifierSet(",".join(clause for clause in clauses if clause)))
    except InvalidSpecifier as error:
        raise MatchSpecError("has a version that Python packages do not know") from error


def _split_build(text: str) -> tuple[str, str]:
    words = text.split()
    if len(words) > 2:
        raise MatchSpecError("has more than a name, a version and a build")
    if len(words) == 2:
        return words[0], words[1]
    match = re.fullmatch(r"(.+?)(?<![=<>!~,])=([^=<>!~,]+)", text)
    return (match.group(1), match.group(2)) if match else (text, "")


def _clause(text: str) -> str:
    match = re.fullmatch(r"(===?|!=|<=|>=|~=|=|<|>)?(.+)", text)
    if match is None:
        raise MatchSpecError("has an operator without a version")
    operator, version = match.group(1) or "==", match.group(2)
    stem = version.rstrip("*").rstrip(".")
    if not stem:
        return ""
    wildcard = version.endswith("*") or operator == "="
    if not wildcard:
        return f"{operator}{version}"
    if operator in {"=", "=="}:
        return f"=={stem}.*" if _is_release(stem) else f"=={stem}"
    return f"!={stem}.*" if operator == "!=" else f"{operator}{stem}"


def _is_release(version: str) -> bool:
    """Whether PEP 440 lets `.*` follow: not after a pre-release, a development or a local version."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        return True  # the specifier's own check says what is wrong with it
    return not (parsed.is_prerelease or parsed.is_postrelease or parsed.local)


_PYTHON_NAMES: Mapping[str, str] = {
    "dask-core": "dask",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "numpy-base": "numpy",
    "opencv": "opencv-python-headless",  # the one that needs no display libraries
    "psycopg2": "psycopg2-binary",  # the other one is source only
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "pytables": "tables",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ruamel_yaml": "ruamel-yaml",
    "tensorflow-base": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-mkl": "tensorflow",
}

_NOT_PYTHON = frozenset(
    {
        "arrow-cpp", "binutils", "blas", "boost-cpp", "bzip2", "c-ares", "ca-certificates", "compilers", "curl",
        "cudatoolkit", "cudnn", "ffmpeg", "fontconfig", "freetype", "gcc", "gfortran", "git", "glib", "gmp",
        "graphviz", "gxx", "hdf5", "icu", "intel-openmp", "jpeg", "krb5", "lz4-c", "make", "mpi", "mpich", "mysql",
        "nccl", "ncurses", "nodejs", "nomkl", "openblas", "openjdk", "openmpi", "openssl", "pandoc", "poppler",
        "postgresql", "proj", "python_abi", "pytorch-cuda", "pytorch-mutex", "qt", "readline", "snappy", "sqlite",
        "tesseract", "tk", "unixodbc", "wget", "xz", "yaml", "zlib", "zstd",
    }
)  # fmt: skip
"""Conda packages that are libraries or programs; some share a name with an unrelated Python package."""

_NOT_PYTHON_PATTERN = re.compile(
    r"_.*|r-.*|ld_impl.*|.*[_-]linux-64|cuda-(?!python).*"
    r"|lib(blas|cblas|lapack|cublas|cudnn|curl|cxx|edit|ev|ffi|gcc|gfortran|gomp|hdf5|iconv|nsl|opencv|openblas|png"
    r"|pq|protobuf|sodium|spatialindex|sqlite|stdcxx|tiff|uuid|uv|webp|xcb|xgboost|xml2|zlib)(-.*)?"
)
