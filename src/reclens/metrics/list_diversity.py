"""How different the items of one list are from each other."""

from __future__ import annotations

import numpy as np

from reclens.metrics.conventions import Convention
from reclens.metrics.lists import Lists
from reclens.metrics.registry import metric

__all__ = ["diversity"]


@metric(family="diversity", title="Intra-list diversity", needs=("features",))
def diversity(lists: Lists, convention: Convention) -> np.ndarray:
    """Mean distance between two items of a list, over genres or any item vectors.

    Formula: mean over the pairs of items in the first k of 1 - cosine(vector, vector). With unit vectors v the sum over
    pairs is (|Σv|² - n) / 2, so that the cost grows with k and not with its square.
    Range: 0 (all alike) … 1 (nothing in common) for vectors without negative parts, such as genres; up to 2 otherwise.
    Items without features are left out of the pairs; lists with fewer than two items that have features are left out.
    Users without a list are left out.
    Use when: near-duplicates in one list are a complaint.
    Misleads when: the features do not say what makes items alike to people: random lists have the highest value.
    Source: Ziegler et al. (2005), Improving recommendation lists through topic diversification.
    """
    lists.require("features")
    features = lists.catalogue.features
    assert features is not None
    norms = np.linalg.norm(features, axis=1)
    units = np.divide(features, norms[:, None], out=np.zeros_like(features), where=norms[:, None] > 0)
    total = np.zeros((len(lists.items), features.shape[1]))
    count = np.zeros(len(lists.items))
    for rank in range(lists.depth):
        items = lists.items[:, rank]
        known = items >= 0
        code = np.where(known, items, 0)
        total += units[code] * known[:, None]
        count += known & (norms[code] > 0)
    alike = ((total**2).sum(axis=1) - count) / 2
    pairs = count * (count - 1) / 2
    mean = np.divide(alike, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return np.maximum(1.0 - mean, 0.0)  # identical vectors may come out at -1e-16
