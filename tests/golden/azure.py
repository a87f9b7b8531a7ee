"""What is recorded of a program on Azure, as a golden file has it."""

import json
import re
from typing import Any

from tests.standins.mocks import Recorded, rendered

_BORN = (
    (re.compile(r"(\.oic\.prod-aks\.azure\.com/[^/\"]+/)[0-9a-f-]{36}"), r"\1ISSUER"),
    (re.compile(r"-[0-9a-f]{8}(?=(?:\.[0-9a-f-]{36}\.privatelink)?\.(?:hcp\.)?[a-z0-9]+\.azmk8s\.io)"), "-HOST"),
    (re.compile(r"\.[0-9a-f-]{36}(?=\.privatelink\.)"), ".ZONE"),
)
"""What Azure draws anew for each cluster."""


def normal(recorded: list[Recorded]) -> Any:
    """The resources, with words for what differs from cluster to cluster."""
    text = json.dumps(rendered(recorded))
    for pattern, word in _BORN:
        text = pattern.sub(word, text)
    return json.loads(text)
