"""The kubeconfig that Azure gives for a cluster with Entra ID, changed so that no browser is needed."""

import base64
import binascii
import json
from itertools import pairwise
from typing import Any, Literal, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Mode = Literal["azurecli", "workloadidentity", "spn"]

SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""Entra's application that all AKS API servers are (aks-docs: kubelogin-authentication.md)."""

_LOGGED_IN_BY: dict[Mode, tuple[str, ...]] = {
    "azurecli": (),
    "workloadidentity": (),
    # kubelogin reads the secret from AZURE_CLIENT_SECRET: no argument has it.
    "spn": ("--tenant-id",),
}
"""The options that each way to log in keeps of those that Azure gives."""


class KubeconfigError(ValueError):
    """What Azure gave is no kubeconfig; the text shows nothing of it."""


def rewrite(encoded: str, mode: Mode) -> str:
    """Return the kubeconfig, base64 as Azure gives it, as JSON with sorted keys that logs in by `mode`.

    kubectl and pulumi-kubernetes read JSON as the YAML that it is. Two answers of Azure with the same content give the
    same text. A user of a cluster without Entra ID, who has a certificate, stays as it is. Raises KubeconfigError.
    """
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        parsed: object = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType]
    except (binascii.Error, UnicodeDecodeError, YAMLError):
        raise KubeconfigError("Azure's answer is no kubeconfig in base64") from None
    try:
        config = cast("dict[str, Any]", parsed)
        for user in config["users"]:
            command = user["user"].get("exec")
            if command:
                user["user"]["exec"] = _command(command, mode)
    except (AttributeError, KeyError, TypeError):
        raise KubeconfigError("Azure's answer is no kubeconfig") from None
    return json.dumps(config, sort_keys=True, indent=1)


def _command(given: dict[str, Any], mode: Mode) -> dict[str, Any]:
    return {
        "apiVersion": given["apiVersion"],
        "command": "kubelogin",
        "args": _arguments([str(argument) for argument in given["args"]], mode),
        "interactiveMode": "Never",
        "provideClusterInfo": False,
    }


def _arguments(given: list[str], mode: Mode) -> list[str]:
    options = {name: value for name, value in pairwise(given) if name.startswith("--")}
    kept = {"--server-id": options.get("--server-id", SERVER_APPLICATION)}
    kept |= {name: options[name] for name in ("--environment", *_LOGGED_IN_BY[mode]) if name in options}
    return ["get-token", "--login", mode, *(word for option in sorted(kept.items()) for word in option)]
