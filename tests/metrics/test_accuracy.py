"""Accuracy metrics against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import pytest

from reclens.metrics import CONVENTIONS, accuracy
from reclens.testing.metrics import make_lists

TREC = CONVENTIONS["trec"]


def test_graded_ndcg_by_hand() -> None:
    # Grades 3 at rank 1, 0 at rank 2, 1 at rank 3; the ideal order is 3, 2, 1.
    lists = make_lists([[0, 9, 2]], [[0, 1, 2]], grades=[{0: 3.0, 1: 2.0, 2: 1.0}])
    dcg = 3 + 1 / log2(4)
    ideal = 3 + 2 / log2(3) + 1 / log2(4)
    assert accuracy.ndcg(lists, TREC)[0] == pytest.approx(dcg / ideal)


def test_exponential_gain_by_hand() -> None:
    lists = make_lists([[1, 0]], [[0, 1]], grades=[{0: 3.0, 1: 1.0}])
    burges = replace(TREC, gain="exponential")
    assert accuracy.ndcg(lists, burges)[0] == pytest.approx((1 + 7 / log2(3)) / (7 + 1 / log2(3)))


@pytest.mark.parametrize(("highest", "places"), [(3.0, 2), (1.0, 2), (3.0, 1)])
def test_ideal_of_k_places_holds_the_highest_gain_of_the_user(highest: float, places: int) -> None:
    # RecTools' ideal list: every one of the k = 4 places is a hit. The other user's grade of 9 changes nothing.
    own = {0: highest, 1: 1.0} if places == 2 else {0: highest}
    lists = make_lists([[7, 0], [5]], [list(own), [5]], depth=4, grades=[own, {5: 9.0}])
    found = accuracy.ndcg(lists, CONVENTIONS["rectools"])
    every = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5)
    assert found == pytest.approx([(highest / log2(3)) / (highest * every), 1 / every])


def test_each_discount_at_each_rank() -> None:
    # One hit at each rank from 1 to 4: the whole curve, so that ranks 2 and 3 under LensKit's max(rank, 2) differ.
    lists = make_lists([[0], [9, 0], [9, 8, 0], [9, 8, 7, 0]], [[0]] * 4)
    assert accuracy.ndcg(lists, TREC) == pytest.approx([1, 1 / log2(3), 1 / 2, 1 / log2(5)])
    assert accuracy.ndcg(lists, CONVENTIONS["lenskit"]) == pytest.approx([1, 1, 1 / log2(3), 1 / 2])


def test_denominators_where_list_k_and_relevant_all_differ() -> None:
    # k = 5, a list of 4, hits at 2 and 4, 3 relevant: no two of the denominators are equal. Then 7 relevant, more than
    # k, and a full list.
    lists = make_lists([[9, 0, 8, 1], [0, 9, 1, 8, 7]], [[0, 1, 2], [0, 1, 2, 3, 4, 5, 6]])
    ap = np.array([1 / 2 + 2 / 4, 1 + 2 / 3])
    every = {
        "trec": ([2 / 5, 2 / 5], [2 / 3, 2 / 7], ap / [3, 7]),
        "recbole": ([2 / 5, 2 / 5], [2 / 3, 2 / 7], ap / [3, 5]),
        "lenskit": ([2 / 4, 2 / 5], [2 / 3, 2 / 5], ap / [3, 5]),
        "vae_cf": ([2 / 5, 2 / 5], [2 / 3, 2 / 5], ap / [3, 5]),
        "replay": ([2 / 5, 2 / 5], [2 / 3, 2 / 7], ap / [3, 5]),
    }
    for name, expected in every.items():
        found = [metric(lists, CONVENTIONS[name]) for metric in (accuracy.precision, accuracy.recall, accuracy.map)]
        np.testing.assert_allclose(found, expected, err_msg=name)
    short = make_lists([[9, 0]], [[0, 1, 2]])  # min(list, relevant) is 2
    assert accuracy.map(short, CONVENTIONS["lenskit"]) == pytest.approx([1 / 4])


def test_r_precision_looks_at_the_first_r_places_and_no_further() -> None:
    # R = 2: the hit at place 2 counts, the one at place 3 does not.
    lists = make_lists([[9, 0], [9, 8, 0]], [[0, 1], [0, 1]])
    assert accuracy.r_precision(lists, TREC).tolist() == [0.5, 0.0]


def test_auc_subtracts_only_training_items_of_the_catalogue() -> None:
    # Of 10 items 8 can be recommended; the user has one of them, and one that cannot be: 7 candidates, 2 of them
    # relevant. The hit at 1 stands before all 5; the other is tied with the 3 that are not listed.
    lists = make_lists([[0, 2, 3]], [[0, 1]], n_items=10, history=[[7, 9]])
    catalogue = replace(lists.catalogue, in_catalogue=np.arange(10) < 8)
    assert accuracy.auc(replace(lists, catalogue=catalogue), TREC)[0] == pytest.approx((5 + 3 / 2) / 10)


def test_average_precision_by_hand() -> None:
    # Hits at 1, 3 and 5 of 7 relevant: (1/1 + 2/3 + 3/5) / 7.
    lists = make_lists([[0, 20, 1, 21, 2]], [[0, 1, 2, 3, 4, 5, 6]])
    assert accuracy.map(lists, TREC)[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 7)


def test_r_precision_by_hand() -> None:
    # Three relevant: the first three places hold two of them.
    lists = make_lists([[0, 9, 1, 2]], [[0, 1, 2]])
    assert accuracy.r_precision(lists, TREC)[0] == pytest.approx(2 / 3)


def test_mrr_and_hit_rate_by_hand() -> None:
    lists = make_lists([[9, 8, 0], [9], []], [[0], [0], [0]])
    assert accuracy.mrr(lists, TREC).tolist() == [1 / 3, 0, 0]
    assert accuracy.hit_rate(lists, TREC).tolist() == [1, 0, 0]


def test_auc_of_a_whole_ranking_is_the_mann_whitney_statistic(rng: np.random.Generator) -> None:
    from scipy.stats import mannwhitneyu

    n = 30
    order = rng.permutation(n)
    liked = sorted(rng.choice(n, 7, replace=False).tolist())
    lists = make_lists([order.tolist()], [liked], depth=n, n_items=n)
    scores = np.empty(n)
    scores[order] = np.arange(n, 0, -1)
    is_liked = np.isin(np.arange(n), liked)
    u = mannwhitneyu(scores[is_liked], scores[~is_liked]).statistic
    assert accuracy.auc(lists, TREC)[0] == pytest.approx(u / (7 * 23))


def test_auc_ties_the_rest_of_the_catalogue_behind_a_short_list() -> None:
    # 10 items, 2 relevant, list of 3: relevant, other, other. Of the 8 irrelevant, the hit stands before all 8; the
    # other relevant item is tied with the 6 that are not listed and stands behind the 2 that are.
    lists = make_lists([[0, 2, 3]], [[0, 1]], n_items=10)
    assert accuracy.auc(lists, TREC)[0] == pytest.approx((8 + 6 / 2) / 16)


def test_auc_leaves_training_items_out_of_the_candidates() -> None:
    # As above, with 2 of the 8 irrelevant items in the training data.
    lists = make_lists([[0, 2, 3]], [[0, 1]], n_items=10, history=[[8, 9]])
    assert accuracy.auc(lists, TREC)[0] == pytest.approx((6 + 4 / 2) / 12)


def test_auc_without_a_list_knows_nothing() -> None:
    assert accuracy.auc(make_lists([[]], [[0]]), TREC).tolist() == [0.5]
