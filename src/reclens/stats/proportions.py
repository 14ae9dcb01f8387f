"""A proportion with its interval."""

from __future__ import annotations

import math

from reclens.errors import UsageError
from reclens.stats.estimate import Estimate

__all__ = ["proportion"]


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
