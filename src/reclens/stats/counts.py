"""Tests of counts: sample-ratio mismatch, homogeneity of shares, and association."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.tabular import Tabular

__all__ = ["Association", "Tested", "TestedBy", "association", "homogeneity", "mean_scores", "sample_ratio"]

_MOST_OUTCOMES = 50_000  # an exact test of more would be felt, where every day and segment is tested


TestedBy = Literal[
    "no_units",
    "pearson_planned",
    "pearson_equal",
    "same_share",
    "same_score",
    "permuted_scores",
    "exact_binomial",
    "exact_multinomial",
]
"""How counts were tested: Pearson's chi-square of the planned shares or of equal ones, the chi-square of mean scores
under permutation, an exact test, or not at all: there are no units, or all groups have the same share or score."""


@dataclass(frozen=True)
class Tested(Tabular):
    """A test and its p-value.

    Attributes:
        statistic: The test statistic.
        df: Degrees of freedom; NaN for an exact test.
        p_value: The p-value.
        method: How it was computed.
    """

    statistic: float
    df: float
    p_value: float
    method: TestedBy

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def sample_ratio(
    counts: Sequence[int],
    shares: Sequence[float],
    *,
    method: Literal["auto", "chi2", "exact"] = "auto",
) -> Tested:
    """Whether the arms hold as many units as planned (a sample-ratio mismatch shows as a small p-value).

    Args:
        counts: Units of each arm.
        shares: Planned shares of the arms; they are scaled to sum to 1.
        method: ``"chi2"`` is Pearson's Σ(O - E)²/E. ``"exact"`` sums the multinomial probabilities of all outcomes that
            are no more likely than the observed one. ``"auto"`` is exact if fewer than 20 units are expected in some
            arm and all outcomes can be enumerated.

    Raises:
        UsageError: If counts are negative or shares not positive, if their number differs, or if an exact test has
            too many outcomes.

    Example:
        >>> round(sample_ratio([135, 115], [0.5, 0.5]).p_value, 6)
        0.205903

    References:
        Pearson (1900); Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments.
    """
    from scipy.special import chdtrc

    seen, planned = np.asarray(counts, np.float64), np.asarray(shares, np.float64)
    if len(seen) != len(planned) or len(seen) < 2:
        raise UsageError(f"{len(seen)} counts and {len(planned)} shares; expected one each for two arms or more.")
    if (seen < 0).any() or (seen != np.floor(seen)).any():
        raise ArgumentValueError("counts", f"are {list(counts)}; expected whole numbers, 0 or more.")
    if not (planned > 0).all():
        raise ArgumentValueError("shares", f"are {list(shares)}; expected every arm's to be above 0.")
    if method not in ("auto", "chi2", "exact"):
        raise ArgumentValueError("method", f"is '{method}', expected 'auto', 'chi2' or 'exact'.")
    planned, n = planned / planned.sum(), int(seen.sum())
    if not n:
        return Tested(math.nan, math.nan, math.nan, "no_units")
    outcomes = math.comb(n + len(seen) - 1, len(seen) - 1)
    few = n * planned.min() < 20 and outcomes <= _MOST_OUTCOMES
    if method == "exact" or (method == "auto" and few):
        return _exact(seen.astype(np.int64), planned, outcomes)
    statistic = float(((seen - n * planned) ** 2 / (n * planned)).sum())
    df = len(seen) - 1
    return Tested(statistic, df, float(chdtrc(df, statistic)), "pearson_planned")


def homogeneity(successes: Sequence[int], totals: Sequence[int]) -> Tested:
    """Whether several groups have one share: Pearson's chi-square of the 2 × k table, without continuity correction.

    With two groups it is the square of the pooled z test.

    Raises:
        UsageError: If the counts are not 0 ≤ successes ≤ total, or a group is empty.

    Example:
        >>> found = homogeneity([83, 90, 129, 70], [86, 93, 136, 82])  # R: prop.test(smokers, patients)
        >>> round(found.statistic, 4), found.df, round(found.p_value, 6)
        (12.6004, 3, 0.005585)
    """
    from scipy.special import chdtrc

    hits, n = np.asarray(successes, np.float64), np.asarray(totals, np.float64)
    if len(hits) != len(n) or len(n) < 2 or (hits < 0).any() or (hits > n).any() or (n <= 0).any():
        raise UsageError(
            f"successes {list(successes)} of {list(totals)}: expected two groups or more, each with 0 ≤ successes ≤ "
            "total and a total above 0."
        )
    share = hits.sum() / n.sum()
    if share in (0.0, 1.0):
        return Tested(0.0, len(n) - 1, 1.0, "same_share")
    statistic = float(((hits - n * share) ** 2 / (n * share * (1 - share))).sum())
    df = len(n) - 1
    return Tested(statistic, df, float(chdtrc(df, statistic)), "pearson_equal")


@dataclass(frozen=True)
class Association(Tabular):
    """Association of the rows and columns of a contingency table.

    Attributes:
        statistic: Pearson's chi-square.
        df: Degrees of freedom.
        p_value: The p-value.
        cramers_v: √(χ² ÷ (n · (smaller side - 1))), of the uncorrected χ²: 0 is independence, 1 complete association.
            With large counts, small associations are significant; Cramér's V shows their size.
    """

    statistic: float
    df: int
    p_value: float
    cramers_v: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def association(counts: Sequence[Sequence[float]], *, corrected: bool = True) -> Association:
    """Test the association of groups of users and groups of items in a contingency table (market bias).

    Args:
        counts: Counts of each pair of groups, shape (rows, columns), two or more of each.
        corrected: Whether a 2 × 2 table has Yates' continuity correction.

    Raises:
        UsageError: If the table is smaller, a count is negative or not finite, or a row or column is empty.

    Example:
        >>> found = association([[31800, 7038], [41361, 11327]])  # ModCloth: size of the model × size of the customer
        >>> round(found.statistic, 3), found.df, round(found.cramers_v, 3)
        (158.739, 1, 0.042)

    References:
        Cramér (1946), Mathematical methods of statistics, section 21.9; Wan, Ni, Misra, McAuley (2020), Addressing
        marketing bias in product recommendations.
    """
    from scipy.special import chdtrc

    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all() or (table < 0).any():
        raise UsageError(f"counts have shape {table.shape}: expected two rows and columns or more, none negative.")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(table.sum(), 1.0)
    if not (expected > 0).all():
        raise UsageError("a row or a column of the counts is empty: leave it out.")
    apart = np.abs(table - expected)
    plain = float((apart**2 / expected).sum())
    if corrected and table.shape == (2, 2):
        apart -= np.minimum(0.5, apart)
    statistic = float((apart**2 / expected).sum())
    df = (table.shape[0] - 1) * (table.shape[1] - 1)
    v = math.sqrt(plain / (table.sum() * (min(table.shape) - 1)))
    return Association(statistic, df, float(chdtrc(df, statistic)), v)


def mean_scores(units: Sequence[int], sums: Sequence[float], squares: Sequence[float]) -> Tested:
    """Whether several groups have one mean score, by the chi-square of permuting units over the groups.

    The statistic is Σ n (x̄ - x̄ of all)² / s² with the variance s² of all units, and is valid for any distribution of
    the scores if the groups are large. For scores of 0 or 1 it is that of :func:`homogeneity` times (N - 1) / N; for
    ranks it is that of Kruskal and Wallis.

    Args:
        units: Units of each group.
        sums: Sum of the scores of each group.
        squares: Sum of their squares.

    Raises:
        UsageError: If there are fewer than two groups, or a group is empty.

    Example:
        >>> found = mean_scores([3, 3], [6.0, 15.0], [14.0, 77.0])  # ranks 1, 2, 3 and 4, 5, 6
        >>> round(found.statistic, 4), found.df
        (3.8571, 1)

    References:
        Kruskal and Wallis (1952); Puri and Sen (1971), for scores in general.
    """
    from scipy.special import chdtrc

    n, total, square = (np.asarray(each, np.float64) for each in (units, sums, squares))
    if len(n) < 2 or not len(n) == len(total) == len(square) or (n <= 0).any():
        raise UsageError(f"there are {list(units)} units; expected two groups or more, each with some.")
    mean = total.sum() / n.sum()
    variance = (square.sum() - n.sum() * mean**2) / max(n.sum() - 1, 1)
    df = len(n) - 1
    if not variance > 1e-12 * mean**2:
        return Tested(0.0, df, 1.0, "same_score")
    statistic = float((n * (total / n - mean) ** 2).sum() / variance)
    return Tested(statistic, df, float(chdtrc(df, statistic)), "permuted_scores")


def _exact(seen: np.ndarray, shares: np.ndarray, outcomes: int) -> Tested:
    from scipy.special import gammaln, xlogy
    from scipy.stats import binomtest

    n = int(seen.sum())
    if len(seen) == 2:
        p_value = float(binomtest(int(seen[0]), n, float(shares[0])).pvalue)
        return Tested(float(seen[0]), math.nan, p_value, "exact_binomial")
    if outcomes > _MOST_OUTCOMES:
        raise UsageError(f"an exact test of {n:,} units in {len(seen)} arms has {outcomes:,} outcomes; use 'chi2'.")
    table = np.array(list(_compositions(n, len(seen))))
    logs = gammaln(n + 1) - gammaln(table + 1).sum(axis=1) + xlogy(table, shares).sum(axis=1)
    observed = gammaln(n + 1) - gammaln(seen + 1).sum() + xlogy(seen, shares).sum()
    # Equal chances differ in their last bits when they are added up in another order.
    p_value = float(np.exp(logs[logs <= observed + 1e-9]).sum())
    return Tested(float(np.exp(observed)), math.nan, min(p_value, 1.0), "exact_multinomial")


def _compositions(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write n as an ordered sum of ``parts`` whole numbers."""
    if parts == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in _compositions(n - first, parts - 1):
            yield (first, *rest)
