"""Deep models on MovieLens 1M, leave-one-out, full ranking: HR@10 and NDCG@10 beside published numbers.

    python benchmarks/bench_deep.py --list
    python benchmarks/bench_deep.py sasrec_ce --hours 1     # stops after the epoch that passes the hour; run it again

Every run goes on from its checkpoint in ``benchmarks/.deep/NAME`` and writes ``benchmarks/results/deep/NAME.json`` when
it is done: metrics with intervals, epochs, seconds and the machine. Data: the folder ``sequences`` (file A: the
preprocessing of SASRec, 3,416 items, in order, without times) and ``ml-1m.zip`` (file B: 3,706 items, sorted stably by
time) of ``RECLENS_SHARED_DATA`` or ``../shared/data``. The last event of a user is the test, the one before it the
validation; lists leave out the events before the test.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
from harness import FOLDER, machine

import reclens as rl

SHARED = Path(os.environ.get("RECLENS_SHARED_DATA") or FOLDER.parents[1] / "shared" / "data")
BASE = {"factors": 64, "max_length": 200, "epochs": 100, "patience": 50, "validation_users": 0, "batch_size": 128}
RUNS: dict[str, dict[str, Any]] = {
    "sasrec_bce": {
        "data": "A",
        "model": "sasrec",
        "options": {"loss": "bce", "negatives": 1, "shared_by": "position", "epochs": 200},
        "published": [0.2500, 0.1341],
    },
    "sasrec_ss": {
        "data": "B",
        "model": "sasrec",
        "options": {"loss": "sampled_softmax", "negatives": 256, "shared_by": "sequence", "dropout": 0.1},
        "published": [0.2929, 0.1684],
    },
    "sasrec_ce": {
        "data": "A",
        "model": "sasrec",
        "options": {"loss": "cross_entropy", "factors": 128},
        "published": [0.3152, 0.1821],
    },
    "esasrec": {
        "data": "B",
        "model": "esasrec",
        "options": {"loss": "sampled_softmax", "negatives": 256, "shared_by": "sequence", "dropout": 0.1},
        "published": [0.3133, 0.1772],
    },
    "gsasrec": {
        "data": "A",
        "model": "sasrec",
        "options": {"loss": "gbce", "negatives": 256, "shared_by": "sequence", "calibration": 0.75, "factors": 128},
        "published": [0.3003, 0.1726],
    },
    "gru4rec": {"data": "A", "model": "gru4rec", "options": {"epochs": 200}, "published": [0.2811, 0.1648]},
    "bert4rec": {
        "data": "A",
        "model": "bert4rec",
        "options": {"epochs": 500, "patience": 100},
        "published": [0.2843, 0.1537],
    },
    "hstu": {
        "data": "B",
        "model": "hstu",
        "options": {"time_bias": "none", "negatives": 128, "dropout": 0.2},
        "published": [0.3023, 0.1718],
    },
    "hstu_target": {
        "data": "B",
        "model": "hstu",
        "options": {"time_bias": "target", "negatives": 128, "dropout": 0.2},
        "published": [0.3227, 0.1879],
    },
}


def data_of(name: str) -> pl.DataFrame:
    """Events in their order, with times: those of file A are their places."""
    if name == "A":
        with gzip.open(SHARED / "sequences" / "sasrec_ml-1m.txt.gz", "rt") as file:
            rows = [tuple(map(int, line.split())) for line in file]
        table = pl.DataFrame(rows, ["user_id", "item_id"], orient="row")
        return table.with_columns(timestamp=pl.from_epoch(pl.int_range(pl.len())))
    events = rl.read_movielens(SHARED / "movielens" / "ml-1m.zip").interactions
    return events.sort("user_id", "timestamp", maintain_order=True)


class PausedError(Exception):
    """The time of this piece is over."""


def run(name: str, hours: float) -> None:
    about = RUNS[name]
    last = data_of(about["data"]).with_row_index("at")
    is_last = pl.col("at") == pl.col("at").max().over("user_id")
    train = rl.read(last.filter(~is_last).drop("at"))
    test = last.filter(is_last).drop("at")
    model = rl.models.get(about["model"])(**(BASE | about["options"]))
    end = time.monotonic() + 3600 * hours

    def progress(what: str, done: int, total: int) -> None:
        if " · " in what:
            print(f"{name}: {done}/{total} {what.partition(' · ')[2]}", file=sys.stderr, flush=True)
            if time.monotonic() > end and done < total:
                raise PausedError

    try:
        model.fit(train, checkpoint=FOLDER / ".deep" / name, progress=progress)
    except PausedError:
        print(f"{name}: paused; the same command goes on", file=sys.stderr)
        return
    if about["options"].get("time_bias") == "target":
        model = model.at(test.select("user_id", "timestamp"))
    lists = model.recommend(test["user_id"], k=10)
    found = rl.evaluate(lists, test, train=train, metrics=["hit_rate@10", "ndcg@10"])
    result = {
        "name": name,
        **about,
        "options": BASE | about["options"],
        "metrics": found.to_dicts(),
        "context": model.train_.get("context"),
        "epochs": model.curves_.height,
        "best_epoch": model.best_epoch_,
        "seconds_per_epoch": model.curves_["seconds"].median(),
        "curves": model.curves_.to_dict(as_series=False),
        "machine": machine(),
    }
    place = FOLDER / "results" / "deep"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.json").write_text(json.dumps(result, indent=1, default=str) + "\n")
    values = {row["metric"]: row["value"] for row in found.to_dicts() if row["by"] == "overall"}
    print(json.dumps({"name": name, **values, "published": about["published"]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME")
    parser.add_argument("--hours", type=float, default=1.0, help="after which a piece stops")
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list:
        for name, about in RUNS.items():
            print(f"{name:12} file {about['data']}  published HR@10 / NDCG@10 {about['published']}")
        return
    for name in given.names or RUNS:
        run(name, given.hours)


if __name__ == "__main__":
    main()
