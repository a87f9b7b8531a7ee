"""Texts on GitHub that are edited and not repeated: each begins with a marker by which the next run finds it."""

from tools.ci.github import BOT, GitHub, Json

MOST = 65_536
"""Characters that GitHub takes in a comment or an issue."""
_OPEN, _CLOSE = "<details>", "</details>"


def marker(subject: str, stack: str) -> str:
    """The first line of what is said of `stack`; nobody sees it."""
    return f"<!-- tidegate-{subject}: {stack} -->"


def body_of(mark: str, text: str, *, note: str) -> str:
    """A text that GitHub takes: cut at the end of a row where it is too long, with a note that says so."""
    whole = f"{mark}\n{text}".rstrip()
    if len(whole) <= MOST:
        return whole
    left = MOST - len(note) - len(f"\n\n{_CLOSE}\n\n")
    kept: list[str] = []
    fence = ""
    for line in whole.splitlines():
        left -= len(line) + 1
        if left < len(fence) + 1:
            break
        kept.append(line)
        run = line[: len(line) - len(line.lstrip("`"))]
        if len(run) >= 3 and (not fence or run == fence):
            fence = "" if fence else run
    shown = "\n".join([*kept, fence] if fence else kept)
    closed = f"\n\n{_CLOSE}" if shown.count(_OPEN) > shown.count(_CLOSE) else ""
    return f"{shown}{closed}\n\n{note}"


def is_ours(each: Json, mark: str) -> bool:
    """Whether a comment or an issue is the one that `mark` stands for."""
    return (each.get("user") or {}).get("login") == BOT and str(each.get("body") or "").startswith(mark)


def upsert(github: GitHub, pull_request: int, mark: str, body: str) -> str:
    """Write the comment, or write it anew where it is there; its address."""
    for comment in github.pages(f"issues/{pull_request}/comments"):
        if is_ours(comment, mark):
            same = comment["body"] == body
            return (comment if same else github.patch(f"issues/comments/{comment['id']}", {"body": body}))["html_url"]
    return github.post(f"issues/{pull_request}/comments", {"body": body})["html_url"]
