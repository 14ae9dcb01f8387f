"""Experiments: plan, assign, size, simulate, read and decide A/B tests of recommender changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.experiment.aggregate.aggregates import Aggregates
    from reclens.experiment.aggregate.gather import gather
    from reclens.experiment.analysis.aggregated import read_aggregated
    from reclens.experiment.analysis.readout import Readout, read_sums
    from reclens.experiment.analysis.readout import read_experiment as read
    from reclens.experiment.assignment.assign import Assignment, assign, check_layers, sql_of
    from reclens.experiment.assignment.checks import check_assignment
    from reclens.experiment.interleaving import Preference, interleave, preference
    from reclens.experiment.off_policy import (
        Decisions,
        OffPolicy,
        Target,
        click_rates,
        evaluate_policy,
        personal_rates,
        read_decisions,
    )
    from reclens.experiment.planning.metric import Baseline, Metric
    from reclens.experiment.planning.plan import EXAMPLE_PLAN, Plan, Sequential
    from reclens.experiment.planning.plan import load_plan as plan
    from reclens.experiment.planning.sizing import Sizing
    from reclens.experiment.planning.sizing import size_plan as size

__all__ = [
    "EXAMPLE_PLAN",
    "Aggregates",
    "Assignment",
    "Baseline",
    "Decisions",
    "Metric",
    "OffPolicy",
    "Plan",
    "Preference",
    "Readout",
    "Sequential",
    "Sizing",
    "Target",
    "assign",
    "check_assignment",
    "check_layers",
    "click_rates",
    "evaluate_policy",
    "gather",
    "interleave",
    "personal_rates",
    "plan",
    "preference",
    "read",
    "read_aggregated",
    "read_decisions",
    "read_sums",
    "size",
    "sql_of",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Aggregates": "aggregate.aggregates",
        "Assignment": "assignment.assign",
        "Baseline": "planning.metric",
        "Decisions": "off_policy",
        "EXAMPLE_PLAN": "planning.plan",
        "Metric": "planning.metric",
        "OffPolicy": "off_policy",
        "Plan": "planning.plan",
        "Preference": "interleaving",
        "Readout": "analysis.readout",
        "Sequential": "planning.plan",
        "Sizing": "planning.sizing",
        "Target": "off_policy",
        "assign": "assignment.assign",
        "check_assignment": "assignment.checks",
        "check_layers": "assignment.assign",
        "click_rates": "off_policy",
        "evaluate_policy": "off_policy",
        "gather": "aggregate.gather",
        "interleave": "interleaving",
        "personal_rates": "off_policy",
        "plan": "planning.plan:load_plan",
        "preference": "interleaving",
        "read": "analysis.readout:read_experiment",
        "read_aggregated": "analysis.aggregated",
        "read_decisions": "off_policy",
        "read_sums": "analysis.readout",
        "size": "planning.sizing:size_plan",
        "sql_of": "assignment.assign",
    },
)
