"""Ranges that are none."""

from tidegate.cluster.ranges import read_ranges
from tidegate.findings import Finding

LOC = ("tidegate:clusters", "scoring", "apiServer", "authorizedIPRanges")


def said(*texts: str) -> list[Finding]:
    return read_ranges(LOC, texts)[1]


CASES = [
    ("range-form", "an address inside the block", lambda: said("137.117.106.90/29")),
    ("range-form", "IPv6", lambda: said("203.0.113.0/24", "2001:db8::/32")),
    ("range-form", "no range", lambda: said("office", "10.0.0.0/33", "10.0.0.0/255.0.0.0")),
]
