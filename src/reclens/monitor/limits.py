"""Limits of the scores of a day, from the scores of the days before: all slices of an indicator share its budget.

A limit is a tail of known shape (:mod:`reclens.stats.tails`). What is mostly sampling error has the tail of normal
noise, whatever the history. Of the others a short history tells little: until the indicators of a monitor have enough
days together to show that the budget is kept, the limit of an alert leans on heavy tails, and what lies between it and
the limit of a usual tail is ``short_history``. If the days before had more alerts than the budget explains, limits are
raised to the conformal threshold of these days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from reclens.monitor.rules import Rule
from reclens.monitor.scales import back
from reclens.stats.tails import YEAR, drift_tail, score_tail, threshold_for

__all__ = ["UNLEARNED", "Scored", "limits_of"]

UNLEARNED: Final = 4.0
"""Distance beyond which a day teaches nothing."""
_EXCURSION: Final = (2.0, 4.0)
"""Days that a cumulative sum stays beyond a limit, on average, once it is: they are one alert. Of skewed noise, and of
sampling error."""
_TOGETHER: Final = 0.2
"""Share of the slices of an indicator that are far out together only in an incident."""
_MOST: Final = 3.0
"""The most that days with alerts may raise a limit: incidents that nobody marked must not make the monitor deaf."""
_CHANCE: Final = 0.05
"""More alerts than the budget gives with this probability are too many."""
_FEWEST: Final = 3
"""Fewer alerts than this raise no limit: they may be incidents."""
_RECENT: Final = 14
"""Last days, which no limit is learned from: what is under way must not hide itself. Of a short history it is half of
those that have scores."""
_PAIRS: Final = 100.0
"""Pairs of days that weigh as much as the assumption that days do not follow each other."""
_FORECAST: Final = 1.6
"""A forecast is made of sampled days too: variance of its distances by the sampling error of the judged day (simulated,
days of normal noise alone after eight weeks)."""
_SAMPLED: Final = 0.5
"""Share of sampling error from which on the tail of an indicator is known without a history."""
_USUAL: Final = 4.0
"""Degrees of freedom of days that no history tells of."""
_DOUBT: Final = 1.28
"""Standard errors of its tail that an alert has to be beyond: one-sided, at 90 %."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Scores of one indicator: arrays of shape (days, slices).

    Attributes:
        rule: How it is judged.
        keys: Its slices.
        expected: Forecasts, on the scale of the rule.
        scale: Standard deviations of distances from them.
        z: Distances in these units.
        early: The same of days before there was a scale.
        sums: Scores of drift.
        record: Whether a distance is larger than those before.
        sampled: Share of the variance that is sampling error.
        memory: Days whose distances a scale is learned from, at most.
        warm_up: Days before the first forecast, and distances that the first scale is learned from.
    """

    rule: Rule
    keys: pl.DataFrame
    expected: np.ndarray
    scale: np.ndarray
    z: np.ndarray
    early: np.ndarray
    sums: np.ndarray
    record: np.ndarray
    sampled: np.ndarray
    memory: int
    warm_up: int

    @cached_property
    def calm(self) -> np.ndarray:
        """Days to learn limits from, without those on which much of the indicator is far out; of shape (days,)."""
        far = ((np.abs(self.z) > UNLEARNED) & self.record).sum(axis=1)
        return far < np.maximum(_TOGETHER * np.isfinite(self.z).sum(axis=1), 2)

    @cached_property
    def seen(self) -> np.ndarray:
        """Sizes of scores that tails are learned from: of days that are far out one after the other the first alone."""
        sizes = np.abs(np.where(np.isnan(self.z), self.early, self.z))
        far = (sizes > UNLEARNED) & (self.record | np.isnan(self.z))
        goes_on = np.zeros_like(far)
        goes_on[1:] = far[1:] & far[:-1]
        return np.where(self.calm[:, None] & ~goes_on, sizes, np.nan)

    @cached_property
    def follows(self) -> np.ndarray:
        """Correlation of scores with those of the day before, over the previous days; shrunk for few days."""
        z = np.clip(np.where(self.calm[:, None], self.z, np.nan), -3.0, 3.0)
        product, square = z[1:] * z[:-1], (z[1:] ** 2 + z[:-1] ** 2) / 2
        known = np.isfinite(product)
        sums, squares, n = (
            np.concatenate([[0.0, 0.0], np.cumsum(np.where(known, each, 0.0).sum(axis=1))])
            for each in (product, square, known.astype(float))
        )
        with np.errstate(invalid="ignore"):
            return np.clip(np.nan_to_num(sums / squares) * n / (n + _PAIRS), 0.0, 0.8)

    @cached_property
    def begins(self) -> np.ndarray:
        """Number of the first day with a scale, of each slice; that of no day if there is none."""
        known = np.isfinite(self.scale)
        return np.where(known.any(axis=0), known.argmax(axis=0), len(known))

    def bad(self, scores: np.ndarray) -> np.ndarray:
        """Size of scores in the bad direction; 0 in the other."""
        sign = {"up": 1.0, "down": -1.0}.get(self.rule.direction)
        return np.abs(scores) if sign is None else np.maximum(scores * sign, 0.0)

    def sampled_on(self, at: int) -> float:
        """Share of sampling error of a day; 0 while nothing is known."""
        known = np.isfinite(self.scale[at])
        return min(_FORECAST * float(np.median(self.sampled[at][known])), 1.0) if known.any() else 0.0

    def old_sizes(self, at: int) -> np.ndarray:
        """Sizes of scores to learn from on a day, of slices that have a scale by then.

        Those of the days before a slice had one are in units of a scale that nobody knew yet.
        """
        seen = self.seen[:at, self.begins <= at]
        known = at - int(np.isfinite(seen).any(axis=1).argmax())
        return seen[: at - min(_RECENT, known // 2)].ravel()

    def old_sums(self, at: int) -> np.ndarray:
        """Sums of drift to learn from: those of the last days may be a drift under way."""
        old = max(at - _RECENT, 0)
        return self.sums[:old][self.calm[:old]].ravel()

    def limits(self, at: int, budget: float, like: np.ndarray | None, like_sums: np.ndarray) -> list[float]:
        """Limits of a day from the days before it: of what is unusual, of alerts, and of drift."""
        slices = max(1, int(np.isfinite(self.scale[at]).sum()))
        sided = 1 if self.rule.direction == "both" else 2
        rate = min(budget / YEAR / slices / 2 * sided, 0.1)
        sizes, sampled = self.old_sizes(at), self.sampled_on(at)
        days = float(max(min(at, self.memory) - self.warm_up, self.warm_up))
        usual, sure = (
            score_tail(sizes, rate=rate, days=days, sampled=sampled, freedom=_USUAL, like=like, doubt=doubt)
            for doubt in (0.0, _DOUBT)
        )
        follows = float(self.follows[max(at - _RECENT, 0)])
        lasts = _EXCURSION[sampled >= _SAMPLED]
        drift = drift_tail(self.old_sums(at), rate=min(rate * lasts, 0.1), follows=follows, like=like_sums)
        return [usual, sure, drift]

    def rows(self, days: pl.Series, begin: int, calm: np.ndarray, level: np.ndarray, drift: np.ndarray) -> pl.DataFrame:
        """The columns of the days from a number on, in the unit of the value.

        Args:
            days: The days.
            begin: Number of the first one.
            calm: A limit a day: beyond it a value is unusual.
            level: The same of alerts.
            drift: The same of drift.
        """
        expected, scale, sums = self.expected[begin:], self.scale[begin:], self.sums[begin:]
        found = {
            "expected": back(self.rule.scale, expected),
            "low": back(self.rule.scale, expected - level[:, None] * scale),
            "high": back(self.rule.scale, expected + level[:, None] * scale),
            "z": self.z[begin:],
            "drift": sums,
            "calm_limit": np.where(np.isfinite(scale), calm[:, None], np.nan),
            "limit": np.where(np.isfinite(scale), level[:, None], np.nan),
            "drift_limit": np.where(np.isfinite(sums), drift[:, None], np.nan),
            "record": self.record[begin:].astype(float),
            "sign": np.full(expected.shape, {"up": 1.0, "down": -1.0}.get(self.rule.direction, 0.0)),
        }
        of_day, of_slice = (each.ravel() for each in np.indices(expected.shape))
        return self.keys[of_slice].with_columns(
            days[of_day].alias("day"), *(pl.Series(name, each.ravel()).fill_nan(None) for name, each in found.items())
        )


def limits_of(parts: Sequence[Scored], at: int, budgets: np.ndarray, cool_down: int) -> np.ndarray:
    """Limits of one day for each indicator, shape (indicators, 3): of what is unusual, of alerts, and of drift.

    Args:
        parts: The indicators.
        at: Number of the day.
        budgets: False alerts a year of each indicator: half of them of single days.
        cool_down: Days after an alert that belong to it.
    """
    sampled = np.array([part.sampled_on(at) for part in parts]) >= _SAMPLED
    # An indicator that begins later has no part in the limits of today: a backfill finds what the run of the day found.
    begun = np.array([bool((part.begins <= at).any()) for part in parts])
    found = np.zeros((len(parts), 3))
    for known in (True, False):
        group = np.flatnonzero(begun & (sampled == known))
        mine = [parts[each] for each in group.tolist()]
        if not mine:
            continue
        # Of sampling error the tail is known, and others tell nothing of it.
        alone = known or len(mine) == 1
        like = None if alone else np.concatenate([part.old_sizes(at) for part in mine])
        like_sums = np.concatenate([part.old_sums(at) for part in mine])
        limits = [
            one.limits(at, each, like, like_sums) for one, each in zip(mine, budgets[group].tolist(), strict=True)
        ]
        found[group] = limits
        z = [np.where(np.isnan(part.z), np.nan, np.where(part.record, part.z, 0.0)) for part in mine]
        budget, old = float(budgets[group].mean()) / 2, max(at - _RECENT, 0)
        found[group, 1] *= _raised(mine, z, found[group, 1], old, budget, cool_down)
        found[group, 2] *= _raised(mine, [part.sums for part in mine], found[group, 2], old, budget, cool_down)
    return found


def _raised(
    parts: Sequence[Scored], scores: Sequence[np.ndarray], limits: np.ndarray, at: int, budget: float, cool_down: int
) -> float:
    """Factor on limits that keeps the alerts of the previous days within the budget.

    Sizes are in units of the limit, so that all indicators and slices count together. Alerts of days that follow each
    other are one, whatever their indicators, because a cause moves many; only more of them than the budget gives by
    chance raise limits.

    Args:
        parts: The indicators.
        scores: Their scores, of shape (days, slices).
        limits: Their limits of the day.
        at: Number of days that are counted.
        budget: Alerts a year of an indicator.
        cool_down: Days after an alert that belong to it.
    """
    from scipy.special import pdtrc

    largest, known = np.zeros(at), np.zeros(at)
    for part, score, limit in zip(parts, scores, limits, strict=True):
        size = part.bad(score[:at]) / limit
        there = np.isfinite(size) & part.calm[:at, None]
        largest = np.maximum(largest, np.max(np.where(there, size, 0.0), axis=1, initial=0.0))
        known += there.any(axis=1)
    judged = known > 0
    if not judged.any():
        return 1.0
    ratios = np.where(judged, largest, np.nan)[:, None]
    each_year = budget * float(known[judged].mean())
    found = threshold_for(ratios, budget=each_year, cool_down=cool_down)
    expected = each_year * found.series_days / YEAR
    beyond = np.flatnonzero(largest > 1.0)
    count = 1 + int((np.diff(beyond) > cool_down).sum())
    if not len(beyond) or count < _FEWEST or pdtrc(count - 1, expected) > _CHANCE:
        return 1.0
    raised = found.value if found.state == "set" else float(largest.max())
    return float(np.clip(raised, 1.0, _MOST))
