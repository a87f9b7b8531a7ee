"""The key of an environment: two environments with one key are the same image, on every target (rule I2)."""

import hashlib
import json
from collections.abc import Sequence

from tidegate.image.python import PythonEnvironment


def environment_key(
    python: PythonEnvironment,
    *,
    base: str,
    docker_steps: Sequence[str],
    platform: str,
    server: str,
    dockerfile: str = "",
    context: str = "",
) -> str:
    """Return the prefix of a form and 64 hex digits: the SHA-256 of the environment in that form.

    The form is JSON with sorted keys, no white space and ASCII only:
    `{"base", "channels", "docker_steps", "platform", "python", "requirements", "server"}`, with the prefix `e1-`.
    Where one of `native`, `dockerfile` and `context` is not empty, all three are in it, and the prefix is `e2-`.
    Names and numbers of environments are not in it. The order of `docker_steps`, requirements and channels counts,
    as it did in Azure ML v1. A change to a form takes a new prefix, so old keys never mean something else, and what
    the older form can say keeps it. docs/reference/image-key.md has an example to compute by hand.

    Args:
        python: the packages; canonical by construction.
        base: the base image's digest, its name where that is not known; empty for the default base and where a
            Dockerfile is given.
        docker_steps: custom Dockerfile lines, in order, exactly as written.
        platform: of the target, such as `linux/amd64`; never the host's.
        server: what `server_version` returns.
        dockerfile: the text of a given base Dockerfile, lines ended by `\\n`, its images by digest.
        context: the digest of the files for it (`Snapshot.digest`).
    """
    form: dict[str, object] = {
        "base": base,
        "channels": python.channels,
        "docker_steps": list(docker_steps),
        "platform": platform,
        "python": python.python,
        "requirements": python.requirements,
        "server": server,
    }
    prefix = "e1"
    if python.native or dockerfile or context:
        form |= {"native": python.native, "dockerfile": dockerfile, "context": context}
        prefix = "e2"
    canonical = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()}"
