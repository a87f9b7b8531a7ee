"""The end of a compute target of an Azure ML workspace."""

from typing import ClassVar

from providers.azure.session import Session
from providers.kind import TEXT, Call, Kind, OperationError, Properties, optional
from tidegate.azure.errors import AzureError

API_VERSION = "2025-12-01"
"""The one that azure-native 3.29 uses for compute targets."""
PATIENCE_S = 120.0


class ComputeDetachment(Kind):
    """Takes a compute target out of its workspace when it is deleted, and leaves the cluster behind it alone.

    Azure asks every DELETE of a compute target whether what is behind it goes as well, and azure-native does not answer
    that. So the target itself is only forgotten, and this resource, which depends on it, is deleted before.
    """

    type = "tidegate-serving:azure:ComputeDetachment"
    inputs: ClassVar = {
        "subscriptionId": optional(TEXT),
        "resourceGroup": TEXT,
        "workspace": TEXT,
        "compute": TEXT,
        "cluster": TEXT,
    }
    replace_on = frozenset(inputs)
    delete_before_replace = True

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, call: Call, new: Properties) -> tuple[str, Properties]:
        """Nothing yet."""
        return f"{new['resourceGroup']}/{new['workspace']}/{new['compute']}", dict(new)

    def delete(self, call: Call, identity: str, outputs: Properties) -> None:
        """Detach; no error where the workspace or the target is gone."""
        try:
            subscription = self._session.login.subscription(outputs.get("subscriptionId"))
            path = (
                f"/subscriptions/{subscription}/resourceGroups/{outputs['resourceGroup']}/providers"
                f"/Microsoft.MachineLearningServices/workspaces/{outputs['workspace']}/computes/{outputs['compute']}"
            )
            with self._session.arm(call.cancelled, patience_s=PATIENCE_S) as arm:
                call.progress(f"detaching {outputs['compute']} from the workspace {outputs['workspace']}")
                arm.delete(path, API_VERSION, underlyingResourceAction="Detach")
        except AzureError as error:
            raise OperationError(str(error)) from error
