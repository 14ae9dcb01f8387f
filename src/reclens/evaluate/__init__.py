"""Measure lists, compare systems: ``reclens.evaluate(lists, truth, …)`` is the function and the room."""

from __future__ import annotations

from reclens._callable import make_callable
from reclens.evaluate.compare import Comparison, Difference, compare
from reclens.evaluate.overlap import id_problems
from reclens.evaluate.predictions import PredictionEvaluation, evaluate_predictions
from reclens.evaluate.protocol import EvaluationWarning, IdsWarning, TaskWarning, task_problems
from reclens.evaluate.requests import REQUEST_METRICS, evaluate_requests
from reclens.evaluate.results import Evaluation, Gap, MetricResult
from reclens.evaluate.run import DEFAULT_METRICS, evaluate
from reclens.evaluate.tune import tune
from reclens.evaluate.tune_weights import TunedWeights, tune_weights
from reclens.evaluate.tuning import Tuning
from reclens.stats.estimate import Estimate

__all__ = [
    "DEFAULT_METRICS",
    "REQUEST_METRICS",
    "Comparison",
    "Difference",
    "Estimate",
    "Evaluation",
    "EvaluationWarning",
    "Gap",
    "IdsWarning",
    "MetricResult",
    "PredictionEvaluation",
    "TaskWarning",
    "TunedWeights",
    "Tuning",
    "compare",
    "evaluate",
    "evaluate_predictions",
    "evaluate_requests",
    "id_problems",
    "task_problems",
    "tune",
    "tune_weights",
]

make_callable(__name__, evaluate)
