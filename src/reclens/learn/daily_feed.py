"""A month of a shop's daily numbers, with incidents, a late file and runs that are killed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np

from reclens.learn.exercise import Draw

__all__ = ["DAYS", "FIRST", "HISTORY", "LASTS", "Month", "Row", "mondays", "month_of", "numbers_of"]

FIRST: Final = date(2026, 3, 2)
DAYS: Final = 30
HISTORY: Final = 28
LASTS: Final = 2
"""Days of an incident."""
_METRICS: Final = ("impressions", "ctr", "conversion", "latency")
_WORSE: Final[Mapping[str, float]] = {"impressions": 0.65, "ctr": 0.7, "conversion": 0.45, "latency": 1.3}
"""Factor of an incident."""
_COUNTS: Final = ("impressions", "clicks", "conversions")
_TRACKED: Final = (*_COUNTS, "ctr", "conversion", "latency")
Row = list[Any]
"""Batch, surface, impressions, clicks, conversions and mean latency."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """What happens.

    Attributes:
        history: Day -> rows, before the first day.
        feed: Day -> rows.
        late: The day whose file comes a day later.
        lost: The day whose first run is killed before its state is saved.
        unknown: The day whose first run is killed after its state was saved.
        incidents: Metric -> first day.
    """

    history: Mapping[str, Sequence[Row]]
    feed: Mapping[str, Sequence[Row]]
    late: date
    lost: date
    unknown: date
    incidents: Mapping[str, date]

    def runs(self) -> list[dict[str, Any]]:
        """The runs in their order: the day, the files of the last three days that are there, whether state is saved."""
        runs: list[dict[str, Any]] = []
        for at in range(DAYS):
            day = FIRST + timedelta(at)
            seen = [each for each in (day - timedelta(back) for back in (2, 1, 0)) if each >= FIRST]
            there = {str(each): self.feed[str(each)] for each in seen if not (each == day == self.late)}
            run = {"day": str(day), "feed": there, "saved": True}
            if day == self.lost:
                runs.append({**run, "saved": False})
            if day == self.unknown:
                runs.append(run)
            runs.append(run)
        return runs


def numbers_of(rows: Sequence[Row]) -> dict[str, float]:
    """The numbers of a day or a week: each batch once, ratios of sums, latency weighted by impressions."""
    once = list({row[0]: row for row in rows}.values())
    impressions, clicks, conversions = (sum(row[at] for row in once) for at in (2, 3, 4))
    return {
        "impressions": impressions,
        "clicks": clicks,
        "conversions": conversions,
        "ctr": clicks / impressions,
        "conversion": conversions / clicks,
        "latency": sum(row[2] * row[5] for row in once) / impressions,
    }


def mondays() -> list[str]:
    """The Mondays of the whole weeks of the month."""
    return [str(FIRST + timedelta(7 * each)) for each in range(DAYS // 7)]


@lru_cache(maxsize=16)
def month_of(draw: Draw) -> Month:
    """The month of a draw."""
    rng = draw.rng("month")
    # An incident every seven days, none of them in the first two.
    starts = [FIRST + timedelta(2 + 7 * week + int(rng.integers(0, 4))) for week in range(4)]
    incidents = dict(zip(rng.permutation(_METRICS).tolist(), starts, strict=True))
    bad = {first + timedelta(each): metric for metric, first in incidents.items() for each in range(LASTS)}
    calm = [day for at in range(1, DAYS - 1) if (day := FIRST + timedelta(at)) not in bad]
    late, lost = (calm[int(each)] for each in rng.choice(len(calm), 2, replace=False))
    unknown = starts[int(rng.integers(4))]  # whoever alerts at every run alerts twice
    days = [FIRST + timedelta(at) for at in range(-HISTORY, DAYS)]
    repeated = {FIRST + timedelta(int(each)) for each in rng.choice(DAYS, 4, replace=False)}
    rows = {str(day): _rows(rng, day, bad.get(day), repeats=day in repeated) for day in days}
    history, feed = days[:HISTORY], days[HISTORY:]
    return Month(
        history={str(day): rows[str(day)] for day in history},
        feed={str(day): rows[str(day)] for day in feed},
        late=late,
        lost=lost,
        unknown=unknown,
        incidents=incidents,
    )


def _rows(rng: np.random.Generator, day: date, worse: str | None, *, repeats: bool) -> list[Row]:
    """Batches of a day: traffic and clicks follow the week, and an incident makes one metric worse."""
    by = {metric: _WORSE[metric] if metric == worse else 1.0 for metric in _METRICS}
    week = math.sin(2 * math.pi * day.weekday() / 7)
    traffic = 40_000 * (1 + 0.2 * week) * math.exp(rng.normal(0, 0.02)) * by["impressions"]
    liked = 0.05 * (1 + 0.1 * week) * math.exp(rng.normal(0, 0.01)) * by["ctr"]
    rows: list[Row] = []
    for number, (surface, share, ratio) in enumerate((("home", 0.5, 0.9), ("search", 0.3, 1.3), ("item", 0.2, 0.8))):
        impressions = int(rng.poisson(traffic * share))
        clicks = int(rng.binomial(impressions, liked * ratio))
        conversions = int(rng.binomial(clicks, 0.2 * by["conversion"]))
        latency = round((90 + 20 * number) * math.exp(rng.normal(0, 0.02)) * by["latency"], 2)
        rows.append([f"{day}/{number}", surface, impressions, clicks, conversions, latency])
    return [*rows, rows[int(rng.integers(3))]] if repeats else rows
