"""Distance to the Pareto frontier of accuracy and exposure, computed from the truth (DPFR)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reclens.audit.measure import AuditMeasures
from reclens.audit.mitigate.gaps import ItemGap
from reclens.errors import Advice, ArgumentValueError, Setting, UsageError
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated

__all__ = ["Frontier", "FrontierDistance", "achievable_frontier", "distance_to_frontier"]


@dataclass(frozen=True, eq=False)
class Frontier:
    """The best NDCG that any lists have at each gap of exposure.

    Attributes:
        gap: |target - share| of the group, rising, float64, shape (n,).
        accuracy: The highest mean NDCG at that gap, falling towards smaller gaps, shape (n,).
    """

    gap: np.ndarray
    accuracy: np.ndarray

    def point(self, alpha: float = 0.5) -> tuple[float, float]:
        """Gap and accuracy at a share of the length of the frontier: 0 is the most accurate end, 1 the fairest."""
        if not 0 <= alpha <= 1:
            raise ArgumentValueError("alpha", f"is {alpha}, expected a number between 0 and 1")
        gap, accuracy = self.gap[::-1], self.accuracy[::-1]
        lengths = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(gap), np.diff(accuracy)))])
        at = alpha * lengths[-1]
        return float(np.interp(at, lengths, gap)), float(np.interp(at, lengths, accuracy))


@dataclass(frozen=True)
class FrontierDistance:
    """The distance of a system to the frontier.

    Attributes:
        distance: Euclidean distance of (gap, accuracy) to the reference point of the frontier.
        nearest: The same to the nearest point of the frontier.
        gap: The gap of the reference point.
        accuracy: The NDCG of the reference point.
    """

    distance: Estimate
    nearest: Estimate
    gap: float
    accuracy: float


def achievable_frontier(measures: AuditMeasures, gap: ItemGap) -> Frontier:
    """The frontier of all lists of k items, by the truth.

    Without loss of NDCG, the exposure of the group can be anything between two ends: its relevant items below, or
    above, the other relevant ones, and then items that are not relevant, of the others or of the group. Beyond that, a
    relevant item gives way to one that is not: exposure v costs v ÷ (ideal DCG of the user), so that users with many
    relevant items go first. Assumes that there are k items of either side that a user has not had.

    Args:
        measures: Lists with their truth; only the truth is used. The position weights must be those of DCG.
        gap: The group of items, with one group an item, and its target.

    Raises:
        UsageError: If there is no truth, or the position weights are not logarithmic.

    References:
        Rampisela, Ruotsalo, Maistro, Lioma (2025), Joint evaluation of fairness and relevance in recommender systems
        with Pareto frontier; WWW (arXiv 2502.11921).
    """
    if measures.settings.attention != "log" or not measures.has_truth:
        how = Advice("log_attention", (Setting("truth"), Setting("attention", "log")), "Give {truth} and {attention}.")
        raise UsageError("the frontier needs the truth, and attention that is the discount of NDCG", advice=how)
    k, context, groups = measures.settings.k, measures.context, measures.groups[gap.attribute]
    at = groups.labels.index(gap.group)
    users = np.flatnonzero(context.n_relevant > 0)
    relevant = groups.of_rows(users, context.indptr, context.relevant)
    own = np.rint(relevant[:, at]).astype(np.int64)
    rest = np.rint(relevant.sum(axis=1)).astype(np.int64) - own
    target = float((gap.of(measures) + gap.share(measures)).value)
    sums = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    least, shares, accuracy = _trade(own, rest, k, sums)
    if target < least:  # the group is to be shown less: the same for the others
        _, shares, accuracy = _trade(rest, own, k, sums)
        target = 1 - target
    missed = np.abs(np.minimum(shares - target, 0.0))
    kept = np.append(True, missed[:-1] > 0)  # all that lies beyond the target has the gap of 0 already
    shares, accuracy, missed = shares[kept], accuracy[kept], missed[kept]
    if len(shares) > 1 and missed[-1] == 0:  # the last step goes on to where the target is met, and no further
        accuracy[-1] = np.interp(target, shares[-2:], accuracy[-2:])
    return Frontier(missed[::-1].copy(), accuracy[::-1].copy())


def _trade(own: np.ndarray, rest: np.ndarray, k: int, sums: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The least share of exposure without loss, and share and NDCG from the largest one without loss on."""
    ideal = np.minimum(own + rest, k)
    first, others = np.minimum(own, k), np.minimum(rest, k)
    low = sums[ideal] - sums[np.minimum(others, ideal)]
    high = sums[first] + sums[k] - sums[ideal]
    # What can be given up: the places of the others' relevant items, each user's at the price of their ideal DCG.
    room = sums[ideal] - sums[first]
    order = np.argsort(-sums[ideal], kind="stable")
    total = len(own) * sums[k]
    shares = (high.sum() + np.concatenate([[0.0], np.cumsum(room[order])])) / total
    lost = np.concatenate([[0.0], np.cumsum((room / sums[ideal])[order])]) / len(own)
    return float(low.sum() / total), shares, 1 - lost


def distance_to_frontier(
    measures: AuditMeasures, gap: ItemGap, metric: str, *, alpha: float = 0.5, level: float = 0.95
) -> FrontierDistance:
    """The distance of lists to what is achievable for their users.

    The frontier is that of the truth at hand, and the interval is that of the system's point alone.

    Args:
        measures: The lists, measured with ``metric``.
        gap: The gap.
        metric: NDCG at the k of the audit.
        alpha: Which point of the frontier is the reference: 0 its most accurate end, 1 its fairest.
        level: Confidence level.
    """
    frontier = achievable_frontier(measures, gap)
    reference = frontier.point(alpha)
    point = abs(gap.of(measures)), measures.mean(metric)
    n = measures.n(column=metric)
    distance = _map(point, lambda x, y: np.hypot(x - reference[0], y - reference[1]))
    nearest = _map(point, lambda x, y: _nearest(frontier, x, y))
    return FrontierDistance(distance.estimate(n=n, level=level), nearest.estimate(n=n, level=level), *reference)


def _map(point: tuple[Replicated, Replicated], formula: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Replicated:
    x, y = point
    return Replicated(np.asarray(formula(x.value, y.value)), np.asarray(formula(x.draws, y.draws)))


def _nearest(frontier: Frontier, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance of points to the segments of the frontier."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    gap, accuracy = frontier.gap, frontier.accuracy
    best = np.hypot(x - gap[0], y - accuracy[0])
    for (x0, y0), (x1, y1) in zip(
        zip(gap[:-1], accuracy[:-1], strict=True), zip(gap[1:], accuracy[1:], strict=True), strict=True
    ):
        length = (x1 - x0) ** 2 + (y1 - y0) ** 2
        share = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1) if length > 0 else 0.0
        best = np.minimum(best, np.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0)))
    return best
