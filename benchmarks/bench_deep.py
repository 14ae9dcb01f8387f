"""Deep models on MovieLens 1M, leave-one-out, full ranking: HR@10 and NDCG@10 beside published numbers.

    python benchmarks/bench_deep.py --list
    python benchmarks/bench_deep.py sasrec_ce --hours 1     # stops after the epoch that passes the hour; run it again
    python benchmarks/bench_deep.py sasrec_ce --finish      # takes the best epoch so far
    python benchmarks/bench_deep.py --pairs                 # tests all pairs that finished, and writes the page

Every run goes on from its checkpoint in ``benchmarks/.deep/NAME`` and writes ``benchmarks/results/deep/NAME.json`` when
it is done: metrics with intervals, epochs, seconds and the machine. Its lists stay in ``benchmarks/.deep``: what is
committed is of all users together. Data: the folder ``sequences`` (file A: the preprocessing of SASRec, 3,416 items, in
order, without times) and ``ml-1m.zip`` (file B: 3,706 items, sorted stably by time) of ``RECLENS_SHARED_DATA`` or
``../shared/data``. The last event of a user is the test, the one before it the validation; lists leave out the events
before the test.

``--short`` runs the same models with the last 50 events of each user in place of 200, all on file A, where every pair
can be tested. Such runs are called ``NAME_short``, and are no replication of what is published.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import deep_page
import polars as pl
from harness import FOLDER, machine

import reclens as rl
from reclens.schema import Recommendations
from reclens.stats.multiplicity import adjust_families

SHARED = Path(os.environ.get("RECLENS_SHARED_DATA") or FOLDER.parents[1] / "shared" / "data")
CLASSIC: dict[str, dict[str, Any]] = {
    "popular": {},
    "item_knn": {"neighbors": 250, "shrinkage": 1.2},
    "ease": {"l2": 500.0},
}
"""Classic models on file A, which no published table of these models has; settings of RecBole's ML-1M or near them."""
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
        "short": {"patience": 40},  # rises late: few positives among many negatives
        "published": [0.3003, 0.1726],
    },
    "gru4rec": {"data": "A", "model": "gru4rec", "options": {"epochs": 200}, "published": [0.2811, 0.1648]},
    "bert4rec": {
        "data": "A",
        "model": "bert4rec",
        "options": {"epochs": 500, "patience": 100},
        "short": {"patience": 40},
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


SHORT = {"max_length": 50, "factors": 64, "patience": 10, "validation_users": 2_000}
METRICS = ("hit_rate@10", "ndcg@10")
KEPT, RESULTS = FOLDER / ".deep", FOLDER / "results" / "deep"


def settings_of(name: str) -> dict[str, Any]:
    """The data, the model and the hyper-parameters of a run, with those of the published one."""
    if name in CLASSIC:
        return {"data": "A", "model": name, "options": CLASSIC[name], "published": None}
    about = RUNS[name.removesuffix("_short")]
    options = BASE | about["options"]
    return (
        {**about, "options": options | SHORT | about.get("short", {}), "data": "A"}
        if name.endswith("_short")
        else {**about, "options": options}
    )


def data_of(name: str) -> pl.DataFrame:
    """Events in their order, with times: those of file A are their places."""
    if name == "A":
        text = gzip.decompress((SHARED / "sequences" / "sasrec_ml-1m.txt.gz").read_bytes())
        table = pl.read_csv(text, separator=" ", has_header=False, new_columns=["user_id", "item_id"])
        return table.with_columns(timestamp=pl.from_epoch(pl.int_range(pl.len())))
    events = rl.read_movielens(SHARED / "movielens" / "ml-1m.zip").interactions
    return events.sort("user_id", "timestamp", maintain_order=True)


def parts_of(name: str) -> tuple[Any, pl.DataFrame]:
    """What is learned from, with the validation events, and the last events."""
    last = data_of(name).with_row_index("at")
    is_last = pl.col("at") == pl.col("at").max().over("user_id")
    return rl.read(last.filter(~is_last).drop("at")), last.filter(is_last).drop("at")


class PausedError(Exception):
    """The time of this piece is over."""


class Spent:
    """CPU seconds of the epochs that a checkpoint holds, over all pieces of a run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "spent.json"
        self.epochs, self.before = json.loads(self.path.read_text()) if self.path.exists() else (0, 0.0)
        self.started = time.process_time()

    def keep(self, epochs: int) -> None:
        self.epochs = epochs
        self.path.write_text(json.dumps([epochs, self.seconds]))

    @property
    def seconds(self) -> float:
        return self.before + time.process_time() - self.started


def classic(name: str) -> None:
    """Fit and measure a classic model on file A."""
    about = settings_of(name)
    train, test = parts_of("A")
    busy = time.process_time()
    lists = rl.models.get(name)(**about["options"]).fit(train).recommend(test["user_id"], k=10)
    cpu = time.process_time() - busy
    keep(name, lists, train, test, {**about, "cpu_seconds": round(cpu, 1), "machine": machine()})


def keep(name: str, lists: Recommendations, train: Any, test: pl.DataFrame, about: dict[str, Any]) -> None:
    """Keep the lists here, and the metrics of all users together in the results."""
    (KEPT / name).mkdir(parents=True, exist_ok=True)
    lists.table.write_parquet(KEPT / name / "lists.parquet")
    found = rl.evaluate(lists, test, train=train, metrics=METRICS)
    metrics = [
        {key: row[key] for key in ("metric", "value", "low", "high", "n")}
        for row in found.to_dicts()
        if row["by"] == "overall"
    ]
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = {"name": name, **about, "metrics": metrics}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1, default=str) + "\n")
    print(
        json.dumps({"name": name, **{row["metric"]: row["value"] for row in metrics}, "published": about["published"]})
    )


def run(name: str, hours: float, *, finish: bool, threads: int) -> None:
    about = settings_of(name)
    train, test = parts_of(about["data"])
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    end, spent = time.monotonic() + 3600 * hours, Spent(folder)

    def progress(what: str, done: int, total: int) -> None:
        if " · " in what:
            print(f"{name}: {done}/{total} {what.partition(' · ')[2]}", file=sys.stderr, flush=True)
            spent.keep(done)
            if time.monotonic() > end and done < total:
                raise PausedError

    most = spent.epochs if finish else about["options"]["epochs"]
    model = rl.models.get(about["model"])(**(about["options"] | {"epochs": most}))
    try:
        model.fit(train, checkpoint=folder, progress=progress, threads=threads)
    except PausedError:
        print(f"{name}: paused; the same command goes on", file=sys.stderr)
        return
    if about["options"].get("time_bias") == "target":
        model = model.at(test.select("user_id", "timestamp"))
    lists = model.recommend(test["user_id"], k=10)
    columns = ("loss", model.metric, "seconds")
    result = {
        **about,
        "context": model.train_.get("context"),
        "seed": model.seed,
        "epochs": model.curves_.height,
        "stopped_early": model.curves_.height < about["options"]["epochs"] and not finish,
        "best_epoch": model.best_epoch_,
        "cpu_seconds": round(spent.seconds, 1),
        "threads": threads,
        "curves": {column: [round(x, 5) for x in model.curves_[column]] for column in columns},
        "machine": machine(),
    }
    keep(name, lists, train, test, result)


def pairs() -> None:
    """Test all pairs of runs on the same file, by both metrics, and keep what the tests say."""
    done = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json")) if path.stem != "pairs"}
    rows: list[dict[str, Any]] = []
    for name in sorted({each["data"] for each in done.values()}):
        train, test = parts_of(name)
        kept = [
            each for each, about in done.items() if about["data"] == name and (KEPT / each / "lists.parquet").exists()
        ]
        found = {
            each: rl.evaluate(
                Recommendations(pl.read_parquet(KEPT / each / "lists.parquet"), name=each),
                test,
                train=train,
                metrics=METRICS,
            )
            for each in kept
        }
        for one, other in itertools.combinations(found, 2):
            tested = rl.compare(
                {one: found[one], other: found[other]}, baseline=one, correction="none", primary="ndcg@10"
            )
            rows += [{**row, "baseline": one, "data": name} for row in tested.to_dicts()]
    adjusted = adjust_families(
        [row["p_randomization"] for row in rows], [row["metric"] for row in rows], correction="holm"
    )
    kept = ("data", "baseline", "system", "metric", "n", "value", "baseline_value", "difference", "low", "high")
    content = [
        {key: row[key] for key in kept if key in row} | {"p": row["p_randomization"], "p_holm": float(p)}
        for row, p in zip(rows, adjusted, strict=True)
    ]
    (RESULTS / "pairs.json").write_text(json.dumps(content, indent=1) + "\n")
    deep_page.write()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *RUNS, *CLASSIC], metavar="NAME")
    parser.add_argument("--short", action="store_true", help="50 events of a user, all on file A")
    parser.add_argument("--hours", type=float, default=1.0, help="after which a piece stops")
    parser.add_argument("--finish", action="store_true", help="take the best epoch that the checkpoint holds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", action="store_true", help="test all pairs that finished")
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list:
        for name, about in RUNS.items():
            print(f"{name:12} file {about['data']}  published HR@10 / NDCG@10 {about['published']}")
        return
    if given.pairs:
        pairs()
        return
    for name in given.names or [*CLASSIC, *RUNS]:
        if name in CLASSIC:
            classic(name)
            continue
        run(name + "_short" * given.short, given.hours, finish=given.finish, threads=given.threads)


if __name__ == "__main__":
    main()
