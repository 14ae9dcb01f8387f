"""From units to days and back: how a sample grows with the traffic."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reclens.errors import UsageError

__all__ = ["days_for", "units_by"]


def days_for(n: float, daily: float, *, arrivals: Sequence[float] | None = None) -> int:
    """Days until so many units have come.

    Args:
        n: Units needed.
        daily: Units a day, new every day.
        arrivals: Distinct units seen by the end of each day so far: users come back, so that the sample grows more
            slowly than the traffic. Beyond its end it grows as on its last day.

    Raises:
        UsageError: If nobody comes.

    Example:
        >>> days_for(1000, 300), days_for(1000, 300, arrivals=[300, 500, 600])
        (4, 7)
    """
    if arrivals is not None and len(arrivals) > 1:
        for day, seen in enumerate(arrivals, 1):
            if seen >= n:
                return day
        daily, rest = arrivals[-1] - arrivals[-2], n - arrivals[-1]
        if daily > 0:
            return len(arrivals) + math.ceil(rest / daily - 1e-9)
    if not daily > 0:
        raise UsageError(f"{daily:g} units come a day, so that {n:,.0f} are never reached. Plan for other units.")
    return math.ceil(n / daily - 1e-9)


def units_by(day: int, daily: float, *, arrivals: Sequence[float] | None = None) -> float:
    """Units that have come by the end of a day: the inverse of :func:`days_for`.

    Example:
        >>> units_by(4, 300), units_by(7, 300, arrivals=[300, 500, 600])
        (1200, 1000)
    """
    if arrivals is None or len(arrivals) < 2:
        return day * daily
    if day <= len(arrivals):
        return arrivals[day - 1]
    return arrivals[-1] + (day - len(arrivals)) * (arrivals[-1] - arrivals[-2])
