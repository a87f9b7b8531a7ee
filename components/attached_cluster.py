"""A cluster that somebody else made, and that this stack uses."""

from collections.abc import Sequence

import pulumi
import pulumi_azure_native as azure_native

from components.azure import user_kubeconfig
from components.cluster_access import ClusterAccess
from components.registry import Registry
from components.resources import ClusterAttachment
from tidegate.cluster.spec import AttachedClusterSpec


class AttachedCluster(pulumi.ComponentResource):
    """The use of a cluster: destroying it lets go of the cluster, which stays as it is.

    `owner` names the stack that uses it; `subscription_id` is the login's own where the spec names none;
    `needed_ranges` have to be among those that may reach its API server, where that is limited.
    """

    spec: AttachedClusterSpec
    attachment: ClusterAttachment
    kubeconfig: pulumi.Output[str]
    """How kubectl and pulumi-kubernetes reach the cluster; secret."""

    def __init__(
        self,
        name: str,
        spec: AttachedClusterSpec,
        *,
        owner: str,
        subscription_id: str | None = None,
        registry: Registry | None = None,
        needed_ranges: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:AttachedCluster", name, None, opts)
        self.spec = spec
        inputs = {
            "name": spec.name,
            "subscriptionId": spec.subscription_id or subscription_id,
            "resourceGroup": spec.resource_group,
            "clusterName": spec.cluster_name,
            "purpose": spec.purpose,
            "owner": owner,
            "neededRanges": list(needed_ranges),
        }
        given = {key: value for key, value in inputs.items() if value is not None}
        self.attachment = ClusterAttachment(f"{name}.attachment", given, pulumi.ResourceOptions(parent=self))
        provider = None
        if spec.subscription_id is not None:
            provider = azure_native.Provider(
                f"{name}.subscription",
                subscription_id=spec.subscription_id,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.kubeconfig = user_kubeconfig(
            resource_group=spec.resource_group,
            cluster=spec.cluster_name,
            mode="azurecli",
            opts=pulumi.InvokeOutputOptions(parent=self, provider=provider, depends_on=[self.attachment]),
        )
        if registry is not None:
            principal = self.attachment.output("kubeletObjectId")
            registry.let_pull(f"{name}.pull", cluster=spec.name, principal=principal, parent=self)
        self.register_outputs({"id": self.attachment.output("resourceId")})

    @property
    def access(self) -> ClusterAccess:
        """The way into it, with the rights that the deployer has there."""
        return ClusterAccess(
            kubeconfig=self.kubeconfig,
            identifier=f"{self.spec.resource_group}/{self.spec.cluster_name}",
            after=(self.attachment,),
            cluster=None,
            uid=None,
        )
