"""Names of objects and values of labels, from the names that a user gave."""

from tidegate.digest import records_sha256

MOST = 63
"""Characters of a DNS label, and of a label's value."""
_DIGITS = 8


def object_name(*parts: str) -> str:
    """`parts` joined by hyphens, as a name that Kubernetes takes: the same for the same parts, and for no others.

    Where the joined text is no name (too long, a hyphen at its end) or could be read as other parts (a hyphen in any
    but the last), it ends in a hash of the parts.
    """
    plain = "-".join(parts)
    if len(plain) <= MOST and not plain.endswith("-") and not any("-" in part for part in parts[:-1]):
        return plain
    digest = records_sha256([parts])[:_DIGITS]
    return f"{plain[: MOST - _DIGITS - 1].rstrip('-')}-{digest}"
