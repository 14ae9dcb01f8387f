"""A proportion with its interval, and the difference of two."""

from __future__ import annotations

import math
from typing import Literal

from reclens.errors import UsageError
from reclens.stats.difference import Difference, Relative, difference_of
from reclens.stats.estimate import Estimate

__all__ = ["proportion", "proportion_difference"]


def proportion(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """A share of independent units, with Wilson's score interval.

    Args:
        successes: Units that count.
        n: All units.
        level: Confidence level.

    Raises:
        UsageError: If the counts are not 0 ≤ successes ≤ n, or the level is out of range.

    Example:
        >>> print(proportion(8, 10))
        0.8 [0.4902, 0.9433]

    References:
        Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    from scipy.special import ndtri

    if not 0 <= successes <= n:
        raise UsageError(f"{successes} of {n} is no share: expected 0 ≤ successes ≤ n.")
    if not 0 < level < 1:
        raise UsageError(f"level is {level}, expected a number between 0 and 1.")
    if not n:
        return Estimate(float("nan"), None, None, 0, level, "there is nobody")
    z = float(ndtri(0.5 + level / 2))
    share = successes / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return Estimate(share, max(low, 0.0) if successes else 0.0, min(high, 1.0) if successes < n else 1.0, n, level)


def proportion_difference(
    control: tuple[int, int],
    treatment: tuple[int, int],
    *,
    pooled: bool = True,
    distribution: Literal["normal", "t"] = "normal",
    relative: Relative = "delta",
    level: float = 0.95,
) -> Difference:
    """Difference of two shares: the z test of equal shares, and an interval that does not assume them equal.

    Args:
        control: Units that count, and all units.
        treatment: Likewise.
        pooled: Whether the test takes its variance from both arms together, p(1-p)(1/n + 1/m), as in a score test; the
            interval always takes p(1-p)/n of each arm. Otherwise both use the latter.
        distribution: ``"t"`` uses Welch's degrees of freedom, as GrowthBook does.
        relative: How the interval of the lift is made, one of ``RELATIVE``.
        level: Confidence level.

    Raises:
        UsageError: If the counts are not 0 ≤ successes ≤ n with n above 0.

    Example:
        >>> found = proportion_difference((12, 99), (5, 83))
        >>> round(found.statistic, 3), round(found.p_value, 3)
        (-1.408, 0.159)

    References:
        Fleiss, Levin and Paik (2003), Statistical methods for rates and proportions, section 3.
    """
    for hits, n in (control, treatment):
        if not 0 <= hits <= n or not n:
            raise UsageError(f"{hits} of {n} is no share: expected 0 ≤ successes ≤ n, and n above 0.")
    (x, n), (y, m) = control, treatment
    p, q, both = x / n, y / m, (x + y) / (n + m)
    own = (p * (1 - p) / n, q * (1 - q) / m)
    df = math.inf
    if distribution == "t" and sum(own) > 0:
        df = sum(own) ** 2 / sum(v * v / max(size - 1, 1) for v, size in zip(own, (n, m), strict=True))
    few = min(n * both, n * (1 - both), m * both, m * (1 - both)) < 5
    notes = ("Fewer than five units are expected in a cell: the normal approximation is rough.",) if few else ()
    return difference_of(
        p, q - p, variance=sum(own), control_variance=own[0], covariance=-own[0], df=df, n=(n, m), level=level,
        relative=relative, test_variance=both * (1 - both) * (1 / n + 1 / m) if pooled else None, notes=notes,
        method=f"difference of shares, {'pooled' if pooled else 'unpooled'} {'z' if math.isinf(df) else 't'} test",
    )  # fmt: skip
