"""The endpoints that the checks ask, as a user writes them under `tidegate:endpoints`."""

from collections.abc import Callable
from typing import Any

Values = dict[str, Any]

SCRIPT = """
    import json, os, threading, time
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse

    def init():
        global running
        running = threading.Lock()

    @rawhttp
    def run(request):
        assert running.acquire(blocking=False), "two runs at once"
        try:
            return answer(request)
        finally:
            running.release()

    def answer(request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = request.get_json()
        order = asked if isinstance(asked, dict) else {}
        if "note" in order:
            with open(order["note"], "a") as notes:
                notes.write(json.dumps({"version": os.environ["SERVICE_VERSION"], "headers": headers}) + chr(10))
        end = time.monotonic() + order.get("sleep", 0)
        while time.monotonic() < end:
            time.sleep(0.01)  # short, so that a timeout finds Python code to interrupt
        said = {"version": os.environ["SERVICE_VERSION"], "headers": headers, "data": asked}
        said["query"] = request.query_string.decode()
        return AMLResponse(json.dumps(said), order.get("status", 200))
"""
"""Says which version it is and what reached it; a body that is an object says what else to do. One run at a time."""

TENANT = "11111111-2222-3333-4444-555555555555"
APPLICATION = "66666666-7777-8888-9999-000000000000"
URI = "api://scoring.example.com"
ROLE = "Score.Invoke"

SPLIT = {"one": 70, "two": 20, "three": 10, "four": 0}
SHADOW_PERCENT = 50
WAIT_MS = 500
PATIENT: Values = {"maxQueueWaitMs": 10000}
"""Where a busy machine must not be mistaken for a failure."""
TIMEOUT_MS = 1000


def endpoints(version: Callable[..., Values]) -> Values:
    """The config; `version(name, **settings)` is the config of a version that runs SCRIPT."""
    return {
        "split": {
            "namespace": "team",
            "versions": {
                "one": version("one", traffic=SPLIT["one"], default=True, **PATIENT),
                "two": version("two", traffic=SPLIT["two"], **PATIENT),
                "three": version("three", traffic=SPLIT["three"], **PATIENT),
                "four": version("four", **PATIENT),
            },
        },
        # another one with the same versions' names in the same namespace, whose name begins as the other's does
        "split-open": {"namespace": "team", "auth": "none", "versions": {"one": version("one")}},
        "token": {
            "auth": {
                "token": {
                    "tenantId": TENANT,
                    "applicationId": APPLICATION,
                    "applicationIdUri": URI,
                    "role": ROLE,
                }
            },
            "versions": {"one": version("one")},
        },
        "tight": {
            "maxRequestSizeInMB": 1,
            "versions": {"one": version("one", maxQueueWaitMs=WAIT_MS)},
        },
        "timed": {
            "versions": {
                "patient": version("patient", default=True, traffic=50, scoringTimeoutMs=20000),
                "hasty": version("hasty", traffic=50, scoringTimeoutMs=TIMEOUT_MS),
            }
        },
        "shadowed": {
            "versions": {
                "live": version("live", default=True),
                "copy": version("copy", shadow=SHADOW_PERCENT),
            }
        },
        "retried": {
            "retry": {"on": 503},
            "versions": {"one": version("one", numReplicas=2, autoScaler={"autoscaleEnabled": False})},
        },
    }
