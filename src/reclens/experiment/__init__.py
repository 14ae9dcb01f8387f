"""Experiments: plan, assign, size, simulate, read and decide A/B tests of recommender changes."""

from __future__ import annotations

from reclens.experiment.metrics import Baseline, Metric
from reclens.experiment.plan import Plan, Sequential, load_plan

__all__ = ["Baseline", "Metric", "Plan", "Sequential", "load_plan"]
