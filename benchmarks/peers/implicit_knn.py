"""implicit: see bench_knn.py. Its K counts the row itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import scipy.sparse as sp
from harness import serve
from implicit._nearest_neighbours import NearestNeighboursScorer
from implicit.nearest_neighbours import CosineRecommender, ItemItemRecommender

pairs = np.load(sys.argv[1])
matrix = sp.csr_matrix((np.ones(len(pairs["users"]), np.float32), (pairs["users"], pairs["items"])))
turned = matrix.T.tocsr()


def item():
    model = CosineRecommender(K=101, num_threads=2)
    model.fit(matrix, show_progress=False)
    # The row itself has similarity 1 and is the first neighbour: it only adds to items that are masked.
    _, scores = model.recommend(np.arange(matrix.shape[0]), matrix, N=100)
    return float(scores[scores > 0].astype(np.float64).sum())


def user():
    # implicit has no user-kNN. Its item-kNN of the transposed matrix has the similar users; its scorer, with those as
    # "histories" and the matrix as "similarity", has the items. It cannot mask what a user has seen: that is left out,
    # in its favour, and the scores are not compared.
    model = CosineRecommender(K=101, num_threads=2)
    model.fit(turned, show_progress=False)
    near = model.similarity.tocsr().astype(np.float32)
    near.setdiag(0)
    scorer = ItemItemRecommender(K=100, num_threads=2)
    scorer.similarity = matrix.astype(np.float64)
    scorer.scorer = NearestNeighboursScorer(scorer.similarity)
    scorer.recommend(np.arange(matrix.shape[0]), near, N=100, filter_already_liked_items=False)


serve({"item": item, "user": user})
