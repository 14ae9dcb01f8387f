"""Re-rankers: CPU seconds to re-rank 6,040 lists of 100 candidates to the first 10.

    python benchmarks/bench_rerank.py

The lists are drawn as long as those of MovieLens 1M: 6,040 users with 165 items each, 3,706 items with 1 to 3 of 18
labels, popularity by Zipf's law, and candidates with falling scores. Seconds are those of one thread, the median of
five runs after one that is not counted; the fit of the re-ranker is not in it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

from reclens.data.dataset import Dataset
from reclens.pipeline.rerank import RankedLists, build
from reclens.schema import Vocabulary

USERS, ITEMS, DEPTH, LABELS, OWN, K = 6_040, 3_706, 100, 18, 165, 10

SPECS: dict[str, dict[str, Any]] = {
    "xquad": {"kind": "xquad"},
    "fair_top_k": {"kind": "fair_top_k"},
    "calibrated, 18 labels": {"kind": "calibrated"},
    "mmr, 18 labels": {"kind": "mmr"},
    "dual_prices, 2 groups": {"kind": "dual_prices"},
    "dual_prices, 5 groups": {"kind": "dual_prices", "attribute": "seller", "weight": 1.0},
    "dual_prices, 18 groups, several an item": {"kind": "dual_prices", "attribute": "genres", "weight": 1.0},
    "constrained_sort, 5 groups": {"kind": "constrained_sort", "attribute": "seller"},
    "amortised, by item": {"kind": "amortised"},
    "popularity_discount": {"kind": "popularity_discount"},
}


def lists_and_train(rng: np.random.Generator) -> tuple[RankedLists, Dataset]:
    """Lists and training data of the size of MovieLens 1M."""
    popularity = 1 / np.arange(1, ITEMS + 1) ** 0.8
    taste = np.log(popularity)
    candidates, histories = np.empty((USERS, DEPTH), np.int32), np.empty((USERS, OWN), np.int64)
    for user in range(USERS):
        found = np.argpartition(-(taste + rng.gumbel(size=ITEMS)), DEPTH + OWN)[: DEPTH + OWN]
        candidates[user], histories[user] = found[:DEPTH], found[DEPTH:]
    scores = -np.sort(-rng.random((USERS, DEPTH)), axis=1).astype(np.float32)
    rows = pl.DataFrame({"user_id": np.repeat(np.arange(USERS), OWN), "item_id": histories.ravel()})
    genres = [rng.choice(LABELS, rng.integers(1, 4), replace=False).astype(str).tolist() for _ in range(ITEMS)]
    sellers = rng.choice(5, ITEMS, p=[0.5, 0.2, 0.15, 0.1, 0.05]).astype(str)
    items = pl.DataFrame({"item_id": np.arange(ITEMS), "genres": genres, "seller": sellers})
    every = pl.DataFrame({"user_id": np.arange(ITEMS) % USERS, "item_id": np.arange(ITEMS)})
    train = Dataset(pl.concat([rows, every]).unique(), items=items)
    return RankedLists(users=np.arange(USERS), items=candidates, scores=scores, seen=train.matrix(), k=K), train


def main() -> None:
    """Measure every re-ranker."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    lists, train = lists_and_train(np.random.default_rng(0))
    lines = ["| re-ranker | CPU seconds |", "|---|---:|"]
    for label, spec in SPECS.items():
        made = build(spec)
        made.prepare(train, Vocabulary(pl.Series(range(ITEMS))))
        made.rerank(lists)
        seconds = []
        for _ in range(options.runs):
            began = time.process_time()
            made.rerank(lists)
            seconds.append(time.process_time() - began)
        lines.append(f"| {label} | {statistics.median(seconds):.3f} |")
        print(lines[-1], file=sys.stderr)
    about = harness.machine()
    head = f"# Re-rankers: {USERS:,} lists of {DEPTH} candidates\n\n"
    where = f"{about['processor']}, {about['cores']} cores, Python {about['python']}, {about['date']}\n\n"
    (harness.FOLDER / "results" / "rerank.md").write_text(head + where + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
