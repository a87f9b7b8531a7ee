"""What an endpoint serves, kept in the state so that a preview says in words what an update does to it."""

from typing import ClassVar

from providers.image.contents import CONTENTS
from providers.kind import INTEGER, TEXT, TEXT_MAP, Call, Form, Kind, Properties, optional
from tidegate.report.diff import compare
from tidegate.report.text import as_text

_VERSION = Form(
    dict,
    fields={
        "percent": INTEGER,
        "replicas": TEXT,
        "strategy": TEXT,
        "image": TEXT,
        "contents": Form(dict, fields={name: optional(form) for name, form in CONTENTS.items()}),
        "restarting": TEXT_MAP,
        "inPlace": TEXT_MAP,
        "description": TEXT,
        "tags": TEXT_MAP,
    },
)


class Serving(Kind):
    """A record without a side effect: its inputs are what `tidegate.report.record` gives for an endpoint."""

    type = "tidegate-serving:index:Serving"
    inputs: ClassVar = {
        "endpoint": TEXT,
        "target": TEXT,
        "auth": TEXT,
        "keys": TEXT_MAP,
        "default": TEXT,
        "control": TEXT,
        "settings": TEXT_MAP,
        "description": TEXT,
        "tags": TEXT_MAP,
        "versions": Form(dict, items=_VERSION),
    }
    replace_on = frozenset({"endpoint"})

    def notices(self, old: Properties, new: Properties) -> list[str]:
        """What the update does to the endpoint, as a table in words; nothing where it does nothing."""
        report = compare(old, new)
        return [as_text(report)] if report else []

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Nothing is made."""
        return new["endpoint"], dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Nothing was made."""
