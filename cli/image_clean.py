"""`tidegate image prune|delete`: images that nothing uses leave a registry, and no other does (rule I8)."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cli.errors import CliError
from cli.image import asking, named
from cli.project import Project
from tidegate.image.inventory import inventory
from tidegate.image.reference import Reference
from tidegate.image.registry import RegistryClient
from tidegate.image.retention import Verdict, judge, used_in

PATIENCE_S = 5.0
_CONTAINERS = ("container", "initContainer", "ephemeralContainer")


@dataclass(frozen=True)
class Pruning:
    """What `prune` would do in one repository."""

    place: Reference
    """Registry and repository."""
    verdicts: tuple[Verdict, ...]
    """Newest first."""

    @property
    def goes(self) -> tuple[Verdict, ...]:
        """The images that would be deleted."""
        return tuple(verdict for verdict in self.verdicts if not verdict.keep)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        images = [
            {
                "digest": each.image.digest,
                "tags": list(each.image.tags),
                "created": each.image.created.isoformat(),
                "keep": each.keep,
                "reason": each.reason,
            }
            for each in self.verdicts
        ]
        return {"repository": self.place.name, "images": images}


@dataclass(frozen=True)
class Use:
    """What stacks and pods use."""

    names: frozenset[str]
    """Digests and contents' names."""
    stacks: tuple[str, ...]
    """Those that were read."""
    unread: tuple[str, ...]
    """Clusters whose pods could not be listed, each with the reason."""


def in_use(project: Project, further: Sequence[str]) -> Use:
    """What all stacks of the project and `further` ones mention, and what pods in their clusters run.

    Raises:
        CliError: a stack cannot be read; what it uses would be deleted.
    """
    stacks = tuple(dict.fromkeys([*_stacks(project), *further]))
    texts: list[str] = []
    unread: list[str] = []
    for stack in stacks:
        texts.append(_pulumi(project, "stack", "export", "--stack", stack))
        outputs: dict[str, Any] = json.loads(
            _pulumi(project, "stack", "output", "--json", "--show-secrets", "--stack", stack)
        )
        for cluster, kubeconfig in (outputs.get("kubeconfigs") or {}).items():
            try:
                texts += _pod_images(kubeconfig)
            except CliError as error:
                unread.append(f"{stack}, cluster {cluster}: {error}")
    return Use(used_in(texts), stacks, tuple(unread))


def plan(path: str, use: Use, *, keep: int) -> list[Pruning]:
    """What would go from `REGISTRY/PATH`, and from the repositories under it."""
    place = named(path)
    with asking(place) as client:
        return [
            Pruning(Reference(place.registry, repository), judge(images, use.names, keep=keep))
            for repository in _repositories(client, place.repository)
            if (images := inventory(client, repository))
        ]


def prune(prunings: Sequence[Pruning]) -> int:
    """Delete what the plan says goes; how many images were there still."""
    count = 0
    for pruning in prunings:
        with asking(pruning.place) as client:
            # An index first: some registries keep what one names.
            for verdict in sorted(pruning.goes, key=lambda each: not each.image.parts):
                count += client.delete(pruning.place.at(verdict.image.digest))
    return count


def delete(text: str, use: Use) -> Reference:
    """Delete one image, by its digest or its registry's tag; returns it with its digest.

    Raises:
        CliError: it is not there, something uses it, or the same digest has another tag as well.
    """
    reference = named(text)
    with asking(reference) as client:
        images = inventory(client, reference.repository)
        found = next(
            (each for each in images if reference.digest == each.digest or reference.tag in each.tags),
            None,
        )
        if found is None:
            raise CliError(f"there is no image {reference}")
        whole = reference.at(found.digest)
        verdict = next(each for each in judge(images, use.names, keep=0) if each.image == found)
        if verdict.keep:
            raise CliError(f"{whole} stays: {verdict.reason}")
        others = [tag for tag in found.tags if tag != reference.tag]
        if others and not reference.digest:
            listed = ", ".join(others)
            raise CliError(f"{whole} is {listed} too; name it by its digest to delete it with all of its tags")
        client.delete(whole)
    return whole


def as_text(prunings: Sequence[Pruning]) -> str:
    """For a person: one line an image."""
    lines: list[str] = []
    for pruning in prunings:
        lines.append(pruning.place.name)
        for each in pruning.verdicts:
            tags = ", ".join(tag[:15] for tag in each.image.tags) or "(no tag)"
            word = "keep  " if each.keep else "DELETE"
            lines.append(f"  {word}  {each.image.digest[:19]}  {tags}  {each.reason}")
    return "\n".join(lines) or "no images"


def _repositories(client: RegistryClient, path: str) -> list[str]:
    under = [each for each in client.repositories() if each == path or each.startswith(f"{path}/")]
    return under or [path]


def _stacks(project: Project) -> Iterator[str]:
    for stack in json.loads(_pulumi(project, "stack", "ls", "--json")):
        yield str(stack["name"])


def _pod_images(kubeconfig: object) -> Iterator[str]:
    from providers.kubernetes.api import Api  # noqa: PLC0415 (a stack without a cluster does without)
    from providers.kubernetes.kubeconfig import KubernetesError  # noqa: PLC0415 (as above)

    text = kubeconfig if isinstance(kubeconfig, str) else json.dumps(kubeconfig)
    try:
        with Api(text, patience_s=PATIENCE_S) as api:
            pods = api.each("/api/v1/pods")
    except KubernetesError as error:
        raise CliError(str(error)) from error
    for pod in pods:
        spec, status = pod["spec"], pod.get("status", {})
        for kind in _CONTAINERS:
            yield from (each.get("image", "") for each in spec.get(f"{kind}s") or ())
            yield from (each.get("imageID", "") for each in status.get(f"{kind}Statuses") or ())


def _pulumi(project: Project, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", *arguments],
            check=False,
            cwd=project.root,
            env=dict(os.environ),  # the user's own backend: a stack on this machine has no images in a registry
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise CliError("pulumi is not on PATH; what stacks use cannot be known without it") from error
    if done.returncode:
        raise CliError(f"pulumi {' '.join(arguments)} failed, and what it knows may be in use: {done.stderr.strip()}")
    return done.stdout
