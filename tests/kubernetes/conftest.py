"""Fixtures of the tests on a real API server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.kubernetes.api import Address, Api
from tests.kubernetes.definitions import install, of_aks, published
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.server import control_plane, programs

NewNamespace = Callable[..., str]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A control plane for all tests; each test takes namespaces of its own."""
    with control_plane(programs(), tmp_path_factory.mktemp("control-plane")) as address:
        yield address


@pytest.fixture(scope="session")
def api(address: Address) -> Iterator[Api]:
    """An administrator's client."""
    api = Api(address)
    yield api
    api.close()


@pytest.fixture(scope="session")
def kubelet(address: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    """The one node; a pod that no test says anything about becomes ready at once."""
    folder: Path = tmp_path_factory.mktemp("kubelet")
    api = Api(address)
    with Kubelet(api, folder).running() as kubelet:
        yield kubelet
    api.close()


@pytest.fixture(scope="session")
def definitions(api: Api) -> None:
    """The kinds of what endpoints and gateways are made of."""
    install(api, [*published(), *of_aks()])


@pytest.fixture
def new_namespace(api: Api) -> NewNamespace:
    """Makes namespaces with names of their own, in which the restricted pod standard is enforced."""

    def make(prefix: str = "scoring", *, pod_security: str = "restricted") -> str:
        name = f"{prefix}-{uuid4().hex[:8]}"
        labels = {"pod-security.kubernetes.io/enforce": pod_security, "pod-security.kubernetes.io/warn": pod_security}
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        return name

    return make


@pytest.fixture
def namespace(new_namespace: NewNamespace) -> str:
    """A namespace of the test's own."""
    return new_namespace()
