"""The measures of realism: each compares one number of a world, or of its logs, with the same number of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.concentration import gini
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.errors import DataError
from reclens.schema import CLICKED, ITEM, POSITION, USER
from reclens.world.effect_size import gap_distance, held_out_auc, told_apart
from reclens.world.population import World

__all__ = [
    "Check",
    "RealismNote",
    "activity_checks",
    "click_repeat_check",
    "effect_size_checks",
    "entropy_check",
    "place_checks",
    "popularity_checks",
    "relative_click_rates",
    "repeat_check",
    "singular_values",
    "spectrum_check",
    "visit_check",
]


_VALUES: Final = 10
"""Singular values that are compared."""


RealismNote = Literal[
    "held_out_auc",
    "told_apart",
    "no_gaps",
    "gap_days",
    "log_log_slope",
    "interactions_over_items",
    "all_interactions",
    "interactions_a_user",
    "repeats",
    "unknown_items",
    "topics_a_user",
    "singular_values",
    "relative_click_rate",
    "no_reference_lists",
    "clicked_before",
    "rank_correlation",
    "past_test",
]
"""What a measure of realism means, or why it could not be measured; ``report/lab/realism_words.py`` says it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measure.

    Attributes:
        measure: What is measured.
        simulated: Its value in the world.
        reference: Its value in the data; None for a distance between the two.
        low: Lower end of the band for ``simulated``.
        high: Upper end.
        passed: Whether it lies inside; None if there is nothing to compare with.
        note: What it means, or why it could not be measured, as a code.
        facts: Further numbers and names of the note.
    """

    measure: str
    simulated: float
    reference: float | None
    low: float | None
    high: float | None
    passed: bool | None
    note: RealismNote
    facts: Mapping[str, Any] = field(default_factory=dict)


def effect_size_checks(ours: Dataset, reference: Dataset) -> list[Check]:
    """How well held-out items are told from others, and users of the world from those of the data."""
    skills = [held_out_auc(each) for each in (ours, reference)]
    apart = told_apart(ours, reference)
    return [
        _band(
            "taste: held-out AUC",
            skills[0],
            skills[1],
            within=0.03,
            relative=False,
            note="held_out_auc",
        ),
        Check(
            measure="classifier: AUC",
            simulated=apart,
            reference=None,
            low=0.0,
            high=0.7,
            passed=bool(apart <= 0.7),
            note="told_apart",
        ),
    ]


def visit_check(impressions: pl.DataFrame, reference: Dataset) -> Check:
    """Days from one visit to the next: Kolmogorov-Smirnov distance."""
    name, found = "visits: KS distance of gaps", gap_distance(impressions, reference)
    if found is None:
        return Check(
            measure=name, simulated=float("nan"), reference=None, low=None, high=None, passed=None, note="no_gaps"
        )
    distance, ours, theirs = found
    return Check(
        measure=name,
        simulated=distance,
        reference=None,
        low=0.0,
        high=0.2,
        passed=bool(distance <= 0.2),
        note="gap_days",
        facts={"world": ours, "data": theirs},
    )


def _band(
    measure: str, simulated: float, reference: float, *, within: float, relative: bool, note: RealismNote
) -> Check:
    room = within * abs(reference) if relative else within
    low, high = reference - room, reference + room
    return Check(
        measure=measure,
        simulated=simulated,
        reference=reference,
        low=low,
        high=high,
        passed=bool(low <= simulated <= high),
        note=note,
    )


def popularity_checks(ours: Dataset, reference: Dataset) -> list[Check]:
    """Slope of log count over log rank, Gini, share of the most popular 1 %."""
    found: list[tuple[float, float, float]] = []
    for data in (ours, reference):
        counts = np.sort(np.bincount(data.matrix().indices))[::-1].astype(np.float64)
        first, last = min(9, len(counts) // 4), max(len(counts) // 2, 2)
        ranks = np.arange(first + 1, last + 1)
        slope = float(np.polyfit(np.log(ranks), np.log(np.maximum(counts[first:last], 0.5)), 1)[0])
        top = float(counts[: max(1, round(len(counts) / 100))].sum() / counts.sum())
        found.append((slope, float(gini(counts)), top))
    (slope, spread, top), (slope0, spread0, top0) = found
    return [
        _band("popularity: slope", slope, slope0, within=0.25, relative=True, note="log_log_slope"),
        _band("popularity: Gini", spread, spread0, within=0.07, relative=False, note="interactions_over_items"),
        _band("popularity: top 1 % share", top, top0, within=0.04, relative=False, note="all_interactions"),
    ]


def activity_checks(ours: Dataset, reference: Dataset) -> list[Check]:
    """Numbers of interactions a user: distance of their distributions, and their mean."""
    counts = [np.sort(np.diff(data.matrix().indptr)) for data in (ours, reference)]
    steps = np.concatenate(counts)
    shares = [np.searchsorted(each, steps, side="right") / len(each) for each in counts]
    distance = float(np.abs(shares[0] - shares[1]).max())
    mean, mean0 = (float(each.mean()) for each in counts)
    return [
        Check(
            measure="activity: KS distance",
            simulated=distance,
            reference=None,
            low=0.0,
            high=0.1,
            passed=bool(distance <= 0.1),
            note="interactions_a_user",
        ),
        _band("activity: mean", mean, mean0, within=0.15, relative=True, note="interactions_a_user"),
    ]


def repeat_check(ours: Dataset, reference: Dataset) -> Check:
    """Share of interactions with something the user had before."""
    rates = [1 - len(data.matrix().indices) / data.interactions.height for data in (ours, reference)]
    return _band(
        "repeat rate",
        rates[0],
        rates[1],
        within=0.05,
        relative=False,
        note="repeats",
    )


def entropy_check(world: World, ours: Dataset, reference: Dataset) -> Check:
    """Mean entropy of the topics a user consumes."""
    name = "entropy of tastes (bits)"
    known = world.items[ITEM].dtype == reference.interactions[ITEM].dtype
    topics = world.items.select(ITEM, "topic")
    values = [_bits(data, topics) if known else float("nan") for data in (ours, reference)]
    if np.isnan(values[1]):
        return Check(
            measure=name, simulated=values[0], reference=None, low=None, high=None, passed=None, note="unknown_items"
        )
    return _band(name, values[0], values[1], within=0.15, relative=True, note="topics_a_user")


def _bits(data: Dataset, topics: pl.DataFrame) -> float:
    """Mean entropy over users, each with the correction for few draws of Miller 1955: + (topics seen - 1) / 2n nats."""
    rows = data.interactions.select(USER, ITEM).join(topics, on=ITEM).group_by(USER, "topic").len()
    share = pl.col("len") / pl.col("len").sum()
    users = rows.group_by(USER).agg(
        (-(share * share.log())).sum().alias("nats"), pl.len().alias("topics"), pl.col("len").sum().alias("n")
    )
    corrected = users.select((pl.col("nats") + (pl.col("topics") - 1) / (2 * pl.col("n"))) / np.log(2)).to_series()
    mean = corrected.mean()
    return float(mean) if isinstance(mean, float) else float("nan")


def spectrum_check(ours: Dataset, reference: Dataset) -> Check:
    """Mean absolute log ratio of the leading singular values."""
    k = min(_VALUES, *(min(data.matrix().n_rows, data.matrix().n_columns) - 2 for data in (ours, reference)))
    values = [singular_values(data.matrix(), k) for data in (ours, reference)]
    distance = float(np.abs(np.log(values[0] / values[1])).mean())
    return Check(
        measure="co-occurrence: spectrum",
        simulated=distance,
        reference=None,
        low=0.0,
        high=0.25,
        passed=bool(distance <= 0.25),
        note="singular_values",
        facts={"last": k + 1},
    )


def singular_values(matrix: UserItemMatrix, k: int) -> np.ndarray:
    """The leading singular values of D_u^-1/2 R D_i^-1/2 after the first, which is 1; descending."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import svds

    rows = np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr))
    by_user, by_item = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.n_columns)
    values = 1 / np.sqrt(by_user[rows].astype(np.float64) * by_item[matrix.indices])
    sparse = csr_matrix((values, (rows, matrix.indices)), shape=(matrix.n_rows, matrix.n_columns))
    found = svds(sparse, k=k + 1, v0=np.ones(min(matrix.n_rows, matrix.n_columns)), return_singular_vectors=False)
    return np.sort(np.asarray(found))[::-1][1:]


def place_checks(ours: pl.DataFrame, reference: pl.DataFrame | None) -> list[Check]:
    """Click rate of some places over that of place 1."""
    curve = relative_click_rates(ours, "the impressions of the world")
    theirs = relative_click_rates(reference, "the impressions of the reference") if reference is not None else {}
    checks: list[Check] = []
    for place in [place for place in (2, 3, 5, 10) if place in curve]:
        name = f"clicks at place {place}"
        if place in theirs:
            checks.append(
                _band(name, curve[place], theirs[place], within=0.25, relative=True, note="relative_click_rate")
            )
        else:
            checks.append(
                Check(
                    measure=name,
                    simulated=curve[place],
                    reference=None,
                    low=None,
                    high=None,
                    passed=None,
                    note="no_reference_lists",
                )
            )
    return checks


def relative_click_rates(log: pl.DataFrame, source: str = "impressions") -> dict[int, float]:
    """Click rate of each place over that of place 1.

    Raises:
        DataError: If the log lacks a column, holds text, or has no click at place 1.
    """
    absent = [name for name in (USER, ITEM, POSITION, CLICKED) if name not in log.columns]
    if absent:
        raise DataError(
            f"there is no column {', '.join(absent)}; there are {', '.join(log.columns)}",
            source=source,
            fix="Rename the columns: user_id, item_id, position, clicked.",
        )
    kinds = {name: log.schema[name] for name in (POSITION, CLICKED)}
    if odd := [name for name, kind in kinds.items() if not (kind.is_numeric() or kind == pl.Boolean)]:
        raise DataError(
            f"{' and '.join(odd)} hold text",
            source=source,
            fix="Give positions as numbers from 1, and clicked as 0 or 1.",
        )
    rates = dict(log.group_by(POSITION).agg(pl.col(CLICKED).cast(pl.Float64).mean()).rows())
    if not rates.get(1):
        raise DataError(
            "nothing was clicked at position 1", source=source, fix="Positions count from 1; give a log with clicks."
        )
    return {int(place): rate / rates[1] for place, rate in rates.items()}


def click_repeat_check(ours: pl.DataFrame, reference: pl.DataFrame) -> Check:
    """Share of clicks on something the user clicked before."""
    rates: list[float] = []
    for log in (ours, reference):
        clicks = log.filter(pl.col(CLICKED).cast(pl.Float64) > 0)
        rates.append(1 - clicks.select(USER, ITEM).n_unique() / clicks.height)
    return _band(
        "clicks: repeat rate",
        rates[0],
        rates[1],
        within=0.05,
        relative=False,
        note="clicked_before",
    )
