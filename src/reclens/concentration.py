"""How evenly counts are spread over cells: the share of cells in use, Gini coefficient, entropy, effective number.

For a recommender, cells are items, and counts are how often each was shown. Every function takes non-negative counts of
shape (cells, …) and reduces the first axis, so that many draws are computed at once. If all counts are 0, only the
share in use is defined: the others are NaN.
"""

from __future__ import annotations

import numpy as np

__all__ = ["effective_number", "entropy", "gini", "lorenz", "share_in_use"]


def share_in_use(counts: np.ndarray) -> np.ndarray:
    """Share of the cells with a count above 0; NaN where there are no cells.

    Args:
        counts: Shape (cells, …), not negative.

    Returns:
        Shape (…), 0 … 1.

    Example:
        >>> float(share_in_use(np.array([3, 0, 1, 0])))
        0.5
    """
    if not len(counts):
        return np.full(counts.shape[1:], np.nan)
    return np.asarray((counts > 0).mean(axis=0))


def gini(counts: np.ndarray, *, cells: int | None = None) -> np.ndarray:
    """Gini coefficient, Σ (2j - n - 1) x_j / (n Σ x) over the n cells in ascending order of count x (Gini 1912).

    Args:
        counts: Shape (cells, …), not negative.
        cells: Number of cells, if counts leave out some that have 0.

    Returns:
        Shape (…): 0 (all cells alike) … 1 - 1/n (one cell has everything); NaN where nothing is counted.

    Example:
        >>> float(gini(np.array([1, 1, 1]))), round(float(gini(np.array([0, 0, 3]))), 4)
        (0.0, 0.6667)
    """
    ordered = np.sort(counts, axis=0).astype(np.float64, copy=False)
    n = len(ordered) if cells is None else max(cells, len(ordered))
    rank = np.arange(n - len(ordered) + 1, n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((2 * rank - n - 1) @ ordered / (n * ordered.sum(axis=0)))


def entropy(counts: np.ndarray) -> np.ndarray:
    """Shannon's entropy of the shares p, -Σ p ln p, in nats (Shannon 1948).

    Args:
        counts: Shape (cells, …), not negative.

    Returns:
        Shape (…): 0 (one cell has everything) … ln n (all n cells alike); NaN where nothing is counted.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = counts / counts.sum(axis=0)
        terms = np.where(shares == 0, 0.0, shares * np.log(shares))
    return np.asarray(-terms.sum(axis=0)) + 0.0


def effective_number(counts: np.ndarray) -> np.ndarray:
    """Effective number of cells, exp(entropy): the number of equal cells with this entropy.

    Args:
        counts: Shape (cells, …), not negative.

    Returns:
        Shape (…): 1 … n; NaN where nothing is counted.

    Source: Hill (1973), Diversity and evenness, of order 1.

    Example:
        >>> round(float(effective_number(np.array([5, 5, 0]))), 6)
        2.0
    """
    return np.exp(entropy(counts))


def lorenz(counts: np.ndarray, *, points: int = 101) -> list[dict[str, float]]:
    """The Lorenz curve: cumulative share of the total, by cells in ascending order.

    Args:
        counts: Shape (cells,), not negative.
        points: Points of the curve, evenly spaced over the cells.

    Returns:
        Rows ``items`` (share of the cells, the least first) and ``share`` (of the total), from 0 to 1.

    Example:
        >>> [round(row["share"], 3) for row in lorenz(np.array([3, 1, 0, 0]), points=5)]
        [0.0, 0.0, 0.0, 0.25, 1.0]

    References:
        Lorenz (1905), Methods of measuring the concentration of wealth.
    """
    shares = np.append(0.0, np.cumsum(np.sort(counts).astype(np.float64)) / max(float(counts.sum()), 1.0))
    at = np.linspace(0, 1, points)
    curve = np.interp(at, np.linspace(0, 1, len(shares)), shares)
    return [{"items": float(x), "share": float(y)} for x, y in zip(at, curve, strict=True)]
