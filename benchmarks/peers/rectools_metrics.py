"""RecTools: see bench_metrics.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
from harness import serve
from rectools.metrics import MAP, MRR, NDCG, Precision, Recall, calc_metrics

folder = Path(sys.argv[1])
lists = pd.read_parquet(folder / "lists.parquet")
truth = pd.read_parquet(folder / "truth.parquet")
METRICS = {
    "precision@10": Precision(k=10),
    "recall@10": Recall(k=10),
    "ndcg@10": NDCG(k=10, divide_by_achievable=True),
    "map@10": MAP(k=10),
    "mrr@10": MRR(k=10),
}


def run():
    return {name: float(value) for name, value in calc_metrics(METRICS, lists, truth).items()}


serve({"run": run})
