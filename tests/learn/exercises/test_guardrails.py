"""Exercise 2.3: decisions by hand, the right answer, and wrong ones."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from reclens.learn.exercise import Draw
from reclens.learn.exercises import guardrails
from reclens.learn.exercises.guardrails import PickTheGuards

EXERCISE = PickTheGuards()


@pytest.mark.parametrize("seed", range(20))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged, tmp_path: Path) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    for name, write in EXERCISE.wrong.items():
        assert judged(EXERCISE, draw, write), name


def test_decisions_by_hand() -> None:
    rows = [
        (1, "good", "clicks", 3.0, 1.0),  # 3 - 2.576 > 0: shipped
        (1, "good", "latency", 1.0, 0.5),  # slower by 1, at worst by 1.98
        (2, "harmful", "clicks", 5.0, 1.0),
        (2, "harmful", "latency", 4.0, 0.5),  # at worst by 4.98
        (3, "null", "clicks", 2.5, 1.0),  # not found
        (3, "null", "latency", 0.0, 0.5),
    ]
    launches = pl.DataFrame(rows, schema=("launch", "outcome", "metric", "change", "standard_error"), orient="row")
    decide = guardrails._wrong_decisions
    assert decide(launches, "clicks", {}) == {"good": 0, "harmful": 1, "null": 0}
    assert decide(launches, "clicks", {"latency": 2.0}) == {"good": 0, "harmful": 0, "null": 0}
    assert decide(launches, "clicks", {"latency": 1.9}) == {"good": 1, "harmful": 0, "null": 0}
    assert decide(launches, "clicks", {"latency": 5.0}) == {"good": 0, "harmful": 1, "null": 0}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("primary = 'nosuch'\n[guardrails]\n", "unknown_metric"),
        ("primary = 'clicks'\n[guardrails]\nclicks = 1\n", "unknown_metric"),
        ("primary = 'clicks'\n[guardrails]\nlatency = 0\n", "no_margin"),
        ("primary = 'clicks'\n[guardrails]\nlatency = nan\n", "no_margin"),
        ("primary = 'clicks'\nguardrails = 3\n", "no_guardrails"),
        (
            "primary = 'clicks'\n[guardrails]\nlatency=1\nnovelty=1\ncrashes=1\ncoverage=1\ndiversity=1\n",
            "too_many_guardrails",
        ),
    ],
)
def test_what_is_no_choice_is_named(text: str, code: str) -> None:
    assert [each.code for each in EXERCISE.judge({"answer.toml": text}, Draw(1, EXERCISE.code))] == [code]


def test_which_metric_is_worth_what_differs_from_learner_to_learner() -> None:
    roles = [guardrails._roles(Draw(seed, EXERCISE.code)) for seed in range(60)]
    assert len({each.sensitive for each in roles}) == 4
    assert len({frozenset(each.harmed) for each in roles}) > 30
