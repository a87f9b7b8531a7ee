"""The environment in which an example's models are trained: the one that will serve them."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from providers.local.virtual_environment import build_environment
from tidegate.cache import cache_folder
from tidegate.endpoint.spec import InferenceSpec, VersionSpec
from tidegate.image.inputs import PLATFORM, image_inputs
from tidegate.image.lock import FILE, read
from tidegate.image.python import read_conda
from tidegate.image.server import server_version


def python_of(root: Path, conda_file: Path, progress: Callable[[str], None]) -> Path:
    """The interpreter of the environment that a conda file describes, built where the cache does not have it yet."""
    environment, _ = read_conda((root / conda_file).read_text(), file=str(conda_file))
    server = root / "runtime"
    trained = VersionSpec(
        name="train",
        inference=InferenceSpec(entry_script="train.py", source=root / conda_file.parent, python=environment),
    )
    inputs = image_inputs(trained, read(root / FILE), PLATFORM, server=server_version(server))
    folder = build_environment(
        inputs.key,
        python=environment.python,
        requirements=environment.requirements,
        server=server,
        cache=cache_folder(os.environ),
        progress=progress,
        cancelled=threading.Event(),
    )
    return folder / "bin" / "python"
