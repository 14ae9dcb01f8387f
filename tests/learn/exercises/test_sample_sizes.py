"""Exercise 2.2: the formulas by hand and by simulation, the right answer, and wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.learn.exercise import Draw
from reclens.learn.exercises import sample_sizes
from reclens.learn.exercises.sample_sizes import SampleSizes

EXERCISE = SampleSizes()


@pytest.mark.parametrize("seed", range(20))
def test_the_solution_passes_and_a_wrong_answer_does_not(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    # One of them a seed: all of them, on 100 seeds, are in benchmarks/results/rates/learn.md.
    name = list(EXERCISE.wrong)[seed % len(EXERCISE.wrong)]
    assert judged(EXERCISE, draw, EXERCISE.wrong[name]), name


def test_the_naive_size_of_a_ratio_is_named(judged) -> None:
    remarks = judged(EXERCISE, Draw(1 << 64, EXERCISE.code), EXERCISE.wrong["impressions as units"])
    assert [each.code for each in remarks] == ["wrong_size_of_test", "impressions_as_units"]


def test_sizes_by_hand() -> None:
    # 20 % against 25 %: (.16 + .1875) × 7.8489 ÷ .0025.
    assert sample_sizes._by_formula("share", [1, 0, 0, 0, 0], 0.05) == pytest.approx(1091.0, abs=0.5)
    # The values 1, 2, 3 have variance 1: 2 × 7.8489 ÷ .25.
    assert sample_sizes._by_formula("mean", [1, 2, 3], 0.5) == pytest.approx(62.79, abs=0.01)


def test_a_test_of_that_size_has_the_power(rate_error) -> None:
    past = sample_sizes._past(Draw(5, EXERCISE.code))
    rng = np.random.default_rng(0)
    runs = 600
    for name, (*columns, effect) in past.calls():
        size = round(sample_sizes._by_formula(name, *columns, effect))
        values = np.column_stack([np.asarray(each, dtype=float) for each in columns])
        found = 0
        for _ in range(runs):
            one, other = (values[rng.integers(len(values), size=size)] for _ in range(2))
            estimates = [_estimated(name, each, values, rng, effect=add) for each, add in ((one, 0.0), (other, effect))]
            difference = estimates[1][0] - estimates[0][0]
            found += abs(difference) > 1.96 * np.sqrt(estimates[0][1] + estimates[1][1])
        assert abs(found / runs - 0.8) < rate_error(0.8, runs) + 0.01, name


def _estimated(
    name: str, rows: np.ndarray, whole: np.ndarray, rng: np.random.Generator, *, effect: float
) -> tuple[float, float]:
    """Estimate of an arm and its squared standard error; the effect is put into the rows."""
    if name == "share":
        p = whole.mean()
        rows = np.where(rows == 0, rng.random(rows.shape) < effect / (1 - p), rows)
    if name == "ratio":
        clicks, shown = rows[:, 0] + effect * rows[:, 1], rows[:, 1]
        ratio = clicks.sum() / shown.sum()
        return ratio, (clicks - ratio * shown).var(ddof=1) / shown.mean() ** 2 / len(rows)
    value = rows[:, 0] + (0.0 if name == "share" else effect)
    if name == "cuped":
        covariance = np.cov(whole[:, 0], whole[:, 1])
        value = value - covariance[0, 1] / covariance[1, 1] * (rows[:, 1] - whole[:, 1].mean())
    return value.mean(), value.var(ddof=1) / len(rows)
