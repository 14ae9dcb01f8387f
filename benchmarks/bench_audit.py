"""A whole audit of a million list rows and ten groups of users, beside Fairlearn and Aequitas on what they can do.

    python benchmarks/bench_audit.py             # 100,000 users × 10
    python benchmarks/bench_audit.py --runs 1    # one turn each

Ours: exposure against the catalogue, merit and histories, disparate treatment and impact, AWRF, NDKL, popularity lift,
PopREO and PopRSP, coverage, NDCG and recall by group, calibration, the search for intersections and the preflight, each
number with its interval over 400 replicates, corrected and judged. Fairlearn: five metrics by group of a million rows,
hit or not, without intervals. Aequitas: its table of 27 counts and rates by group of the same rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

PEERS = ("reclens", "fairlearn", "aequitas")


def make_files(folder: Path, *, users: int, items: int = 5_000, k: int = 10) -> None:
    """Lists, truth, histories, and the same lists as one row an impression with a label and a prediction."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(7)
    weight = 1 / np.arange(1, items + 1) ** 0.8
    cumulative = np.cumsum(weight / weight.sum())
    first = np.searchsorted(cumulative, rng.random(users))
    listed = (first[:, None] + np.arange(k) * rng.integers(1, 50, users)[:, None]) % items
    liked = np.searchsorted(cumulative, rng.random((users, 5)))
    liked[:, 0] = np.where(rng.random(users) < 0.5, listed[np.arange(users), rng.integers(0, k, users)], liked[:, 0])
    ids = np.arange(users)
    group = rng.integers(0, 10, users)
    lists = pl.DataFrame(
        {"user_id": ids.repeat(k), "item_id": listed.ravel(), "rank": np.tile(np.arange(1, k + 1), users)}
    )
    truth = pl.DataFrame({"user_id": ids.repeat(5), "item_id": liked.ravel()}).unique(maintain_order=True)
    history = np.searchsorted(cumulative, rng.random((users, 20)))
    train = pl.DataFrame({"user_id": ids.repeat(20), "item_id": history.ravel()}).unique(maintain_order=True)
    hit = lists.join(truth.with_columns(hit=pl.lit(1)), on=["user_id", "item_id"], how="left", maintain_order="left")
    rows = hit.select(label_value=pl.col("hit").fill_null(0), score=(pl.col("rank") <= 5).cast(pl.Int64))
    rows = rows.with_columns(group=pl.Series(group.astype(str)).gather(ids.repeat(k)))
    for name, table in {"lists": lists, "truth": truth, "train": train, "rows": rows}.items():
        table.write_parquet(folder / f"{name}.parquet")
    rows.write_csv(folder / "rows.csv")
    pl.DataFrame({"user_id": ids, "group": group.astype(str)}).write_parquet(folder / "users.parquet")
    brands = pl.DataFrame({"item_id": np.arange(items), "brand": [f"b{item % 10}" for item in range(items)]})
    brands.write_parquet(folder / "items.parquet")


def audit_with_reclens(folder: Path) -> None:
    import polars as pl

    import reclens as rl

    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("lists", "truth", "train")}
    users, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("users", "items"))
    train = rl.Dataset(tables["train"], users=users, items=items)

    def run() -> int:
        found = rl.audit.run(
            tables["lists"], tables["truth"], train=train, by="group", attributes=["brand", "popularity"]
        )
        return len(found.rows)

    harness.serve({"run": run})


def audit_with_fairlearn(folder: Path) -> None:
    import polars as pl
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        mean_prediction,
        selection_rate,
        true_negative_rate,
        true_positive_rate,
    )

    rows = pl.read_parquet(folder / "rows.parquet")
    label, score, group = (rows[name].to_numpy() for name in ("label_value", "score", "group"))
    metrics = {
        each.__name__: each
        for each in (selection_rate, mean_prediction, true_positive_rate, false_positive_rate, true_negative_rate)
    }

    def run() -> int:
        frame = MetricFrame(metrics=metrics, y_true=label, y_pred=score, sensitive_features=group)
        return int(frame.by_group.size)

    harness.serve({"run": run})


def audit_with_aequitas(folder: Path) -> None:
    import pandas as pd
    from aequitas.group import Group

    rows = pd.read_csv(folder / "rows.csv", dtype={"group": str})

    def run() -> int:
        found, _ = Group().get_crosstabs(rows, attr_cols=["group"])
        return int(found.size)

    harness.serve({"run": run})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "FOLDER"))
    given = parser.parse_args()
    if given.worker:
        peer, folder = given.worker
        {"reclens": audit_with_reclens, "fairlearn": audit_with_fairlearn, "aequitas": audit_with_aequitas}[peer](
            Path(folder)
        )
        return
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name), users=given.users)
        workers = [
            harness.Worker(
                peer,
                harness.environment(peer) if peer == "aequitas" else sys.executable,
                Path(__file__),
                "--worker",
                peer,
                name,
            )
            for peer in given.peers
        ]
        found = harness.race(workers, runs=given.runs)
        for worker in workers:
            worker.close()
    title = f"An audit of {given.users * 10:,} list rows and ten groups of users"
    notes = [
        "reclens: every measure of exposure, popularity, accuracy, coverage and calibration with intervals.",
        "fairlearn: five metrics by group of the same rows, without intervals; aequitas: its counts and rates.",
        "Wall time is of a machine that others use too where it is far above the CPU time.",
    ]
    harness.report("audit", title, {title: found}, notes)


if __name__ == "__main__":
    main()
