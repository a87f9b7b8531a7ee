"""What the image of a version is made from, kept in the state so that a preview can say what has changed."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from providers.kind import TEXT, TEXT_MAP, TEXTS, Call, Failure, Kind, Properties
from tidegate.image.changes import changes

CONTENTS = {
    "key": TEXT,
    "base": TEXT,
    "dockerfile": TEXT,
    "context": TEXT,
    "dockerSteps": TEXTS,
    "python": TEXT,
    "requirements": TEXTS,
    "native": TEXTS,
    "channels": TEXTS,
    "platform": TEXT,
    "server": TEXT,
    "code": TEXT,
    "models": TEXT_MAP,
}
_NOT_WRITTEN = ("key", "base", "dockerfile", "platform", "server")
_REMADE = {
    "environment": "the environment's image is made anew",
    "code": "the environment's image is kept, the layer with the code is made anew",
    "models": "the environment's image is kept, the layer with the models is made anew",
}


class Contents(Kind):
    """A record without a side effect: its inputs are a version's contents, as `tidegate.image.record` gives them."""

    type = "tidegate-serving:image:Contents"
    inputs: ClassVar = {"version": TEXT, **CONTENTS}

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """A number keeps what it was registered with: a model its content, an image what is written of it."""
        if not old:
            return []
        if failures := list(_moved_models(old["models"], new["models"])):
            return failures
        name, colon, _ = new["version"].partition(":")
        if not colon:
            return []
        written = {key: old[key] for key in _NOT_WRITTEN if key in old}
        found = changes(old, {**new, **written})
        if not found:
            return []
        said = "; ".join(change.text for change in found)
        reason = f"{new['version']} was registered with something else: {said}; register this as the next number"
        return [Failure("version", f"{reason} in tidegate:images.{name}")]

    def notices(self, old: Properties, new: Properties) -> list[str]:
        """What has changed, and which image is made anew for it."""
        if not old:
            return []
        found = changes(old, new)
        if not found:
            return []
        # What changes the environment comes first, and makes everything over it anew.
        return [f"{new['version']}: {_REMADE[found[0].part]}: {'; '.join(change.text for change in found)}"]

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Nothing is made."""
        return new["version"], dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Nothing was made."""


def _moved_models(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Failure]:
    for number in sorted(old.keys() & new.keys()):
        if old[number] != new[number]:
            name = number.partition(":")[0]
            reason = (
                f"the model no longer holds what {number} was registered with "
                f"({old[number][:19]}, now {new[number][:19]}); "
                f"put the old file back, or register this one under the next number in tidegate:models.{name} "
                f"(tidegate model register {name} PATH)"
            )
            yield Failure("models", reason)
