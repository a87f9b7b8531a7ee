"""Clusters as compute targets of an Azure ML workspace that exists."""

from typing import Any

import pulumi
import pulumi_azure_native as azure_native

from components.azure import register
from components.resources import ComputeDetachment
from tidegate.cluster.plan.workspace import plan_compute, plan_detachment
from tidegate.cluster.spec import LoadBalancerSpec, Purpose, WorkspaceSpec


class WorkspaceCompute(pulumi.ComponentResource):
    """One cluster as a compute target: `name` is its name in the workspace too.

    `cluster` is the cluster's id; `subscription_id` the workspace's subscription, the login's own by default.
    """

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
        subscription_id: str | None = None,
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
        target = register(
            azure_native.machinelearningservices.Compute,
            f"{name}.compute",
            plan,
            # azure-native cannot say to Azure that the cluster stays: the detachment takes the target away.
            pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        ComputeDetachment(
            f"{name}.detachment",
            plan_detachment(workspace, name=name, cluster=cluster, subscription=subscription_id),
            pulumi.ResourceOptions(parent=self, depends_on=[target]),
        )
        self.register_outputs({})
