"""similaripy: see bench_knn.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import scipy.sparse as sp
import similaripy
from harness import serve

pairs = np.load(sys.argv[1])
matrix = sp.csr_matrix((np.ones(len(pairs["users"]), np.float32), (pairs["users"], pairs["items"])))
turned = matrix.T.tocsr()
OPTIONS = {"num_threads": 2, "verbose": False, "format_output": "csr"}


def item():
    near = similaripy.cosine(turned, k=101, **OPTIONS)
    near.setdiag(0)
    found = similaripy.dot_product(matrix, near.tocsr(), k=100, filter_cols=matrix, **OPTIONS)
    return float(found.data.astype(np.float64).sum())


def user():
    near = similaripy.cosine(matrix, k=101, **OPTIONS)
    near.setdiag(0)
    found = similaripy.dot_product(near.tocsr(), matrix, k=100, filter_cols=matrix, **OPTIONS)
    return float(found.data.astype(np.float64).sum())


serve({"item": item, "user": user})
