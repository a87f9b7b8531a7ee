"""What a user writes for any target: the project's part of a stack's config."""

from typing import Literal

from pydantic import Field

from tidegate.endpoint.input import EndpointInput, GatewayInput, GivenKeysInput
from tidegate.image.input import ImageEntry
from tidegate.model.input import ModelEntry
from tidegate.parse import Input

Target = Literal["local", "azure"]
ImagePlatform = Literal["linux/amd64", "linux/arm64"]

AZURE_KEYS = frozenset(
    f"tidegate:{key}"
    for key in (
        "location",
        "resourceGroup",
        "existingResourceGroups",
        "clusters",
        "registry",
        "sharedRegistries",
        "promoteFrom",
        "modelStore",
        "workspace",
        "tags",
        "tlsKeys",
        "allowReplacement",
        "applicationInsights",
    )
)
"""The keys that only mean something on Azure: other targets do not even load their types."""


class StackInput(Input):
    """The keys that every target knows."""

    target: Target | None = Field(None, alias="tidegate:target", description="Where the endpoints run. Required.")
    production: bool | None = Field(None, alias="tidegate:production", description="Stricter rules; default false.")
    image_platform: ImagePlatform | None = Field(
        None, alias="tidegate:imagePlatform", description="What images are built for; default linux/amd64."
    )
    gateway: GatewayInput | None = Field(None, alias="tidegate:gateway")
    models: dict[str, ModelEntry] | None = Field(None, alias="tidegate:models", description="Models by name.")
    images: dict[str, ImageEntry] | None = Field(
        None, alias="tidegate:images", description="Images by name, for versions that run one as it is."
    )
    endpoints: dict[str, EndpointInput] | None = Field(
        None, alias="tidegate:endpoints", description="Endpoints by name."
    )
    keys: dict[str, GivenKeysInput] | None = Field(
        None, alias="tidegate:keys", description="Given keys by endpoint, kept as a secret: pulumi config set --secret."
    )
    allow_anonymous: list[str] | None = Field(
        None, alias="tidegate:allowAnonymous", description="Endpoints of a production environment that may be open."
    )
