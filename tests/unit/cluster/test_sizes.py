"""The table of VM sizes, and looking a size up in it."""

import json
import re
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from tidegate.cluster.sizes import Retirement, lookup, nearest

TABLE: dict[str, Any] = json.loads(files("tidegate.cluster").joinpath("data", "vm_sizes.json").read_text())


def test_a_size_is_found_whatever_its_case_and_spelt_as_azure_does() -> None:
    size = lookup("standard_d4S_V5")
    assert size is not None
    assert (size.name, size.vcpus, size.memory_gib, size.family) == ("Standard_D4s_v5", 4, 16, "standardDSv5Family")
    assert (size.gpus, size.gpu_vendor, size.aks_gpu, size.mig, size.retirement) == (0, None, False, False, None)
    assert lookup("Standard_D4s_v99") is None


def test_v1_s_default_size_retires() -> None:
    size = lookup("Standard_D3_v2")
    assert size is not None
    assert (size.vcpus, size.retirement) == (4, Retirement(date(2028, 5, 1), "announced"))


@pytest.mark.parametrize(
    ("name", "gpus", "vendor", "images", "mig"),
    [
        ("Standard_NC4as_T4_v3", 1, "nvidia", ("Ubuntu", "AzureLinux"), False),
        ("Standard_NC96ads_A100_v4", 4, "nvidia", ("Ubuntu", "AzureLinux"), True),
        ("Standard_NV6ads_A10_v5", 0.1667, "nvidia", ("Ubuntu",), False),
        ("Standard_ND96isr_MI300X_v5", 8, "amd", ("Ubuntu",), False),
        ("Standard_NG32ads_V620_v1", 1, "amd", (), False),
    ],
)
def test_gpus(name: str, gpus: float, vendor: str, images: tuple[str, ...], mig: bool) -> None:
    size = lookup(name)
    assert size is not None
    assert (size.gpus, size.gpu_vendor, size.aks_images, size.aks_gpu, size.mig) == (
        gpus,
        vendor,
        images,
        bool(images),
        mig,
    )


def test_fpgas_are_no_gpus() -> None:
    size = lookup("Standard_NP20s")
    assert size is not None
    assert (size.gpus, size.fpgas, size.memory_gib) == (0, 2, 336)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Standard_D8as_v55", "Standard_D8as_v5"),
        ("d4s_v5", "Standard_D4s_v5"),
        ("Standard_X8", None),
        ("enormous", None),
    ],
)
def test_the_nearest_name(written: str, meant: str | None) -> None:
    assert nearest(written) == meant


def test_the_table_says_where_it_comes_from() -> None:
    assert {"vantage", "ccf", "msdocs", "retirement", "aks", "mig", "quotaFamily"} == TABLE["_sources"].keys()
    assert "licence" in TABLE["_about"]


@pytest.mark.parametrize("name", TABLE["sizes"])
def test_every_row_is_sound(name: str) -> None:
    size, row = lookup(name), TABLE["sizes"][name]
    assert size is not None
    assert size.name == name
    assert re.fullmatch("Standard_" + TABLE["series"][row["series"]]["sizes"], name)
    assert 0 < size.vcpus <= 416
    assert 0 < size.memory_gib / size.vcpus < 32
    assert (size.gpu_vendor is not None) == (size.gpus > 0)
    assert size.gpus or not size.aks_images


@pytest.mark.parametrize("name", TABLE["series"])
def test_every_series_has_sizes_of_its_own(name: str) -> None:
    pattern = "Standard_" + TABLE["series"][name]["sizes"]
    matching = {size for size in TABLE["sizes"] if re.fullmatch(pattern, size)}
    assert matching == {size for size, row in TABLE["sizes"].items() if row["series"] == name} != set()
