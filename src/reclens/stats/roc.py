"""The area under the ROC curve and its interval where rows come in clusters, such as the clicks of one user."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reclens.errors import UsageError

__all__ = ["Area", "clustered_auc"]


class Area(NamedTuple):
    """An area under the ROC curve.

    Attributes:
        value: The share of pairs of a positive and a negative row that the scores put in order; ties count half.
        low: Lower end of the interval.
        high: Upper end.
        n: Clusters.
    """

    value: float
    low: float
    high: float
    n: int


def clustered_auc(labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray, *, level: float = 0.95) -> Area:
    """The area under the ROC curve, with an interval on the logit scale for rows that are dependent within clusters.

    The variance is that of DeLong with the placements of each cluster added up (Obuchowski 1997, Nonparametric analysis
    of clustered ROC curve data; Biometrics). It is 0 where all pairs are in order, or none is: the interval is then the
    exact one of as many independent pairs as there are clusters of the rarer kind. Where the rows of a kind are all of
    one cluster, nothing is known of how clusters differ, and the interval is from 0 to 1.

    Args:
        labels: 0 or 1, shape (n,).
        scores: Shape (n,).
        clusters: Code of the cluster of each row, shape (n,).
        level: Level of the interval.

    Raises:
        UsageError: If there are no positive or no negative rows.

    Example:
        >>> area = clustered_auc(np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.4, 0.4]), np.arange(4))
        >>> area.value
        0.875
    """
    from scipy.stats import norm, rankdata

    positive = np.asarray(labels) > 0
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise UsageError(f"an AUC needs rows of both kinds: there are {m:,} positive and {n:,} negative ones.")
    whole = rankdata(scores)
    above = (whole[positive] - rankdata(scores[positive])) / n  # share of negatives below each positive
    below = 1 - (whole[~positive] - rankdata(scores[~positive])) / m  # share of positives above each negative
    value = float(above.mean())
    codes = np.unique(clusters, return_inverse=True)[1]
    k = int(codes.max()) + 1
    k_positive, k_negative = len(np.unique(codes[positive])), len(np.unique(codes[~positive]))
    rarer = min(k_positive, k_negative)
    if rarer < 2:
        return Area(value, 0.0, 1.0, k)
    if not 0 < value < 1:
        least = ((1 - level) / 2) ** (1 / rarer)
        return Area(value, least, 1.0, k) if value else Area(value, 0.0, 1 - least, k)
    of_positive = np.bincount(codes[positive], above - value, k) / m
    of_negative = np.bincount(codes[~positive], below - value, k) / n
    variance = (
        (of_positive**2).sum() * k_positive / (k_positive - 1)
        + (of_negative**2).sum() * k_negative / (k_negative - 1)
        + 2 * (of_positive * of_negative).sum() * k / (k - 1)
    )
    reach = float(norm.ppf((1 + level) / 2)) * float(variance) ** 0.5 / (value * (1 - value))
    centre = np.log(value / (1 - value))
    low, high = (float(1 / (1 + np.exp(-each))) for each in (centre - reach, centre + reach))
    return Area(value, low, high, k)
