"""Exercise 4.3: re-rankings and outcomes by hand, the right answer, and wrong ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.learn.exercise import Draw
from reclens.learn.exercises import mitigation
from reclens.learn.exercises.mitigation import Mitigation, _Part

EXERCISE = Mitigation()


@pytest.mark.parametrize("seed", range(3))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    found = {name: {each.code for each in judged(EXERCISE, draw, write)} for name, write in EXERCISE.wrong.items()}
    assert all(found.values()), found
    assert found["nothing"] == {"gap_stays_open"}
    assert found["too strong"] == {"costs_too_much"}
    assert "levels_down" in found["levels down"]
    assert "harms_within_group" in found["popular items of the seller alone"]


@pytest.fixture
def part() -> _Part:
    """A user and 14 items, of which the last four are the seller's."""
    scores = np.arange(14, 0, -1, dtype=np.float32)[None, :]
    relevance = np.zeros((1, 14), dtype=np.float32)
    relevance[0, [0, 9, 10]] = 1.0, 0.5, 0.25
    group = np.arange(14) >= 10
    views = np.array([*[1] * 10, 8, 6, 4, 2])
    return _Part(scores=scores, relevance=relevance, group=group, views=views)


@pytest.mark.parametrize(
    ("method", "strength", "expected"),
    [
        ("boost", 1.5, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]),  # 4 + 1.5 beats 5
        ("boost", 3.5, [0, 1, 2, 3, 4, 5, 6, 10, 7, 11]),
        ("quota", 2, [0, 1, 2, 3, 4, 5, 6, 7, 10, 11]),
        ("quota", 0, list(range(10))),
        ("boost_popular", 9.5, [0, 10, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("shorten", 3, [0, 1, 2, 3, 4, 5, 6, -1, -1, -1]),
    ],
)
def test_rerankings_by_hand(part: _Part, method: str, strength: float, expected: list[int]) -> None:
    before = np.arange(10)[None, :]
    assert mitigation._reranked(part, before, method, strength).tolist() == [expected]


def test_an_outcome_by_hand(part: _Part) -> None:
    outcome = mitigation._outcome(part, "quota", 2)
    gap = 4 / 14
    discount = [1 / math.log2(rank + 1) for rank in range(1, 11)]
    before, after = discount[0] + 0.5 * discount[9], discount[0] + 0.25 * discount[8]
    assert outcome.closed == pytest.approx(0.2 / gap)
    assert outcome.gained == pytest.approx(0.2 / gap)
    assert outcome.lost == pytest.approx(1 - after / before)
    shorter = mitigation._outcome(part, "shorten", 3)
    assert (shorter.closed, shorter.gained) == (0, 0)


def test_random_places_are_the_sellers_and_keep_lists_without_repeats() -> None:
    rng = np.random.default_rng(1)
    group = np.arange(40) < 8
    part = _Part(
        scores=rng.normal(size=(500, 40)).astype(np.float32), relevance=np.zeros((500, 40)), group=group, views=group
    )
    before = mitigation.top_items(part.scores, 10)
    after = mitigation._reranked(part, before, "random_places", 0.3)
    assert (group[after[after != before]]).all() and (after != before).sum() > 500


def test_validation_is_not_what_is_judged(tmp_path: Path) -> None:
    draw = Draw(4, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    scores, truth = pl.read_parquet(tmp_path / "scores.parquet"), pl.read_parquet(tmp_path / "truth.parquet")
    assert scores["user_id"].n_unique() == truth["user_id"].n_unique() == 1000
    assert truth.height == 10_000
    # The learner's own table leads to the same gap as the part that the strength is chosen on.
    lists = scores.sort("user_id", "score", descending=[False, True]).group_by("user_id", maintain_order=True).head(10)
    items = pl.read_parquet(tmp_path / "items.parquet")
    seller = str(EXERCISE.facts(draw)["seller"])
    part, test = mitigation._world(draw)[1]
    share = (lists.join(items, on="item_id")["seller"] == seller).mean()
    assert share == pytest.approx(part.group[mitigation.top_items(part.scores, 10)].mean())
    assert part.scores.shape == test.scores.shape and not np.array_equal(part.scores, test.scores)
    assert test.relevance.sum() == pytest.approx(10_000, rel=1e-6)


def test_a_right_answer_is_told_how_far_it_is_from_the_front(tmp_path: Path) -> None:
    draw = Draw(0, EXERCISE.code)
    EXERCISE.solve(draw, tmp_path)
    [note] = EXERCISE.notes({"mitigation.toml": (tmp_path / "mitigation.toml").read_text()}, draw)
    facts = {name: float(str(value)) for name, value in note.facts.items()}
    assert facts["least"] <= facts["lost"] <= 2.0 and facts["closed"] >= 50
    assert facts["distance"] == pytest.approx(facts["lost"] - facts["least"], abs=0.11)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("method = 'nosuch'\nstrength = 1", "unknown_method"),
        ("method = 'boost'\nstrength = -1", "no_strength"),
        ("method = 'boost'\nstrength = true", "no_strength"),
        ("method = 'boost'\nstrength = nan", "no_strength"),
        ("method = 'boost'", "no_strength"),
    ],
)
def test_what_is_no_choice_is_named(text: str, code: str) -> None:
    assert [each.code for each in EXERCISE.judge({"mitigation.toml": text}, Draw(1, EXERCISE.code))] == [code]
