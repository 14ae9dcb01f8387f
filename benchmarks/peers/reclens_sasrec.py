"""SASRec of RecLens: see bench_deep_speed.py."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
import torch
from harness import serve

import reclens as rl

folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])


def data(name):
    with np.load(folder / f"{name}.npz") as file:
        table = pl.DataFrame({"user_id": file["users"], "item_id": file["items"], "timestamp": file["times"]})
    return rl.read(table.with_columns(pl.from_epoch("timestamp")))


def fit(name, **options):
    train, options = data(name), {**settings, **options}
    return rl.models.SASRec(patience=0, device="cpu", **options).fit(train, threads=1)


def learn(name):
    table = fit(name).recommend(k=10, threads=1).table
    np.savez(folder / f"{name}_reclens.npz", users=table["user_id"], items=table["item_id"])


def rate():
    """Products of matrices of 1,024 rows and columns for each second of CPU time, in GFLOP."""
    torch.set_num_threads(1)
    one = torch.randn(1024, 1024)
    for _ in range(3):
        one @ one
    busy = time.process_time()
    for _ in range(40):
        one @ one
    return 40 * 2 * 1024**3 / (time.process_time() - busy) / 1e9


def epoch(**options):
    """CPU seconds of one of the later epochs: what a fit does once is left out."""
    taken = []
    for epochs in (1, 3):
        busy = time.process_time()
        fit("part", epochs=epochs, **options)
        taken.append(time.process_time() - busy)
    return (taken[1] - taken[0]) / 2


SAMPLED = {"loss": "sampled_softmax", "negatives": 256}
serve(
    {
        **{name: lambda name=name: learn(name) for name in ("warm", "few", "many")},
        "rate": rate,
        "cross_entropy": epoch,
        "batch": lambda: epoch(**SAMPLED, shared_by="batch"),
        "sequence": lambda: epoch(**SAMPLED, shared_by="sequence"),
    }
)
