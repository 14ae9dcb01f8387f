"""Explain a change of an indicator by slice, split into rate and share of the traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.monitor.records import OVERALL, Annotation, GateResult, SeriesKey

__all__ = ["changes_near", "contributions", "root_slice", "suspects"]

_MOST: Final = 25.0
"""A slice counts for at most this in the misfit of a root: one odd slice must not decide."""
_CAUSES: Final[Mapping[str, str]] = {
    "data": "data",
    "model": "model",
    "pipeline": "retrieval",
    "space": "embedding",
    "traffic": "traffic_mix",
}
"""Family of an indicator -> what it speaks for when it moves with others."""
_OF_SLICE: Final[Mapping[str, str]] = {
    "model_version": "model_version",
    "model": "model_version",
    "variant": "experiment",
}


def contributions(
    series: pl.DataFrame, indicator: str, day: date, *, reference_days: int = 28
) -> tuple[dict[str, Any], ...]:
    """Contribution of each slice to the change of an indicator against the previous days, by mix and by rate.

    With share of the traffic :math:`w` and rate :math:`r` of a slice, before (0) and on the day (1), and :math:`R` the
    rate of all, ``rate`` is :math:`(w_0 + w_1) / 2 · (r_1 - r_0)` and ``mix`` :math:`(w_1 - w_0) · ((r_0 + r_1) / 2 -
    (R_0 + R_1) / 2)`. Over the slices of a dimension both add up to the change :math:`R_1 - R_0`.

    Args:
        series: Columns of SERIES, with the day and the days before it.
        indicator: An indicator whose value is ``numerator / denominator``.
        day: The day.
        reference_days: Number of days before it.

    Returns:
        Rows ``dimension, slice, mix, rate, share``, the largest share of a dimension first; empty if the indicator is
        not a ratio. ``share`` is of the whole change.
    """
    begin = day - timedelta(days=reference_days)
    own = series.filter(pl.col("indicator") == indicator, pl.col("day").is_between(begin, day))
    own = own.filter(pl.col("denominator").is_not_null(), pl.col("dimension") != OVERALL)
    sums = own.group_by("dimension", "slice", today=pl.col("day") == day).agg(
        pl.col("numerator").sum(), pl.col("denominator").sum()
    )
    found: list[dict[str, Any]] = []
    for dimension in sorted(sums["dimension"].unique()):
        part = sums.filter(pl.col("dimension") == dimension)
        both = part.filter(~pl.col("today")).join(part.filter("today"), on="slice", how="full", coalesce=True)
        both = both.fill_null(0.0).sort("slice")
        before, after = (both.select(f"numerator{end}", f"denominator{end}").to_numpy().T for end in ("", "_right"))
        if before[1].sum() and after[1].sum():
            found += _parts(dimension, both["slice"].to_list(), before, after)
    return tuple(found)


def _parts(dimension: str, slices: Sequence[str], before: np.ndarray, after: np.ndarray) -> list[dict[str, Any]]:
    w0, w1 = before[1] / before[1].sum(), after[1] / after[1].sum()
    whole0, whole1 = before[0].sum() / before[1].sum(), after[0].sum() / after[1].sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        r0, r1 = before[0] / before[1], after[0] / after[1]
    # A slice without traffic on one side has no rate there: its whole change is a mix effect.
    r0, r1 = np.where(np.isfinite(r0), r0, r1), np.where(np.isfinite(r1), r1, r0)
    rate = (w0 + w1) / 2 * (r1 - r0)
    mix = (w1 - w0) * ((r0 + r1) / 2 - (whole0 + whole1) / 2)
    change = whole1 - whole0
    rows = [
        {
            "dimension": dimension,
            "slice": each,
            "mix": float(mix[at]),
            "rate": float(rate[at]),
            "share": float((mix[at] + rate[at]) / change) if change else 0.0,
        }
        for at, each in enumerate(slices)
    ]
    return sorted(rows, key=lambda row: -row["share"])


def root_slice(rows: pl.DataFrame) -> SeriesKey:
    """The slice whose change explains the others best.

    Each alerted slice is tried: if it alone moved, the whole moved by its share of the traffic, the other slices of its
    dimension not at all, and those of other dimensions as the whole did. The one with the smallest misfit, in units of
    noise, is the root.

    Args:
        rows: Columns of DETECTIONS: one indicator on one day, with at least one alert.
    """
    rows = rows.filter(pl.col("value").is_not_null(), pl.col("expected").is_not_null(), pl.col("limit") > 0)
    rows = rows.sort(pl.col("dimension") != OVERALL, "dimension", "slice")
    value, expected, n = (rows[name].cast(pl.Float64).to_numpy() for name in ("value", "expected", "n"))
    change = value - expected
    noise = np.maximum((rows["high"] - rows["low"]).to_numpy() / 2 / rows["limit"].to_numpy(), 1e-12)
    dimension, slice_ = rows["dimension"].to_list(), rows["slice"].to_list()
    whole = dimension.index(OVERALL) if OVERALL in dimension else None
    traffic = n / max(float(n[whole] if whole is not None else n.max()), 1.0)
    summed = _is_sum(expected, dimension, whole)
    best, least = 0, np.inf
    for at in np.flatnonzero(rows["state"].is_in(["level", "drift"]).to_numpy()):
        moved = change[at] if summed else change[at] * min(traffic[at], 1.0)  # of the whole
        base = expected[whole] if whole is not None else expected[at]
        relative = moved / base if base else 0.0
        predicted = np.where(base != 0, relative * expected, moved)
        if dimension[at] != OVERALL:
            predicted = np.where(np.array(dimension) == dimension[at], 0.0, predicted)
        predicted[at] = change[at]
        misfit = float(np.minimum(((change - predicted) / noise) ** 2, _MOST).sum())
        if misfit < least:
            best, least = int(at), misfit
    return SeriesKey(rows["indicator"][best], dimension[best], slice_[best])


def _is_sum(expected: np.ndarray, dimension: list[str], whole: int | None) -> bool:
    """Whether slices add up to the whole, as row counts do; rates are averages instead."""
    if whole is None or not expected[whole]:
        return False
    other = next((each for each in dimension if each != OVERALL), None)
    if other is None:
        return False
    total = expected[[each == other for each in dimension]].sum()
    return dimension.count(other) > 1 and abs(total / expected[whole] - 1) < 0.1


def changes_near(
    root: SeriesKey, day: date, annotations: Sequence[Annotation], *, days_before: int = 2
) -> list[Annotation]:
    """Deploys and experiments that concern a root and began at most ``days_before`` days before, the newest first."""
    near = [each for each in annotations if each.kind in ("deploy", "experiment")]
    near = [each for each in near if 0 <= (day - each.start).days <= days_before]
    near = [each for each in near if each.dimension in (None, root.dimension) and each.slice in (None, root.slice)]
    return sorted(near, key=lambda each: day - each.start)


def suspects(
    root: SeriesKey,
    families: Sequence[str],
    day: date,
    *,
    gate: GateResult | None = None,
    annotations: Sequence[Annotation] = (),
) -> tuple[str, ...]:
    """Codes of likely causes, the likeliest first.

    Args:
        root: The root of the incident.
        families: Families of the indicators that moved, the root's first.
        day: Its first day.
        gate: The data gate of that day: failed checks that do not block count too.
        annotations: Annotated events; see :func:`changes_near`.
    """
    found: list[str] = [each.kind for each in changes_near(root, day, annotations)]
    if gate is not None and any(check.state in ("failed", "errored") for check in gate.checks):
        late = any(check.state == "failed" and check.code.startswith("late") for check in gate.checks)
        found.append("late_data" if late else "data_gate")
    found += [_CAUSES[each] for each in families if each in _CAUSES]
    if root.dimension in _OF_SLICE:
        found.append(_OF_SLICE[root.dimension])
    return tuple(dict.fromkeys(found))
