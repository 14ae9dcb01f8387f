"""implicit: see bench_als.py. Its BLAS runs on one thread, as it asks for; its own loops on two."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import scipy.sparse as sp
from harness import serve
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")
file, kind, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
pairs = np.load(file)
matrix = sp.csr_matrix((np.ones(len(pairs["users"]), np.float32), (pairs["users"], pairs["items"])))


def fit():
    kinds = {"als": (AlternatingLeastSquares, 15), "bpr": (BayesianPersonalizedRanking, 30)}
    model = kinds[kind][0](factors=64, iterations=kinds[kind][1], num_threads=2, random_state=0, **settings)
    model.fit(matrix, show_progress=False)
    items, _ = model.recommend(np.arange(matrix.shape[0]), matrix, N=100)
    np.save(Path(file).with_name(f"implicit_{kind}.npy"), items)


serve({"run": fit})
