"""Studies in the simulated world, where the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.lab.correlation import correlate
    from reclens.lab.feedback import FeedbackLoop, LoopSlope, feedback_loop
    from reclens.lab.holdout import holdout_power, surrogate_study
    from reclens.lab.interference_study import Interference, interference
    from reclens.lab.interleaving import measure_sensitivity
    from reclens.lab.long_run import simulate_holdout
    from reclens.lab.method_comparison import MethodComparison, four_verdicts
    from reclens.lab.model_strategy import ModelStrategy
    from reclens.lab.offline_online_study import offline_online
    from reclens.lab.simulation import Simulation, SimulationSettings, load_simulation
    from reclens.lab.simulation import run_simulation as simulate
    from reclens.lab.strategy_family import true_lifts

__all__ = [
    "FeedbackLoop",
    "Interference",
    "LoopSlope",
    "MethodComparison",
    "ModelStrategy",
    "Simulation",
    "SimulationSettings",
    "correlate",
    "feedback_loop",
    "four_verdicts",
    "holdout_power",
    "interference",
    "load_simulation",
    "measure_sensitivity",
    "offline_online",
    "simulate",
    "simulate_holdout",
    "surrogate_study",
    "true_lifts",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "FeedbackLoop": "feedback",
        "LoopSlope": "feedback",
        "Interference": "interference_study",
        "ModelStrategy": "model_strategy",
        "Simulation": "simulation",
        "SimulationSettings": "simulation",
        "MethodComparison": "method_comparison",
        "correlate": "correlation",
        "feedback_loop": "feedback",
        "four_verdicts": "method_comparison",
        "holdout_power": "holdout",
        "interference": "interference_study",
        "load_simulation": "simulation",
        "measure_sensitivity": "interleaving",
        "offline_online": "offline_online_study",
        "simulate": "simulation:run_simulation",
        "simulate_holdout": "long_run",
        "surrogate_study": "holdout",
        "true_lifts": "strategy_family",
    },
)
