"""`tidegate model`: the numbers of models in a stack's config. What they hold is copied or uploaded by `pulumi up`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cli import yaml_text
from cli.errors import CliError
from cli.project import Project
from cli.stack_file import StackFile
from tidegate.findings import ConfigError
from tidegate.model.content import ContentError, content_files, digest_of
from tidegate.model.register import Registered, registered, registration
from tidegate.paths import display, locate

_KEYS = ("config", "tidegate:models")


def register(
    project: Project, name: str, path: str, *, tags: Sequence[str] = (), description: str = ""
) -> dict[str, Any]:
    """Append the next number of a model to the stack's config, unless one has this content already.

    `path` counts from the current folder, `tags` are `key=value`. The answer has `name`, `number`, `path`, `content`
    (the digest) and `registered`, false where the number was there.
    """
    file = StackFile(project)
    models = _models(file, project)
    given = dict(_tag(tag) for tag in tags)
    place = locate(Path.cwd(), path)
    try:
        found = registration(models, name, place)
    except (ConfigError, ContentError, OSError) as error:
        raise CliError(_words(error)) from error
    if found.same_as is None:
        entry = {"path": display(place, project.root), "tags": given, "description": description}
        said = {key: value for key, value in entry.items() if value}
        file.rewrite(*_edits(file, models, name, project.root, said))
    shown = found.same_as.path if found.same_as else place
    return {
        "name": name,
        "number": found.number,
        "path": display(shown, project.root),
        "content": found.content,
        "registered": found.same_as is None,
    }


def show(project: Project, name: str = "") -> list[dict[str, Any]]:
    """The numbers of all models, or of those that `name` (`name` or `name:number`) means, sorted.

    Each has `name`, `number`, `path`, `content`, `size` (bytes; both null where the file is gone), `tags`,
    `description` and `usedBy` (`endpoint/version`).
    """
    models = _models(StackFile(project), project)
    return [_record(each, project.root) for each in (_meant(models, name) if name else models)]


def delete(project: Project, name: str) -> dict[str, Any]:
    """Take `name:number` out of the stack's config. Refused while a version uses it; the file itself stays."""
    file = StackFile(project)
    meant = _meant(_models(file, project), name)
    if len(meant) > 1:
        numbers = " or ".join(str(each.spec.number) for each in meant)
        raise CliError(f"{name} has several numbers; name one: {name}:{numbers}")
    (model,) = meant
    spec = model.spec
    if model.used_by:
        raise CliError(
            f"{spec.name}:{spec.number} is used by {', '.join(model.used_by)}; take it out of their models first"
        )
    entry = _entries(file)[spec.name]
    keys = (*_KEYS, spec.name) if _is_one(entry) else (*_KEYS, spec.name, str(spec.number))
    file.rewrite(partial(yaml_text.remove, keys=keys))
    return {"name": spec.name, "number": spec.number, "path": display(spec.path, project.root)}


def as_table(models: Sequence[Mapping[str, Any]]) -> str:
    """One line a number, under a line of headings."""
    rows = [("model", "content", "size", "tags", "used by", "path")]
    rows += [
        (
            f"{model['name']}:{model['number']}",
            model["content"][: len("sha256:") + 12] if model["content"] else "(gone)",
            _sized(model["size"]),
            _tags(model["tags"]),
            ", ".join(model["usedBy"]) or "-",
            model["path"],
        )
        for model in models
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def as_text(models: Sequence[Mapping[str, Any]]) -> str:
    """A paragraph a number, everything in it."""
    return "\n".join(_paragraph(model) for model in models)


def _paragraph(model: Mapping[str, Any]) -> str:
    rows = {
        "path": model["path"],
        "content": model["content"] or "(gone)",
        "size": _sized(model["size"]),
        "tags": _tags(model["tags"]),
        "description": model["description"] or "-",
        "used by": ", ".join(model["usedBy"]) or "-",
    }
    return f"{model['name']}:{model['number']}\n" + "".join(f"  {name:<12} {text}\n" for name, text in rows.items())


def _tags(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items()) or "-"


def _sized(size: int | None) -> str:
    if size is None:
        return "-"
    for unit, least in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size} B"


def _edits(
    file: StackFile, models: Sequence[Registered], name: str, root: Path, entry: Mapping[str, Any]
) -> list[Callable[[str], str]]:
    """What puts `entry` behind the numbers that a model has, each of them written as a number then."""
    before = [each.spec for each in models if each.spec.name == name]
    number = max((spec.number for spec in before), default=0) + 1
    there = _entries(file).get(name)
    edits: list[Callable[[str], str]] = []
    if there is None:  # numbers that there are come from a bare path in a version
        edits += [_put(name, spec.number, {"path": display(spec.path, root)}) for spec in before]
    elif _is_one(there):
        edits.append(partial(yaml_text.nest, keys=(*_KEYS, name), key="1"))
    return [*edits, _put(name, number, entry)]


def _put(name: str, number: int, entry: Mapping[str, Any]) -> Callable[[str], str]:
    return partial(yaml_text.put, keys=(*_KEYS, name, str(number)), value=entry)


def _models(file: StackFile, project: Project) -> tuple[Registered, ...]:
    try:
        return registered(file.config, project.root)
    except ConfigError as error:
        raise CliError(str(error)) from error


def _entries(file: StackFile) -> Mapping[str, Any]:
    return file.config.get("tidegate:models") or {}


def _is_one(entry: object) -> bool:
    """Whether an entry is number 1 by itself, without its number."""
    return isinstance(entry, Mapping) and "path" in entry


def _meant(models: Sequence[Registered], name: str) -> list[Registered]:
    found = [each for each in models if name in (each.spec.name, f"{each.spec.name}:{each.spec.number}")]
    if not found:
        known = ", ".join(f"{each.spec.name}:{each.spec.number}" for each in models) or "none; tidegate model register"
        raise CliError(f"there is no model {name!r}; known: {known}")
    return found


def _record(model: Registered, root: Path) -> dict[str, Any]:
    spec = model.spec
    try:
        files = content_files(spec.path)
    except ContentError:
        content, size = None, None
    else:
        content, size = digest_of(files, folder=spec.path.is_dir()), sum(file.size for file in files)
    return {
        "name": spec.name,
        "number": spec.number,
        "path": display(spec.path, root),
        "content": content,
        "size": size,
        "tags": dict(spec.tags),
        "description": spec.description,
        "usedBy": list(model.used_by),
    }


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise CliError(f"{text!r} is no tag; write it as key=value")
    return key, value


def _words(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(f"{finding.problem}. {finding.remedy}" for finding in error.findings)
    return str(error)
