"""`python -m bench [PART...]`: run the parts that are named, or all, and write them into docs/benchmarks.md."""

import re
import sys
from importlib import import_module
from pathlib import Path

from bench.section import machine

PARTS = ("scoring", "changes", "gateway", "translated", "engine", "azure", "kubernetes", "models", "images")
DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`; run it again on your machine. Machines swing by tens of percent, so what counts are ratios and
differences of things that were measured in turn, in the same minutes.

Machine: {machine}.
"""


def main() -> None:
    """Run each part and put what it says in the place of what the document said of it before."""
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for name in names:
        text = import_module(f"bench.{name}").run().markdown()
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        said = _said() | {name: text}
        DOCUMENT.write_text(
            "\n".join([HEAD.format(machine=machine()), *(said[part] for part in PARTS if part in said)])
        )


def _said() -> dict[str, str]:
    """The document's sections by part, known by the command in each."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    sections = re.findall(r"^## .*?(?=^## |\Z)", text, flags=re.M | re.S)
    return {part: section.rstrip() + "\n" for part in PARTS for section in sections if f"bench {part}`" in section}


if __name__ == "__main__":
    main()
