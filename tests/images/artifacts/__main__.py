"""What stands before the pods of a stack on Azure: the registry, the images, the store. No cluster, so nothing runs."""

import json
import os
from pathlib import Path

import pulumi
import pulumi_azure_native as azure_native

from components.artifacts import Artifacts
from components.azure import register
from components.registry import Registry
from tidegate.config import from_engine
from tidegate.findings import ConfigError
from tidegate.image.artifacts import plan_artifacts


def main() -> None:
    root = Path(pulumi.runtime.get_root_directory())
    environment = from_engine(os.environ["PULUMI_CONFIG"], root=root, stack=pulumi.get_stack())
    azure = environment.azure
    assert azure is not None
    assert azure.registry is not None
    plan = plan_artifacts(environment, root=root)
    groups: list[pulumi.Resource] = [
        register(
            azure_native.resources.ResourceGroup,
            name,
            {"resourceGroupName": name, "location": azure.location},
            pulumi.ResourceOptions(),
        )
        for name in azure.resource_groups
    ]
    registry = Registry("registry", azure.registry, after=groups)
    artifacts = Artifacts("images", azure, plan, root=root, registry=registry, after=groups)
    versions = artifacts.versions.items()
    pulumi.export("pods", {name: {"image": each.image, "content": each.content} for name, each in versions})
    # In place of what rolls the images out: it fails once they are there, since there is no such stack.
    rollouts = (
        [pulumi.StackReference("organization/tidegate/nowhere", opts=pulumi.ResourceOptions(depends_on=[artifacts]))]
        if json.loads(Path("fails.json").read_text())
        else []
    )
    artifacts.export(after=rollouts)


try:
    main()
except ConfigError as error:
    pulumi.log.error(str(error))
    raise SystemExit(32) from None
