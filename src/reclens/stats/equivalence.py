"""Tests of equivalence: whether a difference or a share lies within limits.

Two one-sided tests, of "at or below the lower limit" and of "at or above the upper one", both have to reject (TOST,
Schuirmann 1987). With alpha each, this is equivalent to the interval of level 1 - 2·alpha lying within the limits. A
difference that is not significant is not evidence of equivalence.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from reclens.errors import ArgumentValueError, ArgumentValuesError, UsageError
from reclens.stats.difference import Difference

__all__ = ["equivalence_p", "share_equivalence_p", "share_equivalence_power"]

Test = Literal["exact", "normal"]


def equivalence_p(found: Difference, low: float, high: float, *, relative: bool = False) -> float:
    """p-value of "the difference is not within the limits": the larger one of the two one-sided tests.

    Args:
        found: The difference, from any test.
        low: Lower limit, in units of the metric; or as a share of |control|, such as -0.02.
        high: Upper limit.
        relative: Whether the limits are shares.

    Returns:
        The p-value, small if the difference lies within the limits; NaN without a test.

    Raises:
        UsageError: If the limits are not low < high.

    Example:
        >>> from reclens.stats.proportions import proportion_difference
        >>> found = proportion_difference((500, 1000), (510, 1000))
        >>> round(found.p_value, 3), round(equivalence_p(found, -0.05, 0.05), 4)
        (0.655, 0.0367)

    References:
        Schuirmann (1987), A comparison of the two one-sided tests procedure and the power approach.
    """
    _check(low, high, -math.inf, math.inf)
    ends = found.p_above(low, relative=relative), found.p_below(high, relative=relative)
    return math.nan if math.isnan(sum(ends)) else max(ends)


def share_equivalence_p(successes: int, n: int, low: float, high: float, *, test: Test = "exact") -> float:
    """p-value of "the share of independent units is not within the limits".

    Args:
        successes: Units that count.
        n: All units.
        low: Lower limit, above 0.
        high: Upper limit, below 1.
        test: ``"exact"`` sums binomial probabilities at the limits; ``"normal"`` is the z test with the variance at the
            limits.

    Raises:
        UsageError: If the counts are not 0 ≤ successes ≤ n with n above 0, or the limits not 0 < low < high < 1.

    Example:
        >>> round(share_equivalence_p(5, 10, 0.1, 0.9), 5)  # P(5 or more of 10) at 0.1, and P(5 or fewer) at 0.9
        0.00163
    """
    _check(low, high, 0.0, 1.0)
    if not 0 <= successes <= n or not n:
        raise UsageError(f"{successes} of {n} is no share: expected 0 ≤ successes ≤ n, and n above 0.")
    return float(_p_values(np.array([successes]), n, low, high, test)[0])


def share_equivalence_power(
    n: int, low: float, high: float, share: float, *, alpha: float = 0.05, test: Test = "exact"
) -> float:
    """Power of the test that a share lies within the limits, over all outcomes.

    Args:
        n: Units.
        low: Lower limit, above 0.
        high: Upper limit, below 1.
        share: The true share.
        alpha: Level of each one-sided test.
        test: As in :func:`share_equivalence_p`; the power is exact for both.

    Raises:
        UsageError: If n is below 1, a share or alpha is out of range, or the limits are not 0 < low < high < 1.

    Example:
        >>> round(share_equivalence_power(10, 0.1, 0.9, 0.6, test="normal"), 4)  # PASS, chapter 110
        0.8204
        >>> round(share_equivalence_power(10, 0.1, 0.9, 0.6), 4)
        0.563

    References:
        Chow, Shao, Wang and Lokhnygina (2018), Sample size calculations in clinical research, section 4.1.
    """
    from scipy.stats import binom

    _check(low, high, 0.0, 1.0)
    if n < 1 or not 0 <= share <= 1 or not 0 < alpha < 0.5:
        raise ArgumentValuesError(
            {"n": n, "share": share, "alpha": alpha}, "{n} ≥ 1, a share in 0 … 1, 0 < {alpha} < 0.5"
        )
    outcomes = np.arange(n + 1)
    return float(binom.pmf(outcomes, n, share) @ (_p_values(outcomes, n, low, high, test) <= alpha))


def _p_values(successes: np.ndarray, n: int, low: float, high: float, test: Test) -> np.ndarray:
    from scipy.special import ndtr
    from scipy.stats import binom

    if test == "exact":
        return np.maximum(binom.sf(successes - 1, n, low), binom.cdf(successes, n, high))
    if test != "normal":
        raise ArgumentValueError("test", f"is '{test}', expected 'exact' or 'normal'.")
    above, below = (
        sign * (successes / n - limit) / math.sqrt(limit * (1 - limit) / n) for sign, limit in ((1, low), (-1, high))
    )
    return np.maximum(ndtr(-above), ndtr(-below))


def _check(low: float, high: float, least: float, most: float) -> None:
    if not least < low < high < most:
        inside = "" if math.isinf(most) else f", between {least:g} and {most:g}"
        raise ArgumentValuesError({"low": low, "high": high}, f"a lower one and a higher one{inside}")
