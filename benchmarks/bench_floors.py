"""Every hot path beside its floor: the least that this machine could take for what cannot be left out of it.

    python benchmarks/bench_floors.py                        # all of them, about two minutes
    python benchmarks/bench_floors.py --only audit knn --turns 5

A floor is either one step of another library that has to be taken in any case, such as one parse of the file, or a
number of operations at the rate at which this machine does nothing else (``machine_rates.py``). Ours and the floor take
turns in one process; what counts are seconds of the processor, in all threads, so that other work on the machine
changes little. Where a path takes more than twice its floor, its row says what the rest is spent on, and why it stays.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import hot_paths
from machine_rates import UNITS, rates


def measured(step: Any) -> dict[str, float]:
    """Seconds of a step by the wall and of the processor."""
    gc.collect()
    wall, processor = time.perf_counter(), time.process_time()
    step()
    return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - processor}


def row_of(turns: list[dict[str, float]]) -> dict[str, float]:
    """The fastest wall time and the median of the processor's of some turns."""
    return {"min_s": min(turn["seconds"] for turn in turns), "cpu_s": statistics.median(turn["cpu"] for turn in turns)}


def measure(path: hot_paths.HotPath, rate: dict[str, float], turns: int) -> dict[str, Any]:
    """Ours and the floor of a path, in turns after a first one."""
    taken: dict[str, list[dict[str, float]]] = {"reclens": [], "floor": []}
    for turn in range(turns + 1):
        for name, step in (("reclens", path.ours), ("floor", path.step)):
            if step is not None:
                found = measured(step)
                if turn:
                    taken[name].append(found)
    operations = sum(count / rate[unit] for unit, count in path.operations.items())
    floor = row_of(taken["floor"]) if path.step else {"min_s": 0.0, "cpu_s": 0.0}
    floor = {name: seconds + operations for name, seconds in floor.items()}
    return {"reclens": row_of(taken["reclens"]), "floor": floor}


def operations_text(path: hot_paths.HotPath) -> str:
    """What a floor consists of."""
    counted = [f"{count / 1e9:.3g} billion {unit}" for unit, count in path.operations.items()]
    return ", ".join([*([path.step_is] if path.step_is else []), *counted])


def main() -> None:
    """Measure, print, and write ``results/floors.json`` and ``results/floors.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=list(hot_paths.MAKERS), help="these alone")
    asked = parser.parse_args()
    rate, results, about = rates(), {}, {}
    lines = ["| | ours: CPU s | floor: CPU s | × | the floor is | the rest |", "|---|--:|--:|--:|---|---|"]
    for name in asked.only or hot_paths.MAKERS:
        print(f"{name} …", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            for path in hot_paths.MAKERS[name](Path(folder)):
                found = measure(path, rate, asked.turns)
                results[path.name] = found
                about[path.name] = {"floor_is": operations_text(path), "rest": path.rest}
                ours, floor = found["reclens"]["cpu_s"], found["floor"]["cpu_s"]
                lines.append(
                    f"| {path.name} | {ours:.3f} | {floor:.3f} | {ours / floor:.1f} | {operations_text(path)} "
                    f"| {path.rest} |"
                )
                print(lines[-1], file=sys.stderr)
    machine = harness.machine()
    head = ["# Hot paths and their floors", "", f"Measured on {harness.describe(machine)}; {asked.turns} turns.", ""]
    lines += ["", "What this machine does in a second of the processor, and nothing else:", ""]
    lines += [f"- {rate[unit] / 1e9:.2f} billion {words}" for unit, words in UNITS.items()]
    harness.write("floors", head + lines, {"machine": machine, "rates": rate, "results": results, "about": about})


if __name__ == "__main__":
    main()
