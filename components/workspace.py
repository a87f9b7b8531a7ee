"""Clusters as compute targets of an Azure ML workspace that exists."""

from typing import Any

import pulumi
import pulumi_azure_native as azure_native

from components.azure import register
from tidegate.cluster.plan.workspace import plan_compute
from tidegate.cluster.spec import LoadBalancerSpec, Purpose, WorkspaceSpec


class WorkspaceCompute(pulumi.ComponentResource):
    """One cluster as a compute target: `name` is its name in the workspace too."""

    def __init__(
        self,
        name: str,
        workspace: WorkspaceSpec,
        *,
        cluster: pulumi.Input[str],
        location: pulumi.Input[str],
        purpose: Purpose,
        front: LoadBalancerSpec | None = None,
        front_subnet: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:WorkspaceCompute", name, None, opts)
        plan: dict[str, Any] = plan_compute(
            workspace,
            name=name,
            cluster=cluster,
            location=location,
            purpose=purpose,
            front=front,
            front_subnet=front_subnet,
        )
        register(
            azure_native.machinelearningservices.Compute,
            f"{name}.compute",
            plan,
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
