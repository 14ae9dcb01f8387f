"""The Responsible AI dashboard: the users of an audit as the table that its error analysis and fairness views read."""

from __future__ import annotations

from typing import Final

import polars as pl

from reclens.audit import Audit
from reclens.errors import Advice, Setting, UnknownNameError, UsageError
from reclens.schema import USER

__all__ = ["AUDIT_GROUPS", "IDEAL", "SERVED", "responsible_ai_table"]

IDEAL: Final = "true_y"
"""Column: the value that an ideal list has, 1."""
SERVED: Final = "predicted_y"
"""Column: the value that the user's list has."""
AUDIT_GROUPS: Final = Advice(
    "audit_groups", (Setting("truth"), Setting("by", ["gender"])), "Audit with {truth}, and with groups such as {by}."
)
"""The advice where an audit has no groups of users."""


def responsible_ai_table(audit: Audit, metric: str | None = None) -> pl.DataFrame:
    """One row per user: the groups as categorical features, and how far the list is from an ideal one.

    The dashboard knows predictions and labels, not lists. The label is what an ideal list has, 1, and the prediction
    what the user's list has, so that its error is what the user misses: ``ErrorAnalysisDashboard(dataset=…, true_y=…,
    pred_y=…, model_task="regression")`` then searches for the groups that miss most, and ``FairnessDashboard(
    sensitive_features=…, y_true=…, y_pred=…)`` compares them. Ids are left out.

    Args:
        audit: An audit with groups of users.
        metric: A metric whose ideal is 1; the primary one by default.

    Returns:
        The groups of each user as text, the other metrics, ``true_y`` and ``predicted_y``; without users who have no
        value.

    Raises:
        UsageError: If the audit has no metric or no groups of users.
        UnknownNameError: If it has no such metric.

    Example:
        >>> import reclens as rl
        >>> split = rl.split.by_time(rl.synthetic_movielens(n_users=400, n_items=200, n_ratings=16000), test_share=0.2)
        >>> lists = rl.models.Popular().fit(split.train).recommend(split.test_users, k=10)
        >>> table = responsible_ai_table(rl.audit.run(lists, split.test, train=split.train, by="gender"))
        >>> table.columns
        ['gender', 'recall@10', 'true_y', 'predicted_y']
    """
    metrics = [name for name in audit.users.columns if name != USER and audit.users[name].dtype.is_float()]
    groups = [name for name in audit.users.columns if name != USER and name not in metrics]
    if not metrics or not groups:
        raise UsageError("the audit has no metric or no groups of users", advice=AUDIT_GROUPS)
    chosen = metrics[0] if metric is None else metric
    if chosen not in metrics:
        raise UnknownNameError("metric of the audit", chosen, metrics)
    rows = audit.users.filter(pl.col(chosen).is_not_nan())
    others = [name for name in metrics if name != chosen]
    ideal = pl.lit(1.0).alias(IDEAL)
    return rows.select(*groups, *others, ideal, pl.col(chosen).alias(SERVED))
