"""Requests at serving time: cold users, histories, limits, similar items."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reclens as rl
from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.report import explanation_text
from reclens.testing.models import model_data


def pairs(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["user_id", "item_id"], orient="row")


POPULAR = [15, 11, 12, 14, 10, 13, 20, 30, 31]
"""By users, and by id where they are alike."""


LINEAR = [
    models.EASE(),
    models.PureSVD(factors=2),
    models.ItemKNN(),
    models.UserKNN(),
    models.RP3beta(),
    models.SLIM(l1=0.1, l2=1.0),
]


@pytest.mark.parametrize("model", LINEAR, ids=lambda model: model.name)
def test_no_opinion_is_popularity_and_not_the_first_items(two_towns, model: models.Recommender) -> None:
    """Item 20 leads nowhere: of its user every score is 0. The same holds for 30 and 31 once both are left out."""
    model.fit(two_towns())
    lists = model.recommend([8, 9, 1], k=3)
    assert lists.table["user_id"].unique(maintain_order=True).to_list() == [8, 9, 1]
    for user in (8, 9):
        got = lists.table.filter(pl.col("user_id") == user)
        assert got["item_id"].to_list() == POPULAR[:3] and got["score"].to_list() == [4, 3, 2]
    rules = {rule["code"]: rule["count"] for rule in lists.card["rules"]}
    assert rules["users_model_is_silent_on"] == 2 and lists.card["cold_users"] == "popular"
    assert set(model.recommend([8, 9, 1], k=3, cold_users="none").table["user_id"]) == {1}


@pytest.mark.parametrize(
    "model", [*LINEAR, models.ALS(factors=2), models.BPR(factors=2, epochs=1)], ids=lambda model: model.name
)
def test_a_history_of_unknown_items_alone_is_a_cold_user(two_towns, model: models.Recommender) -> None:
    lists = model.fit(two_towns()).recommend(history=pairs([("x", 999), ("y", 15)]), k=2)
    cold = lists.table.filter(pl.col("user_id") == "x")
    assert cold["item_id"].to_list() == [15, 11] and cold["score"].to_list() == [4, 3]
    rules = {rule["code"]: rule["count"] for rule in lists.card["rules"]}
    assert rules["users_without_known_item"] == 1
    why = model.explain("x", 15, history=pairs([("x", 999)]))
    assert why.kind == "count" and why.score == 4


def test_scores_that_are_0_throughout_are_no_vote_in_a_hybrid(two_towns) -> None:
    """Without a vote of ease, the lists of user 8 are those of popular alone: her item leads nowhere."""
    for hybrid in (models.FusionHybrid, models.WeightedHybrid):
        model = hybrid(models={"pure_svd": {"factors": 2}, "ease": {}, "popular": {}}).fit(two_towns())
        got = model.recommend([8], k=4).table["item_id"].to_list()
        assert got == POPULAR[:4], "items that are first by id are not lifted"
    silent = models.FusionHybrid(models={"pure_svd": {"factors": 2}, "ease": {}}).fit(two_towns())
    assert silent.recommend([8], k=2).table["item_id"].to_list() == [15, 11], "nobody votes: popularity"
    assert not silent.recommend([8], k=2, cold_users="none").table.height


def test_exclude_and_candidates_hold_for_cold_users_too(two_towns) -> None:
    model = models.EASE().fit(two_towns())
    assert model.recommend(["new"], k=2, exclude=[15]).table["item_id"].to_list() == [11, 12]
    only = pairs([("new", 31), ("new", 14), ("other", 15)])
    lists = model.recommend(["new", "third"], k=5, candidates=only)
    assert lists.table["item_id"].to_list() == [14, 31]
    assert lists.card["candidates"]["n"] == 2
    rules = {rule["code"]: rule["count"] for rule in lists.card["rules"]}
    assert rules["users_without_known_candidate"] == 1 and rules["users_without_list"] == 1
    both = model.recommend([1], k=9, candidates=[12, 13, 14, 777], exclude=pairs([(1, 13), (2, 14)]))
    assert sorted(both.table["item_id"]) == [12, 14] and both.card["exclude"]["n"] == 1
    with pytest.raises(DataError, match="none of the 2 candidates is known"):
        model.recommend([1], candidates=[777, 778])
    with pytest.raises(DataError, match="'exclude' lacks item_id"):
        model.recommend([1], exclude=pl.DataFrame({"item": [1]}))


def test_seen_items_stay_out_whatever_the_candidates_say(two_towns) -> None:
    model = models.ItemKNN(shrinkage=0).fit(two_towns())
    assert 11 not in model.recommend([1], k=9, candidates=[11, 12]).table["item_id"].to_list()
    assert 11 in model.recommend([1], k=9, candidates=[11, 12], exclude_seen=False).table["item_id"].to_list()


def exact_neighbours(has: np.ndarray, kept: int, similarity: str) -> dict[int, list[int]]:
    """The most similar columns of each column, by exact fractions; equal ones by their number."""
    common, found = has.T @ has, {}
    for i in range(has.shape[1]):
        sizes = {}
        for j in range(has.shape[1]):
            c, n, m = int(common[i, j]), int(common[i, i]), int(common[j, j])
            if i != j and c:
                sizes[j] = {"cosine": Fraction(c * c, n * m), "jaccard": Fraction(c, n + m - c), "dot": c}[similarity]
        found[i] = sorted(sizes, key=lambda j, sizes=sizes: (-sizes[j], j))[:kept]
    return found


@settings(max_examples=60, deadline=None)
@given(
    has=st.integers(4, 9).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=3, max_size=12)
    ),
    similarity=st.sampled_from(["cosine", "jaccard", "dot"]),
    seed=st.integers(0, 1000),
)
def test_tied_neighbours_stand_by_id_at_the_cut_off(has: list, similarity: str, seed: int) -> None:
    """On lattices nearly all similarities are tied; 1 ÷ √(1 · 6) is 1 ÷ √(2 · 3), whatever the rounding."""
    table = np.array(has, int)
    rows = np.argwhere(table)
    if not len(rows):
        return
    table = table[np.ix_(np.unique(rows[:, 0]), np.unique(rows[:, 1]))]
    shuffled = np.random.default_rng(seed).permutation(np.argwhere(table))
    data = Dataset(pl.DataFrame({"user_id": shuffled[:, 0], "item_id": shuffled[:, 1]}))
    for kind, expected in (
        ("item_knn", exact_neighbours(table, 2, similarity)),
        ("user_knn", exact_neighbours(table.T, 2, similarity)),
    ):
        model = models.get(kind)(neighbors=2, similarity=similarity, shrinkage=0)
        near = model.fit(data, threads=1 + seed % 3).neighbors_
        if kind == "item_knn":
            got = model.similar_items(range(table.shape[1]), k=2)
            mine = {i: got.filter(pl.col("seed_item") == i)["item_id"].to_list() for i in expected}
        else:
            mine = {i: near.codes[i, : near.lengths[i]].tolist() for i in expected}
        assert mine == expected


def test_ties_do_not_depend_on_rounding() -> None:
    """Item 0 shares a user with each of two items: 1 ÷ √(2 · 3), by 2 users against 3, and 1 ÷ √(1 · 6)."""
    for n, smaller, larger in ((2, 3, 12), (3, 5, 20), (5, 7, 28)):
        # Of n users of item 0 one has item 2, which has `smaller` users; two have item 1, which has four times as many.
        rows = [(u, 0) for u in range(n)] + [(0, 1), (1, 1), (0, 2)]
        rows += [(100 + u, 1) for u in range(larger - 2)] + [(500 + u, 2) for u in range(smaller - 1)]
        near = models.ItemKNN(neighbors=1, shrinkage=0).fit(Dataset(pairs(rows))).similar_items(0)
        assert near["item_id"].to_list() == [1], "2 ÷ √(n · 4 m) is 1 ÷ √(n · m): the smaller id comes first"


def cosines(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1)
    return vectors @ vectors.T / np.outer(lengths, lengths)


def test_similar_items_in_the_geometry_of_each_model() -> None:
    data = model_data()
    ones = np.zeros((80, 60))
    ones[
        data.user_vocabulary.encode(data.interactions["user_id"]),
        data.item_vocabulary.encode(data.interactions["item_id"]),
    ] = 1
    together = ones.T @ ones
    inverse = np.linalg.inv(together + 50 * np.eye(60))
    knn, ease = cosines(ones.T), -inverse / np.diag(inverse)
    als = models.ALS(factors=6).fit(data)
    bpr = models.BPR(factors=6, epochs=5).fit(data)
    svd = models.PureSVD(factors=6).fit(data)
    right = np.linalg.svd(ones)[2][:6].T
    expected = [
        (models.ItemKNN(shrinkage=0).fit(data), knn),
        (models.ItemKNN(neighbors_of="history", shrinkage=0).fit(data), knn),
        (models.EASE(l2=50).fit(data), ease),
        (als, cosines(als.item_factors_.astype(float))),
        (bpr, cosines(bpr.item_factors_[:, :-1].astype(float))),
        (svd, cosines(right)),
    ]
    for model, table in expected:
        table = table.copy()
        np.fill_diagonal(table, 0)
        got = model.similar_items(["i7", "i3", "i7"], k=5)
        assert got["seed_item"].unique(maintain_order=True).to_list() == ["i7", "i3"]
        assert got["rank"].to_list() == [1, 2, 3, 4, 5] * 2
        for seed in ("i7", "i3"):
            mine, row = got.filter(pl.col("seed_item") == seed), table[model._code(seed, model.items_)]
            np.testing.assert_allclose(mine["score"], np.sort(row)[::-1][:5], rtol=1e-3, atol=1e-5)
            np.testing.assert_allclose(row[model.items_.encode(mine["item_id"])], mine["score"], rtol=1e-3, atol=1e-5)


def test_similar_items_of_models_without_a_geometry() -> None:
    with pytest.raises(UsageError, match=r"which items are alike\. Models that do: als, bert4rec, bpr, content"):
        models.Popular().fit(model_data()).similar_items("i1")
    with pytest.raises(UnknownNameError, match="unknown item 'nosuch'"):
        models.ItemKNN().fit(model_data()).similar_items(["i1", "nosuch"])
    with pytest.raises(UsageError, match="k is 0"):
        models.ItemKNN().fit(model_data()).similar_items("i1", k=0)


ADDING = [
    models.Popular(),
    models.EASE(l2=20),
    models.ItemKNN(neighbors=3),
    models.ItemKNN(similarity="jaccard", neighbors=2),
    models.ItemKNN(similarity="dot", neighbors_of="history", shrinkage=3.0, neighbors=4),
]


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=12, max_size=60),
    cuts=st.lists(st.integers(1, 11), min_size=1, max_size=3),
    which=st.integers(0, len(ADDING) - 1),
)
def test_partial_fit_is_a_fit_on_all_data(rows: list, cuts: list, which: int) -> None:
    """New users, new items, pairs that were known, in several portions: to the last bit."""
    ends = [0, *sorted(set(cuts)), len(rows)]
    portions = [rows[a:b] for a, b in pairwise(ends) if rows[a:b]]
    model = replace(ADDING[which]).fit(Dataset(pairs(portions[0])))
    for portion in portions[1:]:
        assert model.partial_fit(Dataset(pairs(portion).unique())) is model
    whole = replace(ADDING[which]).fit(Dataset(pairs(rows).unique()))
    assert model.users_.ids.equals(whole.users_.ids) and model.items_.ids.equals(whole.items_.ids)
    assert (model.seen_.indptr == whole.seen_.indptr).all() and (model.seen_.indices == whole.seen_.indices).all()
    for options in ({}, {"exclude_seen": False}, {"history": pairs([(77, rows[0][1])])}):
        mine, expected = (each.recommend(k=9, **options).table for each in (model, whole))
        assert mine.equals(expected)


def test_partial_fit_says_which_models_cannot_and_what_was_added(tmp_path: Path) -> None:
    data = model_data()
    for model in (models.ALS(), models.ItemKNN(weighting="bm25"), models.ItemKNN(similarity="adjusted_cosine")):
        with pytest.raises(UsageError, match="cannot learn more without the data it was fitted on"):
            model.fit(data).partial_fit(data)
    model = models.Popular().fit(data)
    before = model.train_["hash"]
    more = Dataset(pl.DataFrame({"user_id": ["z"], "item_id": ["fresh"]}), name="today")
    model.partial_fit(more)
    assert model.train_["added"] == ["today"] and model.train_["hash"] != before
    model.save(tmp_path)
    assert models.Popular.load(tmp_path).recommend(k=3).table.equals(model.recommend(k=3).table)
    with pytest.raises(DataError, match="none can match"):
        model.partial_fit(Dataset(pairs([(1, 2)])))


def test_titles_in_explanations(two_towns, tmp_path: Path) -> None:
    data = two_towns()
    items = pl.DataFrame(
        {"item_id": [10, 11, 12, 13, 14], "colour": ["red"] * 5, "Title": ["Ten", "Eleven", None, "x", "y"]}
    )
    model = models.ItemKNN(shrinkage=0).fit(replace(data, items=items))
    why = model.explain(1, 12)
    assert why.item_title is None and why.titles == (None, "Eleven") and [each for each, _ in why.reasons] == [15, 11]
    assert explanation_text(why) == "12 is close to what the user has: 15 (0.707), Eleven (0.408)."
    assert why.to_dicts()[1]["title"] == "Eleven"
    model.save(tmp_path)
    assert rl.load_model(tmp_path).explain(1, 12) == why
    assert explanation_text(model.explain(5, 10)).startswith("Ten is close")
    model.partial_fit(Dataset(pairs([(1, 99)]), items=pl.DataFrame({"item_id": [99, 12], "title": ["New", "Twelve"]})))
    assert model.titles_ is not None
    titles = dict(zip(model.items_.ids, model.titles_, strict=True))
    assert titles == dict.fromkeys([15, 20, 30, 31]) | {
        10: "Ten",
        11: "Eleven",
        12: "Twelve",
        13: "x",
        14: "y",
        99: "New",
    }
    untitled = models.ItemKNN().fit(data)
    assert untitled.explain(1, 12).titles == (None, None)


def test_load_model_finds_the_class(two_towns, tmp_path: Path) -> None:
    for name in ("ease", "switching_hybrid"):
        (tmp_path / name).mkdir()
        model = models.build(name).fit(model_data())
        model.save(tmp_path / name)
        again = rl.load_model(tmp_path / name)
        assert type(again) is type(model) and again == model
        assert again.recommend(k=3).table.equals(model.recommend(k=3).table)
    with pytest.raises(DataError, match="not a whole model"):
        rl.load_model(tmp_path)
    from tests.models.conftest import Fixed

    own = tmp_path / "own"
    own.mkdir()
    Fixed(values=[1.0] * 9).fit(two_towns()).save(own)
    with pytest.raises(DataError, match="it holds a 'fixed', which is none of RecLens"):
        rl.load_model(own)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), levels=st.integers(1, 3), n_users=st.integers(9, 40), k=st.integers(1, 12))
def test_scores_of_factors_are_the_same_for_one_user_and_for_many(seed: int, levels: int, n_users: int, k: int) -> None:
    """Vectors on a lattice, many of them equal: BLAS brings candidates, and ties at its edge are looked at again."""
    rng = np.random.default_rng(seed)
    rows = [(user, item) for user in range(n_users) for item in rng.choice(600, 3, replace=False)] + [
        (0, item) for item in range(600)
    ]
    model = models.ALS(factors=5, iterations=1).fit(Dataset(pairs(rows).unique()))
    model.item_factors_ = (rng.integers(-levels, levels + 1, (600, 5)) / np.float32(3)).astype(np.float32)
    model.user_factors_ = (rng.integers(-levels, levels + 1, (n_users, 5)) / np.float32(7)).astype(np.float32)
    many = model.recommend(k=k).table
    for user in range(0, n_users, 5):
        alone = model.recommend([user], k=k).table
        assert alone.equals(many.filter(pl.col("user_id") == user))


def test_pure_svd_finds_the_vectors_of_a_flat_spectrum() -> None:
    """A random matrix has no gaps: eight products with a random start left the vectors far from the exact ones."""
    rng = np.random.default_rng(3)
    ones = (rng.random((900, 700)) < 0.05).astype(float)
    users, items = np.nonzero(ones)
    model = models.PureSVD(factors=12).fit(Dataset(pl.DataFrame({"user_id": users, "item_id": items})))
    values, right = np.linalg.svd(ones, full_matrices=False)[1:]
    np.testing.assert_allclose(model.singular_values_, values[:12], rtol=1e-9)
    exact = right[:12].T @ right[:12]
    np.testing.assert_allclose(model.item_factors_ @ model.item_factors_.T, exact, atol=1e-5)
    assert model.residual_ < 1e-6 and model.unsettled_ == 0


def test_pure_svd_counts_what_does_not_converge() -> None:
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((900, 700)) < 0.05)
    data = Dataset(pl.DataFrame({"user_id": users, "item_id": items}))
    model = models.PureSVD(factors=40, iterations=2).fit(data)
    assert 0 < model.unsettled_ < 40 and model.item_factors_.shape == (700, 40 - model.unsettled_)
    rules = {rule["code"]: rule["count"] for rule in model.recommend([0], k=2).card["rules"]}
    assert rules["vectors_not_converged"] == model.unsettled_


def test_the_hash_of_limits_is_that_of_the_items() -> None:
    model = models.Popular().fit(model_data())
    hashes = [
        model.recommend(["u1"], exclude=ids).card["exclude"]["hash"]
        for ids in (["i1", "i2"], ["i2", "i1", "i2"], pl.DataFrame({"item_id": ["i2", "i1"]}), ["i1", "i3"])
    ]
    assert len(set(hashes[:3])) == 1 and hashes[3] != hashes[0]
