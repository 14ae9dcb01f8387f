"""Defaults that follow the data, and fits that degenerate: rules by hand, the theory behind them, and a sparse shop."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens import models
from reclens.data.dataset import Dataset
from reclens.data.split import last_n
from reclens.errors import DataError, UsageError
from reclens.evaluation import evaluate
from reclens.models import FitProblem, FitWarning
from reclens.models._core.degenerate import short_lists
from reclens.world.population import draw_world
from reclens.world.settings import WorldSettings

BY_RULE = {
    "als": ("unobserved", "l2"),
    "bpr": ("epochs",),
    "ease": ("l2",),
    "slim": ("l1", "l2"),
    "item_knn": ("shrinkage",),
    "user_knn": ("shrinkage",),
    "pure_svd": ("factors",),
}


@pytest.fixture(scope="module")
def nine() -> Dataset:
    """Nine interactions of three users with four items, one of which has ratings that differ: 3, 2.25 and 3/4."""
    rows = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
    table = pl.DataFrame(rows, ["user_id", "item_id"], orient="row")
    return Dataset(table.with_columns(rating=pl.Series([1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 1.0, 1.0])))


def test_rules_by_hand(nine: Dataset) -> None:
    """3 interactions per user, 2.25 per item, density ¾: so c = 10 is cut, at α₀ = 1, to 4/3."""
    assert models.EASE().fit(nine).resolved_ == {"l2": 15.0}
    assert models.SLIM().fit(nine).resolved_ == pytest.approx({"l1": 3**0.5 / 4, "l2": 6.0})
    assert models.BPR(factors=2).fit(nine).resolved_ == {"epochs": 200}  # 2,500 × 7 ÷ 9 = 1,945
    assert models.ItemKNN().fit(nine).resolved_ == {"shrinkage": 20.0}
    assert models.ItemKNN(similarity="jaccard").fit(nine).resolved_ == {"shrinkage": 20.0}
    assert models.ItemKNN(similarity="dot").fit(nine).resolved_ == {"shrinkage": 0.0}
    assert models.ItemKNN(feedback="explicit").fit(nine).resolved_ == {"shrinkage": 0.0}
    assert models.UserKNN().fit(nine).resolved_ == {"shrinkage": 1.0}
    # Less the users' means of 2, 4 and 1 the squares of the ratings add up to 1 + 0 + 1 + 0 + 0 + 1 + 1 + 0 + 0.
    assert models.ItemKNN(similarity="adjusted_cosine").fit(nine).resolved_ == pytest.approx({"shrinkage": 20 * 4 / 9})
    assert models.PureSVD().fit(nine).resolved_ == {"factors": 3}  # no more than users
    found = models.ALS(factors=2).fit(nine).resolved_
    assert found == pytest.approx({"unobserved": 1.0, "l2": 0.5 * (3**-0.5 + 2.25**-0.5) / (1 + 4 / 3)})
    alike = models.ALS(factors=2, frequency=0.0, unobserved=0.3).fit(nine).resolved_
    assert alike == pytest.approx({"l2": 0.5 * (3**0.5 + 2.25**0.5)})


def test_shrinkage_weighs_what_20_users_weigh() -> None:
    """tf-idf, as in the library implicit: ln(items) - ln(1 + items of the user) for each interaction."""
    rng = np.random.default_rng(0)
    ones = rng.random((60, 30)) < 0.2
    ones[np.arange(60), np.arange(60) % 30] = True
    users, items = np.nonzero(ones)
    data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}))
    sizes = ones.sum(axis=1)
    squares = (np.log(30) - np.log1p(sizes)) ** 2
    mean = float((squares * sizes).sum() / sizes.sum())
    assert models.ItemKNN(weighting="tf_idf").fit(data).resolved_["shrinkage"] == pytest.approx(20 * mean, rel=1e-6)


def drawn(probabilities: np.ndarray, seed: int) -> tuple[np.ndarray, Dataset]:
    """Independent interactions with these probabilities, and no user or item without one."""
    ones = np.random.default_rng(seed).random(probabilities.shape) < probabilities
    users, items = probabilities.shape
    ones[np.arange(max(users, items)) % users, np.arange(max(users, items)) % items] = True
    rows, columns = np.nonzero(ones)
    return ones.astype(float), Dataset(pl.DataFrame({"user_id": rows, "item_id": columns}))


def test_factors_are_the_directions_that_chance_does_not_bring() -> None:
    """20 groups of users with 20 groups of items of their own: 20 directions, and none among users who are all alike.

    600 items are found by Lanczos iterations, and held against NumPy's decomposition of the whole matrix.
    """
    popular = np.random.default_rng(0).pareto(2.0, 600) + 1
    groups = 0.01 + 0.4 * (np.arange(800)[:, None] % 20 == np.arange(600) % 20)
    for chances, expected in ((groups, 20), (0.02 * np.minimum(popular, 20) * np.ones((800, 1)), 8)):
        ones, data = drawn(chances, seed=3)
        scaled = ones / np.sqrt(np.outer(ones.sum(1), ones.sum(0)))
        edge = (ones.sum() / 800) ** -0.5 + (ones.sum() / 600) ** -0.5
        above = int((np.linalg.svd(scaled, compute_uv=False) > 1.1 * edge).sum())
        assert models.PureSVD().fit(data).resolved_ == {"factors": max(above, 8)} == {"factors": expected}


def test_the_rules_are_near_what_papers_chose_elsewhere() -> None:
    """By the sizes of Liang et al. (2018): EASE within a factor of 2 (Steck 2019), iALS within 10 % (Rendle 2021)."""
    steck = ((136_677, 9_990_682, 500), (463_435, 56_880_037, 1000), (571_355, 33_633_450, 200))
    for users, interactions, published in steck:
        assert 0.5 < 5 * interactions / users / published < 2
    per_user, per_item, density = 9_990_682 / 136_677, 9_990_682 / 20_108, 9_990_682 / (136_677 * 20_108)
    assert 0.5 * (per_user**-0.5 + per_item**-0.5) / (1 + 0.1 / density) == pytest.approx(0.003, rel=0.1)


@pytest.mark.parametrize("name", BY_RULE)
def test_a_model_that_is_given_what_the_rule_found_learns_the_same(name: str, nine: Dataset, tmp_path: Path) -> None:
    small = {"factors": 3} if name in ("als", "bpr") else {}
    model = models.get(name)(**small).fit(nine)
    assert set(model.resolved_) == set(BY_RULE[name]) == set(model.automatic)
    card = model.recommend(k=2).card
    assert card["parameters"] == {**card["parameters"], **model.resolved_} and None not in card["parameters"].values()
    assert card["automatic"] == {key: rule.formula for key, rule in model.automatic.items()}
    again = models.get(name)(**card["parameters"]).fit(nine)
    assert again.resolved_ == {} and again.recommend(k=2).card["automatic"] == {}
    assert again.recommend(k=4, exclude_seen=False).table.equals(model.recommend(k=4, exclude_seen=False).table)
    model.save(tmp_path)
    kept = models.get(name).load(tmp_path)
    assert kept.resolved_ == model.resolved_ and kept.recommend(k=2).card["parameters"] == card["parameters"]
    twice = Dataset(pl.concat([nine.interactions, nine.interactions.with_columns(pl.col("user_id", "item_id") + 9)]))
    assert all(getattr(model, key) is None for key in BY_RULE[name]), "the model is as it was made"
    if name == "als":
        assert model.fit(twice).resolved_ != again.in_use("l2"), "another fit works its own values out"


@given(users=st.integers(2, 40), items=st.integers(2, 40), share=st.floats(0.02, 1.0), seed=st.integers(0, 99))
def test_rules_give_what_the_models_take(users: int, items: int, share: float, seed: int) -> None:
    ones = np.random.default_rng(seed).random((users, items)) < share
    ones[0, 0] = True
    rows, columns = np.nonzero(ones)
    data = Dataset(pl.DataFrame({"user_id": rows, "item_id": columns}))
    for name in BY_RULE:
        model = models.get(name)()
        model.resolve(data)
        made = models.build(name, model.resolved_)  # refuses what is out of range
        assert {key: getattr(made, key) for key in BY_RULE[name]} == model.resolved_
        if name == "bpr":
            passes = 2500 * (len(set(rows)) + len(set(columns))) / len(rows)
            assert made.epochs == min(max(int(np.ceil(passes)), 30), 200)


@pytest.mark.parametrize("name", BY_RULE)
def test_a_kept_value_by_rule_is_checked_like_a_given_one(name: str, nine: Dataset, tmp_path: Path) -> None:
    import json

    from reclens.models._core.saving import _resolved

    model = models.get(name)(**({"factors": 2} if name in ("als", "bpr") else {})).fit(nine)
    for wrong in ({}, dict.fromkeys(BY_RULE[name], -1), dict.fromkeys(BY_RULE[name]), {"nothing": 1.0}):
        with pytest.raises((DataError, UsageError)):
            _resolved(model, json.loads(json.dumps(wrong)))


def test_als_vanishes_where_the_penalty_is_above_the_first_singular_value() -> None:
    """The theory behind the rule: sizes n + α₀ m and n + α₀ n, by NumPy's singular value decomposition."""
    rng = np.random.default_rng(1)
    ones = (rng.random((80, 50)) < 0.1).astype(float)
    ones[np.arange(80), np.arange(80) % 50] = 1
    users, items = np.nonzero(ones)
    data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}))
    alpha = 0.2
    left, right = ones.sum(1) + alpha * 50, ones.sum(0) + alpha * 80
    first = np.linalg.svd(ones / np.sqrt(np.outer(left, right)), compute_uv=False)
    made = {"factors": 8, "unobserved": alpha, "iterations": 60}
    with pytest.warns(FitWarning, match="als: 0 of 8 factors are alive"):
        gone = models.ALS(**made, l2=1.02 * first[0]).fit(data)
    with pytest.warns(FitWarning, match="als: 1 of 8 factors are alive"):
        one = models.ALS(**made, l2=float(np.sqrt(first[0] * first[1]))).fit(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        some = models.ALS(**made, l2=0.5 * first[1]).fit(data)
    assert [problem.code for problem in gone.problems_] == ["vanishing_factors"]
    assert (gone.problems_[0].n, one.problems_[0].n, some.problems_) == (0, 1, ())
    card = one.recommend(k=3).card["problems"]
    assert [(each["code"], each["n"], each["of"]) for each in card] == [("vanishing_factors", 1, 8)]


def test_a_fit_that_was_cut_off_says_so(nine: Dataset) -> None:
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((60, 40)) < 0.3)
    data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}))
    with pytest.warns(FitWarning, match="slim: not converged"):
        model = models.SLIM(l1=0.01, l2=0.01, sweeps=1).fit(data)
    assert [(each.code, each.n, each.of) for each in model.problems_] == [("not_converged", model.unsettled_, 40)]
    with pytest.warns(FitWarning, match="als: not converged"):
        models.ALS(factors=8, iterations=1, l2=0.01).fit(data)


def test_a_user_with_room_for_exactly_k_items_can_have_a_short_list() -> None:
    # 30 users could be shown 10 items each, 3 of whom got 9; 10 more users have room for 9, and cannot be short.
    lengths, room = np.array([9] * 3 + [10] * 27 + [5] * 10), np.array([10] * 30 + [9] * 10)
    assert short_lists(lengths, room, 10) == [FitProblem(code="short_lists", value=0.1, limit=0.05, n=3, of=30)]


def test_short_lists_are_counted_at_the_fit_and_in_the_lists(tmp_path: Path) -> None:
    """30 of 40 users live in pairs who share two items alone: besides what they have, nothing has a score."""
    rows = [(user, 100 + user // 2 * 2 + side) for user in range(30) for side in (0, 1)]
    rows += [(user, item) for user in range(30, 40) for item in range(14) if (user + item) % 7]
    data = Dataset(pl.DataFrame(rows, ["user_id", "item_id"], orient="row"))
    # A list of 2 at most: 12 items of 14 are had. So all 40 are short of 10.
    with pytest.warns(FitWarning, match="item_knn: 40 of 40 users"):
        model = models.ItemKNN().fit(data)
    assert model.problems_ == (FitProblem(code="short_lists", value=1.0, limit=0.05, n=40, of=40),)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)  # it was said at the fit
        card = model.recommend(k=2).card
    assert card["problems"] == [{"code": "short_lists", "value": 0.75, "limit": 0.05, "n": 30, "of": 40}]
    assert model.recommend(range(30, 40), k=2).card["problems"] == []
    assert model.recommend(k=2, candidates=[0, 1]).card["problems"] == [], "the request is short, not the model"
    model.save(tmp_path)
    assert models.ItemKNN.load(tmp_path).problems_ == model.problems_


@pytest.fixture(scope="module")
def shop():
    """A sparse shop, of the shape in which old defaults failed: about nine events a user, many rare items."""
    settings = WorldSettings(
        users=4_500,
        items=3_000,
        history=9.5,
        browse=100,
        factors=24,
        topics=100,
        taste_spread=2.0,
        appeal_spread=1.0,
        new_share=0,
        births=0,
    )
    users, items, _ = draw_world(settings, seed=1).history
    data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}).unique(maintain_order=True))
    return last_n(data, n=1, ties="order")


def test_on_a_sparse_shop_defaults_beat_popular_or_warn(shop) -> None:
    def measured(model: models.Recommender):
        lists = model.fit(shop.train).recommend(shop.test_users, k=10)
        return evaluate(lists, shop.test, train=shop.train, metrics=["ndcg@10"], replicates=0)["ndcg@10"].overall.value

    popular = measured(models.Popular())
    made = {name: models.get(name)() for name in (*BY_RULE, "rp3beta")}
    values = {name: measured(model) for name, model in made.items()}
    assert {name for name, value in values.items() if value <= popular and not made[name].problems_} == set()
    assert not made["als"].problems_ and values["als"] > 1.25 * popular
    assert measured(models.RP3beta(alpha=0.8, shrinkage=0)) < popular, "what the defaults are held against"
    assert measured(models.ItemKNN(shrinkage=0)) < popular
