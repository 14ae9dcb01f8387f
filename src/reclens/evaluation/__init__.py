"""Evaluate lists and compare systems: ``rl.evaluate``, ``rl.compare`` and their results."""

from __future__ import annotations

from reclens.evaluation.against_split import DEFAULT_METRICS, SPLIT_METRICS
from reclens.evaluation.compare import Comparison, compare
from reclens.evaluation.differences import PairedDifference
from reclens.evaluation.gate import GateRule, gate, no_loss_rules
from reclens.evaluation.predictions import PredictionEvaluation, evaluate_predictions
from reclens.evaluation.requests import REQUEST_METRICS, evaluate_requests
from reclens.evaluation.results import Evaluation, Gap, MetricResult
from reclens.evaluation.run import evaluate
from reclens.evaluation.sampled import compare_sampled
from reclens.evaluation.warnings import EvaluationWarning, IdsWarning, TaskWarning
from reclens.stats.estimate import Estimate
from reclens.stats.gate import Bound, GateResult, GateRow

__all__ = [
    "DEFAULT_METRICS",
    "REQUEST_METRICS",
    "SPLIT_METRICS",
    "Bound",
    "Comparison",
    "Estimate",
    "Evaluation",
    "EvaluationWarning",
    "Gap",
    "GateResult",
    "GateRow",
    "GateRule",
    "IdsWarning",
    "MetricResult",
    "PairedDifference",
    "PredictionEvaluation",
    "TaskWarning",
    "compare",
    "compare_sampled",
    "evaluate",
    "evaluate_predictions",
    "evaluate_requests",
    "gate",
    "no_loss_rules",
]
