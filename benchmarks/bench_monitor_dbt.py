"""How long a day of a million impressions takes with the marts of dbt and the gate of Great Expectations.

    python benchmarks/bench_monitor_dbt.py                # a new process a turn, 3 turns; --days 14 adds a backfill

The log is that of ``bench_monitor.py``. A turn is what a scheduler starts: ``reclens monitor run`` of the last day,
with all imports, notices and the kept day. CPU seconds are those of the process and of the dbt that it starts.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_monitor
import harness

WAYS = {
    "the monitor alone": "",
    "with Great Expectations": '[gate]\nengine = "great_expectations"\n',
    "with dbt": '[marts]\nengine = "dbt"\n',
    "with dbt and Great Expectations": '[gate]\nengine = "great_expectations"\n[marts]\nengine = "dbt"\n',
}


def started(*words: str, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    source = str(Path(__file__).resolve().parents[1] / "src")
    subprocess.run(
        [sys.executable, "-m", "reclens", *words, "--project", ".", "--workspace", "workspace", "--quiet"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": source},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu


def main() -> None:
    """Measure, print, and write ``results/monitor_dbt.json`` and ``results/monitor_dbt.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=0, help="days of a backfill by one build; 0 leaves it out")
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    load, days = os.getloadavg()[0], max(chosen.days, 2)
    last = bench_monitor.FIRST + timedelta(days=days - 1)
    found: dict[str, list[tuple[float, float]]] = {}
    backfill: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench_monitor.write_project(folder, days, chosen.rows)
        for way, settings in WAYS.items():
            (folder / "monitor.toml").write_text(bench_monitor.SETTINGS + settings)
            if "dbt" in settings:
                from reclens.edges.dbt import write_project
                from reclens.monitor.project import Project

                write_project(Project(folder), today=bench_monitor.FIRST)
            if chosen.days and "dbt" in settings and "great" in settings:
                span = ("--from", str(bench_monitor.FIRST), "--to", str(last))
                backfill = started("monitor", "backfill", *span, folder=folder)
            turns = [started("monitor", "run", "--date", str(last), folder=folder) for _ in range(chosen.runs + 1)]
            found[way] = turns[1:]  # the first one warms up
    where = f"{harness.describe(harness.machine())}, load {load:.1f}"
    lines = [
        "# A day of the monitor with dbt and Great Expectations",
        "",
        f"{chosen.rows:,} impressions; {where}; turns: {chosen.runs}, each a process of its own, with imports.",
        "",
        "| | median s | min – max s | CPU s |",
        "|---|--:|--:|--:|",
    ]
    for way, turns in found.items():
        walls, cpus = [wall for wall, _ in turns], [cpu for _, cpu in turns]
        spread = f"{min(walls):.1f} – {max(walls):.1f}"
        lines.append(f"| {way} | {statistics.median(walls):.1f} | {spread} | {statistics.median(cpus):.1f} |")
    if backfill is not None:
        took = f"{backfill[0]:.0f} s, {backfill[1]:.0f} s of the processor"
        rows = f"{chosen.days} days, {chosen.days * chosen.rows:,} impressions"
        lines += ["", f"{rows}, with both, by one `dbt build`: {took}."]
    lines += ["", "Made by `python benchmarks/bench_monitor_dbt.py`."]
    harness.write("monitor_dbt", lines, {"ways": found, "backfill": backfill, "load": load, **harness.machine()})


if __name__ == "__main__":
    main()
