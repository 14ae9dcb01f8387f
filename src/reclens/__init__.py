"""RecLens: a workbench for the evaluation of recommender systems.

An overview of the package. Names are loaded when they are first used, which keeps ``import reclens`` fast::

    import reclens as rl

    data = rl.read_movielens("ml-1m.zip")
    split = rl.split.by_time(data, test_share=0.2)
    ease = rl.models.EASE(l2=300).fit(split.train)
    result = rl.evaluate(ease.recommend(split.test_users, k=20), split.test, train=split.train, metrics=["ndcg@10"])

========================  =============================================================================================
Bring data                ``load``, ``read``, ``read_complete_journey``, ``read_mind``, ``read_movielens``,
                          ``read_open_bandit``, ``read_qrels``, ``read_recbole``, ``read_recbole_lists``,
                          ``read_recommendations``, ``read_run``, ``read_table``, ``synthetic_movielens``,
                          ``Dataset``, ``Recommendations``
Prepare it                ``profile``, ``filters``, ``split``, ``segments``, ``queries``
Recommend                 ``models``, ``pipeline``, ``Pipeline``, ``load_model``
Measure                   ``metrics``, ``metric``, ``evaluate``, ``evaluate_predictions``, ``evaluate_requests``,
                          ``compare``, ``tune``, ``tune_weights``, ``Evaluation``, ``Comparison``, ``Estimate``
                          ``evaluation``, ``tuning``, ``stats`` hold what these give back and rest on
Experiment                ``experiment`` (plan, size, assign, read), ``world`` (users whose behaviour is known),
                          ``lab`` (studies in it)
Audit                     ``audit`` (who and what is treated worse, by how much, and how sure that is)
Watch                     ``monitor`` (every day: is the recommender well, and if not, where and why)
Explore                   ``explore`` (vectors of items and users: what a recommender reaches, and what it never finds)
Learn                     ``learn`` (exercises on data of one's own that the machine checks)
On an engine              ``Spark``, ``SparkTables`` (evaluate where large tables lie), ``Warehouse`` (SQL there)
Show and keep             ``report``, ``Workspace``, ``run_job`` (a whole job from TOML)
Extend it                 ``metric``, ``testing`` (the checks that what you add has to pass)
When something is wrong   ``errors``
========================  =============================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens import (
        audit,
        errors,
        evaluation,
        experiment,
        explore,
        lab,
        learn,
        metrics,
        models,
        monitor,
        pipeline,
        report,
        stats,
        testing,
        tuning,
        world,
    )
    from reclens.data import filters, queries, segments, split
    from reclens.data.dataset import Dataset
    from reclens.data.profile import profile
    from reclens.data.read.bandit import read_open_bandit
    from reclens.data.read.complete_journey import read_complete_journey
    from reclens.data.read.mind import read_mind
    from reclens.data.read.movielens import read_movielens
    from reclens.data.read.open import load
    from reclens.data.read.recbole import read_recbole
    from reclens.data.read.recbole_lists import read_recbole_lists
    from reclens.data.read.tables import read, read_recommendations, read_table
    from reclens.data.read.trec import read_qrels, read_run
    from reclens.data.synthetic import synthetic_movielens
    from reclens.data.warehouse import Warehouse
    from reclens.edges.spark import Spark, SparkTables
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
    from reclens.job.run import run_job
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
    "Spark",
    "SparkTables",
    "Warehouse",
    "Workspace",
    "audit",
    "compare",
    "errors",
    "evaluate",
    "evaluate_predictions",
    "evaluate_requests",
    "evaluation",
    "experiment",
    "explore",
    "filters",
    "gate",
    "lab",
    "learn",
    "load",
    "load_model",
    "metric",
    "metrics",
    "models",
    "monitor",
    "pipeline",
    "profile",
    "queries",
    "read",
    "read_complete_journey",
    "read_mind",
    "read_movielens",
    "read_open_bandit",
    "read_qrels",
    "read_recbole",
    "read_recbole_lists",
    "read_recommendations",
    "read_run",
    "read_table",
    "report",
    "run_job",
    "segments",
    "split",
    "stats",
    "synthetic_movielens",
    "testing",
    "tune",
    "tune_weights",
    "tuning",
    "world",
]

_HOMES: Final = {
    "read_qrels": "reclens.data.read.trec:read_qrels",
    "read_run": "reclens.data.read.trec:read_run",
    "read_recbole": "reclens.data.read.recbole:read_recbole",
    "read_recbole_lists": "reclens.data.read.recbole_lists:read_recbole_lists",
    "run_job": "reclens.job.run:run_job",
    "load": "reclens.data.read.open:load",
    "tuning": "reclens.tuning:",
    "testing": "reclens.testing:",
    "stats": "reclens.stats:",
    "pipeline": "reclens.pipeline:",
    "audit": "reclens.audit:",
    "explore": "reclens.explore:",
    "lab": "reclens.lab:",
    "learn": "reclens.learn:",
    "Comparison": "reclens.evaluation:Comparison",
    "Dataset": "reclens.data.dataset:Dataset",
    "Estimate": "reclens.evaluation:Estimate",
    "Evaluation": "reclens.evaluation:Evaluation",
    "Pipeline": "reclens.pipeline:Pipeline",
    "Recommendations": "reclens.schema:Recommendations",
    "Spark": "reclens.edges.spark:Spark",
    "SparkTables": "reclens.edges.spark:SparkTables",
    "Warehouse": "reclens.data.warehouse:Warehouse",
    "Workspace": "reclens.workspace:Workspace",
    "compare": "reclens.evaluation:compare",
    "errors": "reclens.errors:",
    "evaluate": "reclens.evaluation:evaluate",
    "evaluate_predictions": "reclens.evaluation:evaluate_predictions",
    "evaluate_requests": "reclens.evaluation:evaluate_requests",
    "evaluation": "reclens.evaluation:",
    "experiment": "reclens.experiment:",
    "filters": "reclens.data.filters:",
    "gate": "reclens.evaluation:gate",
    "load_model": "reclens.models._core.loading:load_any_model",
    "metric": "reclens.metrics.registry:metric",
    "metrics": "reclens.metrics:",
    "models": "reclens.models:",
    "monitor": "reclens.monitor:",
    "profile": "reclens.data.profile:profile",
    "queries": "reclens.data.queries:",
    "read": "reclens.data.read.tables:read",
    "read_complete_journey": "reclens.data.read.complete_journey:read_complete_journey",
    "read_mind": "reclens.data.read.mind:read_mind",
    "read_movielens": "reclens.data.read.movielens:read_movielens",
    "read_open_bandit": "reclens.data.read.bandit:read_open_bandit",
    "read_recommendations": "reclens.data.read.tables:read_recommendations",
    "read_table": "reclens.data.read.tables:read_table",
    "report": "reclens.report:",
    "segments": "reclens.data.segments:",
    "split": "reclens.data.split:",
    "synthetic_movielens": "reclens.data.synthetic:synthetic_movielens",
    "tune": "reclens.tuning:tune",
    "tune_weights": "reclens.tuning:tune_weights",
    "world": "reclens.world:",
}
"""Where each public name lives: ``module:attribute``, or ``module:`` for the module."""

__getattr__, _names = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
