"""Azure's regions."""

import json
from importlib.resources import files

import pytest

from tidegate.cluster.regions import find, nearest

NAMES = sorted(json.loads(files("tidegate.cluster").joinpath("data", "regions.json").read_text())["regions"])


@pytest.mark.parametrize("text", ["westeurope", "West Europe", "WESTEUROPE", " west  europe "])
def test_a_region_is_found_by_either_of_its_names(text: str) -> None:
    region = find(text)
    assert region is not None
    assert (region.name, region.display_name, region.paired) == ("westeurope", "West Europe", "northeurope")
    assert region.zones == ("1", "2", "3")


def test_unknown_regions_are_not_found_and_near_ones_are_named() -> None:
    assert find("westeurop") is None
    assert nearest("westeurop") == "westeurope"
    assert nearest("West Europa") == "westeurope"
    assert nearest("atlantis") is None


def test_pairs_are_not_symmetric() -> None:
    pairs = {name: region.paired for name in NAMES if (region := find(name))}
    assert pairs["westus3"] == "eastus"
    assert pairs["eastus"] == "westus"
    assert pairs["brazilsouth"] == "southcentralus"


def test_thirteen_regions_have_no_pair() -> None:
    alone = [name for name in NAMES if (region := find(name)) and region.paired is None]
    assert len(alone) == 13
    assert "polandcentral" in alone
    assert find("polandcentral")


def test_early_access_and_staging_regions_are_left_out() -> None:
    assert len(NAMES) == 58
    assert not [name for name in NAMES if "euap" in name or name.endswith("stg")]
