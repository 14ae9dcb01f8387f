"""Item-kNN (cosine, 100 neighbours) on 20 million interactions: fit and top-100 for every user, seen items masked.

    python benchmarks/bench_knn_large.py
    python benchmarks/bench_knn_large.py --users 20000 --items 8000 --interactions 2000000

The data are drawn anew each time from a seed, with the shape of MovieLens-20M: 138,000 users, half of whom have fewer
than 70 items while a few have thousands; 27,000 items, the most popular with half of the users, half of them with fewer
than 30; and tastes, so that neighbours are more than chance. Ours starts from a data frame of ids and ends with one;
implicit starts from a sparse matrix and ends with arrays. Both hold the whole job in memory; the sum of all scores has
to agree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np

TASTES = 30


def draw(n_users: int, n_items: int, n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """User and item codes of n interactions, each pair once, sorted by user."""
    rng = np.random.default_rng(seed)
    activity = np.minimum(np.maximum(np.exp(rng.normal(4.2, 1.3, n_users)), 20), n_items / 3)
    popularity = 1 / (np.arange(n_items) + 0.004 * n_items) ** 1.6
    taste_of_item, taste_of_user = rng.integers(0, TASTES, n_items), rng.integers(0, TASTES, n_users)
    # Every item has someone, so that there are as many as were asked for.
    parts = [rng.integers(0, n_users, n_items) * n_items + np.arange(n_items)]
    got = 0
    while got < n:
        # Pairs that are drawn twice count once: two in five, above all of those who have much with what is popular.
        users = np.repeat(np.arange(n_users), rng.multinomial(2 * n, activity / activity.sum()))
        tastes = np.where(rng.random(len(users)) < 0.5, taste_of_user[users], TASTES)
        items = np.empty(len(users), np.int64)
        for taste in range(TASTES + 1):
            at = np.flatnonzero(tastes == taste)
            weights = np.cumsum(popularity if taste == TASTES else popularity * (taste_of_item == taste))
            items[at] = np.searchsorted(weights, rng.random(len(at)) * weights[-1], side="right")
        parts = [np.unique(np.concatenate([*parts, users * n_items + items]))]
        got = len(parts[0])
    pairs = parts[0]
    pairs = rng.permutation(pairs)[:n]
    # The codes tell nothing of popularity.
    users, items = pairs // n_items, rng.permutation(n_items)[pairs % n_items]
    order = np.argsort(users * n_items + items, kind="stable")
    return users[order], items[order].astype(np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=138_000)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=["implicit"])
    options = parser.parse_args()
    users, items = draw(options.users, options.items, options.interactions, seed=options.seed)
    per_user, per_item = np.bincount(users), np.sort(np.bincount(items))[::-1]
    of_users = f"{len(per_user):,} users (median {np.median(per_user):.0f}, most {per_user.max():,})"
    of_items = f"{len(per_item):,} items (median {np.median(per_item):.0f}, most {per_item[0]:,})"
    notes = [f"the data: {len(users):,} interactions of {of_users} with {of_items}"]
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pairs.npz"
        np.savez(file, users=users, items=items)
        del users, items
        folder = harness.FOLDER / "peers"
        workers = [harness.Worker("reclens", sys.executable, folder / "reclens_knn.py", str(file))]
        workers += [
            harness.Worker(peer, harness.environment(peer), folder / f"{peer}_knn.py", str(file))
            for peer in options.peers
        ]
        found = harness.race(workers, runs=options.runs, task="item")
        scores = {contestant: row.pop("answer") for contestant, row in found.items()}
        done = harness.floor_of_neighbours(workers[0].turn("item_work")["answer"], found["reclens"])
        for worker in workers:
            worker.close()
    notes.append(f"a sparse Gram would take {(per_user.astype(float) ** 2).sum() / 1e9:.2f} billion additions; {done}")
    for peer in options.peers:
        gap = abs(scores[peer] / scores["reclens"] - 1)
        notes.append(f"{peer}: sum of all scores differs from ours by {gap:.1e}")
    harness.report("knn_large", "Nearest neighbours, 20 million interactions", {"item-kNN": found}, notes)


if __name__ == "__main__":
    main()
