"""Accuracy metrics against numbers worked out by hand."""

from __future__ import annotations

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
    from dataclasses import replace

    lists = make_lists([[1, 0]], [[0, 1]], grades=[{0: 3.0, 1: 1.0}])
    burges = replace(TREC, gain="exponential")
    assert accuracy.ndcg(lists, burges)[0] == pytest.approx((1 + 7 / log2(3)) / (7 + 1 / log2(3)))


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
