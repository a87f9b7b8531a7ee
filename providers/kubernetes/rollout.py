"""The moment at which a version of an endpoint on Kubernetes may take traffic, and the one at which it may go."""

import hashlib
import threading
from typing import ClassVar

from providers.kind import BOOLEAN, INTEGER, TEXT, Call, Failure, Form, Kind, OperationError, Properties, optional
from providers.kubernetes import pod_logs
from providers.kubernetes.api import Api
from providers.kubernetes.drain import wait_quiet
from providers.kubernetes.kubeconfig import KubernetesError
from providers.kubernetes.readiness import Version, wait_ready
from providers.kubernetes.sample import Sample, score
from providers.kubernetes.workload import Workload, look
from providers.values import UNKNOWN, has_unknown

_SAMPLE = Form(
    dict,
    required=False,
    fields={
        "body": TEXT,
        "path": TEXT,
        "through": TEXT,
        "host": optional(TEXT),
        "tls": optional(BOOLEAN),
        "key": optional(TEXT),
    },
)
_THROUGH = ("gateway", "pod")
_PREVIEW_S = 3.0
_PATIENCE_S = 60.0
_GONE_S = 5.0
_SCORE_S = 60.0


class Rollout(Kind):
    """Waits until the newest generation of a version's Deployment is ready and has scored the endpoint's sample.

    Any other `generation`, `image`, `content` (what the pods fetch) or least number of `replicas` is waited for again.

    It makes nothing: the Deployment and the weights are others' resources, those before it and these after it. Its
    deletion waits until the version, whose weight has gone by then, has nothing in flight.
    """

    type = "tidegate-serving:kubernetes:Rollout"
    inputs: ClassVar = {
        "kubeconfig": TEXT,
        "namespace": TEXT,
        "deployment": TEXT,
        "endpoint": TEXT,
        "version": TEXT,
        "generation": TEXT,
        "image": TEXT,
        "content": optional(TEXT),
        "replicas": INTEGER,
        "startupSeconds": INTEGER,
        "drainSeconds": INTEGER,
        "sample": _SAMPLE,
    }
    replace_on = frozenset({"namespace", "deployment"})
    secret_outputs = frozenset({"kubeconfig", "sample"})

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}
        self._asking = threading.Lock()

    def check(self, old: Properties, new: Properties) -> list[Failure]:
        """The times make sense, and the sample has a way to the version."""
        found = [
            Failure(name, f"{new[name]} is less than {least}")
            for name, least in (("replicas", 1), ("startupSeconds", 1), ("drainSeconds", 0))
            if new[name] is not UNKNOWN and new[name] < least
        ]
        sample = new.get("sample")
        if isinstance(sample, dict) and sample["through"] not in (*_THROUGH, UNKNOWN):
            found.append(Failure("sample.through", f"{sample['through']!r} is neither 'gateway' nor 'pod'"))
        return found

    def inspect(self, call: Call, old: Properties, new: Properties) -> list[Failure]:
        """Say where the cluster cannot be asked, once a change depends on it; nothing stands against a change."""
        if new != old and not has_unknown(new["kubeconfig"]) and (why := self._unreachable(call, new["kubeconfig"])):
            call.info(f"the cluster of endpoint {new['endpoint']} cannot be asked from here: {why}")
        return []

    def planned(self, old_outputs: Properties, new: Properties) -> Properties:
        """How many replicas will be ready is only known then."""
        return new | {"ready": UNKNOWN}

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Wait until the version is ready and has scored the sample."""
        return f"{new['namespace']}/{new['deployment']}", self._roll_out(call, new, fresh=True)

    def read(self, identity: str, outputs: Properties) -> Properties | None:
        """Gone where the Deployment is gone; an error where the cluster does not tell."""
        try:
            with Api(outputs["kubeconfig"]) as api:
                workload = look(api, outputs["namespace"], outputs["deployment"])
        except KubernetesError as error:
            raise OperationError(str(error)) from None
        return outputs if workload else None

    def update(self, call: Call, identity: str, old_outputs: Properties, new: Properties) -> Properties:
        """Wait for the generation that is new."""
        return self._roll_out(call, new, fresh=False)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Wait until nothing is in flight; a cluster that does not answer holds nothing up."""
        try:
            with Api(outputs["kubeconfig"], cancelled=call.cancelled, patience_s=_GONE_S) as api:
                wait_quiet(api, call, outputs["namespace"], outputs["deployment"], outputs["drainSeconds"])
        except KubernetesError as error:
            call.info(f"not waited for requests in flight: {error}")

    def _roll_out(self, call: Call, new: Properties, *, fresh: bool) -> Properties:
        version = Version(
            new["endpoint"],
            new["version"],
            new["namespace"],
            new["deployment"],
            replicas=new["replicas"],
            startup_s=new["startupSeconds"],
        )
        try:
            with Api(new["kubeconfig"], cancelled=call.cancelled, patience_s=_PATIENCE_S) as api:
                workload = wait_ready(api, call, version, fresh=fresh)
                if "sample" in new:
                    _require_score(api, call, version, workload, new, fresh=fresh)
        except KubernetesError as error:
            raise OperationError(f"{version.text}: {error}") from None
        return new | {"ready": workload.ready}

    def _unreachable(self, call: Call, kubeconfig: str) -> str:
        """Why the cluster cannot be asked, "" where it can; found out once for all versions on it."""
        known = hashlib.sha256(kubeconfig.encode()).hexdigest()
        with self._asking:
            if known not in self._asked:
                try:
                    with Api(kubeconfig, cancelled=call.cancelled, patience_s=_PREVIEW_S) as api:
                        api.get("/version")
                    self._asked[known] = ""
                except KubernetesError as error:
                    self._asked[known] = str(error)
            return self._asked[known]


def _require_score(api: Api, call: Call, version: Version, workload: Workload, new: Properties, *, fresh: bool) -> None:
    serving = workload.serving
    if serving is None:
        return
    call.progress("scoring the sample")
    sample = Sample.of(new["sample"])
    answer = score(
        api,
        call,
        sample,
        endpoint=version.endpoint,
        version=version.name,
        serving=serving,
        timeout_s=max(_SCORE_S, new["drainSeconds"] + 5),
    )
    if answer.ok:
        return
    after = (
        "it gets no traffic, and no weight has changed" if fresh else "its pods have taken the place of those before"
    )
    raise OperationError(
        f"{version.text} did not score the sample {sample.path}: status {answer.status}, {answer.text.strip()}\n"
        f"{after}; the version's last log lines:\n" + pod_logs.tail(pod_logs.last_lines(api, serving))
    )
