"""The VM sizes that a node pool may name: what each has, until when it is there, and what AKS makes of it.

The table is a subset of Azure's sizes; `tools/refresh_vm_sizes.py` says where it comes from.
"""

import difflib
import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Vendor = Literal["nvidia", "amd"]


@dataclass(frozen=True)
class Retirement:
    """When Azure takes a size away."""

    date: date
    status: Literal["announced", "retired"]
    """As Microsoft's list said when it was read; what counts is the date."""


@dataclass(frozen=True)
class Size:
    """A VM size."""

    name: str
    """As Azure spells it."""
    series: str
    vcpus: int
    memory_gib: float
    family: str = ""
    """The quota family, as Azure's usages call it; empty where it is not known."""
    local_gib: int = 0
    """The temporary disk."""
    ephemeral_os_disk: bool | None = None
    """Whether an OS disk fits on the host; None where it is not known."""
    gpus: float = 0
    """May be a part of one."""
    gpu_vendor: Vendor | None = None
    accelerator: str = ""
    """The GPU or FPGA: `T4`."""
    aks_images: tuple[str, ...] = ()
    """The node images (`osSKU`) for which AKS supports the GPU."""
    mig: bool = False
    """Whether the GPU can be sliced."""
    fpgas: int = 0
    burstable: bool = False
    retirement: Retirement | None = None

    @property
    def aks_gpu(self) -> bool:
        """Whether AKS supports the GPU at all."""
        return bool(self.aks_images)


def lookup(vm_size: str) -> Size | None:
    """Find a size whatever its case, as Azure does; None where the table does not have it."""
    return _sizes().get(vm_size.lower())


def nearest(vm_size: str) -> str | None:
    """The name in the table that may have been meant."""
    known = _sizes()
    wanted = vm_size.lower()
    for name in (wanted, f"standard_{wanted}"):
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.92):
            return known[close[0]].name
    return None


@cache
def _sizes() -> dict[str, Size]:
    text = files("tidegate.cluster").joinpath("data", "vm_sizes.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return {name.lower(): _size(name, row, table["series"][row["series"]]) for name, row in table["sizes"].items()}


def _size(name: str, row: dict[str, Any], series: dict[str, Any]) -> Size:
    ends = series.get("retirement")
    return Size(
        name=name,
        series=row["series"],
        vcpus=row["vcpus"],
        memory_gib=row["memoryGiB"],
        family=series["quotaFamily"] or "",
        local_gib=row.get("localGiB", 0),
        ephemeral_os_disk=series.get("ephemeralOSDisk"),
        gpus=row.get("gpus", 0),
        gpu_vendor=series.get("vendor"),
        accelerator=series.get("accelerator", ""),
        aks_images=tuple(series.get("aks", ())),
        mig=series.get("mig", False),
        fpgas=row.get("fpgas", 0),
        burstable=series.get("burstable", False),
        retirement=Retirement(date.fromisoformat(ends["date"]), ends["status"]) if ends else None,
    )
