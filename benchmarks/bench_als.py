"""ALS (64 factors, 15 iterations) and BPR (64 factors, 30 epochs): fit and top-100 for every user, beside implicit.

    python benchmarks/bench_als.py --data ml-1m.zip
    python benchmarks/bench_als.py --data ml-1m.zip --kinds als

Ratings from 3, users and items with 10 or more, 80/10/10 by lot; both learn from the training part, from the same
codes in memory, on two threads. Each has settings chosen on the validation part: implicit's from the grids below, ours
are the defaults, which were chosen so. NDCG@10 at test, training and validation items masked, is
measured by us for both.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

GRIDS = {
    "als": {"regularization": (10.0, 30.0, 60.0, 100.0), "alpha": (1.0, 2.0, 5.0, 10.0)},
    "bpr": {"regularization": (0.001, 0.01, 0.03), "learning_rate": (0.005, 0.01, 0.02, 0.05)},
}
TITLES = {"als": "ALS, 64 factors, 15 iterations", "bpr": "BPR, 64 factors, 30 epochs"}


def main() -> None:
    import numpy as np
    import polars as pl

    from reclens.data import filters, split
    from reclens.data.read.movielens import read_movielens
    from reclens.evaluation import evaluate

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a MovieLens zip")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kinds", nargs="*", choices=list(GRIDS), default=list(GRIDS))
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
        return pl.DataFrame(
            {
                "user_id": user_ids.gather(np.repeat(np.arange(len(codes)), codes.shape[1])),
                "item_id": item_ids.gather(codes.ravel().astype(np.int64)),
            }
        )

    with tempfile.TemporaryDirectory() as name:
        folder, peers = Path(name), harness.FOLDER / "peers"
        file = folder / "pairs.npz"
        np.savez(file, users=users, items=matrix.indices)
        python = harness.environment("implicit")
        sections, notes = {}, []
        for kind in options.kinds:

            def peer(settings: dict[str, float], kind: str = kind) -> harness.Worker:
                script = peers / "implicit_als.py"
                return harness.Worker("implicit", python, script, str(file), kind, json.dumps(settings))

            tried = []
            for values in itertools.product(*GRIDS[kind].values()):
                settings = dict(zip(GRIDS[kind], values, strict=True))
                worker = peer(settings)
                worker.turn()
                worker.close()
                value = ndcg(of_codes(np.load(folder / f"implicit_{kind}.npy")), validation, None)
                tried.append((value.value, settings))
                print(f"  {kind} of implicit, {settings}: {value}", file=sys.stderr)
            settings = max(tried, key=lambda pair: pair[0])[1]
            workers = [
                harness.Worker("reclens", sys.executable, peers / "reclens_als.py", str(file), kind),
                peer(settings),
            ]
            found = harness.race(workers, runs=options.runs)
            for worker in workers:
                worker.close()
            for row in found.values():
                row.pop("answer")
            ours = pl.read_parquet(folder / f"ours_{kind}.parquet").sort("user_id", "rank")
            ours = ours.select(
                user_ids.gather(ours["user_id"].to_numpy()).alias("user_id"),
                item_ids.gather(ours["item_id"].to_numpy()).alias("item_id"),
            )
            theirs = of_codes(np.load(folder / f"implicit_{kind}.npy"))
            for name, lists in (("reclens", ours), ("implicit", theirs)):
                value = ndcg(lists, parts.test, validation)
                notes.append(f"{TITLES[kind]}, {name}: NDCG@10 {value} over {value.n:,} users")
            chosen = ", ".join(f"{name} {value:g}" for name, value in settings.items())
            notes.append(
                f"{TITLES[kind]}, implicit: {chosen}, the best of {len(tried)} on validation; ours: the defaults"
            )
            sections[f"{TITLES[kind]}, {options.data.stem}"] = found
    harness.report("als", "Models of factors", sections, notes)


if __name__ == "__main__":
    main()
