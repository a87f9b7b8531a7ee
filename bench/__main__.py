"""`python -m bench [PART...]`: run the parts that are named, or all, and write docs/benchmarks.md."""

import sys
from importlib import import_module
from pathlib import Path

from bench.section import Section, machine

PARTS = ("scoring", "changes", "gateway", "engine")
DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`; run it again on your machine. Machines swing by tens of percent, so what counts are ratios and
differences of things that were measured in turn, in the same minutes.

Machine: {machine}.
"""


def main() -> None:
    """Print each section as it is there; a run of all parts replaces the document."""
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    sections: list[Section] = []
    for name in names:
        sections.append(import_module(f"bench.{name}").run())
        sys.stdout.write(sections[-1].markdown() + "\n")
        sys.stdout.flush()
    if not sys.argv[1:]:
        text = "\n".join([HEAD.format(machine=machine()), *(section.markdown() for section in sections)])
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
