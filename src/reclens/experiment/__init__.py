"""Experiments: plan, assign, size, simulate, read and decide A/B tests of recommender changes."""

from __future__ import annotations

from reclens.experiment.aggregated import read_aggregated
from reclens.experiment.metrics import Baseline, Metric
from reclens.experiment.plan import Plan, Sequential, load_plan
from reclens.experiment.read import Readout, read_experiment, read_sums
from reclens.experiment.sums import Sums

__all__ = [
    "Baseline",
    "Metric",
    "Plan",
    "Readout",
    "Sequential",
    "Sums",
    "load_plan",
    "read_aggregated",
    "read_experiment",
    "read_sums",
]
