"""Views of an evaluation for people: its curves over cut-offs, its spread over users, who is served worst."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation.results import Evaluation
from reclens.schema import USER, stable_hash
from reclens.stats.summary import Summary

__all__ = [
    "crossed",
    "crossings_of",
    "empirical_quantiles",
    "exposure_by_popularity",
    "metric_by_cutoff",
    "of_segment",
    "spread",
    "worst_users",
]


def metric_by_cutoff(result: Evaluation, family: str) -> list[dict[str, Any]]:
    """One metric at each cut-off it was measured at, the smallest first.

    Args:
        result: The evaluation.
        family: Name of the metric without its cut-off, such as ``"ndcg"``.

    Returns:
        Rows of estimates over all users with ``k``.
    """
    rows = []
    for name in result.metrics:
        base, _, k = name.partition("@")
        if base == family and k:
            rows.append({"k": int(k), "metric": name, **result[name].overall.to_dicts()[0]})
    return sorted(rows, key=lambda row: row["k"])


def spread(result: Evaluation, metric: str, *, points: int = 101) -> list[dict[str, float]]:
    """How a metric is spread over users: the value that a share of the users stays at or below.

    Args:
        result: The evaluation.
        metric: A metric that is averaged over users.
        points: Points of the curve, evenly spaced over the users.

    Returns:
        Rows ``users`` (share, 0 … 1) and ``value`` (empirical quantile, the smallest value that the share reaches).

    Raises:
        UnknownNameError: If there are no values of single users.
    """
    values = _values(result, metric).drop_nulls().drop_nans().to_numpy()
    return [{"users": share, "value": value} for share, value in empirical_quantiles(values, points)]


def worst_users(
    result: Evaluation,
    metric: str,
    *,
    n: int = 20,
    higher_is_better: bool = True,
    above: float | None = None,
    within: tuple[float, float] | None = None,
) -> pl.DataFrame:
    """The users with the worst values, those with the most held-out items first among equals.

    Args:
        result: The evaluation.
        metric: A metric with a value for each user.
        n: Most users.
        higher_is_better: Whether low values are the worst.
        above: Leave out users with a value up to this.
        within: Only users with a value from the first to the second of these.

    Returns:
        ``user_id, n_relevant, list_length``, the metric, and the user's segments.

    Raises:
        UnknownNameError: If there are no values of single users.
    """
    _values(result, metric)
    table = result.per_user.select(USER, "n_relevant", "list_length", metric).filter(pl.col(metric).is_not_nan())
    table = table if above is None else table.filter(pl.col(metric) > above)
    table = table if within is None else table.filter(pl.col(metric).is_between(*within))
    table = table.join(result.segments, on=USER, how="left", maintain_order="left")
    return table.sort([metric, "n_relevant", USER], descending=[not higher_is_better, True, False]).head(n)


def of_segment(result: Evaluation, by: str, segment: str) -> Evaluation:
    """An evaluation with the values of the users of one segment alone; its sums stay those of all users.

    Raises:
        UnknownNameError: If it has no such segment.
    """
    known = [f"{name}: {label}" for name, label in result.summary.cells[1:]]
    if f"{by}: {segment}" not in known:
        raise UnknownNameError("segment of this evaluation", f"{by}: {segment}", known)
    users = result.segments.filter(pl.col(by).cast(pl.String) == segment)[USER]
    return replace(result, per_user=result.per_user.filter(pl.col(USER).is_in(users.implode())))


def exposure_by_popularity(result: Evaluation, *, tiers: int = 10) -> list[dict[str, Any]]:
    """Exposure and consumption of equal parts of the catalogue, from the least to the most popular.

    Args:
        result: The evaluation.
        tiers: Parts, each with the same number of items (to within one); ties in popularity stand by item id.

    Returns:
        Rows ``tier`` (1 … tiers, the last the most popular), ``items``, ``exposure`` (share of the recommendations) and
        ``consumption`` (share of the training interactions).
    """
    table = result.exposure.sort("popularity", "item_id")
    parts = np.array_split(np.arange(table.height), min(tiers, max(table.height, 1)))
    shown, had = (table[name].to_numpy().astype(np.float64) for name in ("count", "popularity"))
    return [
        {
            "tier": number,
            "items": len(part),
            "exposure": float(shown[part].sum() / max(shown.sum(), 1.0)),
            "consumption": float(had[part].sum() / max(had.sum(), 1.0)),
        }
        for number, part in enumerate(parts, 1)
    ]


def empirical_quantiles(values: np.ndarray, points: int) -> list[tuple[float, float]]:
    """Shares from 0 to 1, each with the smallest value that the share reaches; nothing of no values."""
    if not len(values):
        return []
    ordered, shares = np.sort(values), np.linspace(0, 1, points)
    at = np.clip(np.ceil(shares * len(ordered)).astype(int) - 1, 0, None)
    return list(zip(shares.tolist(), ordered[at].tolist(), strict=True))


def crossed(result: Evaluation, first: str, second: str) -> Evaluation:
    """An evaluation by two of its segmentations at once, such as age × activity.

    Metrics of all lists together (coverage, Gini) cannot be had from values of single users and are left out.

    Args:
        result: The evaluation.
        first: One segmentation of it.
        second: Another one.

    Returns:
        The evaluation with the segmentation ``"first × second"`` alone. The replicates are the same, so that it
        compares with others that were crossed alike.

    Raises:
        UnknownNameError: If it has no such segmentation.
        UsageError: If both are the same.
    """
    known = [name for name in result.segments.columns if name != USER]
    for name in (first, second):
        if name not in known:
            raise UnknownNameError("segmentation of this evaluation", name, known)
    if first == second:
        raise UsageError(f"'{first}' was named twice: cross two different segmentations.")
    segments = {by: [label for name, label in result.summary.cells if name == by] for by in (first, second)}
    labels = [f"{one} × {other}" for one in segments[first] for other in segments[second]]
    name = f"{first} × {second}"
    product = pl.concat_str(pl.col(first).cast(pl.String), pl.col(second).cast(pl.String), separator=" × ")
    table = result.segments.with_columns(product.alias(name))
    own = result.per_user.select(USER).join(table, on=USER, how="left", maintain_order="left")[name]
    used = [label for label in labels if label in set(own.drop_nulls())]
    codes = {label: code for code, label in enumerate(used)}
    groups = {name: (used, np.array([codes.get(label, -1) for label in own.to_list()], np.int32))}
    values = {metric: result.per_user[metric].to_numpy() for metric in result.summary.columns}
    summary = Summary.of(
        stable_hash(result.per_user[USER]),
        values,
        groups=groups,
        replicates=result.summary.replicates,
        seed=result.summary.seed,
    )
    averaged = tuple(metric for metric in result.metrics if metric in values)
    return replace(result, metrics=averaged, summary=summary, catalogue={}, segments=table.select(USER, name))


def crossings_of(result: Evaluation, by: Sequence[str], *, most: int) -> dict[str, tuple[str, str]]:
    """The products of two segmentations that have at most so many segments: name -> both, for :func:`crossed`."""
    sizes = {name: sum(cell[0] == name for cell in result.summary.cells) for name in by}
    return {
        f"{one} × {other}": (one, other)
        for one, other in itertools.combinations(by, 2)
        if sizes[one] * sizes[other] <= most
    }


def _values(result: Evaluation, metric: str) -> pl.Series:
    if metric not in result.per_user.columns:
        known = [name for name in result.metrics if name in result.per_user.columns]
        raise UnknownNameError("metric with values of single users", metric, known)
    return result.per_user[metric]
