"""BPR: the steps against the formulas of Rendle et al. (2009), the draws against their distribution."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models._core.bpr_kernels import descend


def run(indptr, indices, users, items, *, cell=None, choice=None, popular=False, rate=0.1, l2=0.0, seed=1) -> None:
    indptr, indices = np.array(indptr, np.int64), np.array(indices, np.int32)
    rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    cell = np.arange(len(indices), dtype=np.int32) if cell is None else np.array(cell, np.int32)
    choice = np.arange(len(items), dtype=np.int32) if choice is None else np.array(choice, np.int32)
    draws = cell, np.zeros(0), rows, indptr, indices, choice, popular
    descend(*draws, users, items, np.float32(rate), np.float32(l2), np.uint64(seed))


def test_a_step_is_the_gradient_of_the_logarithm_of_the_sigmoid() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(2, 6)).astype(np.float32), rng.normal(size=(3, 6)).astype(np.float32)
    users[:, -1] = 1
    before_users, before_items = users.astype(float), items.astype(float)
    run([0, 1, 2], [2, 0], users, items, cell=[1], choice=[1], rate=0.1, l2=0.3)  # user 1 has 0 and not 1
    x, i, j = before_users[1], before_items[0], before_items[1]
    pull = 1 / (1 + np.exp(x @ i - x @ j))
    expected = [x + 0.1 * (pull * (i - j) - 0.3 * x), i + 0.1 * (pull * x - 0.3 * i), j + 0.1 * (-pull * x - 0.3 * j)]
    expected[0][-1] = 1
    np.testing.assert_allclose([users[1], items[0], items[1]], expected, rtol=1e-5)
    assert np.array_equal(users[0], before_users[0]) and np.array_equal(items[2], before_items[2])


@pytest.mark.parametrize("popular", [False, True])
def test_what_a_user_has_is_never_her_negative(popular: bool) -> None:
    # User 0 has everything but item 3, user 1 has item 3 alone, and others. Without vectors only biases move.
    users, items = np.array([[0, 1], [0, 1]], np.float32), np.zeros((6, 2), np.float32)
    run([0, 5, 6], [0, 1, 2, 4, 5, 3], users, items, cell=[0, 1, 2, 3, 4] * 40 + [5], popular=popular, rate=1e-3)
    assert (items[[0, 1, 2, 4, 5], 1] > 0).all() and items[3, 1] < 0
    # One who has everything has no negative at all: nothing moves.
    items = np.zeros((2, 2), np.float32)
    run([0, 2], [0, 1], users, items, popular=popular)
    assert not items.any()


@pytest.mark.parametrize("popular", [False, True])
def test_negatives_are_drawn_evenly_or_by_popularity(popular: bool) -> None:
    # 400 users with item 0 draw from items 1 … 8, which 8 others have 1, 2, … 8 times.
    lists = [[0]] * 400 + [list(range(item, 9)) for item in range(1, 9)]
    indptr, indices = np.cumsum([0, *map(len, lists)]), np.concatenate(lists)
    users, items = np.tile(np.float32([0, 1]), (len(lists), 1)), np.zeros((9, 2), np.float32)
    cell = np.arange(len(indices)) if popular else np.arange(400)
    rate, drawn = 1e-7, np.zeros(9)
    for seed in range(200):
        items[:] = 0
        run(indptr, indices, users, items, cell=cell, choice=range(1, 9), popular=popular, rate=rate, seed=seed)
        drawn += items[:, 1] / (rate / 2)  # each draw of a negative lowers its bias by rate · σ(0)
    if popular:  # positives raise the biases of the others: only the shape of the fall is looked at
        assert (np.diff(drawn[1:]) < 0).all()
    else:
        expected = -drawn[1:].sum() / 8
        assert expected == pytest.approx(200 * 400 / 8, rel=1e-3)
        assert ((-drawn[1:] - expected) ** 2 / expected).sum() < 24.3  # chi² with 7 degrees of freedom, p = 0.001


def camps(n_users: int = 60, n_items: int = 40) -> Dataset:
    """Two camps: even users have even items, odd ones odd items, each 60 % of them."""
    rng = np.random.default_rng(7)
    keep = rng.random((n_users, n_items)) < 0.6
    users, items = np.nonzero(keep & (np.arange(n_users)[:, None] % 2 == np.arange(n_items) % 2))
    return Dataset(pl.DataFrame({"user_id": users, "item_id": items}))


@pytest.mark.parametrize("negatives", ["uniform", "popular"])
def test_bpr_finds_two_camps(negatives: str) -> None:
    lists = models.BPR(factors=8, epochs=60, negatives=negatives).fit(camps()).recommend(k=5).table
    assert (lists["user_id"] % 2 == lists["item_id"] % 2).mean() > 0.95


def test_bpr_does_not_depend_on_threads_and_does_on_the_seed() -> None:
    data = camps(200, 600)  # eight groups
    one, three, other = (
        models.BPR(factors=6, epochs=3, seed=seed).fit(data, threads=threads)
        for seed, threads in ((1, 1), (1, 3), (2, 3))
    )
    assert np.array_equal(one.user_factors_, three.user_factors_)
    assert np.array_equal(one.item_factors_, three.item_factors_)
    assert not np.array_equal(one.item_factors_, other.item_factors_)


def test_an_explanation_names_popularity_apart() -> None:
    model = models.BPR(factors=4, epochs=5).fit(camps())
    told = model.explain(3, 5, n=10)
    parts = dict(told.reasons)
    assert told.kind == "factor" and set(parts) == {"factor 1", "factor 2", "factor 3", "factor 4", "popularity"}
    assert parts["popularity"] == pytest.approx(float(model.item_factors_[5, -1]))


def test_bpr_says_when_it_diverges() -> None:
    with pytest.raises(UsageError, match=r"grew without bound at a learning rate of 1e.20\. Lower learning_rate="):
        models.BPR(factors=4, epochs=10, learning_rate=1e20, l2=1.0).fit(camps())
