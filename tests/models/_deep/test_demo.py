"""The deep models of the demo, as the demo fits them and on its data: each beats popularity."""

from __future__ import annotations

import pytest

import reclens as rl
from reclens import models
from reclens.data.split import Split
from reclens.evaluation import Evaluation
from reclens.job.deep_demo import _MODELS
from reclens.job.settings import JobSettings


@pytest.fixture(scope="module")
def split() -> Split:
    settings = JobSettings()
    return rl.split.last_n(rl.synthetic_movielens(rng=settings.seed), n=10)


def measured(model: models.Recommender, split: Split) -> Evaluation:
    lists = model.fit(split.train, threads=1).recommend(split.test_users, k=10, threads=1)
    return rl.evaluate(lists, split.test, train=split.train, metrics=["ndcg@10"])


@pytest.fixture(scope="module")
def popular(split: Split) -> Evaluation:
    return measured(models.Popular(), split)


@pytest.mark.parametrize("name", _MODELS)
def test_every_deep_model_of_the_demo_beats_popular(name: str, split: Split, popular: Evaluation) -> None:
    found = measured(models.build(name, _MODELS[name]), split)
    gain = rl.compare({"popular": popular, name: found}, baseline="popular").find(name, "ndcg@10")
    assert gain.low > 0, f"{gain.difference} [{gain.low}, {gain.high}]"
