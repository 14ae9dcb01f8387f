"""The audit: who and what is treated worse by a recommender, by how much, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.audit import mitigate
    from reclens.audit.adjusted import AdjustedGap
    from reclens.audit.attention import position_weights
    from reclens.audit.comparison import AuditComparison, compare
    from reclens.audit.gate import AuditGateRule, audit_gate
    from reclens.audit.intersections import Intersections
    from reclens.audit.planning import AuditPlan, plan
    from reclens.audit.popularity import PopularityBias, popularity_taste
    from reclens.audit.position import PositionBias, position_bias
    from reclens.audit.procedure import run
    from reclens.audit.result import Audit, NotMeasured
    from reclens.audit.rows import AuditRow
    from reclens.audit.settings import AuditSettings, Hypothesis
    from reclens.audit.two_sided import bias_disparity, differential_fairness, joint_exposure, rating_gaps

__all__ = [
    "AdjustedGap",
    "Audit",
    "AuditComparison",
    "AuditGateRule",
    "AuditPlan",
    "AuditRow",
    "AuditSettings",
    "Hypothesis",
    "Intersections",
    "NotMeasured",
    "PopularityBias",
    "PositionBias",
    "audit_gate",
    "bias_disparity",
    "compare",
    "differential_fairness",
    "joint_exposure",
    "mitigate",
    "plan",
    "popularity_taste",
    "position_bias",
    "position_weights",
    "rating_gaps",
    "run",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "AdjustedGap": "adjusted",
        "Audit": "result",
        "AuditComparison": "comparison",
        "AuditGateRule": "gate",
        "AuditPlan": "planning",
        "audit_gate": "gate",
        "Intersections": "intersections",
        "bias_disparity": "two_sided",
        "compare": "comparison",
        "differential_fairness": "two_sided",
        "joint_exposure": "two_sided",
        "rating_gaps": "two_sided",
        "mitigate": "mitigate:",
        "plan": "planning",
        "AuditRow": "rows",
        "AuditSettings": "settings",
        "Hypothesis": "settings",
        "NotMeasured": "result",
        "PopularityBias": "popularity",
        "PositionBias": "position",
        "popularity_taste": "popularity",
        "position_bias": "position",
        "position_weights": "attention",
        "run": "procedure",
    },
)
