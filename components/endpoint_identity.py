"""Who the pods of an endpoint are to Azure."""

from collections.abc import Sequence

import pulumi
import pulumi_azure_native as azure_native

from components.azure import register
from tidegate.cluster.plan.workload import WorkloadIdentity, plan_workload_federation, plan_workload_identity


class EndpointIdentity(pulumi.ComponentResource):
    """An identity that the pods of one service account get tokens for, without a secret (workload identity).

    `issuer` signs the service account's tokens: the cluster. `after` has to be there first.
    """

    client_id: pulumi.Output[str]
    """What the service account is annotated with."""
    object_id: pulumi.Output[str]
    """What rights are given to."""
    ready: pulumi.Resource
    """Pods that start before it get no tokens."""

    def __init__(
        self,
        name: str,
        spec: WorkloadIdentity,
        *,
        issuer: pulumi.Input[str],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:azure:EndpointIdentity", name, None, opts)
        identities = azure_native.managedidentity
        first = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        identity = register(identities.UserAssignedIdentity, name, plan_workload_identity(spec), first)
        # Asked by name: outputs of the identity are unknown in the preview of its update, and the rights with them.
        facts = identities.get_user_assigned_identity_output(
            resource_group_name=spec.resource_group,
            resource_name=spec.name,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[identity]),
        )
        self.client_id, self.object_id = facts.client_id, facts.principal_id
        plan = plan_workload_federation(spec, issuer=issuer)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[identity])
        self.ready = register(identities.FederatedIdentityCredential, name, plan, inside)
        self.register_outputs({"clientId": self.client_id})
