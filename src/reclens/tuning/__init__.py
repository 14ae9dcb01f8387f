"""Search hyper-parameters on the validation part, with an equal budget for every model: ``rl.tune``."""

from __future__ import annotations

from reclens.tuning.hybrid_weights import TunedWeights, tune_weights
from reclens.tuning.popular_check import hold_against_popular
from reclens.tuning.results import Tuning
from reclens.tuning.tune import tune

__all__ = ["TunedWeights", "Tuning", "hold_against_popular", "tune", "tune_weights"]
