"""Write the table of measured speeds into README.md, from benchmarks/results/*.json; ``--check`` only compares.

Run it by ``make reference`` after a benchmark, so that README shows what was measured last and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "README.md"
BEGIN, END = "<!-- benchmarks: written by `make reference` -->", "<!-- /benchmarks -->"

PEERS = {
    "rectools": "RecTools",
    "ranx": "ranx",
    "implicit": "implicit",
    "similaripy": "similaripy",
    "tea_tasting": "tea-tasting",
}
TASKS = {
    "138,000 users × 100, integer ids": "P, R, NDCG, MAP, MRR at 10 of 138,000 lists of 100, integer ids",
    "138,000 users × 100, string ids": "the same, text ids",
    "item-kNN, ml-1m": "item-kNN on ML-1M: fit, and top 100 for every user",
    "user-kNN, ml-1m": "user-kNN on ML-1M: fit, and top 100 for every user",
}
"""What the tasks of the benchmarks are called in README; another one goes by its own name."""


def rows(sections: dict[str, dict[str, Any]]) -> list[str]:
    """One row a task and way of ours, the peers that did the same beside it."""
    if all("seconds" in results for results in sections.values()):  # a stream, in several sizes: the largest tells most
        task, largest = list(sections.items())[-1]
        return [row(f"{task} streamed from Parquet, in user chunks", largest["seconds"], largest["peak"], "")]
    found: list[str] = []
    for task, results in sections.items():
        ours = results["reclens"]["median_s"]
        peers = [
            f"{PEERS.get(peer, peer)} {seconds(other['median_s'])} ({other['median_s'] / ours:.1f} ×)"
            for peer, other in results.items()
            if not peer.startswith("reclens")
        ]
        for name, measured in results.items():
            way = name.removeprefix("reclens").strip(", ")
            if way == name:
                continue
            shown = f"… with intervals: {way}" if way else TASKS.get(task, task)
            beside = "" if way else ", ".join(peers)
            found.append(row(shown, measured["median_s"], measured["peak_gib"], beside))
    return found


def row(task: str, time: float, memory: float, peers: str) -> str:
    """A row of the table."""
    return f"| {task} | {seconds(time)} | {memory:.2f} GiB | {peers or '–'} |"


def seconds(value: float) -> str:
    """A time with the digits that mean something."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def block() -> str:
    """Everything between the marks."""
    lines = ["| task | RecLens | peak | peers: time (× ours) |", "|---|--:|--:|---|"]
    machines: dict[str, list[str]] = {}
    for file in sorted(
        (ROOT / "benchmarks" / "results").glob("*.json"), key=lambda path: (path.stem != "metrics", path.stem)
    ):
        content = json.loads(file.read_text(encoding="utf-8"))
        if "results" not in content:  # a page about quality has no times
            continue
        lines += rows(content["results"])
        about = "{processor}, {cores} cores, {memory_gib} GiB, Python {python}, {date}".format(**content["machine"])
        machines.setdefault(about, []).append(f"[{file.stem}](benchmarks/results/{file.stem}.md)")
    measured = "; ".join(f"{', '.join(names)} on {about}" for about, names in machines.items())
    note = f"Medians of warm runs, everybody taking turns in one run. Measured: {measured}."
    return "\n".join([BEGIN, *lines, "", textwrap.fill(note, 120, break_on_hyphens=False), END])


def main() -> int:
    """0 when README is as it has to be."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = re.sub(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block(), text, flags=re.S)
    if BEGIN not in text:
        print(f"{PAGE.name} lacks the mark {BEGIN}", file=sys.stderr)
        return 1
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        print(f"wrote the benchmarks of {PAGE.name}")
    elif text != wanted:
        print(f"{PAGE.name} does not show what benchmarks/results holds; run: make reference", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
