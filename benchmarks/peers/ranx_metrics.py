"""ranx: see bench_metrics.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
from harness import serve
from ranx import Qrels, Run, evaluate

folder = Path(sys.argv[1])
lists = pd.read_parquet(folder / "lists.parquet")
truth = pd.read_parquet(folder / "truth.parquet")
NAMES = {
    "precision@10": "precision@10",
    "recall@10": "recall@10",
    "ndcg@10": "ndcg@10",
    "map@10": "map@10",
    "mrr@10": "mrr@10",
}


def run():
    text = {"user_id": str, "item_id": str}
    held = truth.astype(text).assign(score=1)
    shown = lists.astype(text)
    qrels = Qrels.from_df(held, q_id_col="user_id", doc_id_col="item_id", score_col="score")
    found = Run.from_df(shown, q_id_col="user_id", doc_id_col="item_id", score_col="score")
    values = evaluate(qrels, found, list(NAMES.values()))
    return {name: float(values[theirs]) for name, theirs in NAMES.items()}


serve({"run": run})
