"""Ours: see bench_metrics.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens.data.dataset import Dataset
from reclens.evaluation import evaluate

folder = Path(sys.argv[1])
lists, truth = (pl.read_parquet(folder / f"{name}.parquet") for name in ("lists", "truth"))
METRICS = ["precision@10", "recall@10", "ndcg@10", "map@10", "mrr@10"]

users = truth["user_id"].unique().sort()
parts = {f"by{i}": pl.Series(np.random.default_rng(i).choice(["a", "b", "c"], len(users))) for i in range(3)}
train = Dataset(truth, segments=pl.DataFrame({"user_id": users} | parts))


def run() -> dict[str, float]:
    result = evaluate(lists, truth, metrics=METRICS, replicates=0)
    return {name: float(result.per_user[name].mean()) for name in METRICS}


def intervals() -> dict[str, float]:
    result = evaluate(lists, truth, train=train, metrics=METRICS, by=list(parts), replicates=1000)
    return {name: result[name].overall.value for name in METRICS}


serve({"run": run, "intervals": intervals})
