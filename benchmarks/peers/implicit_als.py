"""implicit: see bench_als.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import scipy.sparse as sp
from harness import serve
from implicit.als import AlternatingLeastSquares

file, regularization, alpha = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
pairs = np.load(file)
matrix = sp.csr_matrix((np.ones(len(pairs["users"]), np.float32), (pairs["users"], pairs["items"])))


def fit():
    model = AlternatingLeastSquares(
        factors=64, iterations=15, regularization=regularization, alpha=alpha, num_threads=2, random_state=0
    )
    model.fit(matrix, show_progress=False)
    items, _ = model.recommend(np.arange(matrix.shape[0]), matrix, N=100)
    np.save(Path(file).with_name("implicit_als.npy"), items)
    return "implicit_als.npy"


serve({"run": fit})
