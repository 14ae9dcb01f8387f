"""Off-policy evaluation: what another policy would have earned, from a log; and when a log cannot say."""

from __future__ import annotations

from reclens.experiment.off_policy.estimators import ESTIMATORS
from reclens.experiment.off_policy.evaluate import OffPolicy, PolicyValue, evaluate_policy
from reclens.experiment.off_policy.log import Decisions, Target, read_decisions
from reclens.experiment.off_policy.personal import personal_rates
from reclens.experiment.off_policy.reward_model import click_rates
from reclens.experiment.off_policy.weights import Limits, Weights

__all__ = [
    "ESTIMATORS",
    "Decisions",
    "Limits",
    "OffPolicy",
    "PolicyValue",
    "Target",
    "Weights",
    "click_rates",
    "evaluate_policy",
    "personal_rates",
    "read_decisions",
]
