"""Cost of interim looks: false positives, power and sample size, compared with one look at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reclens.stats.sequential.always_valid import always_valid_bounds
from reclens.stats.sequential.group import drift_for, fixed_drift, group_sequential
from reclens.stats.sequential.integrate import check_times, exit_probabilities
from reclens.stats.sequential.spending import CLASSICAL, SPENDINGS
from reclens.tabular import Tabular

__all__ = ["Price", "price_in_power"]


@dataclass(frozen=True, kw_only=True)
class Price(Tabular):
    """Cost of one plan.

    Attributes:
        plan: ``one_look`` at the end, ``peeking`` without a plan, the bounds of :data:`SPENDINGS` and
            :data:`CLASSICAL`, ``confidence_sequence`` or ``msprt``.
        looks: Number of looks.
        false_positives: Chance of a false positive over all looks.
        power: Power with the sample that the fixed test needs for its power.
        inflation: Sample that restores that power, over that of the fixed test; None if the plan exceeds the level.
        expected_size: Mean sample at the planned effect when stopping at a bound, with that larger sample.
        expected_size_null: The same when there is no effect.
    """

    plan: str
    looks: int
    false_positives: float
    power: float
    inflation: float | None
    expected_size: float | None
    expected_size_null: float | None

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def price_in_power(
    times: int | Sequence[float], *, level: float = 0.95, power: float = 0.8, tightest: float = 0.5
) -> list[Price]:
    """Compare one look, naive peeking and all valid sequential methods at the same times.

    Args:
        times: Number of equally spaced looks, or information at each look up to 1.
        level: Confidence level.
        power: Power of the fixed test at the planned effect.
        tightest: Information at which the always-valid methods are tightest.

    Example:
        >>> for each in price_in_power(5)[:3]:
        ...     print(each.plan, round(each.false_positives, 3), round(each.power, 3))
        one_look 0.05 0.8
        peeking 0.142 0.849
        lan_demets_obrien_fleming 0.05 0.79
    """
    from scipy.special import ndtri

    looks = check_times([at / times for at in range(1, times + 1)] if isinstance(times, int) else times)
    z = float(ndtri(0.5 + level / 2))
    fixed = fixed_drift(level=level, power=power)
    named: list[tuple[str, Sequence[float], np.ndarray]] = [
        ("one_look", [1.0], np.array([z])),
        ("peeking", looks, np.full(len(looks), z)),
    ]
    named += [
        (spending, looks, np.array(group_sequential(looks, spending=spending, level=level).upper))
        for spending in (*SPENDINGS, *sorted(CLASSICAL))
    ]
    for title, exact in (("confidence_sequence", False), ("msprt", True)):
        named.append((title, looks, always_valid_bounds(looks, level=level, tightest=tightest, exact=exact)))
    return [_price(title, at, bounds, fixed, power, naive=title == "peeking") for title, at, bounds in named]


def _price(title: str, times: Sequence[float], bounds: np.ndarray, fixed: float, power: float, *, naive: bool) -> Price:
    def stops(drift: float) -> np.ndarray:
        up, down = exit_probabilities(times, bounds.tolist(), (-bounds).tolist(), drift=drift)
        return up + down

    def mean_time(drift: float) -> float:
        stop = stops(drift)
        stop[-1] = 1 - stop[:-1].sum()
        return float(stop @ np.asarray(times))

    if naive:
        return Price(
            plan=title,
            looks=len(times),
            false_positives=float(stops(0.0).sum()),
            power=float(stops(fixed).sum()),
            inflation=None,
            expected_size=None,
            expected_size_null=None,
        )
    drift = drift_for(lambda theta: float(stops(theta).sum()), power, start=fixed)
    inflation = (drift / fixed) ** 2
    return Price(
        plan=title,
        looks=len(times),
        false_positives=float(stops(0.0).sum()),
        power=float(stops(fixed).sum()),
        inflation=inflation,
        expected_size=inflation * mean_time(drift),
        expected_size_null=inflation * mean_time(0.0),
    )
