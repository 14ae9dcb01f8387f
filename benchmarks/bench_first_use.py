"""What a first use costs: imports, the help of the command line, and loops that have to be compiled.

    python benchmarks/bench_first_use.py        # about two minutes; `make reference` writes docs/speed.md from it

Every turn is a process of its own, and counts with all processes that it starts. Python's bytecode lies in a cache, as
after any installation by pip. Compiled loops are kept in a folder that is empty in the beginning: where a row says that
something is done for the first time, its loops are not there.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

TURNS: Final = 9
SOURCE: Final = harness.ROOT / "src"
DATA: Final = """
import numpy as np, polars as pl, reclens as rl
users, place = np.divmod(np.arange(20_000), 10)
table = pl.DataFrame({"user_id": users, "item_id": (7 * users + place**2) % 500, "rank": place + 1})
"""
EVALUATE: Final = f"{DATA}rl.evaluate(table, table.filter(pl.col('rank') > 8).select('user_id', 'item_id'))"
FIT: Final = f"{DATA}rl.models.ItemKNN().fit(rl.read(table.drop('rank'))).recommend(k=10)"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A program whose cost is told.

    Attributes:
        name: What it does.
        arguments: Of Python.
        fresh: Whether its loops have to be compiled; such a row has one turn.
    """

    name: str
    arguments: tuple[str, ...]
    fresh: bool = False


def all_loops() -> str:
    """A program that compiles every loop of every room."""
    files = [path for path in sorted(SOURCE.rglob("*.py")) if re.search(r"^@kernel\(", path.read_text(), re.M)]
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in files]
    return f"import {', '.join(names)}; from reclens.kernels import warm_up; warm_up()"


def rows() -> Iterator[Row]:
    """Everything that is measured, in the order of the table."""
    yield Row(name="import polars", arguments=("-c", "import polars"))
    yield Row(name="import polars, numpy", arguments=("-c", "import polars, numpy"))
    yield Row(name="from reclens import evaluate", arguments=("-c", "from reclens import evaluate"))
    yield Row(name="reclens --help", arguments=("-m", "reclens", "--help"))
    yield Row(name="an evaluation of 2,000 lists with intervals", arguments=("-c", EVALUATE))
    yield Row(name="the same for the first time", arguments=("-c", EVALUATE), fresh=True)
    yield Row(name="item-kNN of 20,000 events, fit and lists", arguments=("-c", FIT))
    yield Row(name="the same for the first time", arguments=("-c", FIT), fresh=True)
    yield Row(name="reclens doctor for the first time", arguments=("-m", "reclens", "doctor"), fresh=True)
    yield Row(name="every loop of every room for the first time", arguments=("-c", all_loops()), fresh=True)


def turn(arguments: tuple[str, ...], environment: dict[str, str]) -> dict[str, float]:
    """Seconds of one process and of those that it started."""
    with tempfile.TemporaryDirectory() as place:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def measure(row: Row, environment: dict[str, str], turns: int) -> dict[str, Any]:
    """Medians of a row, without the time that Python itself takes to start."""
    if row.fresh:
        with tempfile.TemporaryDirectory() as loops:
            taken = [turn(row.arguments, environment | {"NUMBA_CACHE_DIR": loops})]
    else:
        turn(row.arguments, environment)
        taken = [turn(row.arguments, environment) for _ in range(turns)]
    return {key: statistics.median(each[key] for each in taken) for key in ("seconds", "cpu")}


def main() -> None:
    """Measure, print, and write ``results/first_use.json`` and ``results/first_use.md``."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as kept:
        environment = {key: each for key, each in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": f"{kept}/bytecode", "NUMBA_CACHE_DIR": f"{kept}/loops"}
        environment |= {"PYTHONPATH": str(SOURCE)}
        start = measure(Row(name="", arguments=("-c", "")), environment, TURNS)
        for row in rows():
            print(f"{row.name} …", file=sys.stderr)
            taken = measure(row, environment, TURNS)
            found.append({"name": row.name} | {key: each - start[key] for key, each in taken.items()})
    machine = harness.machine()
    lines = ["# First use", "", f"Measured on {harness.describe(machine)}; {__doc__.split(chr(10) * 2)[2]}", ""]
    lines += ["| | CPU s | s |", "|---|--:|--:|"]
    lines += [f"| {row['name']} | {row['cpu']:.3f} | {row['seconds']:.3f} |" for row in found]
    harness.write("first_use", lines, {"machine": machine, "first_use": found})


if __name__ == "__main__":
    main()
