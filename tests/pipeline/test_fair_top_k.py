"""FA*IR: its tables and fail probability against published values, enumeration and simulation; its lists by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.pipeline.rerank import RankedLists, build
from reclens.pipeline.rerank.fair_top_k import adjusted_alpha, fail_probability, minimum_protected
from reclens.schema import Vocabulary


def test_the_tables_of_the_authors() -> None:
    """The m-tables of fairsearchcore's README: k = 20, p = .25, α = .1, and k = 10, p = .2, α = .15, unadjusted."""
    assert minimum_protected(20, 0.25, 0.1).tolist() == [0] * 8 + [1] * 6 + [2] * 5 + [3]
    assert minimum_protected(10, 0.2, 0.15).tolist() == [0] * 8 + [1, 1]
    # Zehlike et al. 2017, table 3: α = .1.
    assert minimum_protected(12, 0.1, 0.1).tolist() == [0] * 12
    assert minimum_protected(12, 0.5, 0.1).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4]
    assert minimum_protected(12, 0.7, 0.1).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.77])
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.45])  # at .5 values are hit exactly, and rounding decides in scipy
def test_the_table_is_the_binomial_quantile(share: float, alpha: float) -> None:
    assert (minimum_protected(40, share, alpha) == stats.binom.ppf(alpha, np.arange(1, 41), share)).all()


def enumerated(table: list[int], share: float) -> float:
    """The fail probability over all 2^k lists, one by one."""
    total = 0.0
    for draws in itertools.product((0, 1), repeat=len(table)):
        if any(count < least for count, least in zip(itertools.accumulate(draws), table, strict=True)):
            total += share ** sum(draws) * (1 - share) ** (len(table) - sum(draws))
    return total


@pytest.mark.parametrize("table", [[0, 0, 0, 1, 1, 1, 2, 2, 3, 3], [1, 1, 2], [0] * 5, [0, 1], [2]])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_fail_probability_is_that_of_all_lists(table: list[int], share: float) -> None:
    assert fail_probability(np.array(table), share) == pytest.approx(enumerated(table, share), abs=1e-12)


def test_the_fail_probability_of_the_authors_example(rate_error: Callable[[float, int], float]) -> None:
    """The README of fairsearchcore says .1152; two hundred thousand lotteries, and the dynamic programme, .1469."""
    table = minimum_protected(20, 0.25, 0.1)
    assert fail_probability(table, 0.25) == pytest.approx(0.146887, abs=1e-6)
    draws = np.random.default_rng(1).random((200_000, 20)) < 0.25
    failed = float((draws.cumsum(axis=1) < table).any(axis=1).mean())
    assert abs(failed - 0.146887) < rate_error(0.146887, 200_000)
    # The adjusted one that the authors report, .0751, is the largest at which the risk is at most .1.
    alpha = adjusted_alpha(20, 0.25, 0.1)
    assert alpha == pytest.approx(0.0751, abs=5e-5)
    assert fail_probability(minimum_protected(20, 0.25, alpha), 0.25) == pytest.approx(0.0897, abs=5e-5)


@pytest.mark.parametrize(("k", "share", "alpha"), [(10, 0.5, 0.1), (30, 0.2, 0.1), (50, 0.6, 0.05), (8, 0.9, 0.3)])
def test_the_adjusted_alpha_is_the_largest_that_holds(k: int, share: float, alpha: float) -> None:
    found = adjusted_alpha(k, share, alpha)
    assert fail_probability(minimum_protected(k, share, found), share) <= alpha
    # Against a grid: no larger α_c holds.
    for more in np.linspace(found, alpha, 60)[1:]:
        if (minimum_protected(k, share, float(more)) != minimum_protected(k, share, found)).any():
            assert fail_probability(minimum_protected(k, share, float(more)), share) > alpha


def test_where_nothing_fails_too_often_alpha_stays() -> None:
    assert adjusted_alpha(3, 0.1, 0.1) == 0.1 and minimum_protected(3, 0.1, 0.1).tolist() == [0, 0, 0]


@pytest.fixture(scope="module")
def shop() -> SimpleNamespace:
    """Eight items, best first; small sellers have e, f and h."""
    sellers = ["big"] * 4 + ["small", "small", "big", "small"]
    items = pl.DataFrame({"item_id": list("abcdefgh"), "seller": sellers})
    train = Dataset(pl.DataFrame({"user_id": ["u"] * 8, "item_id": list("abcdefgh")}), items=items)
    scores = np.linspace(1, 0, 8, dtype=np.float32)[None]
    return SimpleNamespace(train=train, scores=scores, words=Vocabulary(pl.Series(list("abcdefgh"))))


def order(shop: SimpleNamespace, k: int = 6, codes: list[int] | None = None, **spec: object) -> str:
    made = build({"kind": "fair_top_k", "where": "seller = small", "adjusted": False, **spec})
    made.prepare(shop.train, shop.words)
    items = np.array([codes or range(8)], np.int32)
    lists = RankedLists(users=np.array([0]), items=items, scores=shop.scores, seen=shop.train.matrix(), k=k)
    return "".join("abcdefgh"[item] if item >= 0 else "-" for item in made.rerank(lists).items[0])


def test_lists_by_hand(shop: SimpleNamespace) -> None:
    # p = .5, α = .1: m = 0 0 0 1 1 1 of six places; the fourth is the best protected one, then the order is free.
    assert order(shop, share=0.5) == "abcedfgh"
    # p = .7: m = 0 1 1 2 2 3.
    assert order(shop, share=0.7) == "aebfchdg"
    assert order(shop, share=0.05) == "abcdefgh"
    # Adjusted: with α_c = P(at most 1 of 4) = .0837, m = 0 0 1 1 2 3, and the risk is P(at most 2 of 6) + P(0 of 3)
    # P(3 of 3) = .0705 + .0093; the next value, .09, gives m = 0 0 1 2 2 3 and .0837 + 6 × .49 × .09² = .1075.
    assert order(shop, share=0.7, adjusted=True) == "abecfhdg"
    assert adjusted_alpha(6, 0.7, 0.1) == pytest.approx(0.3**4 + 4 * 0.7 * 0.3**3, abs=1e-12)
    assert fail_probability(minimum_protected(6, 0.7, 0.0837), 0.7) == pytest.approx(0.07047 + 0.343 * 0.027, abs=1e-9)


def test_a_list_that_runs_out(shop: SimpleNamespace) -> None:
    # One protected item only: taken where it is due; the demands that follow cannot be met.
    assert order(shop, share=0.7, codes=[0, 1, 2, 4, -1, -1, -1, -1]) == "aebc----"
    assert order(shop, share=0.7, codes=[4, 5, 7, -1, -1, -1, -1, -1]) == "efh-----"


def test_every_prefix_has_what_it_needs_and_both_queues_keep_their_order() -> None:
    rng = np.random.default_rng(5)
    n, depth, k = 300, 40, 15
    protected = rng.random(200) < 0.3
    made = build({"kind": "fair_top_k", "share": 0.45, "adjusted": False})
    made._check()
    made.protected_ = protected  # type: ignore[attr-defined]
    items = np.stack([rng.permutation(200)[:depth] for _ in range(n)]).astype(np.int32)
    scores = -np.sort(-rng.random((n, depth)), axis=1).astype(np.float32)
    train = Dataset(pl.DataFrame({"user_id": [0], "item_id": [0]}))
    found = made.rerank(
        RankedLists(users=np.zeros(n, np.int64), items=items, scores=scores, seen=train.matrix(), k=k)
    ).items
    assert (np.sort(found, axis=1) == np.sort(items, axis=1)).all()
    counts = protected[found[:, :k]].cumsum(axis=1)
    enough = np.minimum(minimum_protected(k, 0.45, 0.1), protected[items].sum(axis=1)[:, None])
    assert (counts >= enough).all()
    place = np.argsort(items, axis=1)
    for flag in (True, False):
        for row in range(n):
            own = [int(np.flatnonzero(items[row] == item)[0]) for item in found[row, :k] if protected[item] == flag]
            assert own == sorted(own), place


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"share": 0.0}, "share is 0.0"),
        ({"share": 1.0}, "share is 1.0"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"head_share": 2.0}, "head_share is 2.0"),
        ({"where": "seller = nobody"}, "0 of 8 items are protected"),
        ({"where": "seller includes s"}, "Did you mean"),
    ],
)
def test_wrong_specs_are_explained(shop: SimpleNamespace, spec: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        order(shop, **spec)


def test_wrong_tables_are_explained() -> None:
    with pytest.raises(UsageError, match="k is 0"):
        minimum_protected(0, 0.5, 0.1)
    with pytest.raises(UsageError, match="k is 0"):
        fail_probability(np.array([]), 0.5)
