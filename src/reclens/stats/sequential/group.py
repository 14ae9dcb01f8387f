"""Group-sequential tests: a few looks, each with a bound for the statistic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.stats.sequential.integrate import Path, check_times, exit_probabilities, root_of
from reclens.stats.sequential.spending import CLASSICAL, spent
from reclens.tabular import Tabular

__all__ = ["GroupSequential", "bounds_of_shape", "bounds_of_spending", "drift_for", "fixed_drift", "group_sequential"]

_NEVER: Final = 10.0
"""A bound that is practically never crossed stands for anything beyond it."""


@dataclass(frozen=True, kw_only=True)
class GroupSequential(Tabular):
    """A group-sequential plan.

    Attributes:
        times: Information at each look, as a share of the planned sample.
        upper: Bound of z at each look: stop for an effect above it, and below its negative when ``sides`` is 2.
        futility: Bound of z at each look below which to stop for futility (or None). It is not binding: continuing
            below it does not raise the false positive rate.
        sides: 1 or 2.
        alpha: Probability of a false positive, over both sides.
        power: Power at the planned effect with the planned sample, which is ``inflation`` times the fixed one.
        spending: Spending function or shape of the bounds.
        drift: Mean of z at full information under the planned effect.
        inflation: Planned sample over that of a test with one look at the end.
    """

    times: tuple[float, ...]
    upper: tuple[float, ...]
    futility: tuple[float, ...] | None
    sides: int
    alpha: float
    power: float
    spending: str
    drift: float
    inflation: float

    @property
    def lower(self) -> tuple[float, ...]:
        """The bound below which the test stops for harm: −upper, or none for one side."""
        return tuple(-each if self.sides == 2 else -math.inf for each in self.upper)

    def crossing(self, *, drift: float = 0.0, futility: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Probability to stop at each look above and below, under a drift; below counts futility where asked for."""
        return exit_probabilities(self.times, self.upper, self._floor(futility), drift=drift)

    def power_at(self, effect: float) -> float:
        """Power with the planned sample if the true effect is so many times the planned one; futility counts."""
        up, down = self.crossing(drift=self.drift * effect, futility=self.futility is not None)
        return float(up.sum() + (down.sum() if self.sides == 2 and self.futility is None else 0.0))

    def expected_size(self, effect: float = 1.0) -> float:
        """Mean sample when stopping as planned, over that of a test with one look at the end.

        Args:
            effect: True effect over the planned one; 0 is the null hypothesis.
        """
        up, down = self.crossing(drift=self.drift * effect, futility=self.futility is not None)
        stop = up + down
        stop[-1] = 1 - stop[:-1].sum()
        return float(stop @ np.asarray(self.times)) * self.inflation

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row a look: information, bounds, nominal p, and the chances to stop by then under null and plan."""
        from scipy.special import ndtr

        null_up, null_down = self.crossing()
        plan_up, plan_down = self.crossing(drift=self.drift, futility=self.futility is not None)
        rows = []
        for at, time in enumerate(self.times):
            rows.append(
                {
                    "look": at + 1,
                    "information": time,
                    "upper": self.upper[at],
                    "lower": self.lower[at],
                    "futility": None if self.futility is None else self.futility[at],
                    "nominal_p": float(self.sides * ndtr(-self.upper[at])),
                    "error_spent": float(null_up[: at + 1].sum() + (self.sides == 2) * null_down[: at + 1].sum()),
                    "power_so_far": float(plan_up[: at + 1].sum()),
                    "stopped_so_far": float((plan_up + plan_down)[: at + 1].sum()) if at + 1 < len(self.times) else 1.0,
                }
            )
        return rows

    def _floor(self, futility: bool) -> tuple[float, ...]:
        if not futility or self.futility is None:
            return self.lower
        return tuple(max(pair) for pair in zip(self.lower, self.futility, strict=True))


def group_sequential(
    times: int | Sequence[float],
    *,
    spending: str = "lan_demets_obrien_fleming",
    parameter: float | None = None,
    level: float = 0.95,
    sides: Literal[1, 2] = 2,
    power: float = 0.8,
    futility: str | None = None,
) -> GroupSequential:
    """Make a group-sequential plan.

    Args:
        times: Number of equally spaced looks, or the information at each look; any rising times, the last one 1.
        spending: One of ``SPENDINGS``, or ``pocock`` or ``obrien_fleming`` for the classical bounds.
        parameter: ρ or γ of the spending.
        level: Confidence level: 1 − alpha, two-sided. One-sided tests spend alpha / 2, half of it, on their side.
        sides: 2, or 1 for an effect upwards only.
        power: Power at the planned effect.
        futility: Spending of the type-II error for futility stops; None for no futility stops.

    Returns:
        The plan.

    Raises:
        UsageError: If the times do not rise to 1, or a share is out of range.
        UnknownNameError: If there is no such spending.

    Example:
        >>> plan = group_sequential(5)
        >>> [round(each, 3) for each in plan.upper], round(plan.inflation, 3)
        ([4.877, 3.357, 2.68, 2.29, 2.031], 1.025)
    """
    if isinstance(times, int):
        times = [look / max(times, 1) for look in range(1, times + 1)]
    looks = check_times(times)
    if abs(looks[-1] - 1) > 1e-9:
        raise UsageError(f"times end at {looks[-1]:g}, expected 1: the whole planned sample.")
    for name, value in (("level", level), ("power", power)):
        if not 0 < value < 1:
            raise ArgumentValueError(name, f"is {value}, expected a share between 0 and 1.")
    if power <= 1 - level:
        raise ArgumentValueError("power", f"is {power}, expected more than the {1 - level:.3g} of false positives")
    return _made(looks, spending, parameter, level, sides, power, futility)


@lru_cache(maxsize=256)
def _made(
    looks: tuple[float, ...],
    spending: str,
    parameter: float | None,
    level: float,
    sides: Literal[1, 2],
    power: float,
    futility: str | None,
) -> GroupSequential:
    """The plan; asked for again at every look, and once made always the same."""
    error = (1 - level) / 2
    if spending in CLASSICAL:
        upper = bounds_of_shape(looks, error=error, shape=0.0 if spending == "pocock" else -0.5, sides=sides)
    else:
        so_far = spent(looks, error=error, spending=spending, parameter=parameter)
        upper = bounds_of_spending(looks, so_far, sides=sides)
    below = tuple(-each if sides == 2 else -math.inf for each in upper)
    fixed = fixed_drift(level=level, power=power, sides=sides)
    if futility is None:
        futility_bounds = None
        drift = drift_for(lambda theta: _cross(looks, upper, below, theta, sides), power, start=fixed)
    else:
        lost = spent(looks, error=1 - power, spending=futility)
        drift = drift_for(lambda theta: _power_with_futility(looks, upper, lost, theta)[0], power, start=fixed)
        futility_bounds = _power_with_futility(looks, upper, lost, drift)[1]
    return GroupSequential(
        times=looks,
        upper=upper,
        futility=futility_bounds,
        sides=sides,
        alpha=round(1 - level, 12),
        power=power,
        spending=spending,
        drift=drift,
        inflation=(drift / fixed) ** 2,
    )


def bounds_of_spending(times: Sequence[float], spent_so_far: np.ndarray, *, sides: int = 2) -> tuple[float, ...]:
    """Bounds that spend so much error on the upper side up to each look; the last look may come before the end."""
    path, found = Path.begin(), list[float]()
    for at, time in enumerate(times):
        step = float(spent_so_far[at] - (spent_so_far[at - 1] if at else 0.0))
        bound = _root(lambda z, path=path, time=time: path.above(time, z), step)
        found.append(bound)
        if at + 1 < len(times):
            path = path.on(time, -bound if sides == 2 else -math.inf, bound, following=times[at + 1])
    return tuple(found)


def bounds_of_shape(times: Sequence[float], *, error: float, shape: float, sides: int = 2) -> tuple[float, ...]:
    """Bounds c · t^shape (Wang and Tsiatis, 1987) that spend the error of one side by the last look."""
    form = np.asarray(times) ** shape

    def total(c: float) -> float:
        lower = -c * form if sides == 2 else np.full(len(form), -math.inf)
        return float(exit_probabilities(times, list(c * form), list(lower))[0].sum())

    c = _root(total, error)
    return tuple((c * form).tolist())


def fixed_drift(*, level: float, power: float, sides: int = 2) -> float:
    """Mean of z at which one look at the end has a power; the far tail counts too."""
    from scipy.special import ndtri

    bound = float(ndtri(0.5 + level / 2))
    near = max(bound + float(ndtri(power)), 0.1)
    return drift_for(lambda theta: _cross([1.0], [bound], [-bound], theta, sides), power, start=near)


def drift_for(power_of: Callable[[float], float], power: float, *, start: float) -> float:
    """The drift at which a plan has a power; ``start`` is that of the fixed test, which is never above it."""
    high = start * 1.5
    while power_of(high) < power:
        high *= 1.5
    return root_of(lambda theta: power_of(theta) - power, 0.0, high, tolerance=1e-8)


def _cross(times: Sequence[float], upper: Sequence[float], lower: Sequence[float], drift: float, sides: int) -> float:
    up, down = exit_probabilities(times, upper, lower, drift=drift)
    return float(up.sum() + (down.sum() if sides == 2 else 0.0))


def _power_with_futility(
    times: Sequence[float], upper: Sequence[float], lost: np.ndarray, drift: float
) -> tuple[float, tuple[float, ...]]:
    """Power under a drift, and the bounds below which the type-II error is spent (the last is the upper bound)."""
    path, total, found = Path.begin(drift), 0.0, list[float]()
    for at, time in enumerate(times):
        total += path.above(time, upper[at])
        if at + 1 == len(times):
            break
        step = float(lost[at] - (lost[at - 1] if at else 0.0))
        bound = min(-_root(lambda z, path=path, time=time: path.below(time, -z), step), upper[at])
        found.append(bound)
        path = path.on(time, bound, upper[at], following=times[at + 1])
    return total, (*found, upper[-1])


def _root(probability: Callable[[float], float], target: float) -> float:
    """Where a falling probability of z equals a target, within ±10."""
    if probability(_NEVER) >= target:
        return _NEVER
    if probability(-_NEVER) <= target:
        return -_NEVER
    return root_of(lambda z: probability(z) - target, -_NEVER, _NEVER)
