"""Exercise 1.3: the definitions by hand, the right answer, and wrong ones."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from scipy import stats

from reclens.learn.exercise import Draw
from reclens.learn.exercises import own_metrics
from reclens.learn.exercises.own_metrics import OwnMetrics

EXERCISE = OwnMetrics()


@pytest.mark.parametrize("seed", range(20))
def test_the_solution_passes_and_a_wrong_answer_does_not(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    # One of them a seed: all of them, on 100 seeds, are in benchmarks/results/rates/learn.md.
    name = list(EXERCISE.wrong)[seed % len(EXERCISE.wrong)]
    assert judged(EXERCISE, draw, EXERCISE.wrong[name]), name


def test_the_definitions_by_hand() -> None:
    precision, recall = "precision_at_k", "recall_at_k"
    assert own_metrics._by_definition(precision, [1, 2, 3], [2, 9], 5) == 1 / 5  # two empty places are misses
    assert own_metrics._by_definition(recall, [1, 2, 3], [2, 9], 5) == 1 / 2
    assert own_metrics._by_definition(precision, [2, 2, 3], [2], 3) == 1 / 3
    assert own_metrics._by_definition(recall, [5, 4, 2], [2, 4], 2) == 1 / 2
    assert math.isnan(own_metrics._by_definition(recall, [1], [], 3))


def test_every_kind_of_table_is_among_those_that_are_tried() -> None:
    cases = Counter(own_metrics._case(*arguments) for _, arguments in own_metrics._tables(Draw(0, EXERCISE.code)))
    assert set(cases) == {"no_truth", "empty_list", "repeated_item", "short_list", "long_list", "plain"}


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    study = own_metrics._study(Draw(4, EXERCISE.code))
    relevant = dict(study.truth.group_by("user_id").agg("item_id").iter_rows())
    values = {}
    for model, lists in study.lists.items():
        shown = dict(lists.sort("rank").group_by("user_id", maintain_order=True).agg("item_id").iter_rows())
        values[model] = [len(set(shown.get(user, [])) & set(items)) / 10 for user, items in relevant.items()]
    found = stats.ttest_rel(values["item_knn"], values["popular"]).confidence_interval(0.95)
    assert (study.low, study.high) == pytest.approx((found.low, found.high), rel=1e-9)


def test_guessing_the_verdict_is_right_for_a_third_of_the_learners() -> None:
    found = Counter(own_metrics._study(Draw(seed << 64, EXERCISE.code)).verdict for seed in range(20))
    assert len(found) == 3 and max(found.values()) < 14
