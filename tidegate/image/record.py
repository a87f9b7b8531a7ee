"""What an image is made from, as plain values that a stack's state keeps."""

from collections.abc import Mapping

from tidegate.image.inputs import ImageInputs

Record = dict[str, object]
"""`key`, `base`, `dockerfile`, `context`, `dockerSteps`, `python`, `requirements`, `native`, `channels`, `platform`,
`server`, `code`, `models`. No secret is in it."""


def record(inputs: ImageInputs, *, code: str, models: Mapping[str, str]) -> Record:
    """What goes into a version's image: `code` is the snapshot's digest, `models` are digests by `name:number`."""
    return {
        "key": inputs.key,
        "base": str(inputs.image or ""),
        "dockerfile": inputs.dockerfile,
        "context": inputs.context.digest if inputs.context else "",
        "dockerSteps": list(inputs.docker_steps),
        "python": inputs.python.python,
        "requirements": list(inputs.python.requirements),
        "native": list(inputs.python.native),
        "channels": list(inputs.python.channels),
        "platform": inputs.platform,
        "server": inputs.server,
        "code": code,
        "models": dict(sorted(models.items())),
    }
