"""Lessons: what their texts claim holds on every learner's numbers, which are right by other means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.learn.exercise import Draw, all_drills, all_exercises
from reclens.learn.lessons import all_lessons, lesson_of
from reclens.learn.lessons.architectures import _area
from reclens.learn.lessons.experiments import kendall, two_sided
from reclens.learn.lessons.fairness import _divergence, gini
from reclens.learn.lessons.foundations import film_shop

CLAIMS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "1.a": lambda f: (
        f["popular_new"] == f["item_knn_new"] == 0 < 0.05 < f["content_new"]
        and f["hybrid_new"] < 0.02
        and f["content_ndcg"] < min(f["popular_ndcg"], f["item_knn_ndcg"])
        and f["fits"] > 0
    ),
    "1.b": lambda f: (
        f["ease_precision"] == f["backwards_precision"] <= f["ceiling"]
        and f["ease_recall"] == f["backwards_recall"]
        and all(f[f"ease_{name}"] > f[f"backwards_{name}"] for name in ("ndcg", "map", "mrr"))
        and f["low"] < f["difference"] < f["high"]
        and {"above": f["low"] > 0, "below": f["high"] < 0, "around": f["low"] <= 0 <= f["high"]}[f["told_apart"]]
    ),
    "1.c": lambda f: f["raw_cells"] > f["cells"] and f["pushed_place"] < 10 < f["clean_place"] and f["density"] < 0.2,
    "2.a": lambda f: (
        f["once"] < 0.08 < 0.12 < f["daily"]
        and f["arms_p"] < 0.001
        and math.isclose(f["size_1"], 4 * f["size_2"], rel_tol=0.001)
    ),
    "2.b": lambda f: (
        f["popular_coverage"] < f["ease_coverage"]
        and (f["diversity_state"], f["novelty_state"], f["latency_state"]) == ("broken", "holds", "unclear")
    ),
    "2.c": lambda f: f["early"] > f["whole"] > f["late"] and f["overstated"] > 3,
    "2.d": lambda f: f["weighted"] > f["plain"] and f["online_of_plain"] <= f["online_best"],
    "3.a": lambda f: abs(f["wide_area"] - 0.5) < 0.05 < 0.6 < f["crossed_area"],
    "3.b": lambda f: (
        f["recall_20"] < f["recall_50"] < f["recall_100"] < f["recall_300"]
        and f["uncorrected_popular"] < 0.5 * f["true_popular"]
        and f["corrected_popular"] == pytest.approx(f["true_popular"])
    ),
    "3.c": lambda f: f["even"] < f["scaled"] < 0.5 < f["raw"] and f["norm"] > 0.7 and f["future"] > 0.4,
    "4.a": lambda f: (
        f["first"] > 2 * f["tenth"]
        and f["weighted_first"] == pytest.approx(f["weighted_tenth"], rel=0.15)
        and f["gini_last"] > f["gini_first"] + 0.1
        and f["top_share"] > 0.15
    ),
    "4.b": lambda f: (
        f["ratio"] < 0.8
        and f["difference"] < 0.1
        and abs(f["gap_all"]) < 0.02
        and max(f["gap_active"], f["gap_rare"]) < -0.06
    ),
    "4.c": lambda f: f["calibrated_divergence"] < f["score_divergence"] and f["calibrated_third"] > f["score_third"],
    "5.a": lambda f: (
        f["false_2"] > 10 * f["false_3"] > 10 * f["false_4"]
        and f["caught_2"] > f["caught_3"] > f["caught_4"]
        and f["appended"] > f["replaced"]
    ),
    "5.b": lambda f: f["recall_1"] < f["recall_3"] < f["recall_8"] < f["recall_20"] and 0.2 < f["never"] < 0.7,
    "5.c": lambda f: f["chosen"] > 0.015 > abs(f["again"]) and f["excludes"] > 0.1 > f["excludes_again"],
}
LIBRARY = {"1.a", "1.b", "2.b"}
"""Lessons that fit models, which takes longer."""
QUICK = {"1.c", "2.a", "2.c", "4.b"}
"""Lessons that take milliseconds."""


@pytest.mark.parametrize("code", CLAIMS)
def test_what_a_lesson_says_holds_for_every_learner(code: str) -> None:
    lesson = lesson_of(code)
    for seed in range(2 if code in LIBRARY else 40 if code in QUICK else 4):
        facts = lesson.numbers(seed << 64 | 7).facts
        assert CLAIMS[code](facts), facts


def test_every_lesson_is_claimed_and_numbers_are_the_learners_own() -> None:
    assert [each.code for each in all_lessons()] == list(CLAIMS)
    lesson = lesson_of("2.c")
    assert lesson.numbers(1) == lesson.numbers(1) != lesson.numbers(2)


def test_lessons_prepare_every_exercise_and_share_codes_with_drills() -> None:
    prepared = {code for each in all_lessons() for code in each.exercises}
    assert {each.code for each in all_exercises()} <= prepared <= {*(each.code for each in all_exercises()), "5.3"}
    assert {each.code for each in all_drills()} <= {each.code for each in all_lessons()}


def test_the_tools_of_the_lessons_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 12))
    assert kendall(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)
    assert two_sided(1.7) == pytest.approx(2 * stats.norm.sf(1.7))
    clicked = rng.random(200) < 0.3
    scores = rng.normal(size=200) + clicked
    u = stats.mannwhitneyu(scores[clicked], scores[~clicked]).statistic
    assert _area(scores, clicked) == pytest.approx(u / (clicked.sum() * (~clicked).sum()))
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.9, 0.1, 0.0])
    assert float(_divergence(p, q)) == pytest.approx(stats.entropy(p, 0.9 * q + 0.1 * p))
    counts = rng.integers(1, 50, 30)
    pairs = np.abs(counts[:, None] - counts[None, :]).sum()
    assert gini(counts) == pytest.approx(pairs / (2 * 30 * counts.sum()))


def test_sizes_have_the_power_that_the_lesson_names() -> None:
    facts = lesson_of("2.a").numbers(5).facts
    for lift in (1, 2, 4):
        n, mean, spread = (float(facts[name]) for name in (f"size_{lift}", "mean", "spread"))  # type: ignore[arg-type]
        error = spread * math.sqrt(2 / n)
        assert stats.norm.sf(1.959964 - lift / 100 * mean / error) == pytest.approx(0.8, abs=0.001)


def test_accuracy_is_that_of_the_definition() -> None:
    """Precision and NDCG of the lesson, from its own lists, place by place."""
    seed = 11
    facts = lesson_of("1.b").numbers(seed).facts
    from reclens.data.split import last_n
    from reclens.data.synthetic import synthetic_movielens
    from reclens.models import Popular

    data = synthetic_movielens(n_users=200, n_items=120, n_ratings=6_000, rng=Draw(seed, "lessons").rng("shop"))
    split = last_n(data, n=5)
    truth = {user: set(items) for user, items in split.test.group_by("user_id").agg("item_id").iter_rows()}
    lists = Popular().fit(split.train).recommend(split.test_users, k=10).table.sort("user_id", "rank")
    precision, ndcg = [], []
    for user, items in lists.group_by("user_id").agg(pl.col("item_id")).iter_rows():
        hits = [item in truth[user] for item in items]
        precision.append(sum(hits) / 10)
        ideal = sum(1 / math.log2(at + 2) for at in range(len(truth[user])))
        ndcg.append(sum(hit / math.log2(at + 2) for at, hit in enumerate(hits)) / ideal)
    assert facts["popular_precision"] == pytest.approx(np.mean(precision))
    assert facts["popular_ndcg"] == pytest.approx(np.mean(ndcg))
    assert facts["users"] == film_shop(seed).users == len(truth)
