"""The addresses of Azure ML by service tags."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tidegate.cluster.regions import find
from tidegate.cluster.service_tags import ServiceTagError, load, ranges_of, workspace_ranges

NAMES = sorted(json.loads(files("tidegate.cluster").joinpath("data", "regions.json").read_text())["regions"])


def tag(name: str, *prefixes: str, region: str | None = None, service: str = "AzureMachineLearning") -> dict[str, Any]:
    """A tag as the weekly file has it; the API's answer has the same keys here, and text for changeNumber."""
    return {
        "name": f"{service}.{name}" if name else service,
        "id": f"{service}.{name}",
        "properties": {
            "changeNumber": 3,
            "region": name.lower() if region is None else region,
            "platform": "Azure",
            "systemService": service,
            "addressPrefixes": list(prefixes),
        },
    }


FILE = {
    "changeNumber": 300,
    "cloud": "Public",
    "values": [
        tag("", "20.0.0.0/28", "20.9.0.0/28", "20.1.0.0/28"),
        tag("WestEurope", "20.9.9.0/28", service="AzureCloud"),
        tag("WestEurope", "20.1.0.16/28", "20.1.0.0/28", "2603:1020::/122"),
        tag("NorthEurope", "20.2.0.0/28"),
        tag("PolandCentral", "20.3.0.0/28"),
        tag("SwedenCentral", "20.4.0.0/28"),
        tag("GermanyWC", "20.5.0.0/28", region="germanywc"),
        tag("GermanyN", "20.6.0.0/28", region="germanyn"),
        tag("WestUS3", "20.7.0.0/28"),
        tag("EastUS", "20.8.0.0/28"),
    ],
}


def test_the_ranges_are_those_of_the_region_and_its_pair_merged() -> None:
    assert ranges_of(FILE, "westeurope") == ("20.1.0.0/27", "20.2.0.0/28")
    assert ranges_of(FILE, "West Europe") == ranges_of(FILE, "westeurope")
    assert workspace_ranges(FILE, "westeurope") == (("20.1.0.0/27", "20.2.0.0/28"), [])


def test_a_pair_is_looked_up_one_way_only() -> None:
    assert ranges_of(FILE, "westus3") == ("20.7.0.0/28", "20.8.0.0/28")
    ranges, findings = workspace_ranges(FILE, "eastus")
    assert ranges == ("20.8.0.0/28",)
    assert [(f.rule, f.severity) for f in findings] == [("service-tags", "warning")]


def test_the_answer_of_the_api_reads_alike() -> None:
    values = [{**value, "serviceTagChangeNumber": "3"} for value in FILE["values"]]
    answer = {"name": "Public", "type": "Microsoft.Network/serviceTags", "values": values}
    assert ranges_of(answer, "westeurope") == ranges_of(FILE, "westeurope")


def test_regions_that_tags_spell_otherwise_are_found() -> None:
    assert ranges_of(FILE, "germanywestcentral") == ("20.5.0.0/28", "20.6.0.0/28")


def test_the_region_of_the_tag_counts_where_its_name_is_another() -> None:
    document = {"values": [tag("NewName", "20.1.0.0/28", region="westeurope")]}
    assert ranges_of(document, "westeurope") == ("20.1.0.0/28",)


def test_a_region_alone_is_said() -> None:
    ranges, findings = workspace_ranges(FILE, "polandcentral")
    assert ranges == ("20.3.0.0/28",)
    assert [(f.rule, f.severity) for f in findings] == [("workspace-region-unpaired", "note")]


def test_a_pair_without_a_tag_is_warned_of() -> None:
    ranges, findings = workspace_ranges(FILE, "swedencentral")
    assert ranges == ("20.4.0.0/28",)
    assert [f.severity for f in findings] == ["warning"]
    assert "swedensouth" in findings[0].problem


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"values": "none"},
        {"values": {}},
        {"values": [None, "x", {}, {"name": "AzureMachineLearning.WestEurope"}]},
        {"values": [tag("WestEurope")]},
        {"values": [tag("WestEurope", "2603:1020::/122")]},
        {"values": [tag("WestEurope", "20.0.0.1/28")]},
        {"values": [tag("WestEurope", "house")]},
        {"values": [tag("NorthEurope", "20.2.0.0/28")]},
        {"values": [tag("", "20.0.0.0/28", region="")]},
    ],
)
def test_a_document_without_the_regions_ranges_fails_loudly(document: dict[str, Any]) -> None:
    with pytest.raises(ServiceTagError):
        ranges_of(document, "westeurope")
    ranges, findings = workspace_ranges(document, "westeurope")
    assert ranges == ()
    assert [(f.rule, f.severity, f.path) for f in findings] == [
        ("service-tags", "error", "tidegate:workspace.serviceTags")
    ]


def test_every_region_says_what_it_lets_in() -> None:
    document = {"values": [tag(name, f"20.{index}.0.0/28") for index, name in enumerate(NAMES)]}
    alone = 0
    for name in NAMES:
        ranges, findings = workspace_ranges(document, name)
        region = find(name)
        assert region is not None
        both = region.paired is not None and find(region.paired) is not None
        assert len(ranges) == (2 if both else 1)
        assert bool(findings) != both
        alone += [f.rule for f in findings] == ["workspace-region-unpaired"]
    assert alone == 13


def test_a_region_that_the_table_does_not_know_stands_alone() -> None:
    document = {"values": [tag("USGovVirginia", "20.1.0.0/28")]}
    ranges, findings = workspace_ranges(document, "usgovvirginia")
    assert ranges == ("20.1.0.0/28",)
    assert [f.severity for f in findings] == ["note"]


def test_a_file_is_read_with_or_without_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "ServiceTags_Public.json"
    path.write_text('{"values": []}', encoding="utf-8-sig")
    assert load(path) == {"values": []}


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tags.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ServiceTagError):
        load(path)
    with pytest.raises(ServiceTagError):
        load(tmp_path / "missing.json")
