"""Refreshing the table of VM sizes from what the packages have."""

import json
from typing import Any

from tools.refresh_vm_sizes import TABLE, read_ccf, read_vantage, refreshed, rendered, size_name

VANTAGE = """Name,API Name,Instance Memory,vCPUs,GPUs,Instance Storage,Linux On Demand cost
Standard D4s v5,D4s v5,16.0 GiB,4 vCPUs,0,0,$0.1
,NV6ads A10 v5,55.0 GiB,6 vCPUs,1/6X A10,180,$0.1
,ND96asr A100 v4,900.0 GiB,96 vCPUs,8X A100,6500,$0.1
,NP10s,192.0 GiB,10 vCPUs,0,700,$0.1
"""
CCF = """
exports.VIRTUAL_MACHINE_TYPE_SERIES_MAPPING = {
    'As-series': {
        'D4s v5': [4, 17, 1.4],
        'D8s v5': [8, 32, 1.4],
        NC6: [6, 56, 1.4],
    },
"""


def table() -> dict[str, Any]:
    return {
        "series": {"Dsv5": {"sizes": r"D\d+s_v5"}, "NVads": {"sizes": r"NV\d+ads_A10_v5"}, "NP": {"sizes": r"NP\d+s"}},
        "sizes": {
            "Standard_D4s_v5": {"series": "Dsv5", "vcpus": 99, "memoryGiB": 99},
            "Standard_NP10s": {"series": "NP", "vcpus": 10, "memoryGiB": 168, "source": "np-series.md"},
        },
    }


def test_names() -> None:
    assert size_name("NC8as T4 v3") == "Standard_NC8as_T4_v3"
    assert size_name("ND96asr A100 v4") == "Standard_ND96asr_v4"
    assert size_name("ND96amsr A100 v4") == "Standard_ND96amsr_A100_v4"


def test_figures_of_both_packages() -> None:
    assert read_vantage(VANTAGE)["Standard_NV6ads_A10_v5"] == {
        "vcpus": 6,
        "memoryGiB": 55,
        "gpus": 0.1667,
        "localGiB": 180,
    }
    assert read_ccf(CCF) == {
        "Standard_D4s_v5": {"vcpus": 4, "memoryGiB": 17},
        "Standard_D8s_v5": {"vcpus": 8, "memoryGiB": 32},
        "Standard_NC6": {"vcpus": 6, "memoryGiB": 56},
    }


def test_series_get_their_rows_and_rows_kept_by_hand_stay() -> None:
    sizes = refreshed(table(), read_vantage(VANTAGE), read_ccf(CCF))["sizes"]
    assert sizes == {
        "Standard_D4s_v5": {"series": "Dsv5", "vcpus": 4, "memoryGiB": 16, "conflict": {"ccf": {"memoryGiB": 17}}},
        "Standard_D8s_v5": {"series": "Dsv5", "vcpus": 8, "memoryGiB": 32},
        "Standard_NP10s": {"series": "NP", "vcpus": 10, "memoryGiB": 168, "source": "np-series.md"},
        "Standard_NV6ads_A10_v5": {"series": "NVads", "vcpus": 6, "memoryGiB": 55, "gpus": 0.1667, "localGiB": 180},
    }


def test_the_file_is_as_the_script_writes_it() -> None:
    text = TABLE.read_text()
    assert rendered(json.loads(text)) == text
