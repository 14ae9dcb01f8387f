"""Decompose a gap between groups of users by confounders: activity and taste for popular items.

Users of both sides are compared within strata of equal activity, of equal popularity of the profile, and of both. The
gap that remains within strata of both is unexplained. The part explained by each factor is its Shapley value: its
share of the change, averaged over the two orders of removing the factors, so that the parts add up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.audit.measure import AuditMeasures
from reclens.errors import UsageError
from reclens.evaluation.given_histories import PASS_TRAIN
from reclens.evaluation.groups import UNKNOWN
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated
from reclens.stats.summary import Summary
from reclens.tabular import Tabular

__all__ = ["AdjustedGap", "adjusted_gaps"]

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
        """One row per step of the waterfall, from the raw gap to the remaining gap."""
        steps = {"raw": self.raw, **self.explained, "left": self.left}
        about = {"metric": self.metric, "by": self.by, "segment": self.segment}
        return [about | {"step": step} | asdict(each) for step, each in steps.items()]


def adjusted_gaps(measures: AuditMeasures, metric: str, by: str) -> list[AdjustedGap]:
    """The gap of each group of known users to all others, adjusted for activity and for the popularity of profiles.

    Formula: Σ_s w_s (mean of the group in stratum s - mean of the others there) with w_s = n_g n_o ÷ (n_g + n_o), over
    strata s where both have users; those weights give the smallest variance where the gap is the same everywhere.

    Args:
        measures: The sums, with the metric and training data.
        metric: A metric that was measured.
        by: A segmentation.

    Returns:
        One a group; without an interval where it or the others have fewer than two users with a value.

    Raises:
        UsageError: If there are no training data, or no two groups.

    References:
        Cochran (1968), The effectiveness of adjustment by subclassification in removing bias in observational studies;
        Shorrocks (2013), Decomposition procedures for distributional analysis: a unified framework based on the Shapley
        value.
    """
    labels = [segment for name, segment in measures.cells if name == by and segment != UNKNOWN]
    if measures.context.profiles is None:
        raise UsageError("gaps are adjusted for activity, which needs the training data", advice=PASS_TRAIN)
    if len(labels) < 2:
        raise UsageError(f"'{by}' has no two groups of known users to hold against each other.")
    cells = _cells(measures, metric, by, labels)
    found = []
    for at, segment in enumerate(labels):
        sides = cells.side(at)
        steps = {name: _gap(sides, keep) for name, keep in _STEPS.items()}
        raw, both, kept = steps["none"][0], *steps["both"]
        parts = {}
        for name, other in (FACTORS, FACTORS[::-1]):
            parts[name] = ((raw - steps[name][0]) + (steps[other][0] - both)) * 0.5
        n = int(sides.n[0].sum())
        few, level = min(n, int(sides.n[1].sum())), measures.settings.level
        found.append(
            AdjustedGap(
                metric=metric,
                by=by,
                segment=segment,
                raw=raw.estimate(n=few, level=level),
                explained={name: part.estimate(n=few, level=level) for name, part in parts.items()},
                left=both.estimate(n=few, level=level),
                n=kept,
                left_out=n - kept,
            )
        )
    return found


_STEPS: Final[dict[str, tuple[int, ...]]] = {"none": (), "activity": (1,), "profile_popularity": (2,), "both": (1, 2)}
"""What is held equal -> the axes of the strata that are kept: 1 activity, 2 popularity."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """Users, sums of values, and their replicates; shape (groups, strata of activity, of popularity, …)."""

    n: np.ndarray
    total: np.ndarray
    weights: np.ndarray
    sums: np.ndarray

    def side(self, at: int) -> _Sums:
        """A group, and all other groups combined."""
        arrays = (self.n, self.total, self.weights, self.sums)
        return _Sums(*(np.stack([each[at], each.sum(axis=0) - each[at]]) for each in arrays))


def _cells(measures: AuditMeasures, metric: str, by: str, labels: list[str]) -> _Sums:
    """Sums of each group in each stratum, which are those of all known users with a value."""
    profiles, catalogue = measures.context.profiles, measures.context.catalogue
    assert profiles is not None
    values = measures.per_user[metric].to_numpy()
    known, codes = measures.context.groups[by]
    place = {known.index(label): at for at, label in enumerate(labels)}
    group = np.array([place.get(code, -1) for code in range(len(known))])[codes]
    group[np.isnan(values)] = -1
    share = catalogue.popularity / max(catalogue.n_users, 1)
    total = np.bincount(profiles.owners, share[profiles.items], minlength=len(codes))
    strata = (_strata(each, group >= 0) for each in (profiles.sizes, total / np.maximum(profiles.sizes, 1)))
    code = (group * _STRATA + next(strata)) * _STRATA + next(strata)
    names = [str(at) for at in range(len(labels) * _STRATA**2)]
    summary = Summary.of(
        measures.context.keys,
        {"value": values},
        groups={"strata": (names, np.where(group < 0, -1, code))},
        replicates=measures.settings.replicates,
        seed=measures.settings.seed,
    )
    shape = len(labels), _STRATA, _STRATA
    arrays = (summary.n.astype(np.float64), summary.total, summary.weights, summary.sums)
    return _Sums(*(each[1:, 0].reshape(*shape, *each.shape[2:]) for each in arrays))


def _strata(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Stratify the users of the comparison into fifths; few distinct values each form a stratum."""
    known = np.sort(values[counted])
    distinct = np.unique(known)
    if len(distinct) <= _STRATA:
        return np.searchsorted(distinct, values).clip(0, _STRATA - 1)
    edges = np.unique(np.quantile(known, np.arange(1, _STRATA) / _STRATA, method="lower"))
    return np.searchsorted(edges, values, side="left")


def _gap(sides: _Sums, kept: tuple[int, ...]) -> tuple[Replicated, int]:
    """The weighted gap within the strata of the axes that are kept, and the users of the group that it rests on."""
    dropped = tuple(axis for axis in (1, 2) if axis not in kept)
    n, total, weights, sums = (
        each.sum(axis=dropped).reshape(2, -1, *each.shape[3:])
        for each in (sides.n, sides.total, sides.weights, sides.sums)
    )
    count = Replicated(n, weights)
    mean = Replicated(total, sums) / count
    together = count[0] * count[1] / (count[0] + count[1])
    apart = (mean[0] - mean[1]) * together
    usable = (n > 0).all(axis=0)
    return _sum(apart[usable]) / _sum(together[usable]), int(n[0, usable].sum())


def _sum(parts: Replicated) -> Replicated:
    """The sum over strata, without those that are empty in a replicate."""
    return Replicated(np.nansum(parts.value, axis=0), np.nansum(parts.draws, axis=0))
