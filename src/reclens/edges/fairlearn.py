"""Fairlearn: the results of an audit as a ``MetricFrame``, for use with its tools.

Fairlearn does not support lists. It gets the values of a metric per user, as measured by an audit; the rows of the
frame are users, and the metric of a group is their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reclens.audit import Audit
from reclens.edges.responsible_ai import AUDIT_GROUPS
from reclens.engine import need
from reclens.errors import UnknownNameError, UsageError
from reclens.schema import USER

if TYPE_CHECKING:
    from fairlearn.metrics import MetricFrame

__all__ = ["to_metric_frame"]


def to_metric_frame(
    audit: Audit, metric: str | None = None, *, by: str | Sequence[str] | None = None, within: Sequence[str] = ()
) -> MetricFrame:
    """The means of a metric by groups of users, as a ``fairlearn.metrics.MetricFrame``.

    Args:
        audit: An audit with groups of users.
        metric: A metric that it measured; the primary one by default.
        by: Segmentations that are the sensitive features; the first one by default. Several are crossed.
        within: Segmentations that are control features: gaps are taken within each of their groups.

    Returns:
        The frame; ``frame.by_group``, ``frame.difference()`` and ``frame.ratio()`` are of the means. Users without a
        value are left out.

    Raises:
        MissingExtraError: If Fairlearn is not installed.
        UsageError: If the audit has no metric or no groups of users.
        UnknownNameError: If it has no such metric or segmentation.

    Example:
        >>> import reclens as rl
        >>> from reclens.edges.fairlearn import to_metric_frame
        >>> split = rl.split.by_time(rl.synthetic_movielens(n_users=400, n_items=200, n_ratings=16000), test_share=0.2)
        >>> lists = rl.models.Popular().fit(split.train).recommend(split.test_users, k=10)
        >>> frame = to_metric_frame(rl.audit.run(lists, split.test, train=split.train, by="gender"))
        >>> frame.by_group.round(3).to_dict()
        {'F': 0.433, 'M': 0.594}
    """
    metrics: Any = need("fairlearn.metrics", extra="fairlearn")
    known = [column for column in audit.users.columns if column != USER and audit.users[column].dtype.is_float()]
    groups = [column for column in audit.users.columns if column != USER and column not in known]
    if not known or not groups:
        raise UsageError("the audit has no metric or no groups of users", advice=AUDIT_GROUPS)
    name = known[0] if metric is None else metric
    asked = [groups[0]] if by is None else [by] if isinstance(by, str) else list(by)
    for each, kind, there in (
        (name, "metric of the audit", known),
        *((g, "segmentation", groups) for g in (*asked, *within)),
    ):
        if each not in there:
            raise UnknownNameError(kind, each, there)
    rows = audit.users.filter(audit.users[name].is_not_nan())
    values = rows[name].to_numpy()

    def features(names: Sequence[str]) -> dict[str, Any]:
        return {each: rows[each].to_numpy() for each in names}

    return metrics.MetricFrame(
        metrics=metrics.mean_prediction,
        y_true=values,
        y_pred=values,
        sensitive_features=features(asked),
        control_features=features(list(within)) if within else None,
    )
