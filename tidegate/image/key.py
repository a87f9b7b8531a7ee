"""The key of an environment: two environments with one key are the same image, on every target (rule I2)."""

import hashlib
import json
from collections.abc import Sequence

from tidegate.image.python import PythonEnvironment


def environment_key(
    python: PythonEnvironment, *, base: str, docker_steps: Sequence[str], platform: str, server: str
) -> str:
    """Return `e1-` and 64 hex digits: the SHA-256 of the environment's canonical form.

    The form is JSON with sorted keys, no white space and ASCII only:
    `{"base", "channels", "docker_steps", "platform", "python", "requirements", "server"}`.
    Names and numbers of environments are not in it. The order of `docker_steps`, requirements and channels counts,
    as it did in Azure ML v1. `e1` names the form: a change to it takes a new prefix, so old keys never mean
    something else.

    Args:
        python: the Python packages; canonical by construction.
        base: the base image, by digest where it is known; empty for the default base.
        docker_steps: custom Dockerfile lines, in order, exactly as written.
        platform: of the target, such as `linux/amd64`; never the host's.
        server: what `server_version` returns.
    """
    form = {
        "base": base,
        "channels": python.channels,
        "docker_steps": list(docker_steps),
        "platform": platform,
        "python": python.python,
        "requirements": python.requirements,
        "server": server,
    }
    canonical = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"e1-{hashlib.sha256(canonical.encode()).hexdigest()}"
