"""Item-kNN and user-kNN (cosine, 100 neighbours): fit and top-100 for every user, seen items masked.

    python benchmarks/bench_knn.py --data ml-1m.zip
    python benchmarks/bench_knn.py --data ml-1m.zip --peers implicit

Ours beside implicit and similaripy, each in its own environment, from the same user and item codes in memory. Ours
starts from a data frame of ids and ends with one; the peers start from a sparse matrix and end with arrays. For the
same neighbours, ours is run with ``neighbors_of="history"``; the sum of all scores has to agree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

PEERS = ("implicit", "similaripy")


def main() -> None:
    import numpy as np

    from reclens.data.read.movielens import read_movielens

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a MovieLens zip")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    options = parser.parse_args()
    data = read_movielens(options.data)
    matrix = data.matrix()
    users = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    per_item = np.bincount(matrix.indices).astype(float)
    per_user = np.diff(matrix.indptr).astype(float)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pairs.npz"
        np.savez(file, users=users, items=matrix.indices)
        folder = harness.FOLDER / "peers"
        workers = [harness.Worker("reclens", sys.executable, folder / "reclens_knn.py", str(file))]
        for peer in options.peers:
            python = harness.environment(peer)
            workers.append(harness.Worker(peer, python, folder / f"{peer}_knn.py", str(file)))
        sections, notes = {}, []
        for task, adds in (("item", (per_user**2).sum()), ("user", (per_item**2).sum())):
            print(f"{task}-kNN", file=sys.stderr)
            found = harness.race(workers, runs=options.runs, task=task)
            scores = {contestant: row.pop("answer") for contestant, row in found.items()}
            for peer in options.peers:
                if scores[peer] is None:
                    continue
                gap = abs(scores[peer] / scores["reclens"] - 1)
                notes.append(f"{task}-kNN, {peer}: sum of all scores differs from ours by {gap:.1e}")
            done = harness.floor_of_neighbours(workers[0].turn(f"{task}_work")["answer"], found["reclens"])
            notes.append(f"{task}-kNN: a sparse Gram would take {adds / 1e9:.2f} billion additions; {done}")
            sections[f"{task}-kNN, {options.data.stem}"] = found
        for worker in workers:
            worker.close()
    harness.report("knn", "Nearest neighbours", sections, notes)


if __name__ == "__main__":
    main()
