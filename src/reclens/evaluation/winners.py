"""Who gains and who loses when one system takes the place of another, user by user."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from reclens.errors import UnknownNameError
from reclens.evaluation.results import Evaluation
from reclens.evaluation.views import empirical_quantiles
from reclens.metrics import direction
from reclens.schema import USER

__all__ = ["change_curve", "changes_within", "largest_changes", "paired_values"]


def paired_values(ours: Evaluation, theirs: Evaluation, metrics: list[str]) -> tuple[pl.Series, np.ndarray, np.ndarray]:
    """The values of the users whom both evaluations have.

    Returns:
        The users, the values of ``ours`` and their differences from ``theirs``, both of shape (users, metrics); NaN
        where one of them has no value. Values that differ in their last bits alone were computed in another order:
        their difference is 0.
    """
    columns = [USER, *metrics]
    both = theirs.per_user.select(columns).join(
        ours.per_user.select(columns), on=USER, how="inner", suffix=" of ours", maintain_order="left"
    )
    a = both.select([f"{name} of ours" for name in metrics]).to_numpy().reshape(len(both), -1)
    b = both.select(metrics).to_numpy().reshape(len(both), -1)
    gaps = a - b
    gaps[np.abs(gaps) <= 1e-12 * np.maximum(np.abs(a), np.abs(b))] = 0.0
    return both[USER], a, gaps


def largest_changes(
    ours: Evaluation, theirs: Evaluation, metric: str, *, n: int = 10
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The users who gain the most, and those who lose the most.

    Where lower values are better, a user gains whose value falls; where neither direction is better, the first are
    those whose value rises.

    Args:
        ours: The system.
        theirs: The system it takes the place of.
        metric: A metric with a value for each user.
        n: Most users of each kind.

    Returns:
        Two tables ``user_id, before, after, change, n_relevant`` and the segments, the largest change first; among
        equals, users with the most held-out items first.

    Raises:
        UnknownNameError: If one of them has no values of single users.
    """
    table = _changes(ours, theirs, metric).filter(pl.col("change") != 0)
    falling = direction(metric) is False

    def most(down: bool) -> pl.DataFrame:
        moved = table.filter(pl.col("change") < 0 if down else pl.col("change") > 0)
        return moved.sort(["change", "n_relevant", USER], descending=[not down, True, False]).head(n)

    return most(falling), most(not falling)


def changes_within(
    ours: Evaluation, theirs: Evaluation, metric: str, ends: tuple[float, float], *, n: int = 20
) -> tuple[pl.DataFrame, int]:
    """The users whose value changes by no less than one end and no more than the other.

    Returns:
        A table as of :func:`largest_changes`, the largest rise first and at most n rows, and how many users there are.

    Raises:
        UnknownNameError: If one of them has no values of single users.
    """
    found = _changes(ours, theirs, metric).filter(pl.col("change").is_between(*ends))
    return found.sort(["change", "n_relevant", USER], descending=[True, True, False]).head(n), found.height


def _changes(ours: Evaluation, theirs: Evaluation, metric: str) -> pl.DataFrame:
    """The change of every user with both values, with the user's attributes."""
    users, after, gaps = _of_metric(ours, theirs, metric)
    table = pl.DataFrame({USER: users, "before": after - gaps, "after": after, "change": gaps})
    table = table.filter(pl.col("change").is_not_nan())
    table = table.join(ours.per_user.select(USER, "n_relevant"), on=USER, how="left", maintain_order="left")
    return table.join(ours.segments, on=USER, how="left", maintain_order="left")


def change_curve(ours: Evaluation, theirs: Evaluation, metric: str, *, points: int = 101) -> list[dict[str, Any]]:
    """The change that a share of the users stays at or below.

    Returns:
        Rows ``users`` (share, 0 … 1) and ``change`` (empirical quantile, the smallest value that the share reaches).

    Raises:
        UnknownNameError: If one of them has no values of single users.
    """
    gaps = _of_metric(ours, theirs, metric)[2]
    curve = empirical_quantiles(gaps[~np.isnan(gaps)], points)
    return [{"users": share, "change": change} for share, change in curve]


def _of_metric(ours: Evaluation, theirs: Evaluation, metric: str) -> tuple[pl.Series, np.ndarray, np.ndarray]:
    known = [name for name in ours.summary.columns if name in theirs.summary.columns]
    if metric not in known:
        raise UnknownNameError("metric with values of single users in both evaluations", metric, known)
    users, after, gaps = paired_values(ours, theirs, [metric])
    return users, after[:, 0], gaps[:, 0]
