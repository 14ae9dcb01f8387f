"""Ours: see bench_als.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from harness import serve

from reclens import models
from reclens.data.dataset import Dataset

file, kind = sys.argv[1:]
pairs = np.load(file)
frame = pl.DataFrame({"user_id": pairs["users"].astype(np.int64), "item_id": pairs["items"].astype(np.int64)})


def fit() -> str:
    # A new data set each time: its codes and its matrix are part of the job.
    model = models.ALS(factors=64, iterations=15) if kind == "als" else models.BPR(factors=64, epochs=30)
    model.fit(Dataset(frame), threads=2)
    lists = model.recommend(k=100).table
    lists.select("user_id", "item_id", "rank").write_parquet(Path(file).with_name(f"ours_{kind}.parquet"))
    return f"ours_{kind}.parquet"


serve({"run": fit})
