"""Experiments: plan, assign, size, simulate, read and decide A/B tests of recommender changes."""

from __future__ import annotations

from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.aggregated import read_aggregated
from reclens.experiment.analysis.readout import Readout, read_experiment, read_sums
from reclens.experiment.plan.metric import Baseline, Metric
from reclens.experiment.plan.plan import Plan, Sequential, load_plan

__all__ = [
    "Aggregates",
    "Baseline",
    "Metric",
    "Plan",
    "Readout",
    "Sequential",
    "load_plan",
    "read_aggregated",
    "read_experiment",
    "read_sums",
]
