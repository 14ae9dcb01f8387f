"""Statistics of a whole arm (Gini, coverage, diversity of what it showed), by resampling its users.

Such a number is no mean over users, so that no formula gives its error. What adds up is how often each item was shown,
and how often in each Poisson-bootstrap replicate of the users; the statistic is taken of those counts. Weights are
keyed by the unit, so that chunks, days and machines add up to the same replicates.

References: Chamandy et al. (2012), Estimating uncertainty for massive data streams; Efron and Tibshirani (1993), An
introduction to the bootstrap, chapters 6 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.stats.difference import Difference, Relative, difference_of
from reclens.stats.resample import POISSON, unit_weights

__all__ = ["ARM_STATISTICS", "ArmCounts", "arm_statistic", "compare_arm_statistics"]

_BLOCK = 64  # replicates at a time; a multiple of 4, as the generator wants


def _coverage(counts: np.ndarray) -> np.ndarray:
    return (counts > 0).mean(axis=0)


def _gini(counts: np.ndarray) -> np.ndarray:
    ordered = np.sort(counts, axis=0)
    n = len(ordered)
    with np.errstate(invalid="ignore"):
        return (2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum(axis=0))


def _effective_items(counts: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = counts / counts.sum(axis=0)
        return np.exp(-np.where(shares > 0, shares * np.log(shares), 0.0).sum(axis=0))


ARM_STATISTICS: Final[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = {
    "coverage": _coverage,
    "gini": _gini,
    "effective items": _effective_items,
}
"""Counts of shape (items, …) -> the statistic: share of items shown, Gini coefficient of exposure (Σ (2j - n - 1) x_j ÷
(n Σ x)), and exp of Shannon's entropy of the shares (Hill 1973): as many items as equal shares would need."""


@dataclass(frozen=True, eq=False)
class ArmCounts:
    """How often each item was shown in an arm, and in each replicate. Add two of disjoint users with ``+``.

    Attributes:
        counts: Shape (items,).
        replicates: Shape (items, B).
        n: Users.
        seed: Seed of the weights.
    """

    counts: np.ndarray
    replicates: np.ndarray
    n: int
    seed: int

    @classmethod
    def of(
        cls,
        users: np.ndarray,
        items: np.ndarray,
        keys: np.ndarray,
        *,
        n_items: int,
        replicates: int = 400,
        seed: int = 0,
    ) -> ArmCounts:
        """Count what was shown.

        Args:
            users: Position of the user of each row in ``keys``, shape (rows,).
            items: Code of the item of each row, 0 … n_items - 1, shape (rows,).
            keys: Stable 64-bit key of each user, shape (users,); see ``schema.stable_hash``.
            n_items: Items of the catalogue.
            replicates: Bootstrap replicates, B.
            seed: Seed of the weights.

        Raises:
            UsageError: If lengths differ or a code lies outside the catalogue.
        """
        from scipy.sparse import csr_array

        if len(users) != len(items):
            raise UsageError(f"{len(users):,} users and {len(items):,} items; expected one of each a row.")
        if len(items) and (items.min() < 0 or items.max() >= n_items or users.max() >= len(keys)):
            raise UsageError(f"codes run to {items.max()} (items) and {users.max()} (users); expected them below "
                             f"{n_items:,} and {len(keys):,}.")  # fmt: skip
        shown = csr_array((np.ones(len(items)), (items, users)), shape=(n_items, len(keys)))
        found = np.empty((n_items, replicates))
        for start in range(0, replicates, _BLOCK):
            draws = range(start, min(start + _BLOCK, replicates))
            found[:, start : draws.stop] = shown @ unit_weights(keys, draws, seed=seed, scheme=POISSON)
        return cls(np.asarray(shown.sum(axis=1)).ravel(), found, len(keys), seed)

    def __add__(self, other: ArmCounts) -> ArmCounts:
        """The counts of both sets of users.

        Raises:
            IncomparableError: If catalogues, replicates or seeds differ.
        """
        if self.replicates.shape != other.replicates.shape or self.seed != other.seed:
            raise IncomparableError(
                f"counts of {self.replicates.shape} (items, replicates) with seed {self.seed} and of "
                f"{other.replicates.shape} with seed {other.seed} cannot be added. Count both alike."
            )
        return ArmCounts(self.counts + other.counts, self.replicates + other.replicates, self.n + other.n, self.seed)


def arm_statistic(arm: ArmCounts, statistic: str) -> tuple[float, float]:
    """A statistic of an arm and its bootstrap standard error.

    Args:
        arm: The counts.
        statistic: One of ``ARM_STATISTICS``.

    Raises:
        UnknownNameError: If there is no such statistic.
    """
    if statistic not in ARM_STATISTICS:
        raise UnknownNameError("statistic of an arm", statistic, ARM_STATISTICS)
    function = ARM_STATISTICS[statistic]
    return float(function(arm.counts)), float(np.nanstd(function(arm.replicates), ddof=1))


def compare_arm_statistics(
    control: ArmCounts,
    treatment: ArmCounts,
    statistic: str,
    *,
    level: float = 0.95,
    relative: Relative = "delta",
) -> Difference:
    """The difference of a statistic between two arms: normal, with bootstrap standard errors.

    Only the spread of the replicates is used and not their centre: resampled users repeat, so that they cover fewer
    items and look more concentrated than the users themselves, alike in both arms. For the same reason arms of unequal
    size do not compare in coverage; the result says so.

    Raises:
        UnknownNameError: If there is no such statistic.
    """
    (base, base_se), (value, value_se) = (arm_statistic(arm, statistic) for arm in (control, treatment))
    notes: tuple[str, ...] = ()
    if abs(control.n - treatment.n) > 0.02 * max(control.n, treatment.n):
        notes = (f"The arms have {control.n:,} and {treatment.n:,} users: {statistic} depends on their number.",)
    return difference_of(
        base, value - base, variance=base_se**2 + value_se**2, control_variance=base_se**2, covariance=-(base_se**2),
        df=math.inf, n=(control.n, treatment.n), level=level, relative=relative, notes=notes,
        method=f"{statistic} of the arm, Poisson bootstrap over users ({control.replicates.shape[1]} replicates)",
    )  # fmt: skip
