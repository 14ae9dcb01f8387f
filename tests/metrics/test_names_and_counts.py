"""Kaggle's MAP@k, F1, counts of items, and metrics by their other names."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.errors import UnknownNameError
from reclens.evaluation import compare, evaluate
from reclens.metrics import ALIASES, CONVENTIONS, accuracy, canonical, describe, names, parse
from reclens.report import build_report, comparison_table, leaderboard, other_names
from reclens.report.evaluation.words import comparison_text as verdict_of
from reclens.testing.metrics import make_lists

TREC = CONVENTIONS["trec"]


def apk(actual: list[int], predicted: list[int], k: int) -> float:
    """Average precision at k, as Ben Hamner's ml_metrics has it (BSD licence), which Kaggle's competitions refer to."""
    predicted = predicted[:k]
    score, hits = 0.0, 0.0
    for place, item in enumerate(predicted):
        if item in actual and item not in predicted[:place]:
            hits += 1.0
            score += hits / (place + 1.0)
    return score / min(len(actual), k) if actual else 0.0


def test_mapk_by_hand() -> None:
    # Hits at 1 and 3 of k = 3; 2, 3 and 5 relevant items: (1 + 2/3) over 2, 3 and min(3, 5) = 3.
    lists = make_lists([[0, 9, 1]] * 3, [[0, 1], [0, 1, 2], [0, 1, 2, 3, 4]], depth=3)
    assert accuracy.mapk(lists, TREC) == pytest.approx([5 / 6, 5 / 9, 5 / 9])
    assert accuracy.map(lists, TREC) == pytest.approx([5 / 6, 5 / 9, 5 / 15])
    for convention in CONVENTIONS.values():
        assert accuracy.mapk(lists, convention) == pytest.approx([5 / 6, 5 / 9, 5 / 9])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_mapk_is_kaggles(data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 12))
    listed = data.draw(st.lists(st.permutations(range(20)), min_size=1, max_size=4))
    lengths = data.draw(st.lists(st.integers(0, 20), min_size=len(listed), max_size=len(listed)))
    lists = [list(each[:n]) for each, n in zip(listed, lengths, strict=True)]
    relevant = [
        sorted(each)
        for each in data.draw(
            st.lists(st.sets(st.integers(0, 19), min_size=1), min_size=len(listed), max_size=len(listed))
        )
    ]
    found = accuracy.mapk(make_lists(lists, relevant, depth=20).cut(k), TREC)
    assert found == pytest.approx([apk(own, each, k) for own, each in zip(relevant, lists, strict=True)])


def test_f1_is_the_harmonic_mean_of_each_user() -> None:
    # Precision 2/4, 0, 1/4; recall 2/2, 0, 1/5.
    lists = make_lists([[0, 1, 8, 9], [7, 8, 9, 6], [0, 7, 8, 9]], [[0, 1], [0], [0, 1, 2, 3, 4]], depth=4)
    by_hand = [2 * 0.5 * 1 / 1.5, 0.0, 2 * 0.25 * 0.2 / 0.45]
    assert accuracy.f1(lists, TREC) == pytest.approx(by_hand)
    # vae_cf: recall over min(k, relevant) = 4 for the last user.
    assert accuracy.f1(lists, CONVENTIONS["vae_cf"])[2] == pytest.approx(0.25)
    assert np.mean(accuracy.f1(lists, TREC)) == pytest.approx(sum(by_hand) / 3)


@pytest.fixture(scope="module")
def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    lists = pl.DataFrame({"user_id": [1, 1, 2, 2, 3, 3], "item_id": list("abacdz"), "rank": [1, 2] * 3})
    return lists, pl.DataFrame({"user_id": [1, 2, 3], "item_id": ["b", "d", "d"]})


def test_other_names_are_measured_under_the_name_here(tables) -> None:
    asked = ["HR@2", "hit@2", "p@2", "R@2", "NDCG@2", "hit_rate@2"]
    result = evaluate(*tables, metrics=asked, replicates=50)
    assert result.metrics == ("hit_rate@2", "precision@2", "recall@2", "ndcg@2")
    assert result["hr@2"] == result["hit_rate@2"] and result["hr@2"].overall.value == pytest.approx(2 / 3)
    assert result["p@2"].overall.value == pytest.approx(1 / 3)
    assert result.card["metric_aliases"] == {
        "HR@2": "hit_rate@2",
        "hit@2": "hit_rate@2",
        "p@2": "precision@2",
        "R@2": "recall@2",
        "NDCG@2": "ndcg@2",
    }
    assert other_names(result.card)[0] == "HR@2 is hit_rate@2 here"
    assert "HR@2 is hit_rate@2 here" in build_report({"mine": result}).html
    other = evaluate(*tables, metrics=["hr@2", "recall@2"], replicates=50, name="other")
    found = compare({"a": result, "b": other}, baseline="a", metrics=["hr@2", "r@2"], primary="R@2")
    assert found.card["primary"] == "recall@2" and found.find("b", "hr@2").difference == 0
    assert verdict_of(found, "hit@2") == verdict_of(found, "hit_rate@2")


def test_every_other_name_is_of_a_metric_and_of_no_other() -> None:
    assert set(ALIASES.values()) <= set(names()) and not set(ALIASES) & set(names())
    assert [parse(f"{other}@3").info for other in ALIASES] == [describe(name) for name in ALIASES.values()]
    assert canonical("clicks") == "clicks"
    with pytest.raises(UnknownNameError):
        parse("hrr@3")


def test_unique_items_are_a_count(tables) -> None:
    lists, truth = tables
    result = evaluate(lists, truth, catalogue=list("abcde"), metrics=["unique_items@1", "unique_items@2", "coverage@2"])
    # a, a, d stand first; a, b, c, d anywhere; z is in no catalogue.
    assert [result[f"unique_items@{k}"].overall.value for k in (1, 2)] == [2.0, 4.0]
    assert result["coverage@2"].overall.value == 0.8 and result["unique_items@2"].overall.low is None
    assert leaderboard({"mine": result}).rows == (("mine", "2", "4", "0.8000"),)
    fewer = evaluate(
        lists.filter(pl.col("rank") == 1), truth, catalogue=list("abcde"), metrics=["unique_items@2", "coverage@2"]
    )
    rows = comparison_table(compare({"mine": result, "fewer": fewer}, baseline="mine"), metric="unique_items@2").rows
    assert "-2 (few)" in rows[0]
