"""The Dockerfiles of this project's images, and the files that they copy.

The same inputs give the same text and the same files, byte for byte. Whether they give the same layers is up to the
builder: `SOURCE_DATE_EPOCH` goes in as a build argument, which BuildKit and buildah know.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.specifiers import SpecifierSet

from tidegate.image.base import MICROMAMBA, UV, quoted
from tidegate.image.inputs import ImageInputs
from tidegate.image.lock import Lock
from tidegate.image.python import MINIMUM_PYTHON
from tidegate.image.reference import Reference

SOURCE_DATE_EPOCH = 315532800
"""1 January 1980: the first moment that a wheel, which is a ZIP file, can hold."""
USER_ID = 10001
"""Whom the scoring server runs as, by number, since Kubernetes' runAsNonRoot wants one."""
APP_ROOT = "/var/azureml-app"
"""Where v1 put the code."""
MODELS = f"{APP_ROOT}/azureml-models"
"""Where v1 put the models: `<name>/<number>/...`."""
PREFIX = "/opt/tidegate/env"
"""The Python environment."""
FOLDER = ".tidegate"
"""What this project adds to a build context, out of the way of what a user's own Dockerfile copies."""

TITLE_LABEL = "org.opencontainers.image.title"
KEY_LABEL = "io.tidegate.key"
"""The key of the environment that an image has."""
_PORT = 5001


@dataclass(frozen=True)
class Tools:
    """The images of the tools that install packages, by digest."""

    uv: Reference
    micromamba: Reference | None = None
    """Needed for conda packages that are no Python packages, and only then."""

    @classmethod
    def locked(cls, lock: Lock, platform: str) -> "Tools":
        """Both as the lock has them; by name where it does not (`missing_images` says so)."""
        by_digest = (
            reference.at(digest) if (digest := lock.digest(reference, platform)) else reference
            for reference in (UV, MICROMAMBA)
        )
        return cls(*by_digest)


@dataclass(frozen=True)
class VersionLayer:
    """What a version's image has over its environment's."""

    entry_script: str
    """Posix path in the code."""
    models: tuple[tuple[str, int], ...] = ()
    """Names and numbers, in the order of the config."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def environment_dockerfile(inputs: ImageInputs, tools: Tools) -> str:
    """The Dockerfile of an environment's image; its context is what `environment_files` says.

    From what changes seldom to what changes often: base, Docker steps, the user, Python with its packages, the scoring
    server. The tools are mounted while they run, so nothing of them stays.
    """
    lines = [
        inputs.dockerfile.rstrip("\n") if inputs.image is None else f"FROM {inputs.image}",
        *inputs.docker_steps,
        "",
        "# From here on as root, whoever the base leaves it to.",
        "USER 0:0",
        _several("ARG", [*(f"{name}={value}" for name, value in _BUILD_SETTINGS.items()), *_INDEXES]),
        "",
        *_python(inputs, tools),
        "",
        _several("ENV", _environment(inputs)),
        f"HEALTHCHECK --interval=10s --timeout=2s --start-period=310s --retries=3 CMD {json.dumps(_HEALTH)}",
        *_labels(environment_labels(inputs)),
        f"USER {USER_ID}:{USER_ID}",
        "ENTRYPOINT []",
        f"CMD {json.dumps([f'{PREFIX}/bin/tidegate-score'])}",
    ]
    return "\n".join(lines) + "\n"


def environment_files(inputs: ImageInputs, runtime: Path) -> dict[str, Path | bytes]:
    """The files of the build context by path, sorted: those of a given context, the requirements, the server's source.

    `runtime` is the folder of the scoring server's distribution.
    """
    files: dict[str, Path | bytes] = {}
    if inputs.context:
        files |= {file.path: inputs.context.root / file.path for file in inputs.context.files}
    ignored = files.get(".dockerignore")
    if isinstance(ignored, Path):  # what it leaves out is the user's; ours has to get through
        files[".dockerignore"] = ignored.read_bytes().rstrip(b"\n") + f"\n!{FOLDER}\n!{FOLDER}/**\n".encode()
    if inputs.python.requirements:
        text = "".join(f"{line}\n" for line in inputs.python.requirements)
        files[f"{FOLDER}/requirements.txt"] = text.encode()
    for path in (runtime / "pyproject.toml", *(runtime / "src").rglob("*")):
        relative = path.relative_to(runtime)
        if path.is_file() and path.suffix != ".pyc" and not any(part.endswith(".egg-info") for part in relative.parts):
            files[f"{FOLDER}/server/{relative.as_posix()}"] = path
    return dict(sorted(files.items()))


def version_dockerfile(layer: VersionLayer) -> str:
    """The Dockerfile of a version's image: models and code over the environment in the build argument `ENVIRONMENT`.

    Its context has the code under `code/` and each model under `models/<name>/<number>/`. The models come first: a
    change to the code leaves their layers as they are.
    """
    models = [f"models/{name}/{number}" for name, number in layer.models]
    settings = {
        "AML_APP_ROOT": APP_ROOT,
        "AZUREML_ENTRY_SCRIPT": layer.entry_script,
        "AZUREML_MODEL_DIR": model_folder(layer.models),
        "AZUREML_SOURCE_DIRECTORY": APP_ROOT,
    }
    lines = [
        "ARG ENVIRONMENT",
        "FROM ${ENVIRONMENT}",
        *(f"COPY {_words(each, MODELS + each.removeprefix('models'))}" for each in models),
        f"COPY {_words('code', APP_ROOT)}",
        f"WORKDIR {APP_ROOT}",
        _several("ENV", (f"{name}={quoted(value)}" for name, value in settings.items() if value)),
        *_labels(layer.labels),
    ]
    return "\n".join(lines) + "\n"


def model_folder(models: Sequence[tuple[str, int]]) -> str:
    """`AZUREML_MODEL_DIR`, as v1 had it: the folder of the number for one model, the folder of all for several."""
    if not models:
        return ""
    return f"{MODELS}/{models[0][0]}/{models[0][1]}" if len(models) == 1 else MODELS


def environment_labels(inputs: ImageInputs) -> dict[str, str]:
    """What an environment's image says of itself: no name, since one image serves all that have its key."""
    labels = {TITLE_LABEL: "Tidegate environment", KEY_LABEL: inputs.key, "io.tidegate.server": inputs.server}
    if inputs.image and inputs.image.digest:
        labels["org.opencontainers.image.base.digest"] = inputs.image.digest
    return labels


def image_labels(name: str, number: int, *, tags: Mapping[str, str], description: str) -> dict[str, str]:
    """What a registered image says of itself: tags as JSON (rule I4)."""
    labels = {
        TITLE_LABEL: name,
        "org.opencontainers.image.version": str(number),
        "org.opencontainers.image.description": description,
        "io.tidegate.tags": json.dumps(dict(tags), sort_keys=True) if tags else "",
    }
    return {label: value for label, value in labels.items() if value}


def _python(inputs: ImageInputs, tools: Tools) -> Iterator[str]:
    python = str(SpecifierSet(inputs.python.python) & SpecifierSet(f">={MINIMUM_PYTHON}"))
    uv = _mount(f"from={tools.uv},source=/uv", "uv")
    if inputs.python.native:
        if tools.micromamba is None:
            raise ValueError("conda packages need micromamba's image")
        channels = [word for channel in inputs.python.channels or ("conda-forge",) for word in ("--channel", channel)]
        yield _run(
            ("/run/tidegate/micromamba", "create", "--yes", "--no-rc", "--root-prefix", "/tmp/micromamba",  # noqa: S108 (in an image)
             "--prefix", PREFIX, "--override-channels", *channels, _conda_python(python), *inputs.python.native),
            _mount(f"from={tools.micromamba},source=/bin/micromamba", "micromamba"),
            "--mount=type=tmpfs,target=/tmp/micromamba",
        )  # fmt: skip
    else:
        yield _run(("/run/tidegate/uv", "venv", "--no-project", "--python", python, PREFIX), uv)
    install = ("/run/tidegate/uv", "pip", "install", "--python", f"{PREFIX}/bin/python")
    mounts, listed = [uv], ()
    if inputs.python.requirements:
        mounts.append(_mount(f"source={FOLDER}/requirements.txt", "requirements.txt"))
        listed = ("--requirements", "/run/tidegate/requirements.txt")
        yield _run((*install, *listed), *mounts)
    # The requirements again: the server must not move what they have settled.
    server = "/run/tidegate/server[telemetry]" if inputs.telemetry else "/run/tidegate/server"
    yield _run((*install, *listed, server), *mounts, _mount(f"source={FOLDER}/server", "server"))


def _conda_python(specifier: str) -> str:
    """A specifier for conda, which writes `==3.11.*` as `3.11.*`."""
    clauses = (clause.removeprefix("==") if clause.endswith(".*") else clause for clause in specifier.split(","))
    return f"python {','.join(clauses)}"


def _environment(inputs: ImageInputs) -> Iterator[str]:
    yield "HOME=/tmp"  # the user's number stands in no /etc/passwd: libraries that ask who they run as look here first
    if inputs.python.native:  # for wheels that open conda's libraries by name, as v1's images had it
        yield f"LD_LIBRARY_PATH={PREFIX}/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    yield f"PATH={PREFIX}/bin:$PATH"
    yield "PYTHONDONTWRITEBYTECODE=1"
    yield "TIDEGATE_HOST=0.0.0.0"
    yield "USER=tidegate"


def _run(command: Sequence[str], *mounts: str) -> str:
    """A RUN in the form without a shell: no word is split, and a base's SHELL does not count."""
    return _several("RUN", [*mounts, json.dumps(list(command), ensure_ascii=False)])


def _several(instruction: str, values: Iterable[str]) -> str:
    """One instruction over several lines; one, since each is a step of the build for which some builders copy all."""
    return f"{instruction} " + " \\\n    ".join(values)


def _mount(what: str, name: str) -> str:
    return f"--mount=type=bind,{what},target=/run/tidegate/{name}"


def _labels(labels: Mapping[str, str]) -> Iterator[str]:
    if labels:
        yield _several("LABEL", (f"{name}={quoted(value)}" for name, value in sorted(labels.items())))


def _words(source: str, target: str) -> str:
    return json.dumps([f"{source}/", f"{target}/"])


_BUILD_SETTINGS = {
    "PYC_INVALIDATION_MODE": "UNCHECKED_HASH",  # the same bytes at any time, and nothing to compare at a start
    "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
    "UV_COMPILE_BYTECODE": "1",
    "UV_LINK_MODE": "copy",
    "UV_NO_CACHE": "1",
    "UV_PYTHON_INSTALL_DIR": "/opt/tidegate/python",
    "UV_PYTHON_PREFERENCE": "system",
}
"""Build arguments, since they reach every RUN and stay out of the image."""

_INDEXES = ("UV_INDEX", "UV_DEFAULT_INDEX")
"""Given by a build argument, or not set."""

_HEALTH = [
    f"{PREFIX}/bin/python",
    "-c",
    "import os, urllib.request as web; "
    f"web.urlopen('http://127.0.0.1:' + (os.environ.get('SERVER_PORT') or '{_PORT}'), timeout=2)",
]
