"""What differs between two records of an endpoint, and what that means for who is served."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tidegate.image.changes import changes

Fate = Literal["new", "removed", "restarts", "in place", "unchanged"]
"""What becomes of a version's pods, or of its processes on one machine: new ones, none, others, the same."""

MOST = 8
"""Reasons that are spelt out; the others are counted."""

_MOVING = ("cluster", "namespace")
"""Settings whose change makes everything of the endpoint anew."""


@dataclass(frozen=True)
class VersionRow:
    """One version in the table: each cell a few words."""

    version: str
    weight: str
    """`20 %`, `20 % -> 50 %`; `-` for a side on which the version is not there."""
    image: str
    """`kept`, `new`, or `new: code` with the part from which on it is made anew."""
    replicas: str
    fate: Fate


@dataclass(frozen=True)
class Sentence:
    """One thing to know: of a version or of the endpoint's `keys`, `auth`, `default`, ..."""

    subject: str
    text: str


@dataclass(frozen=True)
class EndpointReport:
    """What an update does to one endpoint; false where it does nothing."""

    endpoint: str
    event: Literal["new", "changed", "removed", "unchanged"]
    rows: tuple[VersionRow, ...] = ()
    """All versions of before and after, by name; none where nothing changes."""
    sentences: tuple[Sentence, ...] = ()

    def __bool__(self) -> bool:
        return self.event != "unchanged"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> EndpointReport:
    """What an update from record `old` to record `new` does; an empty one stands for an endpoint that is not there."""
    reasons = {each: _strategy(version)[1] for each, version in new.get("versions", {}).items()}
    old, new = _whole(old), _whole(new)
    name = str((new or old)["endpoint"])
    if not new:
        return EndpointReport(name, "removed", tuple(_row(each, version, {}) for each, version in _versions(old)))
    if not old:
        rows = tuple(_row(each, {}, version) for each, version in _versions(new))
        return EndpointReport(name, "new", rows, tuple(_introduced(new)))
    if old == new:
        return EndpointReport(name, "unchanged")
    before, after = dict(_versions(old)), dict(_versions(new))
    moved = any(old["settings"].get(name) != new["settings"].get(name) for name in _MOVING)
    rows = tuple(
        _row(each, before.get(each, {}), after.get(each, {}), moved=moved) for each in sorted({**before, **after})
    )
    sentences = [*_of_endpoint(old, new)]
    for each in sorted(after):
        sentences += _of_version(each, before.get(each, {}), after[each], reasons[each])
    return EndpointReport(name, "changed", rows, tuple(sentences))


def _whole(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what a record of an earlier release lacks, and without the reasons for strategies: they change nothing."""
    if not record:
        return record
    versions = {
        name: {**_VERSION, **version, "strategy": _strategy(version)[0]} for name, version in record["versions"].items()
    }
    return {**_ENDPOINT, **record, "versions": versions}


def _strategy(version: Mapping[str, Any]) -> tuple[str, str]:
    """How pods are replaced, and why so."""
    name, _, reason = str(version.get("strategy", "")).partition(":")
    return name or "RollingUpdate", reason.strip()


_VERSION: Mapping[str, Any] = {
    "percent": 0,
    "replicas": "",
    "image": "",
    "contents": {},
    "restarting": {},
    "inPlace": {},
    "description": "",
    "tags": {},
}
_ENDPOINT: Mapping[str, Any] = {
    "auth": "",
    "keys": {},
    "default": "",
    "control": "",
    "settings": {},
    "description": "",
    "tags": {},
}


def report_from(record: Mapping[str, Any]) -> EndpointReport:
    """A report from what `dataclasses.asdict` has made of it."""
    rows = tuple(VersionRow(**row) for row in record["rows"])
    sentences = tuple(Sentence(**each) for each in record["sentences"])
    return EndpointReport(record["endpoint"], record["event"], rows, sentences)


def _row(name: str, old: Mapping[str, Any], new: Mapping[str, Any], *, moved: bool = False) -> VersionRow:
    percents = [f"{version['percent']} %" if version else "-" for version in (old, new)]
    replicas = [str(version["replicas"]) if version else "-" for version in (old, new)]
    fate = _fate(old, new)
    return VersionRow(
        version=name,
        weight=_arrow(*percents) if old else percents[1],
        image=_image(old, new),
        replicas=_arrow(*replicas) if old and new else replicas[1] if new else replicas[0],
        fate="restarts" if moved and fate in ("in place", "unchanged") else fate,
    )


def _fate(old: Mapping[str, Any], new: Mapping[str, Any]) -> Fate:
    if not old:
        return "new"
    if not new:
        return "removed"
    if any(old[part] != new[part] for part in ("image", "contents", "restarting")):
        return "restarts"
    return "unchanged" if old == new else "in place"


def _image(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if not new:
        return "-"
    if not old:
        return "new"
    if old["image"] != new["image"]:
        return "new: given" if new["image"] else "new"
    if old["contents"] == new["contents"]:
        return "kept"
    found = changes(old["contents"], new["contents"])
    # What changes the environment comes first, and makes everything over it anew.
    return f"new: {found[0].part}" if found else "new"


def _introduced(new: Mapping[str, Any]) -> Iterator[Sentence]:
    yield Sentence("auth", _auth(new))
    if new["keys"]:
        yield Sentence("keys", "; ".join(f"{key} {_key('', now)}" for key, now in sorted(new["keys"].items())))
    if len(new["versions"]) > 1:
        yield Sentence("default", str(new["default"]))
    if new["control"]:
        yield Sentence("control", str(new["control"]))
    for name, version in _versions(new):
        yield from _of_version(name, {}, version, "")


def _of_endpoint(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Sentence]:
    if _auth(old) != _auth(new):
        yield Sentence("auth", f"{_auth(old)} -> {_auth(new)}{_AUTH.get(str(new['auth']), '')}")
    if old["keys"] or new["keys"]:
        yield Sentence("keys", _keys(old["keys"], new["keys"]))
    for role in ("default", "control"):
        if old[role] != new[role]:
            gone = f"; {old[role]} is removed" if old[role] and old[role] not in new["versions"] else ""
            yield Sentence(role, _arrow(old[role], new[role]) + gone)
    changed = _texts(old["settings"], new["settings"])
    for name in _MOVING:
        if name in changed:
            yield Sentence(name, f"{changed.pop(name)}; everything is made anew there")
    if changed:
        yield Sentence("in place", _listed(changed))
    yield from _described("endpoint", old, new)


def _of_version(name: str, old: Mapping[str, Any], new: Mapping[str, Any], reason: str) -> Iterator[Sentence]:
    if not old:
        if shadow := new["inPlace"].get("shadow"):
            yield Sentence(name, f"gets copies of {shadow} of the requests (shadow)")
        return
    if old["image"] != new["image"]:
        yield Sentence(name, f"image {_arrow(old['image'] or MADE, new['image'] or MADE)}")
    elif old["contents"] != new["contents"]:
        made = {change.text: "" for change in changes(old["contents"], new["contents"])}
        yield Sentence(name, f"new image: {_listed(made or {'what it is made from is another': ''})}")
    restarting = _texts(old["restarting"], new["restarting"])
    if restarting:
        yield Sentence(name, f"restarts: {_listed(restarting)}")
    in_place = _texts(old["inPlace"], new["inPlace"])
    if in_place:
        yield Sentence(name, f"in place: {_listed(in_place)}")
    if _fate(old, new) == "restarts" and new["strategy"] == "Recreate":
        yield Sentence(name, "all its pods are replaced at once (Recreate)" + (f": {reason}" if reason else ""))
    elif old["strategy"] != new["strategy"]:
        yield Sentence(name, f"in place: strategy {old['strategy']} -> {new['strategy']}")
    yield from _described(name, old, new)


MADE = "(made here)"
_AUTH = {"none": ": everybody who reaches the gateway may score"}


def _auth(record: Mapping[str, Any]) -> str:
    return str(record["auth"])


def _keys(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if not new:
        return "no longer asked for; auth: key again makes new ones"
    return "; ".join(f"{name} {_key(old.get(name, ''), new[name])}" for name in sorted(new))


def _key(old: str, new: str) -> str:
    """`given` marks a key that the user chose; a number is how often one was made."""
    if new == "given":
        return "given" if old == new else "given in place of the one made here" if old else "given"
    if not old:
        return "made"
    if old == new:
        return "kept"
    return "made in place of the given one" if old == "given" else f"rotated ({old} -> {new})"


def _described(subject: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Sentence]:
    names = [name for name in ("description", "tags") if old[name] != new[name]]
    if names:
        yield Sentence(subject, f"{' and '.join(names)} changed")


def _versions(record: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return sorted(record["versions"].items())


def _texts(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """What each setting that differs was and is, by its name."""
    return {
        name: _arrow(old.get(name, ""), new.get(name, ""))
        for name in sorted({**old, **new})
        if old.get(name) != new.get(name)
    }


def _arrow(old: str, new: str) -> str:
    return old if old == new else f"{old or '(none)'} -> {new or '(none)'}"


def _listed(texts: Mapping[str, str]) -> str:
    said = [f"{name} {text}".rstrip() for name, text in texts.items()]
    return "; ".join([*said[:MOST], *([f"and {len(said) - MOST} more"] if len(said) > MOST else [])])
