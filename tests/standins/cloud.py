"""A pretended Azure in a folder: one JSON file a resource, so that it outlives the plugin and a test can look into it.

The folder mirrors ARM ids in lower case; a file holds the resource as ARM answers a GET. Changing or deleting files is
what happens "outside of Pulumi". Beside them stand `failures.json`, what shall go wrong next, and `calls.jsonl`, every
operation in its order.
"""

import fcntl
import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

VARIABLE = "AZURE_STANDIN_CLOUD"
"""The environment variable that names the folder."""

SUBSCRIPTION = "10000000-0000-4000-8000-000000000001"
TENANT = "10000000-0000-4000-8000-000000000002"
CLIENT = "10000000-0000-4000-8000-000000000003"
DEPLOYER = "10000000-0000-4000-8000-000000000004"
"""The object id of the login that runs pulumi."""
TOKEN = "standin-token"

Body = dict[str, Any]
Operation = Literal["create", "update", "read", "delete", "get", "tags"]


class ArmError(Exception):
    """What ARM answers instead of success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f'Status={status} Code="{code}" Message="{message}"')
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Failure:
    """What shall go wrong: `operation` on a resource of type `arm` (and of this `name`), `times` times.

    `half`: the resource is there afterwards, in provisioning state Failed.
    """

    arm: str
    operation: Operation
    status: int = 400
    code: str = "OperationNotAllowed"
    message: str = "it was asked to fail"
    name: str = ""
    times: int = 1
    half: bool = False


class Cloud:
    """The resources in one folder. Ids are compared without regard to case, as ARM does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._failures = root / "failures.json"
        self._lock = threading.RLock()
        self._depth = 0
        root.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One change at a time, also over processes."""
        with self._lock, (self.root / "lock").open("a") as file:
            if self._depth == 0:
                fcntl.flock(file, fcntl.LOCK_EX)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    # -- resources

    def get(self, identity: str) -> Body | None:
        """A resource as a GET answers; None where there is none."""
        path = self._file(identity)
        return json.loads(path.read_text()) if path.exists() else None

    def require(self, identity: str) -> Body:
        """A resource that has to be there; ARM's 404 where it is not."""
        found = self.get(identity)
        if found is None:
            raise not_found(identity)
        return found

    def put(self, identity: str, body: Mapping[str, Any]) -> Body:
        """Store a resource, whatever was there."""
        stored = {"id": identity, "type": arm_type(identity), "name": identity.rpartition("/")[2], **body}
        path = self._file(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(stored, indent=2))
        new.replace(path)
        return stored

    def delete(self, identity: str) -> None:
        """Remove a resource with everything under it."""
        self._file(identity).unlink(missing_ok=True)
        shutil.rmtree(self._file(identity).with_suffix(""), ignore_errors=True)

    def all(self, arm: str = "", under: str = "") -> list[Body]:
        """Every resource, of one type where given, and below an id where given, sorted by id."""
        base = self._file(under).with_suffix("") if under else self.root / "subscriptions"
        found = [json.loads(path.read_text()) for path in sorted(base.rglob("*.json"))]
        return [body for body in found if not arm or body["type"].lower() == arm.lower()]

    # -- what goes wrong

    def fail(self, *failures: Failure) -> None:
        """Let these go wrong from now on, in place of earlier ones."""
        self._failures.write_text(json.dumps([asdict(each) for each in failures]))

    def failure(self, identity: str, operation: Operation) -> Failure | None:
        """The failure that this operation meets; it then counts one time less."""
        with self.locked():
            if not self._failures.exists():
                return None
            waiting = [Failure(**each) for each in json.loads(self._failures.read_text())]
            arm, name = arm_type(identity).lower(), identity.rpartition("/")[2].lower()
            for index, each in enumerate(waiting):
                if each.operation == operation and each.arm.lower() == arm and each.name.lower() in ("", name):
                    left = [Failure(**{**asdict(each), "times": each.times - 1})] if each.times > 1 else []
                    self.fail(*waiting[:index], *left, *waiting[index + 1 :])
                    return each
            return None

    # -- what happened

    def note(self, operation: str, identity: str) -> None:
        """Write an operation down."""
        with self.locked(), (self.root / "calls.jsonl").open("a") as file:
            file.write(json.dumps([operation, identity]) + "\n")

    def calls(self) -> list[tuple[str, str]]:
        """Every operation so far: what, on which id."""
        path = self.root / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(operation, identity) for operation, identity in map(json.loads, lines)]

    def _file(self, identity: str) -> Path:
        parts = identity.strip("/").lower().split("/")
        assert len(parts) >= 2 and ".." not in parts, identity
        return self.root.joinpath(*parts[:-1], parts[-1] + ".json")


def arm_type(identity: str) -> str:
    """The resource type of an id: `Microsoft.ContainerService/managedClusters/agentPools`."""
    parts = identity.strip("/").split("/")
    lower = [part.lower() for part in parts]
    if "providers" not in lower:
        return (
            "Microsoft.Resources/resourceGroups" if "resourcegroups" in lower else "Microsoft.Resources/subscriptions"
        )
    last = len(lower) - 1 - lower[::-1].index("providers")
    provider, *rest = parts[last + 1 :]
    return "/".join([provider, *rest[::2]])


def parent_id(identity: str) -> str:
    """The id of what a resource is in: its parent, its resource group, or the scope of an extension."""
    parts = identity.strip("/").split("/")
    lower = [part.lower() for part in parts]
    if "providers" not in lower:
        return "/" + "/".join(parts[:-2])
    last = len(lower) - 1 - lower[::-1].index("providers")
    return "/" + "/".join(parts[:-2] if len(parts) - last > 4 else parts[:last])


def guid(*parts: str) -> str:
    """A GUID that is the same for the same parts in any case."""
    return str(uuid5(NAMESPACE_URL, "/".join(parts).lower()))


def not_found(identity: str) -> ArmError:
    """ARM's 404."""
    kind, name = arm_type(identity), identity.rpartition("/")[2]
    if kind == "Microsoft.Resources/resourceGroups":
        return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return ArmError(
        404, "ResourceNotFound", f"The Resource '{kind}/{name}' under '{parent_id(identity)}' was not found."
    )
