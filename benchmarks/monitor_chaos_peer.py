"""Which injected faults Evidently's drift preset sees: one seed a kind and strength, three days each.

    python benchmarks/monitor_chaos_peer.py                       # Evidently in an environment of its own
    python benchmarks/monitor_chaos_peer.py --peer PATH/bin/python    # in one that is there

The logs are those of ``monitor_chaos.py``. Each of the first three days of a fault is compared with the seven clean
days before it, by the tests and thresholds that the preset chooses for each column. A fault is seen on a day on which
more columns drift than on the same clean day. Three clean days say how often columns drift without any fault.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import polars as pl

from reclens.monitor.chaos import KINDS, STRENGTHS, ChaosWorld, Fault

RESULTS = Path(__file__).resolve().parent / "results"
FIRST, BEFORE, DAYS = date(2026, 1, 5) + timedelta(days=63), 7, 3


def columns(log: pl.DataFrame) -> pl.DataFrame:
    """The log with what its times say as numbers, which the preset can compare."""
    delay = (pl.col("received_at") - pl.col("timestamp")).dt.total_milliseconds() / 1000
    return log.with_columns(
        pl.col("clicked", "converted").cast(pl.Int8), hour=pl.col("timestamp").dt.hour(), delay_s=delay
    )


def write_days(folder: Path, seed: int) -> None:
    """The reference, the clean days, and those of each fault."""
    world = ChaosWorld(seed)
    past = [columns(world.day(FIRST - timedelta(days=at))) for at in range(1, BEFORE + 1)]
    pl.concat(past).write_parquet(folder / "reference.parquet")
    days = [FIRST + timedelta(days=at) for at in range(DAYS)]
    clean = {day: world.day(day) for day in days}
    for at, day in enumerate(days):
        columns(clean[day]).write_parquet(folder / f"day-clean-{at}.parquet")
        for kind in KINDS:
            for strength in STRENGTHS:
                fault = Fault(kind=kind, strength=strength, start=FIRST)  # type: ignore[arg-type]
                log = world.with_fault(day, fault, clean=clean[day])
                columns(log).write_parquet(folder / f"day-{kind}-{strength}-{at}.parquet")


def report(counts: dict[str, int], turn: dict[str, Any], seed: int) -> list[str]:
    """The table: days of three on which a fault is seen, by strength."""
    clean = [counts[f"clean-{at}"] for at in range(DAYS)]
    about = (
        f"Seed {seed}; {DAYS} days a kind and strength against the {BEFORE} days before; 12 columns. "
        f"On the clean days {', '.join(map(str, clean))} columns drift. "
        f"Days of {DAYS} on which more columns drift than on the clean day:"
    )
    head = ["| kind | " + " | ".join(STRENGTHS) + " |", "|---|" + "--:|" * len(STRENGTHS)]
    lines = ["# Injected incidents and Evidently's drift preset", "", about, "", *head]
    seen: dict[str, int] = dict.fromkeys(STRENGTHS, 0)
    for kind in KINDS:
        row = []
        for strength in STRENGTHS:
            days = sum(counts[f"{kind}-{strength}-{at}"] > clean[at] for at in range(DAYS))
            seen[strength] += days > 0
            row.append(str(days))
        lines.append(f"| {kind} | {' | '.join(row)} |")
    cost = (
        f"{turn['cpu']:.0f} CPU seconds of Evidently for {len(counts)} days of 20,000 impressions. "
        f"{harness.describe(harness.machine())}. Made by `python benchmarks/monitor_chaos_peer.py`."
    )
    lines += [f"| kinds seen at all, of {len(KINDS)} | {' | '.join(str(each) for each in seen.values())} |", "", cost]
    return lines


def main() -> None:
    """Write ``results/monitor_chaos_peer.json`` and ``.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--peer", type=Path, help="Python with Evidently; made by default")
    chosen = parser.parse_args()
    python = chosen.peer or harness.environment("evidently")
    with tempfile.TemporaryDirectory() as temporary:
        write_days(Path(temporary), chosen.seed)
        script = Path(__file__).resolve().parent / "peers" / "evidently_chaos.py"
        worker = harness.Worker("evidently", python, script, temporary)
        turn = worker.turn("days")
        worker.close()
    lines = report(turn["answer"], turn, chosen.seed)
    print(json.dumps(turn["answer"]), file=sys.stderr)
    harness.write("monitor_chaos_peer", lines, {"seed": chosen.seed, **turn, **harness.machine()})


if __name__ == "__main__":
    main()
