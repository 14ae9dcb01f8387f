"""Fold-in for BPR: vectors of new or changed users, with the item vectors held fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Others", "solve_user"]

_MOST_OTHERS: Final = 1000
"""Largest number of negatives for a history."""
_LEAST_PENALTY: Final = 1e-4
_STEPS: Final = 30
_TOLERANCE: Final = 1e-7


@dataclass(frozen=True, eq=False)
class Others:
    """The negatives: all items, or a sample of a large catalogue that is drawn once.

    Attributes:
        items: Their codes, int64, shape (m,).
        weights: How often each is drawn as a negative, float64, shape (m,).
    """

    items: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray, *, popular: bool, seed: int) -> Others:
        """Take all items, or a sample of 1,000, drawn uniformly or by popularity as in the fit."""
        n = len(counts)
        shares = counts / counts.sum() if popular else np.full(n, 1 / n)
        if n <= _MOST_OTHERS:
            return cls(np.arange(n), shares)
        drawn = np.random.default_rng(seed).choice(n, _MOST_OTHERS, replace=popular, p=shares if popular else None)
        items, times = np.unique(drawn, return_counts=True)
        return cls(items, times / len(drawn))


def solve_user(own: np.ndarray, others: Others, vectors: np.ndarray, *, l2: float) -> np.ndarray:
    """The vector of a user that maximises the criterion of BPR, given the vectors of the items.

    Minimises the mean over the items i of the history of Σ q_j ln(1 + exp(-x·(y_i - y_j) - b_i + b_j)), with the
    negatives j that are not in it and their shares q, plus ½ l2 |x|²: what the stochastic gradient steps of the fit
    descend on for one user. It is strictly convex in x, and solved by Newton's method with step halving.

    Args:
        own: Items of the history, shape (h,), h > 0.
        others: The negatives.
        vectors: Item vectors, float32, shape (items, d + 1), the last entry the bias.
        l2: Weight of the ridge penalty; at least 1e-4 is used, as without one the minimum can lie at infinity.

    Returns:
        float32, shape (d + 1,); the last entry is 1. Where the history holds every negative it is 0 before that.

    References:
        Rendle, Schmidt-Thieme (2008), Online-updating regularized kernel matrix factorization models for large-scale
        recommender systems, RecSys: new users are learned with the model of the items held fixed. Rendle et al. (2009)
        for the criterion.
    """
    d = vectors.shape[1] - 1
    found = np.zeros(d + 1, np.float32)
    found[d] = 1
    free = ~np.isin(others.items, own)
    shares = others.weights[free]
    if not shares.sum():
        return found
    shares = shares / shares.sum() / len(own)
    up, down = vectors[own].astype(np.float64), vectors[others.items[free]].astype(np.float64)
    penalty = max(l2, _LEAST_PENALTY)
    x = np.zeros(d)
    value, slopes = _loss(x, up, down, shares, penalty)
    for _ in range(_STEPS):
        # Margins fall as x·y of the negative rises, so that its vector has the opposite sign.
        gradient = penalty * x - slopes.sum(axis=1) @ up[:, :d] + slopes.sum(axis=0) @ down[:, :d]
        if np.abs(gradient).max() < _TOLERANCE:
            break
        bends = slopes * (1 - slopes / shares)
        cross = up[:, :d].T @ bends @ down[:, :d]
        hessian = (up[:, :d].T * bends.sum(axis=1)) @ up[:, :d] + (down[:, :d].T * bends.sum(axis=0)) @ down[:, :d]
        hessian += penalty * np.eye(d) - cross - cross.T
        way = np.linalg.solve(hessian, gradient)
        length = 1.0
        while True:
            tried, slopes_there = _loss(x - length * way, up, down, shares, penalty)
            if tried <= value or length < 1e-6:
                break
            length /= 2
        x, value, slopes = x - length * way, tried, slopes_there
    found[:d] = x
    return found


def _loss(
    x: np.ndarray, up: np.ndarray, down: np.ndarray, shares: np.ndarray, penalty: float
) -> tuple[float, np.ndarray]:
    """The criterion, and for each pair its share times σ(-margin); shape (h, m)."""
    one = np.append(x, 1.0)
    margins = (up @ one)[:, None] - (down @ one)[None, :]
    value = float((np.logaddexp(0, -margins) @ shares).sum() + 0.5 * penalty * x @ x)
    return value, shares / (1 + np.exp(np.clip(margins, -700, 700)))
