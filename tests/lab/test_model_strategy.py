"""Models as strategies: what they recommend in codes is what they recommend in tables."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError
from reclens.lab.model_strategy import ModelStrategy, _fill
from reclens.models import ItemKNN
from reclens.world.arm import Arm
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.strategies import Consumed, Popular
from reclens.world.truth import true_effect


@pytest.fixture(scope="module")
def world():
    return draw_world(preset("tiny"), seed=1)


def test_codes_and_tables_agree(world) -> None:
    users, items, days = world.history
    strategy = ModelStrategy("item_knn", {"neighbors": 20})
    strategy.fit(Consumed(users=users, items=items, days=days, n_users=300, n_items=120, day=0))
    who = np.unique(users)[::7]
    found = strategy.recommend(who, 5)
    model = ItemKNN(neighbors=20).fit(Dataset(pl.DataFrame({"user_id": users, "item_id": items})))
    lists = model.recommend(pl.Series(who), k=5).table
    for row, user in enumerate(who):
        own = lists.filter(pl.col("user_id") == user)["item_id"].to_list()
        assert found[row, : len(own)].tolist() == own


def test_who_cannot_be_served_gets_what_is_popular(world) -> None:
    users, items, days = world.history
    strategy = ModelStrategy("ease")
    strategy.fit(Consumed(users=users, items=items, days=days, n_users=300, n_items=120, day=0))
    new = np.flatnonzero(world.users["cohort"].to_numpy() == "new")[:3]
    best = np.argsort(-np.bincount(items, minlength=120), kind="stable")[:6]
    assert (strategy.recommend(new, 6) == best).all()


def test_lists_are_filled_without_repeats() -> None:
    found = np.array([[4, -1, -1], [0, 1, 2], [1, 0, -1]], np.int32)
    filled = _fill(found, np.array([0, 1, 2, 3, 4], np.int32))
    assert filled.tolist() == [[4, 0, 1], [0, 1, 2], [1, 0, 2]]


def test_models_that_need_attributes_get_them(world) -> None:
    users, items, days = world.history
    strategy = ModelStrategy("content", {"features": ["topic"]}, world=world)
    strategy.fit(Consumed(users=users, items=items, days=days, n_users=300, n_items=120, day=0))
    topics = world.items["topic"].to_numpy()
    user = int(np.bincount(users).argmax())
    mine = np.bincount(topics[items[users == user]], minlength=6)
    shown = topics[strategy.recommend(np.array([user]), 5)[0]]
    assert mine[shown].mean() > mine.mean()


def test_neighbours_beat_popularity_where_tastes_differ(world) -> None:
    knn, popular = Arm(name="t", strategy=ModelStrategy("item_knn")), Arm(name="c", strategy=Popular())
    assert true_effect(world, knn, popular, days=14)["expected_clicks"].lift.low > 0
    with pytest.raises(UnknownNameError):
        ModelStrategy("item_nkk")
