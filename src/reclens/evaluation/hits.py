"""Users who get nothing: the share without a single hit, of all users and by segment."""

from __future__ import annotations

from typing import Any

import polars as pl

from reclens.evaluation.results import MINIMUM_SEGMENT, OVERALL, Evaluation
from reclens.metrics.registry import direction, family_of
from reclens.schema import USER
from reclens.stats.estimate import Estimate
from reclens.stats.proportions import proportion

__all__ = ["share_without_hit", "tells_hits", "users_without_hit", "without_hit_by_segment"]


def tells_hits(result: Evaluation, metric: str | None) -> bool:
    """Whether a value of 0 means that the user got no hit: metrics of accuracy with a value for each user."""
    if metric is None or metric not in result.summary.columns:
        return False
    return family_of(metric) == "accuracy" and direction(metric) is True


def share_without_hit(result: Evaluation, metric: str | None) -> Estimate | None:
    """The share of the users whose value of a metric is 0, with Wilson's interval; None where 0 does not mean that.

    Args:
        result: The evaluation.
        metric: A metric, such as ``"recall@10"``.
    """
    if metric is None or not tells_hits(result, metric):
        return None
    values = result.per_user[metric].drop_nulls().drop_nans()
    return proportion(int((values == 0).sum()), values.len(), level=result.level) if values.len() else None


def users_without_hit(result: Evaluation, metric: str) -> pl.Series:
    """The users whose value of a metric is 0, those with the most held-out items first."""
    table = result.per_user.filter(pl.col(metric) == 0)
    return table.sort(["n_relevant", USER], descending=[True, False])[USER]


def without_hit_by_segment(result: Evaluation, metric: str, by: str) -> list[dict[str, Any]]:
    """The share of the users of each segment without a hit; all users come first.

    Returns:
        Rows ``by``, ``segment``, ``small`` and the fields of the estimate.
    """
    table = result.per_user.select(USER, metric).filter(pl.col(metric).is_not_nan())
    table = table.join(result.segments.select(USER, by), on=USER, how="left", maintain_order="left")
    cells = {OVERALL[1]: table}
    cells |= {
        label: table.filter(pl.col(by).cast(pl.String) == label) for name, label in result.summary.cells if name == by
    }
    rows = []
    for segment, own in cells.items():
        found = proportion(int((own[metric] == 0).sum()), own.height, level=result.level)
        rows.append({"by": by, "segment": segment, "small": own.height < MINIMUM_SEGMENT, **found.to_dicts()[0]})
    return rows
