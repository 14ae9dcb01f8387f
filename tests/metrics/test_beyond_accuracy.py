"""Diversity, novelty, serendipity, exposure and calibration against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import log, log2, sqrt

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from reclens.errors import UsageError
from reclens.metrics import CONVENTIONS, calibration, exposure
from reclens.metrics import list_diversity as diversity
from reclens.metrics import novelty_and_popularity as novelty
from reclens.metrics.exposure_counts import Exposure
from reclens.testing.metrics import make_lists

TREC = CONVENTIONS["trec"]


def test_diversity_by_hand() -> None:
    # Genres: item 0 {a}, item 1 {a, b}, item 2 {c}. Cosines: 1/√2, 0, 0.
    lists = make_lists([[0, 1, 2]], [[0]], features=[[1, 0, 0], [1, 1, 0], [0, 0, 1]], n_items=3)
    assert diversity.diversity(lists, TREC)[0] == pytest.approx(1 - (1 / sqrt(2)) / 3)


def test_diversity_equals_the_mean_over_pairs(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(20, 6))
    lists = make_lists([[3, 7, 11, 0, 19]], [[0]], features=vectors.tolist(), n_items=20)
    cosine = [
        vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])
        for a, b in combinations([3, 7, 11, 0, 19], 2)
    ]
    assert diversity.diversity(lists, TREC)[0] == pytest.approx(1 - np.mean(cosine))


def test_diversity_of_orthogonal_and_of_equal_items() -> None:
    features = np.eye(6)[[0, 1, 2, 3, 4, 0, 0]].tolist()
    lists = make_lists([[0, 1, 2, 3, 4], [0, 5, 6], [0]], [[0]] * 3, features=features, n_items=7)
    assert diversity.diversity(lists, TREC)[:2] == pytest.approx([1.0, 0.0])
    assert np.isnan(diversity.diversity(lists, TREC)[2])


def test_items_without_features_are_left_out_of_the_pairs() -> None:
    lists = make_lists([[0, 1, 2]], [[0]], features=[[1, 0], [0, 1], [0, 0]], n_items=3)
    assert diversity.diversity(lists, TREC)[0] == pytest.approx(1.0)


def test_novelty_and_popularity_by_hand() -> None:
    # 8 users; items with 8, 2 and 0 of them. An item nobody has counts as if one user had it.
    lists = make_lists([[0, 1, 2]], [[0]], popularity=[8, 2, 0], n_users=8, history=[[]])
    assert novelty.novelty(lists, TREC)[0] == pytest.approx((0 + log2(4) + log2(8)) / 3)
    assert novelty.arp(lists, TREC)[0] == pytest.approx(10 / 3)


def test_long_tail_starts_behind_four_fifths_of_the_interactions() -> None:
    # 50 + 30 = 80 of 100 interactions: the two most popular items are the head.
    lists = make_lists([[0, 1, 2, 3]], [[0]], popularity=[50, 30, 15, 5], history=[[]])
    assert lists.catalogue.long_tail.tolist() == [False, False, True, True]
    assert novelty.aplt(lists, TREC)[0] == pytest.approx(0.5)
    assert novelty.aclt(lists, TREC)[0] == 2
    short = make_lists([[0, 2], [1, 0], []], [[0]] * 3, popularity=[50, 30, 15, 5], history=[[]] * 3)
    assert novelty.aclt(short, TREC)[:2].tolist() == [1, 0] and np.isnan(novelty.aclt(short, TREC)[2])


@pytest.mark.parametrize(
    ("popularity", "tail"),
    [
        ([50, 25, 15, 10], [False, False, False, True]),  # 75 of 100 do not reach 80 %: the third item is head, at 90
        ([10, 15, 25, 50], [True, False, False, False]),  # in whatever order
        ([40, 40, 10, 10], [False, False, True, True]),  # 80 of 100 are just enough
        ([100, 1, 1], [False, True, True]),  # the item that crosses 80 % is head
        ([7, 7, 7, 7], [False, False, False, False]),  # 21 of 28 are 75 %: the fourth is needed
        ([28, 7], [False, True]),  # 28 of 35 are 80 %
        ([1, 1, 1, 1, 1, 0], [False] * 4 + [True, True]),  # ties by code; what nobody has is tail
    ],
)
def test_the_head_is_the_smallest_set_that_holds_four_fifths(popularity: list[int], tail: list[bool]) -> None:
    lists = make_lists([[0]], [[0]], popularity=popularity, history=[[]])
    assert lists.catalogue.long_tail.tolist() == tail


def test_means_over_a_list_leave_out_what_is_not_in_the_catalogue() -> None:
    # Item 3 is known from truth alone: its popularity of 0 is no measurement.
    lists = make_lists([[0, 3], [3]], [[3], [3]], popularity=[8, 2, 2, 0], n_users=8, history=[[], []])
    catalogue = replace(lists.catalogue, in_catalogue=np.array([True, True, True, False]))
    lists = replace(lists, catalogue=catalogue)
    for metric, expected in ((novelty.novelty, 0.0), (novelty.arp, 8.0), (novelty.aplt, 0.0), (novelty.aclt, 0.0)):
        value = metric(lists, TREC)
        assert value[0] == expected and np.isnan(value[1])


def test_no_popularity_list_holds_an_item_outside_the_catalogue() -> None:
    # The catalogue is items 0 and 2; item 1, though known, cannot be recommended, nor can 3. With k = 2 a popularity
    # list shows 0 and 2: a hit at 2 is expected, hits at 1 and 3 are not.
    lists = make_lists([[2], [1], [3]], [[2], [1], [3]], depth=2, popularity=[9, 8, 7, 0], history=[[]] * 3)
    catalogue = replace(lists.catalogue, in_catalogue=np.array([True, False, True, False]))
    assert novelty.serendipity(replace(lists, catalogue=catalogue), TREC).tolist() == [0.0, 0.5, 0.5]


def test_serendipity_at_the_last_place_of_the_popularity_list() -> None:
    # k = 3, the user has the first item: a popularity list shows her 1, 2 and 3, but not 4.
    lists = make_lists([[3], [4]], [[3], [4]], depth=3, popularity=[9, 8, 7, 6, 5], history=[[0], [0]])
    assert novelty.serendipity(lists, TREC).tolist() == [0.0, pytest.approx(1 / 3)]


def test_serendipity_by_hand() -> None:
    # Items by popularity: 0, 1, 2, 3, …; k = 2. User 1 has none of them: 0 and 1 are what a popularity list shows.
    # User 2 has 0 and 1: a popularity list would show her 2 and 3.
    lists = make_lists(
        [[0, 4], [2, 4], [3, 2]],
        [[0, 4]] * 2 + [[2, 3]],
        depth=2,
        popularity=[9, 8, 7, 6, 5],
        history=[[], [0, 1], [0, 1]],
    )
    assert novelty.serendipity(lists, TREC).tolist() == [0.5, 0.5, 0.0]


def test_exposure_by_hand() -> None:
    counts = Exposure(np.array([3, 1, 0, 0]))
    assert exposure.coverage(counts) == 0.5
    # Gini: mean absolute difference / (2 · mean): Σ|xi - xj| = 2 · (2 + 3 + 3 + 1 + 1 + 0), n² · 2 · mean = 16 · 2.
    assert exposure.gini(counts) == pytest.approx(20 / 32)
    assert exposure.entropy(counts) == pytest.approx(-(0.75 * log2(0.75) + 0.25 * log2(0.25)))


def test_even_and_single_exposure_are_the_bounds() -> None:
    assert exposure.gini(Exposure(np.full(10, 4))) == pytest.approx(0.0)
    assert exposure.gini(Exposure(np.array([0] * 9 + [5]))) == pytest.approx(0.9)
    assert exposure.entropy(Exposure(np.full(8, 2))) == pytest.approx(3.0)
    assert exposure.entropy(Exposure(np.array([0, 7]))) == 0.0


def test_miscalibration_against_scipy() -> None:
    # History: items 0 {a}, 1 {a, b} -> p = (3/4, 1/4, 0); list: items 1, 2 {c} -> q = (1/4, 1/4, 1/2).
    lists = make_lists([[1, 2]], [[0]], features=[[1, 0, 0], [1, 1, 0], [0, 0, 1]], history=[[0, 1]], n_items=3)
    p, q = np.array([3 / 4, 1 / 4, 0]), np.array([1 / 4, 1 / 4, 1 / 2])
    assert calibration.miscalibration(lists, TREC)[0] == pytest.approx(rel_entr(p, 0.99 * q + 0.01 * p).sum())
    assert calibration.miscalibration_js(lists, TREC)[0] == pytest.approx(jensenshannon(p, q, base=2) ** 2)


def test_items_without_genres_count_in_neither_mix() -> None:
    # Item 2 has no genre: history 0 {a}, 1 {a, b}, 2 {} -> p = (3/4, 1/4), list 1, 2 -> q = (1/2, 1/2), as without it.
    features = [[1, 0], [1, 1], [0, 0]]
    lists = make_lists([[1, 2], [2]], [[0]] * 2, features=features, history=[[0, 1, 2], [0]], n_items=3)
    p, q = np.array([3 / 4, 1 / 4]), np.array([1 / 2, 1 / 2])
    found = calibration.miscalibration_js(lists, TREC)
    assert found[0] == pytest.approx(jensenshannon(p, q, base=2) ** 2) and np.isnan(found[1])


def test_miscalibration_of_nothing_in_common_is_the_bound() -> None:
    lists = make_lists([[1], [0]], [[0]] * 2, features=[[1, 0], [0, 1]], history=[[0], [0]], n_items=2)
    assert calibration.miscalibration(lists, TREC) == pytest.approx([log(100), 0.0])
    assert calibration.miscalibration_js(lists, TREC) == pytest.approx([1.0, 0.0])


def test_users_without_a_history_have_no_mix_to_compare_with() -> None:
    lists = make_lists([[1], [0], [0]], [[0]] * 3, features=[[1, 0], [0, 1]], history=[[0], [0], []], n_items=2)
    for measure in (calibration.miscalibration, calibration.miscalibration_js):
        assert np.isnan(measure(lists, TREC)).tolist() == [False, False, True]


def test_metrics_say_what_they_lack() -> None:
    with pytest.raises(UsageError, match="item features"):
        diversity.diversity(make_lists([[0]], [[0]]), TREC)
    with pytest.raises(UsageError, match="training data"):
        novelty.novelty(make_lists([[0]], [[0]]), TREC)
