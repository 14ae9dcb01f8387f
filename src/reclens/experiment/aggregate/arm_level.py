"""Statistics of a whole arm (Gini, coverage, effective items of what it showed), by leaving out groups of its users.

Such a number is no mean over users, so that no formula gives its error. What adds up is how often each item was shown,
by each of 200 groups of users, drawn by their keys: chunks, days and machines add up to the same counts. The
delete-a-group jackknife takes the statistic without each group in turn. Its variance is not too small in expectation,
whatever the statistic (Efron and Stein 1981). Resampled users repeat, and show no item that was not shown: with few
rows an item the bootstrap then gives a spread that is far too small, or, of even exposure, far too large.

Of coverage the jackknife is too large: with items shown λ times on average, independently, the number of items shown
has the variance Σ e^-λ (1 - e^-λ), and it gives Σ λ e^-λ, the number q₁ that one group alone showed. The variance is
also the number of items that as many users again would add, for which q₁ and q₂ (shown by two groups) tell
q₁ (1 - e^-r) ÷ r with r = 2 q₂ ÷ q₁ (Chao 1987; Colwell et al. 2012, eq. 9). So the jackknife is taken times
(1 - e^-r) ÷ r.

More users cover more items and spread exposure wider, whatever the policy: of a larger arm a random share of the users
counts, drawn anew many times, and the statistic is averaged over these draws (rarefaction: Hurlbert 1971, The
nonconcept of species diversity). Such an average of draws of n out of N users has at most n / N of the variance of one
draw (Hoeffding 1948, A class of statistics with asymptotically normal distribution, section 5).

References: Efron and Stein (1981), The jackknife estimate of variance; Kott (2001), The delete-a-group jackknife; Chao
(1987), Estimating the population size for capture-recapture data with unequal catchability; Colwell et al. (2012),
Models and estimators linking individual-based and sample-based rarefaction, extrapolation and comparison of
assemblages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from reclens.concentration import effective_number, gini, share_in_use
from reclens.errors import Advice, ArgumentValueError, IncomparableError, Setting, UnknownNameError, UsageError
from reclens.memory import require_memory
from reclens.stats.difference import Difference, Relative, Spread, difference_of, untestable
from reclens.stats.estimate import EstimateNote
from reclens.stats.method import Method
from reclens.stats.resample import thin_scheme, unit_weights

__all__ = [
    "ARM_STATISTICS",
    "FEWEST_ROWS",
    "FEWEST_USERS",
    "SIMULATED_COVERAGE",
    "ArmCounts",
    "arm_statistic",
    "compare_arm_statistics",
    "simulated_coverage",
]

_BLOCK = 64  # draws at a time; a multiple of 4, as the generator wants
_DRAWS = 512  # of the users of a larger arm, so many that their own error hardly counts
_ALIKE = 0.02  # relative difference in users up to which arms are compared as they are
_ONCE = 10  # items that one group alone showed, from which on their number tells what is still to be found
_GROUPS = 200  # of users: the error of a variance from 200 groups is 10 %, of a standard error 5 %


ARM_STATISTICS: Final[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = {
    "coverage": share_in_use,
    "gini": gini,
    "effective_items": effective_number,
}
"""Counts of shape (items, …) -> the statistic: share of items shown, Gini coefficient of exposure (Σ (2j - n - 1) x_j ÷
(n Σ x)), and the effective number of items, exp of Shannon's entropy of the shares: as many as equal shares need (Hill
1973, Diversity and evenness, of order 1)."""

FEWEST_USERS: Final = 30
"""Users that have to count in each arm."""

SIMULATED_COVERAGE: Final[Mapping[str, tuple[tuple[float, float], ...]]] = {
    "coverage": ((0.3, 0.94), (1, 0.95), (3, 0.95), (10, 0.94), (30, 0.95)),
    "gini": ((0.3, 0.95), (1, 0.96), (3, 0.95), (10, 0.95), (30, 0.94)),
    "effective_items": ((0.3, 0.94), (1, 0.95), (3, 0.94), (10, 0.95), (30, 0.93)),
}
"""Statistic -> from so many rows shown for each item on, how often intervals of 95 % held the truth in A/A tests: the
least of three policies (``benchmarks/rates_arm_level.py``, ``benchmarks/results/rates/arm_level.md``)."""

FEWEST_ROWS: Final = SIMULATED_COVERAGE["gini"][0][0]
"""Rows shown for each item that every arm has to have: with fewer nothing was simulated."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ArmCounts:
    """How often each item was shown in an arm, by groups of users. Add two of disjoint users with ``+``.

    Attributes:
        groups: How often each group of users was shown each item, shape (items, groups).
        users: Users of each group, shape (groups,).
        n: Users of the arm.
        seed: Seed of the groups and draws.
        share: Share of the users that count; the groups hold one draw of them.
        thinned: Counts over random draws of that share, shape (items, draws); of all users where all count.
    """

    groups: np.ndarray
    users: np.ndarray
    n: int
    seed: int
    share: float
    thinned: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How often each item was shown to the users in the groups, shape (items,)."""
        return self.groups.sum(axis=1)

    @classmethod
    def of(
        cls,
        users: np.ndarray,
        items: np.ndarray,
        keys: np.ndarray,
        *,
        n_items: int,
        groups: int = _GROUPS,
        seed: int = 0,
        share: float = 1.0,
    ) -> ArmCounts:
        """Count what was shown.

        Args:
            users: Position of the user of each row in ``keys``, shape (rows,).
            items: Code of the item of each row, 0 … n_items - 1, shape (rows,).
            keys: Stable 64-bit key of each user, shape (users,); see ``schema.stable_hash``.
            n_items: Items of the catalogue.
            groups: Groups of users.
            seed: Seed of the groups and draws.
            share: Share of the users that count, to bring a larger arm to the size of a smaller one.

        Raises:
            UsageError: If lengths differ, a code lies outside the catalogue or the share outside 0 … 1.
        """
        from scipy.sparse import csr_array

        if len(users) != len(items):
            raise UsageError(f"{len(users):,} users and {len(items):,} items; expected one of each a row.")
        if len(items) and (items.min() < 0 or items.max() >= n_items or users.max() >= len(keys)):
            raise UsageError(
                f"codes run to {items.max()} (items) and {users.max()} (users); expected them below "
                f"{n_items:,} and {len(keys):,}."
            )
        if not 0 < share <= 1:
            raise ArgumentValueError("share", f"is {share}, expected more than 0 and 1 at most")
        columns = groups + (_DRAWS if share < 1 else 1)
        require_memory(
            8 * n_items * columns,
            f"the exposure of {n_items:,} items in {columns:,} groups of users",
            advice="Use fewer groups, or a catalogue of the items that were shown.",
        )
        shown: Any = csr_array((np.ones(len(items)), (items, users)), shape=(n_items, len(keys)))
        drawn = np.ones(len(keys))
        thinned = np.asarray(shown.sum(axis=1)).reshape(n_items, 1)
        if share < 1:
            thinned = np.empty((n_items, _DRAWS))
            for start in range(0, _DRAWS, _BLOCK):
                weights = unit_weights(keys, range(start, start + _BLOCK), seed=seed + 1, scheme=thin_scheme(share))
                thinned[:, start : start + _BLOCK] = shown @ weights
                drawn = weights[:, 0] if not start else drawn
        group = _group_of(keys, groups, seed)
        held: Any = csr_array((drawn, (np.arange(len(keys)), group)), shape=(len(keys), groups))
        return cls(
            groups=(shown @ held).toarray(),
            users=np.bincount(group, drawn, groups),
            n=len(keys),
            seed=seed,
            share=share,
            thinned=thinned,
        )

    def __add__(self, other: ArmCounts) -> ArmCounts:
        """The counts of both sets of users.

        Raises:
            IncomparableError: If catalogues, groups, seeds or shares differ.
        """
        (mine, theirs) = ((each.groups.shape, each.seed, each.share) for each in (self, other))
        if mine != theirs:
            raise IncomparableError(
                f"counts of {mine[0]} (items, groups) with seed {mine[1]} and share {mine[2]:g}, and of "
                f"{theirs[0]} with seed {theirs[1]} and share {theirs[2]:g}, cannot be added. Count both alike."
            )
        return ArmCounts(
            groups=self.groups + other.groups,
            users=self.users + other.users,
            n=self.n + other.n,
            seed=self.seed,
            share=self.share,
            thinned=self.thinned + other.thinned,
        )


def _group_of(keys: np.ndarray, groups: int, seed: int) -> np.ndarray:
    """The group of each user: it depends on key and seed alone."""
    scheme = np.arange(65536, dtype=np.float64) * (groups / 65536)
    return unit_weights(keys, range(4), seed=seed, scheme=scheme)[:, 0].astype(np.int64)


def arm_statistic(arm: ArmCounts, statistic: str) -> tuple[float, float]:
    """A statistic of an arm and its jackknife standard error; the mean over draws where a share of the users counts.

    Args:
        arm: The counts.
        statistic: One of ``ARM_STATISTICS``.

    Raises:
        UnknownNameError: If there is no such statistic.
    """
    if statistic not in ARM_STATISTICS:
        raise UnknownNameError("statistic of an arm", statistic, ARM_STATISTICS)
    function = ARM_STATISTICS[statistic]
    drawn = function(arm.thinned)
    variance = _jackknife(arm, function)
    if statistic == "coverage":
        variance = _of_items_shown(arm, variance)
    return float(drawn.mean()), math.sqrt(arm.share * variance + float(drawn.var()) / len(drawn))


def _of_items_shown(arm: ArmCounts, variance: float) -> float:
    """The variance of coverage from that of the jackknife.

    Where few items were shown by one group alone, their number says little of its expectation, which by chance can be
    three items larger (the rule of three: 95 % of Poisson counts with a mean of 3 are above 0).
    """
    in_groups = (arm.groups > 0).sum(axis=1)
    once, twice = (float((in_groups == times).sum()) for times in (1, 2))
    if once < _ONCE:
        return variance + 3 / len(in_groups) ** 2
    ratio = 2 * twice / once
    return variance * (-math.expm1(-ratio) / ratio if ratio else 1.0)


def _jackknife(arm: ArmCounts, function: Callable[[np.ndarray], np.ndarray]) -> float:
    """The variance by leaving out a group at a time.

    Groups are of different sizes, and the statistic depends on the number of users: what the size of a group explains
    (the slope of a regression) is no sampling error.
    """
    held = arm.users > 0
    if held.sum() < 4:
        return 0.0
    without = function(arm.groups.sum(axis=1, keepdims=True) - arm.groups[:, held])
    size = arm.users[held] - arm.users[held].mean()
    away = without - without.mean()
    total = float(size @ size)
    if total > 0:
        away = away - size * (float(size @ away) / total)
    m = len(away)
    return (m - 1) / (m - 1 - (total > 0)) * (m - 1) / m * float(away @ away)


def compare_arm_statistics(
    control: ArmCounts,
    treatment: ArmCounts,
    statistic: str,
    *,
    level: float = 0.95,
    relative: Relative = "delta",
) -> Difference:
    """The difference of a statistic between two arms: Student's t, with jackknife standard errors.

    Returns:
        The difference; ``method`` and ``details`` say how often such intervals covered in simulated A/A tests.
        Without a test where fewer than ``FEWEST_USERS`` users count in an arm, or fewer than ``FEWEST_ROWS`` rows were
        shown for each item.

    Raises:
        UnknownNameError: If there is no such statistic.
        IncomparableError: If more users count in one arm than in the other: the statistic depends on their number.
    """
    counting = tuple(round(arm.n * arm.share) for arm in (control, treatment))
    if abs(counting[0] - counting[1]) > max(_ALIKE * max(counting), 1):
        raise IncomparableError(
            f"{counting[0]:,} and {counting[1]:,} users count, and {statistic} depends on their number",
            advice=Advice(
                "draw_larger_arm",
                (Setting("share", round(min(counting) / max(counting), 4)),),
                "Count the larger arm with {share}.",
            ),
        )
    (base, base_se), (value, value_se) = (arm_statistic(arm, statistic) for arm in (control, treatment))
    notes: tuple[EstimateNote, ...] = ("larger_arm_drawn",) if min(control.share, treatment.share) < 1 else ()
    n = control.n, treatment.n
    rows = min(float(arm.groups.sum()) / len(arm.groups) for arm in (control, treatment))
    method = Method(code="group_jackknife", statistic=statistic, groups=control.groups.shape[1])
    covered = simulated_coverage(statistic, rows)
    if min(counting) < FEWEST_USERS or covered is None:
        few = covered is not None
        made = untestable(
            base,
            value - base,
            n=n,
            level=level,
            method=method,
            notes=notes,
            reason="too_few" if few else "too_few_rows",
            note="too_few_units" if few else "too_few_rows",
        )
        return replace(made, details=(("users", float(min(counting))), ("rows_per_item", rows)))
    return difference_of(
        base,
        value - base,
        spread=Spread(
            gap=base_se**2 + value_se**2,
            control=base_se**2,
            covariance=-(base_se**2),
            df=float(min((arm.users > 0).sum() for arm in (control, treatment)) - 2),
        ),
        n=n,
        level=level,
        relative=relative,
        notes=notes,
        details=(("simulated_coverage", covered), ("rows_per_item", rows)),
        method=replace(method, coverage=covered, rows=rows),
    )


def simulated_coverage(statistic: str, rows: float) -> float | None:
    """How often intervals of 95 % held the truth in A/A tests with so few rows shown for each item; None for fewer."""
    known = [covered for at, covered in SIMULATED_COVERAGE[statistic] if at <= rows]
    return known[-1] if known else None
