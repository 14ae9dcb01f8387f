"""Inference after a group-sequential test has stopped: p-value, estimate and interval that account for stopping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reclens.errors import ArgumentValueError
from reclens.stats.estimate import Estimate
from reclens.stats.sequential.integrate import Path, check_times, root_of
from reclens.tabular import Tabular

__all__ = ["Stopped", "at_stopping", "repeated_interval"]


@dataclass(frozen=True, kw_only=True)
class Stopped(Tabular):
    """The outcome of a test that stopped.

    Attributes:
        look: Number of the look, from 1.
        z: The statistic there.
        p: Two-sided p-value by the stage-wise ordering.
        median_unbiased: Median-unbiased estimate; the plain estimate is too large at a stop.
        low: Lower end of the interval that belongs to the p-value.
        high: Upper end.
        level: Its confidence level.
    """

    look: int
    z: float
    p: float
    median_unbiased: float
    low: float
    high: float
    level: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def at_stopping(
    times: Sequence[float], upper: Sequence[float], *, estimate: float, se: float, level: float = 0.95, sides: int = 2
) -> Stopped:
    """p-value, median-unbiased estimate and interval of a test that stopped at the last of ``times``.

    Outcomes are ordered by stage: the earlier the upper bound is crossed the more extreme. Source: Tsiatis, Rosner and
    Mehta (1984); Jennison and Turnbull (2000), sec. 8.4 and 8.5. Futility bounds are not binding and are not used.

    Args:
        times: Information at the looks made, the last of which stopped.
        upper: Bounds of z at those looks; the last one is not used.
        estimate: The effect at the stop.
        se: Its standard error.
        level: Confidence level.
        sides: 2 if looks stopped below −upper too.

    Raises:
        UsageError: If the standard error is not above 0, or there are not as many bounds as looks.

    Example:
        >>> found = at_stopping([0.5], [2.8], estimate=0.3, se=0.1)  # at the first look it is the plain interval
        >>> round(found.p, 4), round(found.low, 3), round(found.high, 3)
        (0.0027, 0.104, 0.496)
    """
    times = check_times(times)
    if not se > 0:
        raise ArgumentValueError("se", f"is {se}, expected a number above 0")
    if len(upper) != len(times):
        raise ArgumentValueError("upper", f"has {len(upper)} bounds for {len(times)} looks, expected a bound a look")
    z = estimate / se
    scale = se * math.sqrt(times[-1])  # an effect is its drift times this

    def beyond(drift: float) -> float:
        """Probability of an outcome at least as far up, under a drift."""
        path, total = Path.begin(drift), 0.0
        for at, time in enumerate(times[:-1]):
            total += path.above(time, upper[at])
            path = path.on(time, -upper[at] if sides == 2 else -math.inf, upper[at], following=times[at + 1])
        return total + path.above(times[-1], z)

    def drift_at(target: float) -> float:
        centre = z / math.sqrt(times[-1])
        width = 4.0
        while beyond(centre - width) > target or beyond(centre + width) < target:
            width *= 2
        return root_of(lambda drift: beyond(drift) - target, centre - width, centre + width, tolerance=1e-7)

    tail = (1 - level) / 2
    above = beyond(0.0)
    return Stopped(
        look=len(times),
        z=z,
        p=min(1.0, 2 * min(above, 1 - above)),
        median_unbiased=drift_at(0.5) * scale,
        low=drift_at(tail) * scale,
        high=drift_at(1 - tail) * scale,
        level=level,
    )


def repeated_interval(*, estimate: float, se: float, bound: float, n: int, level: float = 0.95) -> Estimate:
    """Repeated confidence interval, valid at every planned look whether the test stops or not: estimate ± bound · se.

    Source: Jennison and Turnbull (1989); all of them cover the truth together with the confidence level.

    Example:
        >>> print(repeated_interval(estimate=0.3, se=0.1, bound=2.68, n=1000))
        0.3 [0.032, 0.568]
    """
    return Estimate(
        estimate, low=estimate - bound * se, high=estimate + bound * se, n=n, level=level, note="repeated_interval"
    )
