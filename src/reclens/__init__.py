"""RecLens: the workbench of a recommender-systems analyst.

The map of the package. Each name is loaded when it is first used, so that ``import reclens`` costs next to nothing::

    import reclens as rl

    data = rl.read_movielens("ml-1m.zip")
    split = rl.split.by_time(data, test_share=0.2)
    ease = rl.models.EASE(l2=300).fit(split.train)
    result = rl.evaluate(ease.recommend(split.test_users, k=20), split.test, train=split.train, metrics=["ndcg@10"])

========================  =============================================================================================
Bring data                ``read``, ``read_mind``, ``read_movielens``, ``read_open_bandit``,
                          ``read_recommendations``, ``synthetic_movielens``, ``Dataset``, ``Recommendations``
Prepare it                ``filters``, ``split``, ``segments``
Recommend                 ``models``, ``Pipeline``, ``load_model``
Measure                   ``metrics``, ``evaluate``, ``evaluate_predictions``, ``evaluate_requests``, ``compare``,
                          ``tune``, ``Evaluation``, ``Comparison``, ``Estimate``
Experiment                ``experiment`` (plan, assign, read, decide), ``world`` (users whose behaviour is known)
Show and keep             ``report``, ``Workspace``
When something is wrong   ``errors``
========================  =============================================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reclens import errors, experiment, metrics, models, report, world
    from reclens.data import filters, segments, split
    from reclens.data.bandit import read_open_bandit
    from reclens.data.dataset import Dataset
    from reclens.data.mind import read_mind
    from reclens.data.movielens import read_movielens
    from reclens.data.synthetic import synthetic_movielens
    from reclens.data.tables import read, read_recommendations
    from reclens.evaluate import (
        Comparison,
        Estimate,
        Evaluation,
        compare,
        evaluate,
        evaluate_predictions,
        evaluate_requests,
        tune,
    )
    from reclens.models._saving import load_any_model as load_model
    from reclens.pipeline import Pipeline
    from reclens.schema import Recommendations
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
    "experiment",
    "filters",
    "load_model",
    "metrics",
    "models",
    "read",
    "read_mind",
    "read_movielens",
    "read_open_bandit",
    "read_recommendations",
    "report",
    "segments",
    "split",
    "synthetic_movielens",
    "tune",
    "world",
]

_HOMES: Final = {
    "Comparison": "reclens.evaluate:Comparison",
    "Dataset": "reclens.data.dataset:Dataset",
    "Estimate": "reclens.evaluate:Estimate",
    "Evaluation": "reclens.evaluate:Evaluation",
    "Pipeline": "reclens.pipeline:Pipeline",
    "Recommendations": "reclens.schema:Recommendations",
    "Workspace": "reclens.workspace:Workspace",
    "compare": "reclens.evaluate:compare",
    "errors": "reclens.errors",
    "evaluate": "reclens.evaluate",  # the room itself, which can be called: see reclens._callable
    "evaluate_predictions": "reclens.evaluate:evaluate_predictions",
    "evaluate_requests": "reclens.evaluate:evaluate_requests",
    "experiment": "reclens.experiment",
    "filters": "reclens.data.filters",
    "load_model": "reclens.models._saving:load_any_model",
    "metrics": "reclens.metrics",
    "models": "reclens.models",
    "read": "reclens.data.tables:read",
    "read_mind": "reclens.data.mind:read_mind",
    "read_movielens": "reclens.data.movielens:read_movielens",
    "read_open_bandit": "reclens.data.bandit:read_open_bandit",
    "read_recommendations": "reclens.data.tables:read_recommendations",
    "report": "reclens.report",
    "segments": "reclens.data.segments",
    "split": "reclens.data.split",
    "synthetic_movielens": "reclens.data.synthetic:synthetic_movielens",
    "tune": "reclens.evaluate:tune",
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
