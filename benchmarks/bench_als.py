"""ALS (64 factors, 15 iterations): fit and top-100 for every user, beside implicit, with the quality of the lists.

    python benchmarks/bench_als.py --data ml-1m.zip

Ratings from 3, users and items with 10 or more, 80/10/10 by lot; both learn from the training part, from the same
codes in memory. implicit solves by three steps of conjugate gradients, its default; ours solves exactly. Each has
settings chosen on the validation part: implicit's from a grid of regularisation × alpha, ours are the defaults, which
were chosen so. NDCG@10 at test, training and validation items masked, is measured by us for both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

GRID = [(regularization, alpha) for regularization in (0.01, 1.0, 10.0, 30.0, 100.0) for alpha in (1.0, 4.0, 10.0)]


def main() -> None:
    import numpy as np
    import polars as pl

    from reclens.data import filters, split
    from reclens.data.movielens import read_movielens
    from reclens.evaluate import evaluate

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a MovieLens zip")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    data = filters.k_core(filters.min_rating(read_movielens(options.data), 3), users=10, items=10)
    parts = split.random(data, test_share=0.1, validation_share=0.1, rng=1)
    train, validation = parts.train, parts.validation
    assert validation is not None
    matrix = train.matrix()
    users = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    user_ids, item_ids = train.user_vocabulary.ids, train.item_vocabulary.ids

    def ndcg(lists: pl.DataFrame, held_out: pl.DataFrame, masked: pl.DataFrame | None) -> object:
        if masked is not None:
            lists = lists.join(masked, on=["user_id", "item_id"], how="anti", maintain_order="left")
        lists = lists.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
        return evaluate(lists.filter(pl.col("rank") <= 10), held_out, train=train, metrics=["ndcg@10"])[
            "ndcg@10"
        ].overall

    def of_codes(codes: np.ndarray) -> pl.DataFrame:
        return pl.DataFrame({
            "user_id": user_ids.gather(np.repeat(np.arange(len(codes)), codes.shape[1])),
            "item_id": item_ids.gather(codes.ravel().astype(np.int64)),
        })  # fmt: skip

    with tempfile.TemporaryDirectory() as name:
        folder, peers = Path(name), harness.FOLDER / "peers"
        file = folder / "pairs.npz"
        np.savez(file, users=users, items=matrix.indices)
        python = harness.environment("implicit")
        tried = []
        for regularization, alpha in GRID:
            worker = harness.Worker("implicit", python, peers / "implicit_als.py", str(file), str(regularization),
                                    str(alpha))  # fmt: skip
            worker.turn()
            worker.close()
            value = ndcg(of_codes(np.load(folder / "implicit_als.npy")), validation, None)
            tried.append((value.value, regularization, alpha))
            print(f"  implicit, regularization {regularization}, alpha {alpha}: {value}", file=sys.stderr)
        _, regularization, alpha = max(tried)
        workers = [
            harness.Worker("reclens", sys.executable, peers / "reclens_als.py", str(file), "als"),
            harness.Worker("implicit", python, peers / "implicit_als.py", str(file), str(regularization), str(alpha)),
        ]
        found = harness.race(workers, runs=options.runs)
        for worker in workers:
            worker.close()
        for row in found.values():
            row.pop("answer")
        ours = pl.read_parquet(folder / "ours_als.parquet").sort("user_id", "rank")
        ours = ours.select(
            user_ids.gather(ours["user_id"].to_numpy()).alias("user_id"),
            item_ids.gather(ours["item_id"].to_numpy()).alias("item_id"),
        )
        quality = {
            "reclens": ndcg(ours, parts.test, validation),
            "implicit": ndcg(of_codes(np.load(folder / "implicit_als.npy")), parts.test, validation),
        }
    notes = [f"{name}: NDCG@10 {value} over {value.n:,} users" for name, value in quality.items()]
    chosen = f"regularization {regularization:g}, alpha {alpha:g}, the best of {len(GRID)} on validation"
    notes.append(f"implicit: {chosen}; ours: the defaults")
    harness.report(
        "als", "Alternating least squares", {f"64 factors, 15 iterations, {options.data.stem}": found}, notes
    )


if __name__ == "__main__":
    main()
