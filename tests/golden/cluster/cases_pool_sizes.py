"""What the rules over VM sizes say."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.unit.cluster.pool_inputs import pool, resolve
from tidegate.findings import Finding


def of(cluster: dict[str, Any]) -> Callable[[], Sequence[Finding]]:
    return lambda: resolve(cluster).findings


def sized(name: str, **keys: Any) -> Callable[[], Sequence[Finding]]:
    return of(pool(vmSize=name, **keys))


def system(name: str) -> Callable[[], Sequence[Finding]]:
    return of({"systemPool": {"vmSize": name}})


T4, A100, MI300X = "Standard_NC4as_T4_v3", "Standard_NC24ads_A100_v4", "Standard_ND96isr_MI300X_v5"

CASES = [
    ("vm-size-known", "A size that the table does not have", sized("Standard_HB120rs_v3")),
    ("vm-size-known", "A misspelt size", sized("Standard_D4s_v55")),
    ("vm-size-known", "A size without its beginning", sized("D4s_v5")),
    ("vm-size-retirement", "v1's default", system("Standard_D3_v2")),
    ("vm-size-retirement", "A size that is gone", sized("Standard_NC6s_v3")),
    ("vm-size-too-small", "One vCPU", sized("Standard_D1_v2")),
    ("system-pool-size", "Two vCPU", system("Standard_D2s_v5")),
    ("system-pool-size", "The B series", system("Standard_B4ms")),
    ("system-pool-size", "A size of the B series that the table does not have", system("Standard_B4pls_v2")),
    ("gpu-on-system-pool", "A GPU for AKS's own pods", system(T4)),
    ("gpu-settings-without-gpu", "A driver without a GPU", sized("Standard_D4s_v5", gpu={"driver": "Install"})),
    ("gpu-size-unknown", "A GPU size that the table does not have", sized("Standard_ND128isr_NDR_GB200_v6")),
    ("gpu-size-unknown", "GPU settings on a size that the table does not have", sized("Standard_X8", gpu={})),
    ("gpu-not-supported", "A GPU that AKS does not support", sized("Standard_NG32ads_V620_v1")),
    ("gpu-not-supported", "A GPU that one image does not support", sized("Standard_NV6ads_A10_v5", osSKU="AzureLinux")),
    ("amd-gpu", "An AMD GPU with AKS's driver", sized(MI300X)),
    ("amd-gpu", "An AMD GPU without a driver", sized(MI300X, gpu={"driver": "None"})),
    ("gpu-driver", "An NVIDIA GPU without a driver", sized(T4, gpu={"driver": "None"})),
    ("mig-profile", "Slices of a T4", sized(T4, gpu={"migProfile": "MIG1g"})),
    ("fpga", "An FPGA size", sized("Standard_NP10s")),
]
