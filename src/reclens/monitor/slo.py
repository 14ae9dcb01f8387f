"""Burn rate of the error budget of an objective.

As in the SRE workbook of Google (chapter 5, Alerting on SLOs), with its hours scaled to days: a budget of 28 days. Both
a long and a short window have to burn, so that an alert ends soon after its cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import polars as pl

from reclens.monitor.records import OVERALL

__all__ = ["FAST", "SLOW", "BurnRate", "burn_rate"]

FAST: Final = (3, 1, 14.0 / 3)
"""Days of the long and of the short window, and the rate: half of a budget of 28 days within 3."""
SLOW: Final = (14, 3, 1.0)
"""The same: as fast as the budget allows, for 14 days."""


@dataclass(frozen=True, kw_only=True)
class BurnRate:
    """Multiples of the rate that would use the error budget up within 28 days.

    Attributes:
        days: Length of a window in days -> rate over it.
        state: ``fast``: both windows of FAST burn; ``slow``: both of SLOW; ``ok``: neither; ``no_value``.
    """

    days: dict[int, float]
    state: Literal["ok", "slow", "fast", "no_value"]


def burn_rate(series: pl.DataFrame, indicator: str, day: date, *, slo: float, direction: str) -> BurnRate:
    """The burn rate of an indicator that is a share of events.

    Args:
        series: Columns of SERIES.
        indicator: An indicator with numerator and denominator, or a share.
        day: Last day.
        slo: Least share if ``direction`` is ``down``, most share if it is ``up``.
        direction: Which direction is bad.
    """
    allowed = slo if direction == "up" else 1 - slo
    rates: dict[int, float] = {}
    own = series.filter(pl.col("indicator") == indicator, pl.col("dimension") == OVERALL, pl.col("value").is_not_null())
    for days in sorted({FAST[0], FAST[1], SLOW[0], SLOW[1]}):
        part = own.filter(pl.col("day").is_between(day - timedelta(days=days - 1), day))
        share = _share(part)
        if share is None or allowed <= 0:
            continue
        rates[days] = (share if direction == "up" else 1 - share) / allowed
    if not own.filter(pl.col("day") == day).height or not rates:
        return BurnRate(days=rates, state="no_value")
    burns = {
        name: rates.get(long, 0.0) >= rate and rates.get(short, 0.0) >= rate
        for name, (long, short, rate) in {"fast": FAST, "slow": SLOW}.items()
    }
    # An incomplete long window, such as in the first week, is not evaluated.
    begin = own["day"].min()
    burns["slow"] &= isinstance(begin, date) and (day - begin).days + 1 >= SLOW[0] // 2
    return BurnRate(days=rates, state="fast" if burns["fast"] else "slow" if burns["slow"] else "ok")


def _share(part: pl.DataFrame) -> float | None:
    """Share over some days: of events, or the mean over days if events are unknown."""
    if not len(part):
        return None
    total, events = float(part["denominator"].sum()), float(part["numerator"].sum())
    if total and not part["numerator"].has_nulls():
        return events / total
    mean = part["value"].mean()
    return float(mean) if isinstance(mean, float) else None
