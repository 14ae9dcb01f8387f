"""The feedback loop in an audit: the drift of each measure over the rounds, for all users and each group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.audit.rows import BAND, AuditRow, Harm
from reclens.data.dataset import Dataset
from reclens.evaluation.results import OVERALL
from reclens.schema import USER
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.tabular import Tabular

if TYPE_CHECKING:
    from reclens.lab.feedback import FeedbackLoop

__all__ = ["LoopCurve", "LoopPoint", "LoopTrend", "loop_curve", "loop_rows", "with_groups"]

_HARM: Final[Mapping[str, Harm]] = {
    "gini": "high",
    "gini_consumed": "high",
    "coverage": "low",
    "arp": "high",
    "homogenisation": "high",
}
"""Measures that are above 0 from the first round on, so that their growth is defined, and which way is the worse."""


@dataclass(frozen=True, kw_only=True)
class LoopPoint(Tabular):
    """A measure in one round.

    Attributes:
        by: The attribute of users; ``"overall"`` for all of them.
        segment: The group; ``"all"`` for all users.
        measure: Name of the measure; see :data:`reclens.lab.feedback.Measure`.
        round: The round, from 0.
        value: Mean over the runs, with Student's interval; its ``n`` is the number of runs.
    """

    by: str
    segment: str
    measure: str
    round: int
    value: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        about = {key: each for key, each in asdict(self).items() if key != "value"}
        return [{**about, "value": self.value.value, "low": self.value.low, "high": self.value.high}]


@dataclass(frozen=True, kw_only=True)
class LoopTrend(Tabular):
    """How fast a measure moves.

    Attributes:
        by: The attribute of users.
        segment: The group.
        measure: What moves.
        slope: Change a round, with its interval over the runs.
    """

    by: str
    segment: str
    measure: str
    slope: Estimate

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        slope = self.slope
        about = {"by": self.by, "segment": self.segment, "measure": self.measure}
        return [{**about, "slope": slope.value, "low": slope.low, "high": slope.high, "n": slope.n}]


@dataclass(frozen=True, kw_only=True)
class LoopCurve:
    """The rounds of a simulated feedback loop.

    Attributes:
        recommender: The recommender that is retrained each round.
        points: Every measure of every group in every round.
        trends: Their slopes.
        rounds: Number of rounds.
        seeds: Number of runs.
    """

    recommender: str
    points: tuple[LoopPoint, ...]
    trends: tuple[LoopTrend, ...]
    rounds: int
    seeds: int


def with_groups(train: Dataset) -> Dataset:
    """Training data whose table of users holds the segmentations too, so that a world fitted to it knows them."""
    if train.segments is None:
        return train
    known = train.segments
    if train.users is None:
        return replace(train, users=known)
    made = [name for name in train.users.columns if name == USER or name not in known.columns]
    return replace(train, users=train.users.select(made).join(known, on=USER, how="left"))


def loop_curve(loop: FeedbackLoop, *, level: float = 0.95) -> LoopCurve:
    """The rounds of a loop, as means over its runs with intervals."""
    points = [
        LoopPoint(
            by=str(by), segment=str(segment), measure=str(measure), round=at, value=mean_estimate(each, level=level)
        )
        for (by, segment, measure), table in _tables(loop).items()
        for at, each in enumerate(table.T)
    ]
    trends = [
        LoopTrend(by=each.by, segment=each.segment, measure=each.measure, slope=each.slope) for each in loop.slopes
    ]
    card = loop.card
    return LoopCurve(
        recommender=loop.recommender,
        points=tuple(points),
        trends=tuple(trends),
        rounds=card["rounds"],
        seeds=card["seeds"],
    )


def loop_rows(loop: FeedbackLoop, *, level: float = 0.95, band: float = BAND) -> list[AuditRow]:
    """How far each measure has grown by the last round, and whether a group drifts more than all users together.

    For all users the last round is compared with the first; the growth (last ÷ first) of a group with that of all
    users, in the same runs. Growth is tested on its logarithm by Student's t over the runs. Slopes, and the shift of
    tastes, which begins at 0, are described and not tested.

    Args:
        loop: The loop; ``n`` is the number of its runs.
        level: Confidence level.
        band: A ratio between this and its inverse is no material difference.
    """
    tables = _tables(loop)
    rows: list[AuditRow] = []
    for (by, segment, measure), table in tables.items():
        if measure not in _HARM:
            continue
        about: dict[str, Any] = {"measure": f"loop_{measure}", "by": by, "segment": segment, "harm": _HARM[measure]}
        first, last = table[:, 0], table[:, -1]
        if (by, segment) == OVERALL:
            rows.append(_grown(last, first, "first_round", about, level, band))
            continue
        whole = tables[(*OVERALL, measure)]
        with np.errstate(divide="ignore", invalid="ignore"):
            rows.append(_grown(last / first, whole[:, -1] / whole[:, 0], "all_users", about, level, band))
    return rows + [_slope(each.by, each.segment, each.measure, each.slope) for each in loop.slopes]


def _tables(loop: FeedbackLoop) -> dict[tuple[str, str, str], np.ndarray]:
    """Group and measure -> its values, shape (runs, rounds)."""
    found = {}
    for (by, segment, measure), rows in loop.rounds.group_by("by", "segment", "measure", maintain_order=True):
        ordered = rows.sort("seed", "round")
        found[str(by), str(segment), str(measure)] = (
            ordered["value"].cast(pl.Float64).to_numpy().reshape(ordered["seed"].n_unique(), -1)
        )
    return found


def _grown(
    value: np.ndarray, other: np.ndarray, reference: str, about: dict[str, Any], level: float, band: float
) -> AuditRow:
    """Compare two numbers of the same run, for each run."""
    n = len(value)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(value) - np.log(other)
    log = mean_estimate(logs, level=level)
    ends = [None if end is None else math.exp(end) for end in (log.low, log.high)]
    p_value, p_equivalent = _tests(logs, band)
    return AuditRow(
        section="loop",
        reference=reference,
        n=n,
        n_reference=n,
        value=mean_estimate(value, level=level),
        reference_value=mean_estimate(other, level=level),
        difference=mean_estimate(value - other, level=level),
        ratio=Estimate(
            math.exp(log.value) if math.isfinite(log.value) else math.nan, low=ends[0], high=ends[1], n=n, level=level
        ),
        p_value=p_value,
        p_equivalent=p_equivalent,
        reason=None if math.isfinite(p_value) else "few_runs" if n < 2 else "not_defined",
        **about,
    )


def _tests(logs: np.ndarray, band: float) -> tuple[float, float]:
    """Student's t of no growth, and the larger of the two one-sided p-values of a growth beyond the band."""
    from scipy.special import stdtr

    n = len(logs)
    error = float(logs.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    if not (math.isfinite(error) and error > 0):
        return math.nan, math.nan
    centre, reach = float(logs.mean()), -math.log(band)
    p_value = 2 * float(stdtr(n - 1, -abs(centre) / error))
    beyond = (float(stdtr(n - 1, -(centre + reach) / error)), float(stdtr(n - 1, (centre - reach) / error)))
    return p_value, max(beyond)


def _slope(by: str, segment: str, measure: str, slope: Estimate) -> AuditRow:
    nothing = Estimate(0.0, low=None, high=None, n=slope.n, level=slope.level)
    undefined = Estimate(math.nan, low=None, high=None, n=slope.n, level=slope.level)
    return AuditRow(
        section="loop",
        measure=f"loop_{measure}_slope",
        by=by,
        segment=segment,
        reference="no_drift",
        n=slope.n,
        n_reference=slope.n,
        value=slope,
        reference_value=nothing,
        difference=slope,
        ratio=undefined,
        family="descriptive",
    )
