"""How much of a gap between groups of users comes from what else sets them apart: activity and taste for the popular.

Users of both sides are compared within strata of equal activity, of equal popularity of the profile, and of both. What
of the raw gap is left within strata of both is not explained by them. What each of the two explains is its Shapley
value: its share of the change, averaged over the two orders in which they can be taken out, so that the parts add up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.audit.measure import AuditMeasures
from reclens.errors import UsageError
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated
from reclens.stats.summary import Cell, Summary
from reclens.tabular import Tabular

__all__ = ["AdjustedGap", "adjusted_gap"]

Factor = Literal["activity", "profile_popularity"]
FACTORS: Final[tuple[Factor, ...]] = ("activity", "profile_popularity")
_STRATA: Final = 5
"""Strata of each factor: fifths take out about nine tenths of what a smooth confounder brings (Cochran 1968)."""


@dataclass(frozen=True, kw_only=True)
class AdjustedGap(Tabular):
    """A gap, what explains it, and what is left.

    Attributes:
        metric: The metric.
        by: The segmentation.
        segment: The group; it is held against all others of known group.
        raw: Mean of the group - mean of the others.
        explained: Factor -> the part of the gap that it explains; the parts and what is left add up to the gap.
        left: The gap within strata of both factors.
        n: Users of the group within strata where there are others too.
        left_out: Users of the group in strata without others.
    """

    metric: str
    by: str
    segment: str
    raw: Estimate
    explained: dict[str, Estimate]
    left: Estimate
    n: int
    left_out: int

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a step of the waterfall, from the raw gap to what is left."""
        steps = {"raw": self.raw, **self.explained, "left": self.left}
        about = {"metric": self.metric, "by": self.by, "segment": self.segment}
        return [about | {"step": step} | asdict(each) for step, each in steps.items()]


def adjusted_gap(measures: AuditMeasures, metric: str, cell: Cell) -> AdjustedGap:
    """A gap adjusted for activity and for the popularity of profiles.

    Formula: Σ_s w_s (mean of the group in stratum s - mean of the others there) with w_s = n_g n_o ÷ (n_g + n_o), over
    strata s where both have users; those weights give the smallest variance where the gap is the same everywhere.

    Args:
        measures: The sums, with the metric and training data.
        metric: A metric that was measured.
        cell: The group.

    Raises:
        UsageError: If there are no training data, or no other group.

    References:
        Cochran (1968), The effectiveness of adjustment by subclassification in removing bias in observational studies;
        Shorrocks (2013), Decomposition procedures for distributional analysis: a unified framework based on the Shapley
        value.
    """
    profiles, catalogue = measures.context.profiles, measures.context.catalogue
    others = measures.others(cell)
    if profiles is None:
        raise UsageError("gaps are adjusted for activity, which needs the training data: pass train=…")
    if not others:
        raise UsageError(f"there is no other group of {cell[0]} to hold {cell[1]} against.")
    labels, codes = measures.context.groups[cell[0]]
    side = np.full(len(codes), -1)
    side[codes == labels.index(cell[1])] = 0
    side[np.isin(codes, [labels.index(each[1]) for each in others])] = 1
    values = measures.per_user[metric].to_numpy()
    side[np.isnan(values)] = -1
    share = catalogue.popularity / max(catalogue.n_users, 1)
    popularity = np.bincount(profiles.owners, share[profiles.items], minlength=len(codes)) / np.maximum(
        profiles.sizes, 1
    )
    strata = {"activity": _strata(profiles.sizes, side), "profile_popularity": _strata(popularity, side)}
    none = np.zeros(len(codes), np.int64)
    raw, _ = _gap(measures, values, side, none, 1)
    within = {name: _gap(measures, values, side, codes, _STRATA)[0] for name, codes in strata.items()}
    both, kept = _gap(measures, values, side, strata["activity"] * _STRATA + strata["profile_popularity"], _STRATA**2)
    parts = {name: ((raw - within[name]) + (within[other] - both)) * 0.5 for name, other in (FACTORS, FACTORS[::-1])}
    n, level = int((side == 0).sum()), measures.settings.level
    few = min(n, int((side == 1).sum()))
    return AdjustedGap(
        metric=metric,
        by=cell[0],
        segment=cell[1],
        raw=raw.estimate(n=few, level=level),
        explained={name: part.estimate(n=few, level=level) for name, part in parts.items()},
        left=both.estimate(n=few, level=level),
        n=kept,
        left_out=n - kept,
    )


def _strata(values: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Fifths of the users of both sides, equal values in one stratum; where there are few values, each is its own."""
    known = np.sort(values[side >= 0])
    distinct = np.unique(known)
    if len(distinct) <= _STRATA:
        return np.searchsorted(distinct, values).clip(0, _STRATA - 1)
    edges = np.unique(np.quantile(known, np.arange(1, _STRATA) / _STRATA, method="lower")) if len(known) else []
    return np.searchsorted(edges, values, side="left")


def _gap(
    measures: AuditMeasures, values: np.ndarray, side: np.ndarray, strata: np.ndarray, n_strata: int
) -> tuple[Replicated, int]:
    """The weighted gap within strata, and the users of the group that it rests on."""
    settings = measures.settings
    codes = np.where(side < 0, -1, side * n_strata + strata)
    labels = [str(at) for at in range(2 * n_strata)]
    summary = Summary.of(
        measures.context.keys,
        {"value": values},
        groups={"strata": (labels, codes)},
        replicates=settings.replicates,
        seed=settings.seed,
    )
    n = summary.n[1:, 0].astype(np.float64).reshape(2, n_strata)
    total, weights, sums = (each[1:, 0] for each in (summary.total, summary.weights, summary.sums))
    count = Replicated(n, weights.reshape(2, n_strata, -1))
    mean = Replicated(total.reshape(2, n_strata), sums.reshape(2, n_strata, -1)) / count
    together = count[0] * count[1] / (count[0] + count[1])
    apart = (mean[0] - mean[1]) * together
    usable = (n > 0).all(axis=0)
    gap = _sum(apart[usable]) / _sum(together[usable])
    return gap, int(n[0, usable].sum())


def _sum(parts: Replicated) -> Replicated:
    """The sum over strata, without those that are empty in a replicate."""
    return Replicated(np.nansum(parts.value, axis=0), np.nansum(parts.draws, axis=0))
