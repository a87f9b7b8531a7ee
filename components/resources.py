"""The resource types of the `tidegate-serving` plugin, as a program registers them."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi


class Resource(pulumi.CustomResource):
    """A resource of the plugin: `type_name` is its type, `outputs` names what it gives beyond its inputs."""

    type_name: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(self.type_name, name, {**dict.fromkeys(self.outputs), **inputs}, opts)

    def output(self, name: str) -> pulumi.Output[Any]:
        """One output by its name."""
        return pulumi.get(self, name)


class ApiKey(Resource):
    """A key of an endpoint."""

    type_name = "tidegate-serving:index:ApiKey"
    outputs = ("value",)


class Serving(Resource):
    """What an endpoint serves, for the words of a preview."""

    type_name = "tidegate-serving:index:Serving"


class Host(Resource):
    """The state folder of a stack on this machine and the supervisord in it."""

    type_name = "tidegate-serving:local:Host"


class Gateway(Resource):
    """Envoy and its listener."""

    type_name = "tidegate-serving:local:Gateway"
    outputs = ("url",)


class Model(Resource):
    """A copy of one registered model."""

    type_name = "tidegate-serving:local:Model"
    outputs = ("copy",)


class Environment(Resource):
    """A Python environment for scoring processes."""

    type_name = "tidegate-serving:local:Environment"
    outputs = ("interpreter",)


class Deployment(Resource):
    """The scoring processes of one version."""

    type_name = "tidegate-serving:local:Deployment"
    outputs = ("deployment",)


class Route(Resource):
    """An endpoint's routes in the gateway."""

    type_name = "tidegate-serving:local:Route"


class TokenIssuer(Resource):
    """The issuer of a local stack's tokens."""

    type_name = "tidegate-serving:local:TokenIssuer"


class StoredModel(Resource):
    """One registered model in a store that pods fetch it from."""

    type_name = "tidegate-serving:models:Model"
    outputs = ("place", "manifest", "size")


class StoredCode(Resource):
    """The code of versions in a store that pods fetch it from."""

    type_name = "tidegate-serving:models:Code"
    outputs = ("place", "manifest", "size")


class Contents(Resource):
    """What the image of a version is made from, for the next preview to compare."""

    type_name = "tidegate-serving:image:Contents"


class RegistryBuild(Resource):
    """An image that one of Azure's registries builds itself."""

    type_name = "tidegate-serving:image:RegistryBuild"
    outputs = ("digest",)


class ReplacementGuard(Resource):
    """What refuses the replacement of a cluster."""

    type_name = "tidegate-serving:azure:ReplacementGuard"


class SystemPool(Resource):
    """What can change of the pool that a cluster was made with."""

    type_name = "tidegate-serving:azure:SystemPool"


class ClusterAttachment(Resource):
    """The use of a cluster that exists."""

    type_name = "tidegate-serving:azure:ClusterAttachment"
    outputs = (
        "resourceId",
        "location",
        "kubernetesVersion",
        "nodeResourceGroup",
        "oidcIssuer",
        "kubeletObjectId",
        "apiServerAddress",
    )


class ComputeDetachment(Resource):
    """The end of a compute target."""

    type_name = "tidegate-serving:azure:ComputeDetachment"


class Rollout(Resource):
    """The wait until a Deployment's pods are ready and score the sample, and until they have nothing in flight."""

    type_name = "tidegate-serving:kubernetes:Rollout"
    outputs = ("ready",)
