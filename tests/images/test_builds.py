"""Images through the real engine, built by buildah and kept in a real registry."""

import pytest

from tests.images.registry import RegistryServer
from tests.images.stack import ImageStack

pytestmark = [pytest.mark.images, pytest.mark.engine]


def test_what_is_missing_is_built_and_pushed_once(stack: ImageStack, registry: RegistryServer) -> None:
    assert "5 to create" in stack.preview().require().output
    assert not registry.tags("tidegate/environment")  # a preview builds nothing

    stack.up().require()

    tag = stack.tag()
    digest = registry.digest("tidegate/e-ridge", tag)
    assert stack.images()[f"tidegate/e-ridge:{tag}"] == f"{registry.address}/tidegate/e-ridge@{digest}"
    environment = registry.layers("tidegate/environment", stack.tag("environment"))
    assert registry.layers("tidegate/e-ridge", tag)[: len(environment)] == environment

    before = registry.requests()
    again = stack.up("--diff").require()
    assert "unchanged" in again.output
    assert "index:Image" not in again.output, again.output
    assert registry.requests() == before  # what this stack has built it need not ask for
