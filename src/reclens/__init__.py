"""RecLens: the workbench of a recommender-systems analyst.

The map of the package. Each name is loaded when it is first used, so that ``import reclens`` costs next to nothing::

    import reclens as rl

    data = rl.read_movielens("ml-1m.zip")
    split = rl.split.by_time(data, test_share=0.2)
    ease = rl.models.EASE(l2=300).fit(split.train)
    result = rl.evaluate(ease.recommend(split.test_users, k=20), split.test, train=split.train, metrics=["ndcg@10"])

========================  =============================================================================================
Bring data                ``read``, ``read_mind``, ``read_movielens``, ``read_open_bandit``,
                          ``read_recommendations``, ``read_table``, ``synthetic_movielens``, ``Dataset``,
                          ``Recommendations``
Prepare it                ``profile``, ``filters``, ``split``, ``segments``
Recommend                 ``models``, ``Pipeline``, ``load_model``
Measure                   ``metrics``, ``metric``, ``evaluate``, ``evaluate_predictions``, ``evaluate_requests``,
                          ``compare``, ``tune``, ``tune_weights``, ``Evaluation``, ``Comparison``, ``Estimate``
Experiment                ``experiment`` (plan, assign, read, decide), ``world`` (users whose behaviour is known)
Show and keep             ``report``, ``Workspace``
When something is wrong   ``errors``
========================  =============================================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reclens import errors, evaluation, experiment, metrics, models, report, world
    from reclens.data import filters, segments, split
    from reclens.data.dataset import Dataset
    from reclens.data.profile import profile
    from reclens.data.read.bandit import read_open_bandit
    from reclens.data.read.mind import read_mind
    from reclens.data.read.movielens import read_movielens
    from reclens.data.read.tables import read, read_recommendations, read_table
    from reclens.data.synthetic import synthetic_movielens
    from reclens.evaluation import (
        Comparison,
        Estimate,
        Evaluation,
        compare,
        evaluate,
        evaluate_predictions,
        evaluate_requests,
        gate,
    )
    from reclens.metrics.registry import metric
    from reclens.models._core.loading import load_any_model as load_model
    from reclens.pipeline import Pipeline
    from reclens.schema import Recommendations
    from reclens.tuning import tune, tune_weights
    from reclens.workspace import Workspace

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Dataset",
    "Estimate",
    "Evaluation",
    "Pipeline",
    "Recommendations",
    "Workspace",
    "compare",
    "errors",
    "evaluate",
    "evaluate_predictions",
    "evaluate_requests",
    "evaluation",
    "experiment",
    "filters",
    "gate",
    "load_model",
    "metric",
    "metrics",
    "models",
    "profile",
    "read",
    "read_mind",
    "read_movielens",
    "read_open_bandit",
    "read_recommendations",
    "read_table",
    "report",
    "segments",
    "split",
    "synthetic_movielens",
    "tune",
    "tune_weights",
    "world",
]

_HOMES: Final = {
    "Comparison": "reclens.evaluation:Comparison",
    "Dataset": "reclens.data.dataset:Dataset",
    "Estimate": "reclens.evaluation:Estimate",
    "Evaluation": "reclens.evaluation:Evaluation",
    "Pipeline": "reclens.pipeline:Pipeline",
    "Recommendations": "reclens.schema:Recommendations",
    "Workspace": "reclens.workspace:Workspace",
    "compare": "reclens.evaluation:compare",
    "errors": "reclens.errors",
    "evaluate": "reclens.evaluation:evaluate",
    "evaluate_predictions": "reclens.evaluation:evaluate_predictions",
    "evaluate_requests": "reclens.evaluation:evaluate_requests",
    "evaluation": "reclens.evaluation",
    "experiment": "reclens.experiment",
    "filters": "reclens.data.filters",
    "gate": "reclens.evaluation:gate",
    "load_model": "reclens.models._core.loading:load_any_model",
    "metric": "reclens.metrics.registry:metric",
    "metrics": "reclens.metrics",
    "models": "reclens.models",
    "profile": "reclens.data.profile:profile",
    "read": "reclens.data.read.tables:read",
    "read_mind": "reclens.data.read.mind:read_mind",
    "read_movielens": "reclens.data.read.movielens:read_movielens",
    "read_open_bandit": "reclens.data.read.bandit:read_open_bandit",
    "read_recommendations": "reclens.data.read.tables:read_recommendations",
    "read_table": "reclens.data.read.tables:read_table",
    "report": "reclens.report",
    "segments": "reclens.data.segments",
    "split": "reclens.data.split",
    "synthetic_movielens": "reclens.data.synthetic:synthetic_movielens",
    "tune": "reclens.tuning:tune",
    "tune_weights": "reclens.tuning:tune_weights",
    "world": "reclens.world",
}
"""Where each public name lives: ``module`` or ``module:attribute``."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reclens' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    value: Any = importlib.import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
