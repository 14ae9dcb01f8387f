"""Write the tables of measured speeds, from benchmarks/results/*.json; ``--check`` only compares.

README.md has the rows of ``README_ROWS``, docs/speed.md has all rows. ``make reference`` runs this after a benchmark.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FLOORS, FLOORS_END = "<!-- floors: written by `make reference` -->", "<!-- /floors -->"
GROWTH, GROWTH_END = "<!-- growth: written by `make reference` -->", "<!-- /growth -->"
FIRST, FIRST_END = "<!-- first use: written by `make reference` -->", "<!-- /first use -->"
BEGIN, END = "<!-- benchmarks: written by `make reference` -->", "<!-- /benchmarks -->"

PEERS = {
    "rectools": "RecTools",
    "ranx": "ranx",
    "implicit": "implicit",
    "similaripy": "similaripy",
    "tea_tasting": "tea-tasting",
}
INTERVALS = "1,000 replicates in 9 segments"
NAMES = {
    ("138,000 users × 100, integer ids", ""): "Five ranking metrics, 138,000 lists of 100, integer ids",
    ("138,000 users × 100, integer ids", INTERVALS): "Five ranking metrics with bootstrap intervals, integer ids",
    ("138,000 users × 100, string ids", ""): "Five ranking metrics, 138,000 lists of 100, text ids",
    ("138,000 users × 100, string ids", INTERVALS): "Five ranking metrics with bootstrap intervals, text ids",
    ("ALS, 64 factors, 15 iterations, ml-1m", ""): "ALS fit, MovieLens 1M, 64 factors, 15 iterations",
    ("BPR, 64 factors, 30 epochs, ml-1m", ""): "BPR fit, MovieLens 1M, 64 factors, 30 epochs",
    ("20,000 items, 60,000 users", ""): "EASE fit, 20,000 items, 60,000 users",
    ("2 × 1,000,000 users × 5 metrics with CUPED, Parquet", ""): "A/B readout, 2 × 1 million users, 5 metrics, Parquet",
    (
        "2 × 1,000,000 users × 5 metrics with CUPED, Parquet, units checked",
        "",
    ): "A/B readout, 2 × 1 million users, 5 metrics, Parquet, units checked",
    ("2 × 1,000,000 users × 5 metrics with CUPED, DuckDB", ""): "A/B readout, 2 × 1 million users, 5 metrics, DuckDB",
    ("2 × 1,000,000 users × 5 metrics with CUPED, Polars", ""): "A/B readout, 2 × 1 million users, 5 metrics, Polars",
    ("1,000 A/A tests of 10,000 users", ""): "1,000 A/A tests, 10,000 users each",
    ("item-kNN, ml-1m", ""): "Item-kNN fit and top 100, MovieLens 1M",
    ("user-kNN, ml-1m", ""): "User-kNN fit and top 100, MovieLens 1M",
    ("item-kNN", ""): "Item-kNN fit and top 100, 20 million interactions",
    (
        "An audit of 1,000,000 list rows and ten groups of users",
        "",
    ): "Audit of 1 million list rows and ten groups, every measure with its interval",
    ("100 million rows", ""): "Evaluation of 100 million rows streamed from Parquet",
    ("100 million rows", "audit"): "Audit of 100 million rows streamed from Parquet",
    (
        "138,000 users × 27,000 items × 128 dimensions, top 100",
        "",
    ): "Top 100 of 27,000 items for 138,000 users, 128 dimensions",
}
"""The name of every row: task and way of a benchmark -> what was done. A row without a name fails the build."""

README_ROWS = (
    "Five ranking metrics, 138,000 lists of 100, integer ids",
    "Five ranking metrics with bootstrap intervals, integer ids",
    "ALS fit, MovieLens 1M, 64 factors, 15 iterations",
    "BPR fit, MovieLens 1M, 64 factors, 30 epochs",
    "Item-kNN fit and top 100, MovieLens 1M",
    "A/B readout, 2 × 1 million users, 5 metrics, Parquet",
    "1,000 A/A tests, 10,000 users each",
    "Evaluation of 100 million rows streamed from Parquet",
)
"""At most eight."""


def rows(sections: dict[str, dict[str, Any]], stem: str) -> dict[str, str]:
    """Name -> row of a file: one a task and way of ours, with the peers that did the same."""
    if all("seconds" in results for results in sections.values()):  # a stream, in several sizes: the largest tells most
        task, largest = list(sections.items())[-1]
        name = NAMES[task, stem.removeprefix("stream").strip("_")]
        return {name: row(name, largest["seconds"], largest["peak"], "")}
    found: dict[str, str] = {}
    for task, results in sections.items():
        ours = results["reclens"]["median_s"]
        peers = [
            f"{PEERS.get(peer, peer)} {seconds(other['median_s'])} ({ratio(other['median_s'] / ours)} ×)"
            for peer, other in results.items()
            if not peer.startswith("reclens")
        ]
        for key, measured in results.items():
            way = key.removeprefix("reclens").strip(", ")
            if way == key:
                continue
            name = NAMES[task, way]
            found[name] = row(name, measured["median_s"], measured["peak_gib"], "" if way else ", ".join(peers))
    return found


def row(name: str, time: float, memory: float, peers: str) -> str:
    """A row of the table."""
    return f"| {name} | {seconds(time)} | {memory:.2f} GiB | {peers or '–'} |"


def ratio(value: float) -> str:
    """A ratio with the digits that mean something."""
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


def seconds(value: float) -> str:
    """A time with the digits that mean something."""
    return f"{value:.3f} s" if value < 0.1 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def block(chosen: tuple[str, ...] | None, *, linked: bool) -> str:
    """Everything between the marks: the chosen rows, or all; a page of the site cannot link to files outside of it."""
    found: dict[str, str] = {}
    machines: dict[str, list[str]] = {}
    results = ROOT / "benchmarks" / "results"
    for file in sorted(results.glob("*.json"), key=lambda path: (path.stem != "metrics", path.stem)):
        content = json.loads(file.read_text(encoding="utf-8"))
        if "results" not in content or file.stem == "floors":  # a page about quality has no times
            continue
        added = rows(content["results"], file.stem)
        if twice := set(found) & set(added):
            raise SystemExit(
                f"{file}: the name {min(twice)!r} is that of another row; give it one of its own in NAMES."
            )
        found |= added
        if chosen is None or set(chosen) & set(added):
            about = "{processor}, {cores} cores, {memory_gib} GiB, Python {python}, {date}".format(**content["machine"])
            path = f"benchmarks/results/{file.stem}.md"
            machines.setdefault(about, []).append(f"[{file.stem}]({path})" if linked else f"`{path}`")
    measured = "; ".join(f"{', '.join(names)} on {about}" for about, names in machines.items())
    note = f"Medians of warm runs; the libraries take turns in one run. Measured: {measured}."
    lines = ["| task | RecLens | peak memory | peers: time (× RecLens) |", "|---|--:|--:|---|"]
    lines += [found[name] for name in chosen or found]
    return "\n".join([BEGIN, *lines, "", textwrap.fill(note, 120, break_on_hyphens=False), END])


def floors() -> str:
    """The hot paths beside their floors, between the marks."""
    content = json.loads((ROOT / "benchmarks" / "results" / "floors.json").read_text(encoding="utf-8"))
    lines = [
        "| path | CPU | floor | × | the floor is | what the rest is, and why it stays |",
        "|---|--:|--:|--:|---|---|",
    ]
    for name, row in content["results"].items():
        ours, floor = row["reclens"]["cpu_s"], row["floor"]["cpu_s"]
        about = content["about"][name]
        parts = (
            f"{seconds(ours)} | {seconds(floor)} | {ratio(ours / floor)} | {about['floor_is']} | {about['rest'] or '–'}"
        )
        lines.append(f"| {name} | {parts} |")
    machine = "{processor}, {cores} cores, {memory_gib} GiB, Python {python}, {date}".format(**content["machine"])
    rates = "; ".join(f"{rate / 1e9:.3g} billion {unit}" for unit, rate in content["rates"].items())
    note = f"Measured by `python benchmarks/bench_floors.py` on {machine}. A second of its processor: {rates}."
    return "\n".join([FLOORS, *lines, "", textwrap.fill(note, 120, break_on_hyphens=False), FLOORS_END])


def growth() -> str:
    """How cost grows, between the marks."""
    content = json.loads((ROOT / "benchmarks" / "results" / "growth.json").read_text(encoding="utf-8"))
    lines = ["| path | what grows | from – to | CPU | exponent |", "|---|---|--:|--:|--:|"]
    for row in content["growth"]:
        (first, *_, last), (begin, *_, end) = row["sizes"], row["seconds"]
        lines.append(
            f"| {row['path']} | {row['dimension']} | {first:,} – {last:,} | {seconds(begin)} – {seconds(end)} "
            f"| {row['exponent']:.2f} |"
        )
    machine = "{processor}, {cores} cores, {memory_gib} GiB, Python {python}, {date}".format(**content["machine"])
    note = f"Measured by `python benchmarks/bench_growth.py` on {machine}."
    return "\n".join([GROWTH, *lines, "", textwrap.fill(note, 120, break_on_hyphens=False), GROWTH_END])


def first_use() -> str:
    """What a first use costs, between the marks."""
    content = json.loads((ROOT / "benchmarks" / "results" / "first_use.json").read_text(encoding="utf-8"))
    lines = ["| | CPU | wall time |", "|---|--:|--:|"]
    lines += [f"| {row['name']} | {seconds(row['cpu'])} | {seconds(row['seconds'])} |" for row in content["first_use"]]
    machine = "{processor}, {cores} cores, {memory_gib} GiB, Python {python}, {date}".format(**content["machine"])
    note = (
        f"Measured by `python benchmarks/bench_first_use.py` on {machine}: each in a process of its own, without the "
        "time that Python takes to start."
    )
    return "\n".join([FIRST, *lines, "", textwrap.fill(note, 120, break_on_hyphens=False), FIRST_END])


def between(text: str, begin: str, end: str, made: str) -> str:
    """A page with what stands between two marks written anew."""
    return re.sub(rf"{re.escape(begin)}.*?{re.escape(end)}", lambda _: made, text, flags=re.S)


def main() -> int:
    """0 when the pages are as they have to be."""
    status = 0
    for name, chosen, linked in (("README.md", README_ROWS, True), ("docs/speed.md", None, False)):
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        if BEGIN not in text:
            print(f"{name} lacks the mark {BEGIN}", file=sys.stderr)
            return 1
        wanted = between(text, BEGIN, END, block(chosen, linked=linked))
        if FLOORS in wanted:
            wanted = between(wanted, FLOORS, FLOORS_END, floors())
            wanted = between(wanted, GROWTH, GROWTH_END, growth())
            wanted = between(wanted, FIRST, FIRST_END, first_use())
        if "--check" not in sys.argv[1:]:
            page.write_text(wanted, encoding="utf-8")
            print(f"wrote the benchmarks of {name}")
        elif text != wanted:
            print(f"{name} does not show what benchmarks/results holds; run: make reference", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
