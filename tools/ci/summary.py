"""A plan in Markdown, for a reviewer who has not asked for it: what happens to endpoints, what goes away, the rest."""

import re
from collections import Counter
from collections.abc import Iterator

from tidegate.report.markdown import as_markdown
from tidegate.report.preview import WORDS, counted, rank
from tools.ci.plan import SECRET, UNKNOWN, Change, Plan, Step

MOST_TEXT = 120
"""Characters of a value that are shown."""
MOST_ROWS = 40
"""Properties of a resource that are shown."""


def summary(plan: Plan, *, title: str, consent: str = "", foot: str = "") -> str:
    """The whole of it. `consent` says what it takes for something to go away."""
    parts = [f"### {title}: {headline(plan)}", *map(as_markdown, plan.endpoints), *_alarms(plan, consent)]
    if plan.steps:
        parts += [_table(plan), *(_details(step) for step in _sorted(plan.steps) if step.changes)]
    parts += _said(plan)
    if foot:
        parts.append(foot)
    return "\n\n".join(parts) + "\n"


def headline(plan: Plan) -> str:
    """How many steps of each sort, in a few words."""
    if plan.failed and not plan.steps:
        return "failed"
    said = counted(Counter(step.op for step in plan.steps)) or ["no changes"]
    return ", ".join([*(["failed"] if plan.failed else []), *said])


def code(text: str) -> str:
    """Text as it stands, in a table's cell too: no markup, no mention and no HTML takes effect in it."""
    text = " ".join(text.split())
    if len(text) > MOST_TEXT:
        half = (MOST_TEXT - 5) // 2
        text = f"{text[:half]} ... {text[-half:]}"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    # A table ends a cell at a pipe even inside code.
    return f"{fence}{pad}{text.replace('|', chr(92) + '|') or ' '}{pad}{fence}"


def _alarms(plan: Plan, consent: str) -> Iterator[str]:
    gone = plan.destructive
    if gone:
        lines = [f"> - {WORDS.get(step.op, ('', step.op))[1]}: {code(step.name)} ({step.type})" for step in gone]
        exist = "exists" if len(gone) == 1 else "exist"
        head = f"> **{len(gone)} that {exist} would be replaced or deleted.** {consent}".rstrip()
        yield "\n".join(["> [!CAUTION]", head, ">", *lines])
    if plan.credentials:
        yield "\n".join(["> [!CAUTION]", *(f"> {line}" for line in plan.credentials)])
    errors = [message.text for message in plan.messages if message.severity == "error"]
    if errors:
        yield _block("\n\n".join(errors))


def _table(plan: Plan) -> str:
    rows = ["| | resource | type | properties |", "| --- | --- | --- | --- |"]
    for step in _sorted(plan.steps):
        what = f"**{step.op}**" if step.destructive else step.op
        if step.kept and step.op in ("delete", "replace"):
            what += " (what is there stays)"
        rows.append(f"| {what} | {code(step.name)} | {code(step.type)} | {_properties(step)} |")
    return "\n".join(rows)


def _properties(step: Step) -> str:
    names = list(dict.fromkeys(re.split(r"[.\[]", change.path)[0] for change in step.changes))
    if step.op == "create" or not names:
        return ""
    return ", ".join(code(name) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _details(step: Step) -> str:
    rows = ["| property | now | then |", "| --- | --- | --- |"]
    rows += [_row(change) for change in step.changes[:MOST_ROWS]]
    if len(step.changes) > MOST_ROWS:
        rows.append(f"| and {len(step.changes) - MOST_ROWS} more | | |")
    title = f"{step.op} <code>{_html(step.name)}</code>"
    return "\n".join([f"<details><summary>{title}</summary>", "", *rows, "", "</details>"])


def _row(change: Change) -> str:
    path = code(change.path) + (" **(replaces)**" if change.replaces else "")
    return f"| {path} | {_value(change.before)} | {_value(change.after)} |"


def _value(text: str | None) -> str:
    if text is None:
        return ""
    if text == f'"{SECRET}"':
        return SECRET
    if text == f'"{UNKNOWN}"':
        return "known after the update"
    return code(text.replace(UNKNOWN, "known after the update"))


def _said(plan: Plan) -> Iterator[str]:
    rest = [message for message in plan.messages if message.severity != "error"]
    if rest:
        title = f"{len(rest)} warnings and notes"
        text = "\n".join(f"{message.severity}: {message.text}" for message in rest)
        yield "\n".join([f"<details><summary>{title}</summary>", "", _block(text), "", "</details>"])


def _block(text: str) -> str:
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _html(text: str) -> str:
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;")):
        text = text.replace(char, name)
    return text


def _sorted(steps: tuple[Step, ...]) -> list[Step]:
    return sorted(steps, key=lambda step: (not step.destructive, rank(step.op), step.type, step.name))
