"""What is asked of a pool's VM size: that it is known and stays, is large enough, and that its GPUs can be used."""

import re
from datetime import date
from typing import Literal

from tidegate.cluster.input import GpuInput
from tidegate.cluster.rule import Rule
from tidegate.cluster.sizes import Size, nearest
from tidegate.findings import Finding
from tidegate.parse import Loc

Image = Literal["Ubuntu", "AzureLinux"]

LEAST_VCPUS = 2
SYSTEM_VCPUS = 4

KNOWN = Rule(
    "vm-size-known",
    "vCPU, memory and retirement are known for the sizes in this project's table, which is a part of Azure's",
    "tidegate/cluster/data/vm_sizes.json",
)
RETIREMENT = Rule(
    "vm-size-retirement",
    "at its retirement date Azure deallocates the VMs of a size, new ones cannot be had, and an announced one may "
    "already be closed to new subscriptions",
    "azure-compute-docs: sizes/lifecycle/retired-sizes-list.md",
)
SMALL = Rule(
    "vm-size-too-small",
    "AKS takes no size under 2 vCPU",
    "aks-docs: quotas-skus-regions.md, Restricted VM sizes",
)
SYSTEM = Rule(
    "system-pool-size",
    "a system pool needs 4 vCPU and 4 GB a node and no B series; another page of the same docs says 2 vCPU, the "
    "stricter one is followed",
    "aks-docs: use-system-pools.md; quotas-skus-regions.md",
)
SYSTEM_GPU = Rule(
    "gpu-on-system-pool",
    "the taint that keeps other pods off GPUs keeps AKS's own pods away too, and a system pool is there for these",
    "aks-docs: use-nvidia-gpu.md; use-system-pools.md",
)
NO_GPU = Rule(
    "gpu-settings-without-gpu",
    "driver and MIG profile are settings of a GPU",
    "bicep-types: Microsoft.ContainerService 2025-09-01, gpuProfile and gpuInstanceProfile",
)
GPU_UNKNOWN = Rule(
    "gpu-size-unknown",
    "whether AKS installs a driver, and how many GPUs a node has, is known only for the sizes in the table",
    "tidegate/cluster/data/vm_sizes.json; karpenter-provider-azure: pkg/utils/supported-gpus.yaml",
)
GPU_SUPPORT = Rule(
    "gpu-not-supported",
    "AKS installs drivers for, and supports, a list of GPU sizes only, some of them with the Ubuntu image only",
    "karpenter-provider-azure: pkg/utils/supported-gpus.yaml; aks-docs: use-nvidia-gpu.md",
)
AMD = Rule(
    "amd-gpu",
    "AKS refuses a pool with AMD GPUs whose driver it should install, and neither AKS nor this product brings AMD's "
    "device plugin",
    "aks-docs: use-amd-gpus.md",
)
DRIVER = Rule(
    "gpu-driver",
    "without the driver on its nodes a GPU is not offered to pods",
    "aks-docs: use-nvidia-gpu.md, Skip GPU driver installation",
)
MIG = Rule(
    "mig-profile",
    "AKS slices A100, H100 and H200 GPUs only",
    "aks-docs: gpu-multi-instance.md",
)
FPGA = Rule(
    "fpga",
    "the boards of v1's FPGA services are gone, the NP sizes retire 2027-05-31, and AKS documents no FPGA",
    "azure-compute-docs: sizes/lifecycle/retired-sizes-list.md; aks-docs name no NP size",
)
RULES: tuple[Rule, ...] = (
    KNOWN,
    RETIREMENT,
    SMALL,
    SYSTEM,
    SYSTEM_GPU,
    NO_GPU,
    GPU_UNKNOWN,
    GPU_SUPPORT,
    AMD,
    DRIVER,
    MIG,
    FPGA,
)

_BURSTABLE = re.compile(r"standard_b\d", re.IGNORECASE)
_GPU_NAME = re.compile(r"standard_n[cdgv]", re.IGNORECASE)


def check_size(
    loc: Loc, vm_size: str, size: Size | None, *, system: bool, image: Image, gpu: GpuInput | None, today: date
) -> list[Finding]:
    """Check the size of the pool at `loc`; `size` is what the table has of `vm_size`, if anything."""
    place = (*loc, "vmSize")
    if size is None:
        return _unknown(place, vm_size, system=system, gpu=gpu)
    if size.fpgas:
        ends = f", it retires on {size.retirement.date}" if size.retirement else ""
        problem = f"{size.name} has FPGAs: v1's FPGA services are gone{ends}, and AKS does not document it"
        return [FPGA.error(place, problem, "Serve the model from a GPU size, e.g. Standard_NC4as_T4_v3")]
    findings = _retirement(place, size, today)
    if size.vcpus < LEAST_VCPUS:
        problem = f"{size.name} has {size.vcpus} vCPU, and AKS takes no size under {LEAST_VCPUS}"
        findings.append(SMALL.error(place, problem, "Choose a larger one, e.g. Standard_D4s_v5"))
    elif system:
        findings += _system(place, size)
    return findings + _gpu(loc, size, system=system, image=image, gpu=gpu)


def _unknown(place: Loc, vm_size: str, *, system: bool, gpu: GpuInput | None) -> list[Finding]:
    near = nearest(vm_size)
    meant = f'Did you mean "{near}"?' if near else ""
    if system and _BURSTABLE.match(vm_size):
        return [_burstable(place, vm_size)]
    if gpu is not None or _GPU_NAME.match(vm_size):
        problem = f'"{vm_size}" is not in the table of sizes, so its GPUs cannot be checked'
        remedy = meant or "Choose a GPU size of the table, e.g. Standard_NC4as_T4_v3, or add this one to it"
        return [GPU_UNKNOWN.error(place, problem, remedy)]
    problem = f'"{vm_size}" is not in the table of sizes, so its vCPU are not counted and nothing is checked'
    return [KNOWN.warning(place, problem, meant or "Check its spelling and that AKS takes it in your region")]


def _retirement(place: Loc, size: Size, today: date) -> list[Finding]:
    if size.retirement is None:
        return []
    better = "Standard_NC4as_T4_v3" if size.gpus else "Standard_D4s_v5"
    remedy = f"Choose a newer size, e.g. {better}"
    if size.retirement.date <= today:
        return [RETIREMENT.error(place, f"{size.name} was retired on {size.retirement.date}", remedy)]
    return [RETIREMENT.warning(place, f"{size.name} retires on {size.retirement.date}", remedy)]


def _system(place: Loc, size: Size) -> list[Finding]:
    if size.burstable:
        return [_burstable(place, size.name)]
    if size.vcpus < SYSTEM_VCPUS:
        problem = f"{size.name} has {size.vcpus} vCPU, and a system pool needs {SYSTEM_VCPUS} a node"
        return [SYSTEM.error(place, problem, "Choose a larger one, e.g. Standard_D4s_v5")]
    return []


def _burstable(place: Loc, vm_size: str) -> Finding:
    problem = f"{vm_size} is of the B series, which AKS does not support in system pools"
    return SYSTEM.error(place, problem, "Choose another series, e.g. Standard_D4s_v5")


def _gpu(loc: Loc, size: Size, *, system: bool, image: Image, gpu: GpuInput | None) -> list[Finding]:
    place = (*loc, "vmSize")
    if not size.gpus:
        problem = f"{size.name} has no GPU"
        remedy = "Take gpu out, or choose a GPU size, e.g. Standard_NC4as_T4_v3"
        return [NO_GPU.error((*loc, "gpu"), problem, remedy)] if gpu else []
    if system:
        problem = f"{size.name} has GPUs, and this pool runs AKS's own pods"
        return [SYSTEM_GPU.error(place, problem, "Put it under pools, as a pool of mode User")]
    if not size.aks_gpu:
        problem = f"AKS does not support the {size.accelerator} GPUs of {size.name}"
        return [GPU_SUPPORT.error(place, problem, "Choose a supported size, e.g. Standard_NC4as_T4_v3")]
    findings: list[Finding] = []
    if image not in size.aks_images:
        problem = f"AKS does not support the {size.accelerator} GPUs of {size.name} on {image}"
        findings.append(GPU_SUPPORT.error((*loc, "osSKU"), problem, f"Write {' or '.join(size.aks_images)}"))
    return findings + _driver(loc, size, gpu) + _slices(loc, size, gpu)


def _driver(loc: Loc, size: Size, gpu: GpuInput | None) -> list[Finding]:
    place = (*loc, "gpu", "driver")
    driver = (gpu.driver if gpu else None) or "Install"
    if size.gpu_vendor == "amd":
        if driver == "Install":
            problem = f"AKS installs no driver for the AMD GPUs of {size.name}, and refuses to be asked"
            return [AMD.error(place, problem, "Write gpu: {driver: None}, and install AMD's GPU operator")]
        problem = f"pods get the AMD GPUs of {size.name} only from AMD's GPU operator, which is not installed here"
        return [AMD.warning(place, problem, "Install it, or choose an NVIDIA size")]
    if driver == "None":
        problem = f"nothing installs the driver of the GPUs of {size.name}"
        return [DRIVER.warning(place, problem, "Install NVIDIA's GPU operator, or leave the driver to AKS")]
    return []


def _slices(loc: Loc, size: Size, gpu: GpuInput | None) -> list[Finding]:
    if gpu is None or gpu.mig_profile is None or size.mig:
        return []
    problem = f"the {size.accelerator} GPUs of {size.name} cannot be sliced by {gpu.mig_profile}"
    remedy = "Take migProfile out, or choose a size with A100, H100 or H200"
    return [MIG.error((*loc, "gpu", "migProfile"), problem, remedy)]
