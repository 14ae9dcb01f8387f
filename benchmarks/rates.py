"""Simulated rates with their Monte-Carlo error: grids of cells that are run in pieces, resumed, and added up.

A cell is a function of a seed that returns outcomes: 0 or 1 for a rate (rejected, covered), any number for a mean. A
run is split into blocks of seeds; each finished block is one line of ``results/rates/TOPIC.jsonl``, so that a killed
run loses one block, a later run resumes after it, and lines of several machines can be concatenated. The table
``results/rates/TOPIC.md`` is written from the lines. Delete the lines of a cell when its method changes.

Settings are chosen on seeds 0 to 49 and published on seeds from 1,000 up.

    python benchmarks/rates_shares.py --seeds 1000:3000
    python benchmarks/rates_shares.py --seeds 1000:3000 --cells '200/1800' --minutes 60
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import machine

RESULTS = Path(__file__).resolve().parent / "results" / "rates"
BLOCK = 100


@dataclass(frozen=True)
class Cell:
    """One setting of a grid.

    Attributes:
        name: What is simulated, such as ``"200/1800, 1 %"``; unique in the grid.
        run: One simulated data set: seed -> outcome name -> 0, 1 or any number; NaN counts as no answer. A function of
            a module, or a partial of one, because blocks run in processes.
        nominal: Outcome -> the value that the method promises, such as ``{"rejected": 0.05}``.
    """

    name: str
    run: Callable[[int], Mapping[str, float]]
    nominal: Mapping[str, float] = field(default_factory=dict)


def main(topic: str, cells: Sequence[Cell], *, about: str) -> None:
    """Run what is missing of a grid, and write its table.

    Args:
        topic: Name of the files of results.
        cells: The grid.
        about: What was simulated, in a sentence, for the head of the table.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seeds", default="1000:3000", help="first seed and the one behind the last, such as 0:50")
    parser.add_argument("--cells", default="", help="a regular expression: only cells whose name has it")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no block after so many minutes")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    start, stop = (int(part) for part in given.seeds.split(":"))
    chosen = [cell for cell in cells if re.search(given.cells, cell.name)]
    path = RESULTS / f"{topic}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {(line["cell"], line["start"], line["stop"]) for line in _lines(path)}
    blocks = [
        (cell, low, min(low + BLOCK, stop))
        for low in range(start, stop, BLOCK)
        for cell in chosen
        if (cell.name, low, min(low + BLOCK, stop)) not in done
    ]
    deadline = time.monotonic() + 60 * given.minutes
    with ProcessPoolExecutor(given.processes) as pool:
        waiting = [pool.submit(_block, *block, deadline) for block in blocks]
        for at, each in enumerate(waiting, 1):
            line = each.result()
            if line is None:
                continue
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{at}/{len(blocks)} {line['cell']}: {line['cpu_s']:.1f} CPU s", file=sys.stderr)
    text = table(_lines(path), cells, about)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def _block(cell: Cell, start: int, stop: int, deadline: float) -> dict[str, Any] | None:
    """The sums of one block of seeds; None after the deadline."""
    if time.monotonic() > deadline:
        return None
    before = time.process_time()
    sums: dict[str, list[float]] = {}
    for seed in range(start, stop):
        for name, value in cell.run(seed).items():
            held = sums.setdefault(name, [0, 0.0, 0.0])
            if not math.isnan(value):
                held[0] += 1
                held[1] += float(value)
                held[2] += float(value) ** 2
    cpu = time.process_time() - before
    return {"cell": cell.name, "start": start, "stop": stop, "sums": sums, "cpu_s": round(cpu, 2), "machine": machine()}


def table(lines: Sequence[Mapping[str, Any]], cells: Sequence[Cell], about: str) -> str:
    """The lines added up, as Markdown: runs, mean of each outcome, ± 1.96 Monte-Carlo errors, and what was promised.

    Blocks of the same seeds count once; cells that left the grid are left out.
    """
    blocks = {(line["cell"], line["start"], line["stop"]): line for line in lines if line["start"] >= 1000}
    known = {cell.name: cell for cell in cells}
    rows: list[str] = []
    for name, cell in known.items():
        mine = [line for (of, _, _), line in blocks.items() if of == name]
        for outcome in dict.fromkeys(key for line in mine for key in line["sums"]):
            n, total, squares = (sum(line["sums"].get(outcome, (0, 0, 0))[i] for line in mine) for i in range(3))
            if not n:
                continue
            mean = total / n
            error = 1.96 * math.sqrt(max(squares / n - mean**2, 0.0) / n)
            promised = f"{cell.nominal[outcome]:.4g}" if outcome in cell.nominal else "–"
            rows.append(f"| {name} | {outcome} | {n:,} | {mean:.4f} ± {error:.4f} | {promised} |")
    cpu = sum(line["cpu_s"] for line in blocks.values())
    where = {
        f"{m['processor']}, {m['cores']} cores, Python {m['python']}, {m['date']}"
        for m in (line["machine"] for line in blocks.values())
    }
    head = ["| cell | outcome | runs | simulated | nominal |", "|---|---|--:|--:|--:|"]
    note = (
        f"{cpu:,.0f} CPU seconds; {'; '.join(sorted(where))}. ± is 1.96 Monte-Carlo errors. Seeds from 1,000 up; "
        "settings were chosen on other seeds."
    )
    return "\n".join([about, "", *head, *rows, "", note]) + "\n"


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
