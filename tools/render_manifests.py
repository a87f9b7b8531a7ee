"""Turns a rendered chart into a bundle of `tidegate/gateway/manifests`: `render-manifests` calls it.

What is left out: descriptions in schemas, which are four fifths of their size and would stand in every stack's state;
and what belongs to Helm. Names of Jobs get the version, since a Job cannot be changed.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from tidegate.gateway.bundles import FOLDER

Json = dict[str, Any]

_NO_SCHEMA = ("default", "enum", "example")
_VERSION = "gateway.networking.k8s.io/bundle-version"


def main(name: str, version: str, source: str, authors: str) -> None:
    """Read the chart's YAML from stdin and write the bundle."""
    objects = sorted(_objects(version), key=lambda each: (each["kind"], each["metadata"]["name"]))
    bundles = {(each["metadata"].get("annotations") or {}).get(_VERSION) for each in objects} - {None}
    head = {
        "version": bundles.pop() if bundles else version,
        "source": f"{source} {version}",
        "licence": f"Apache-2.0, Copyright {authors}",
        "changes": "rendered; descriptions of schemas and what belongs to Helm left out",
        "rendered by": "tools/render-manifests",
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = ",\n".join(json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for each in objects)
    text = "{" + ",\n".join([*lines, f'"objects": [\n{rows}\n]']) + "}\n"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text)


def _objects(version: str) -> Iterator[Json]:
    for each in YAML(typ="safe").load_all(sys.stdin):
        if not each:
            continue
        metadata: Json = each["metadata"]
        metadata.pop("creationTimestamp", None)
        metadata["labels"] = _kept(metadata.get("labels"))
        metadata["annotations"] = _kept(metadata.get("annotations"))
        for field in ("labels", "annotations"):
            if not metadata[field]:
                del metadata[field]
        match each["kind"]:
            case "CustomResourceDefinition":
                for served in each["spec"]["versions"]:
                    _strip(served["schema"]["openAPIV3Schema"])
            case "Job":
                metadata["name"] = f"{metadata['name']}-{version.replace('.', '-')}"
            case "Deployment":
                template = each["spec"]["template"]["metadata"]
                template["labels"] = _kept(template.get("labels"))
        yield each


def _kept(given: Json | None) -> Json:
    """Labels or annotations without Helm's, and with the right one of those who manage it."""
    kept = {key: value for key, value in (given or {}).items() if not key.startswith(("helm.sh/", "meta.helm.sh/"))}
    if kept.get("app.kubernetes.io/managed-by") == "Helm":
        kept["app.kubernetes.io/managed-by"] = "tidegate"
    return kept


def _strip(schema: Any) -> None:
    """Take the descriptions out of a schema; a property may itself be called `description`."""
    if isinstance(schema, list):
        for each in schema:
            _strip(each)
    elif isinstance(schema, dict):
        schema.pop("description", None)
        for key, value in schema.items():
            if key == "properties":
                for each in value.values():
                    _strip(each)
            elif key not in _NO_SCHEMA and not key.startswith("x-kubernetes-"):
                _strip(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
