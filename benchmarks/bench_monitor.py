"""How long the monitor takes for a day of a million impressions, and for many days; beside Evidently on one day.

    python benchmarks/bench_monitor.py                       # a day, 3 turns each; --days 98 adds the backfill
    python benchmarks/bench_monitor.py --peer PATH/bin/python    # Evidently in an environment that is there

The log is drawn: lists of ten items on three surfaces, by two models and two variants, for four segments, from three
retrievers; four features, a score and a predicted probability. Ours reads the day, checks it, makes the marts, and
computes every indicator by every slice. Evidently computes the drift of five columns (PSI) against the day before, and
NDCG, reciprocal rank and hit rate of the lists, both for the whole day alone: it has neither slices nor the rest.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np
import polars as pl

FIRST = date(2026, 1, 1)
LENGTH, USERS, ITEMS = 10, 200_000, 10_000
SETTINGS = """[log]
path = "log"

[tables]
users = "users.parquet"
items = "items.parquet"
"""


def impressions(day: date, rows: int) -> pl.DataFrame:
    """The log of a day."""
    rng = np.random.default_rng(day.toordinal())
    lists = rows // LENGTH
    version, second = rng.integers(0, 2, lists), np.sort(rng.integers(0, 86_400, lists))

    def each(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, LENGTH)

    def named(names: list[str], codes: np.ndarray) -> pl.Series:
        return pl.Series(names).gather(codes)

    position = np.tile(np.arange(1, LENGTH + 1), lists)
    chance = 0.1 / np.sqrt(position) * (1 + 0.2 * each(version))
    clicked = rng.random(rows) < chance
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    times = pl.Series((start + each(second)) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "timestamp": times,
            "user_id": each(rng.integers(0, USERS, lists)),
            "item_id": (rng.pareto(1.1, rows) * 50).astype(int) % ITEMS,
            "position": position.astype(np.uint8),
            "clicked": clicked.astype(np.int8),
            "converted": (clicked & (rng.random(rows) < 0.2)).astype(np.int8),
            "score": rng.random(rows).astype(np.float32),
            "predicted": chance.astype(np.float32),
            "model": named(["two_tower"], each(np.zeros(lists, int))),
            "model_version": named(["v1", "v2"], each(version)),
            "variant": named(["a", "b"], each(rng.integers(0, 2, lists))),
            "surface": named(["home", "item_page", "email"], each(rng.choice(3, lists, p=[0.6, 0.3, 0.1]))),
            "request_id": each(np.arange(lists)) + day.toordinal() * 10**7,
            "received_at": times.dt.offset_by("5s"),
            "latency_ms": each(rng.lognormal(4, 0.5, lists)).astype(np.float32),
            "retriever": named(["cf", "popular", "content"], rng.choice(3, rows)),
            "feature.device": named(["mobile", "desktop", "tablet"], each(rng.choice(3, lists, p=[0.6, 0.3, 0.1]))),
            "feature.price": rng.lognormal(3, 1, rows),
            "feature.age": rng.integers(0, 365, rows).astype(np.int32),
            "feature.history": each(rng.poisson(5, lists)).astype(np.int32),
        }
    )


def write_project(folder: Path, days: int, rows: int) -> None:
    """A monitor with the logs of some days."""
    rng = np.random.default_rng(1)
    (folder / "log").mkdir()
    (folder / "monitor.toml").write_text(SETTINGS)
    segments = rng.choice(["new", "light", "medium", "heavy"], USERS)
    pl.DataFrame({"user_id": np.arange(USERS), "segment": segments}).write_parquet(folder / "users.parquet")
    released = [FIRST - timedelta(days=int(age)) for age in rng.integers(0, 400, ITEMS)]
    categories = rng.choice([f"c{at}" for at in range(20)], ITEMS)
    pl.DataFrame({"item_id": np.arange(ITEMS), "category": categories, "released": released}).write_parquet(
        folder / "items.parquet"
    )
    for at in range(days):
        day = FIRST + timedelta(days=at)
        impressions(day, rows).write_parquet(folder / "log" / f"{day}.parquet")


def main() -> None:
    """Measure, print, and write ``results/monitor.json`` and ``results/monitor.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=0, help="days of the backfill; 0 leaves it out")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", type=Path, help="Python with Evidently; made by default")
    parser.add_argument("--alone", action="store_true", help="leave Evidently out")
    chosen = parser.parse_args()
    day, before = str(FIRST + timedelta(days=1)), str(FIRST)
    load = os.getloadavg()[0]
    peers = Path(__file__).resolve().parent / "peers"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_project(folder, max(chosen.days, 2), chosen.rows)
        ours = harness.Worker(
            "reclens", sys.executable, peers / "reclens_monitor.py", str(folder), day, str(chosen.days)
        )
        backfill = ours.turn("backfill") if chosen.days else None
        contestants = {"reclens: every indicator and slice": (ours, "one")}
        if not chosen.alone:
            python = chosen.peer or harness.environment("evidently")
            other = harness.Worker("evidently", python, peers / "evidently_monitor.py", str(folder), day, before)
            contestants |= {f"Evidently: {task}": (other, task) for task in ("drift", "ranking")}
        turns: dict[str, list] = {name: [] for name in contestants}
        for turn in range(chosen.runs + 1):
            for name, (worker, task) in contestants.items():
                found = worker.turn(task)
                if turn:  # the first one warms up
                    turns[name].append(found)
        for worker in {id(worker): worker for worker, _ in contestants.values()}.values():
            worker.close()
    results = {name: harness.medians(found) for name, found in turns.items()}
    _write(chosen, results, backfill, load)


def _write(chosen: argparse.Namespace, results: dict, backfill: dict | None, load: float) -> None:
    ours = next(iter(results))
    steps = results[ours]["answer"]
    lines = [
        "# A day of the monitor",
        "",
        f"{chosen.rows:,} impressions; {harness.describe(harness.machine())}, load {load:.1f}; {chosen.runs} turns.",
        "",
        harness.table(results, ours=ours),
        "",
        f"Ours gives {steps['series']:,} values. Seconds by step: "
        + ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps["seconds"].items())
        + ".",
    ]
    ranking = results.get("Evidently: ranking")
    if ranking is not None:
        apart = max(abs(ranking["answer"][name] - steps[name]) for name in ("ndcg", "mrr", "hit_rate"))
        lines += ["", f"NDCG, reciprocal rank and hit rate of the two are at most {apart:.1e} apart."]
    if backfill is not None:
        answer = backfill["answer"]
        lines += [
            "",
            f"{answer['days']} days, {answer['rows']:,} impressions, by what `reclens monitor backfill` does, from the "
            "log to incidents, artefacts and weekly reports: "
            f"{backfill['seconds']:.0f} s, {backfill['cpu']:.0f} s of the processor, at most "
            f"{backfill['peak_gib']:.1f} GiB. Seconds by step: "
            + ", ".join(f"{name} {seconds:.0f}" for name, seconds in answer["seconds"].items())
            + ".",
        ]
    lines += ["", "Made by `python benchmarks/bench_monitor.py`."]
    harness.write("monitor", lines, {"engines": results, "backfill": backfill, "load": load, **harness.machine()})


if __name__ == "__main__":
    main()
