"""Records of endpoints for tests, and what can differ between two of them."""

import copy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

Record = dict[str, Any]

UNTIMED = settings(deadline=None)
"""How fast an example is depends on what else the machine does."""

CONTENTS: Record = {
    "key": "e1-" + "0" * 64,
    "base": "docker.io/library/python@sha256:" + "a" * 64,
    "dockerfile": "",
    "context": "",
    "dockerSteps": ["RUN true"],
    "python": "3.12",
    "requirements": ["numpy==2.4.*", "scikit-learn==1.9.1"],
    "native": [],
    "channels": ["conda-forge"],
    "platform": "linux/amd64",
    "server": "0.1.0+000000000000",
    "code": "s1-" + "c" * 64,
    "models": {"ridge:1": "sha256:" + "d" * 64},
}


def version(percent: int = 0, **changes: Any) -> Record:
    return {
        "percent": percent,
        "replicas": "1-10",
        "strategy": "",
        "image": "",
        "contents": copy.deepcopy(CONTENTS),
        "restarting": {"scoringTimeoutMs": "60000"},
        "inPlace": {"autoScaler.targetUtilization": "70"},
        "description": "",
        "tags": {},
        **changes,
    }


def endpoint(versions: Record | None = None, **changes: Any) -> Record:
    versions = versions or {"one": version(80), "two": version(20)}
    return {
        "endpoint": "diabetes",
        "target": "kubernetes",
        "auth": "key",
        "keys": {"primary": "1", "secondary": "1"},
        "default": "one",
        "control": "",
        "settings": {"namespace": "diabetes"},
        "description": "",
        "tags": {},
        "versions": versions,
        **changes,
    }


_TEXT = st.text("abc |`<@\n", max_size=8)
_MAP = st.dictionaries(st.text("abc.", min_size=1, max_size=5), _TEXT.filter(bool), max_size=3)
_NAME = st.sampled_from(["one", "two", "three"])
_CONTENTS = st.fixed_dictionaries(
    {
        **{name: _TEXT for name, value in CONTENTS.items() if isinstance(value, str)},
        **{name: st.lists(_TEXT, max_size=3) for name, value in CONTENTS.items() if isinstance(value, list)},
        "models": _MAP,
    }
)
VERSIONS = st.fixed_dictionaries(
    {
        "percent": st.integers(0, 100),
        "replicas": st.sampled_from(["1", "2", "1-10"]),
        "strategy": st.sampled_from(["RollingUpdate", "Recreate"]),
        "image": st.sampled_from(["", "scorer:3"]),
        "contents": _CONTENTS,
        "restarting": _MAP,
        "inPlace": _MAP,
        "description": _TEXT,
        "tags": _MAP,
    }
)
ENDPOINTS = st.fixed_dictionaries(
    {
        "endpoint": st.just("diabetes"),
        "target": st.just("kubernetes"),
        "auth": st.sampled_from(["key", "token", "none"]),
        "keys": st.sampled_from([{}, {"primary": "1", "secondary": "given"}, {"primary": "2", "secondary": "1"}]),
        "default": _NAME,
        "control": st.sampled_from(["", "one"]),
        "settings": _MAP,
        "description": _TEXT,
        "tags": _MAP,
        "versions": st.dictionaries(_NAME, VERSIONS, min_size=1),
    }
)
