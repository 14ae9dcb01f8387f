"""SASRec on MovieLens 1M beside RecTools and RecBole, and an epoch of ours by loss: CPU seconds.

    .venv-torch/bin/python benchmarks/bench_deep_speed.py

All learn from all events of some users but the last one, by full cross-entropy, at equal settings, each in a process of
its own; each makes lists, whose HR@10 and NDCG@10 are measured by us. RecBole learns every event of a user from a
sequence of its own, of all events before it, so that fewer users are taken where it is there. Needs ``ml-1m.zip`` (see
bench_deep.py) and PyTorch beside RecLens.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np
import polars as pl
from bench_deep import data_of

import reclens as rl
from reclens.schema import Recommendations

SETTINGS = {
    "factors": 64,
    "blocks": 2,
    "heads": 1,
    "dropout": 0.2,
    "max_length": 200,
    "batch_size": 128,
    "learning_rate": 0.003,
}
SIZES = {"many": 32, "few": 4}
"""Users of a batch where only some are learned from: a batch of ``few`` has about as many events to learn as …"""
PREFIXES = 512
"""… a batch of RecBole, which has so many sequences."""
LOSSES = {
    "cross_entropy": "full cross-entropy, 3,706 items",
    "batch": "sampled softmax, 256 negatives shared by a batch",
    "sequence": "sampled softmax, 256 negatives shared by a sequence",
}
PARTS = ("many", "few", "losses")
GOALS = {"cross_entropy": 35, "batch": 12, "sequence": 12}
REFERENCE = 97
"""GFLOP a second of matrix products, to which seconds are scaled."""
METRICS = ("hit_rate@10", "ndcg@10")
SAID = (
    "Full cross-entropy. CPU seconds are those of all threads, with the lists, of which HR@10 and NDCG@10 are: of the "
    "held-out last event of each user, over all items."
)
NOTES = (
    "All run PyTorch 2.13.0. RecTools 0.19.0 pads every sequence to 200 events, and drops weights of attention too.",
    f"RecBole 1.2.1 learns every event from a sequence of the events before it; a batch has {PREFIXES} of these.",
    "It drops no weights of attention here, and its data set is made before the time is taken.",
    "Seconds at 97 GFLOP/s: CPU seconds times the products of matrices of 1,024 rows that a CPU second did just before",
    "and after, divided by 97: the wall time of threads that never wait for each other. An epoch of ours by loss is a",
    "later one: half the difference of fits of three epochs and of one.",
)


def keep(folder: Path, name: str, events: pl.DataFrame, users: int | None) -> None:
    """Write the events of some users, without the last one of each, and these."""
    known = events["user_id"].unique(maintain_order=True)
    if users is not None:
        known = known.sample(users, seed=0)
    own = events.filter(pl.col("user_id").is_in(known.implode()))
    # Peers sort by time alone: places in the order of the events, one second each.
    own = own.select("user_id", "item_id", at=pl.int_range(pl.len()) + 1)
    last = pl.col("at") == pl.col("at").max().over("user_id")
    for file, rows in ((name, own.filter(~last)), (f"{name}_test", own.filter(last))):
        np.savez(folder / f"{file}.npz", users=rows["user_id"], items=rows["item_id"], times=rows["at"])


def quality(folder: Path, name: str, system: str) -> dict[str, float]:
    """HR@10 and NDCG@10 of the lists that a system left."""

    def table(file: str) -> pl.DataFrame:
        with np.load(folder / f"{file}.npz") as found:
            return pl.DataFrame({"user_id": found["users"], "item_id": found["items"]})

    lists, test, known = (table(file) for file in (f"{name}_{system}", f"{name}_test", name))
    lists = lists.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
    found = rl.evaluate(Recommendations(lists, name=system), test, train=rl.read(known), metrics=METRICS)
    return {metric: found[metric].overall.value for metric in METRICS}


def race(folder: Path, name: str, systems: list[str], epochs: int, runs: int) -> dict[str, dict[str, Any]]:
    """Everybody takes turns; seconds of an epoch, and the quality of the last turn."""
    environments = {"rectools": "rectools_torch", "recbole": "recbole"}
    options = json.dumps(SETTINGS | {"batch_size": SIZES[name], "epochs": epochs})
    workers, rows = [], {}
    for system in systems:
        python = harness.environment(environments[system]) if system in environments else sys.executable
        script = harness.FOLDER / "peers" / f"{system}_sasrec.py"
        more = [str(PREFIXES)] if system == "recbole" else []
        workers.append(harness.Worker(system, python, script, str(folder), options, *more, threads=1))
    for worker in workers:
        worker.turn("warm")
    for _ in range(runs):
        for worker in workers:
            worker.turns.append(worker.turn(name))
            print(f"  {name} {worker.name}: {worker.turns[-1]['cpu']:.1f} CPU s", file=sys.stderr)
    for worker in workers:
        worker.close()
        for turn in worker.turns:
            turn["seconds"], turn["cpu"] = turn["seconds"] / epochs, turn["cpu"] / epochs
            turn["answer"] = quality(folder, name, worker.name)
        rows[worker.name] = harness.medians(worker.turns)
    return rows


def learned(folder: Path, name: str) -> int:
    """Events that an epoch predicts: up to 200 of each user, the first one of all left out."""
    with np.load(folder / f"{name}.npz") as file:
        counts = np.unique(file["users"], return_counts=True)[1]
    return int(np.minimum(counts - 1, SETTINGS["max_length"]).sum())


def losses(folder: Path) -> dict[str, dict[str, float]]:
    """An epoch of ours by loss, between two measurements of how fast matrices are multiplied."""
    share = learned(folder, "part") / learned(folder, "all")
    script = harness.FOLDER / "peers" / "reclens_sasrec.py"
    worker = harness.Worker("reclens", sys.executable, script, str(folder), json.dumps(SETTINGS), threads=1)
    worker.turn("warm")
    rows = {}
    for name in LOSSES:
        before = worker.turn("rate")["answer"]
        turn = worker.turn(name)
        rate = (before + worker.turn("rate")["answer"]) / 2
        busy = turn["answer"]
        print(f"  {name}: {busy:.1f} CPU s at {rate:.0f} GFLOP a CPU s", file=sys.stderr)
        rows[name] = {
            "measured_cpu_s": busy,
            "cpu_s": busy / share,
            "gflop_per_cpu_s": rate,
            "scaled_s": busy / share * rate / REFERENCE,
            "peak_gib": turn["peak_gib"],
        }
    worker.close()
    return rows


def peak(row: dict[str, Any]) -> str:
    """The most memory that was held, where it was measured."""
    return f"{row['peak_gib']:.2f}" if "peak_gib" in row else "–"


def section(title: str, rows: dict[str, dict[str, Any]]) -> list[str]:
    """A table of systems."""
    ours = rows["reclens"]["cpu_s"]
    heads = ("", "CPU s an epoch", "× ours", "peak GiB", "HR@10", "NDCG@10")
    lines = [f"## {title}", "", f"| {' | '.join(heads)} |", "|---" + "|--:" * 5 + "|"]
    for name, row in rows.items():
        hits, ndcg = (row["answer"][metric] for metric in METRICS)
        times = row["cpu_s"] / ours
        lines.append(f"| {name} | {row['cpu_s']:.3g} | {times:.1f} | {peak(row)} | {hits:.3f} | {ndcg:.3f} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=200, help="users beside RecTools")
    parser.add_argument("--few", type=int, default=6, help="users beside RecBole too")
    parser.add_argument("--epochs", type=int, nargs=2, default=(4, 1), help="of these two")
    parser.add_argument("--part", type=int, default=755, help="users of an epoch of ours by loss")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="the others stay as they are")
    given = parser.parse_args()
    file = harness.RESULTS / "deep_speed.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    events = data_of("B")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key, users in (("warm", 3), ("few", given.few), ("many", given.many), ("part", given.part), ("all", None)):
            keep(folder, key, events, users)
        for part in given.only:
            print(part, file=sys.stderr)
            if part == "losses":
                found[part] = {"users": given.part, "rows": losses(folder)}
                continue
            users, epochs = (given.many, given.epochs[0]) if part == "many" else (given.few, given.epochs[1])
            systems = ["reclens", "rectools"] if part == "many" else ["reclens", "rectools", "recbole"]
            rows = race(folder, part, systems, epochs, given.runs)
            found[part] = {"users": users, "epochs": epochs, "batch_size": SIZES[part], "rows": rows}
    found = {"machine": harness.machine(), "settings": SETTINGS} | found
    harness.write("deep_speed", page(found), found)


def page(found: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    settings = ", ".join(f"{key} {value}" for key, value in SETTINGS.items() if key != "batch_size")
    about = harness.describe(found["machine"])
    lines = [
        "# SASRec: CPU seconds of an epoch",
        "",
        f"Measured on {about}, one thread, beside other work. MovieLens 1M, {settings}. {SAID}",
        "",
    ]
    for part in ("many", "few"):
        if part in found:
            run = found[part]
            title = f"{run['users']:,} users, batches of {run['batch_size']}, epochs: {run['epochs']}"
            lines += section(title, run["rows"])
    if "losses" in found:
        measured = found["losses"]
        lines += [f"## An epoch of all 6,040 users, batches of 128; measured on {measured['users']:,} of them", ""]
        lines += ["| loss | CPU s | GFLOP a CPU s | s at 97 GFLOP/s | goal | peak GiB |", "|---" + "|--:" * 5 + "|"]
        for key, row in measured["rows"].items():
            cells = (f"{row['cpu_s']:.3g}", f"{row['gflop_per_cpu_s']:.0f}", f"{row['scaled_s']:.3g}", GOALS[key])
            lines.append(f"| {' | '.join(map(str, (LOSSES[key], *cells)))} | {peak(row)} |")
        lines.append("")
    peers = "few" in found  # RecBole ran
    return [*lines, " ".join(note for at, note in enumerate(NOTES) if peers or at not in (1, 2))]


if __name__ == "__main__":
    main()
