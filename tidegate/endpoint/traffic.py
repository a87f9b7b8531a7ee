"""How an endpoint's percents are completed to one hundred."""

from collections.abc import Mapping

WHOLE = 100
"""The percents of an endpoint's versions sum to this."""


def effective_percents(traffic: Mapping[str, int | None], default: str) -> dict[str, int]:
    """Return what each version really gets, in whole percent; the values sum to 100.

    `traffic` holds the percent written for each version (0-100, None where none is written, which counts as 0). What
    is not given away goes to `default`, on top of its own share (rule E2): 20 (default) and 10 give 90 and 10; one
    version at 20 gets 100.

    Raises ValueError where `default` is no version, a percent is outside 0-100 or their sum is over 100. The loader
    has refused such a config before, with the place and the way out.
    """
    if default not in traffic:
        raise ValueError(f"the default version {default!r} is not among {sorted(traffic)}")
    percents = {name: percent or 0 for name, percent in traffic.items()}
    if any(not 0 <= percent <= WHOLE for percent in percents.values()) or sum(percents.values()) > WHOLE:
        raise ValueError(f"percents must be within 0-100 and sum to at most 100: {percents}")
    percents[default] += WHOLE - sum(percents.values())
    return percents
