"""The README's example: its image built by the engine, and started from the registry."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.engine.harness import CHECKOUT, free_port, wait_until
from tests.images.container import started
from tests.images.example import ENVIRONMENT, RIDGE, describe_example, push_tools
from tests.images.registry import RegistryServer
from tests.images.stack import ImageStack
from tests.standins.buildah import Buildah
from tidegate.image.dockerfile import MODELS, USER_ID

pytestmark = [pytest.mark.images, pytest.mark.engine]

SAMPLE = CHECKOUT / "examples" / "diabetes" / "sample.json"


def test_the_image_of_the_example_scores_as_nobody_on_a_read_only_file_system(
    new_stack: Callable[..., ImageStack], registry_with_base: RegistryServer, tmp_path: Path
) -> None:
    registry = registry_with_base
    stack = new_stack(address=registry.address)
    describe_example(stack, registry, push_tools(registry, Buildah(stack.store), tmp_path / "tools"))

    stack.up().require()

    name = stack.tag()
    config = registry.config(RIDGE, name)["config"]
    assert config["User"] == f"{USER_ID}:{USER_ID}"
    assert f"AZUREML_MODEL_DIR={MODELS}/diabetes-ridge/1" in config["Env"]
    assert config["Labels"]["io.tidegate.key"] == stack.tag("environment")
    below = registry.config(ENVIRONMENT, stack.tag("environment"))["config"]
    assert below["Healthcheck"]["Test"][0] == "CMD"
    environment = registry.layers(ENVIRONMENT, stack.tag("environment"))
    assert registry.layers(RIDGE, name)[: len(environment)] == environment

    elsewhere = Buildah(tmp_path / "another machine")  # which has only what the registry has
    reference = stack.images()[f"{RIDGE}:{name}"]
    port = free_port()
    variables = {"SERVER_PORT": str(port), "TIDEGATE_HOST": "127.0.0.1"}
    with (
        started(elsewhere, reference, config["Cmd"], variables=variables, log=tmp_path / "log") as container,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
    ):
        wait_until(lambda: container.process.poll() is not None or _answers(client), seconds=90)
        assert container.process.poll() is None, container.log.read_text()
        answer = client.post("/score", content=SAMPLE.read_bytes(), headers={"content-type": "application/json"})

        assert answer.status_code == 200, answer.text + container.log.read_text()
        scores = answer.json()
        assert len(scores) == len(json.loads(SAMPLE.read_text())["data"])
        assert all(isinstance(score, float) and 25 < score < 346 for score in scores)  # the range of the data
        serving = [path for path in container.processes() if (path / "exe").readlink().name.startswith("python")]
        assert serving
        for process in serving:
            assert f"Uid:\t{USER_ID}\t{USER_ID}" in (process / "status").read_text()
            root = next(
                line.split() for line in (process / "mounts").read_text().splitlines() if line.split()[1] == "/"
            )
            assert "ro" in root[3].split(",")
    assert not container.processes()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/").is_success
    except httpx.TransportError:
        return False
