"""A model's number stands for its content for ever."""

from providers.kind import Failure, Properties


def changed_content(old: Properties, new: Properties) -> list[Failure]:
    """What a change from `old` inputs to `new` ones breaks: a number keeps its content (rule M1)."""
    if not old or (old["name"], old["number"]) != (new["name"], new["number"]) or old["content"] == new["content"]:
        return []
    name, number = new["name"], new["number"]
    reason = (
        f"{new['path']} no longer holds what {name}:{number} was registered with "
        f"({_short(old['content'])}, now {_short(new['content'])}); "
        f"put the old file back, or register this one under the next number in tidegate:models.{name} "
        f"(tidegate model register {name} PATH)"
    )
    return [Failure("content", reason)]


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]
