"""Planned experiments hold their power in simulated ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reclens.errors import UsageError
from reclens.stats.arms import compare_arms
from reclens.stats.difference import Difference
from reclens.stats.moments import Moments
from reclens.stats.power import (
    Question,
)
from reclens.stats.proportions import proportion_difference


def share(p: float, formula: str, **more) -> Question:
    return Question(kind="proportion", mean=p, relative=False, formula=formula, **more)


def lognormal(rng: np.random.Generator, n: int, cv: float) -> np.ndarray:
    """Values of mean 1 and a coefficient of variation."""
    sigma2 = math.log(1 + cv**2)
    return rng.lognormal(-sigma2 / 2, math.sqrt(sigma2), n)


def read(kind: str, rng: np.random.Generator, n: tuple[int, int]) -> Difference:
    """One experiment without an effect, compared as the readout does."""
    if kind == "proportion":
        hits = [int(rng.binomial(size, 0.1)) for size in n]
        return proportion_difference((hits[0], n[0]), (hits[1], n[1]))
    if kind == "ratio":
        views = [rng.poisson(5, size) + 1.0 for size in n]
        clicks = [each * rng.gamma(0.5, 2, len(each)) for each in views]
        sides = [Moments.of({"c": c, "v": v}) for c, v in zip(clicks, views, strict=True)]
        return compare_arms(*sides, ("c", "v"), relative="fieller")
    sides = [Moments.of({"y": lognormal(rng, size, 1.0) if kind == "mean" else rng.normal(1, 2, size)}) for size in n]
    return compare_arms(*sides, "y", relative="fieller")


@pytest.mark.parametrize(
    ("kind", "sd", "mean", "margin", "sign", "share"),
    [
        ("mean", 1.0, 1.0, 0.2, -1, 0.1),  # .70 with the variance of a plain difference
        ("normal", 2.0, 1.0, 0.5, 1, 0.5),  # .88
        ("normal", 2.0, 1.0, 0.5, -1, 0.5),  # .51
        ("ratio", None, 1.0, 0.2, 1, 0.8),
        ("proportion", None, 0.1, 0.2, -1, 0.1),
    ],
)
def test_a_guardrail_holds_as_often_as_planned(
    kind: str, sd: float | None, mean: float, margin: float, sign: int, share: float, rate_error
) -> None:
    rng, runs = np.random.default_rng(5), 1000
    skewness = 4.0 if kind == "mean" else 0.0  # of a lognormal with cv 1: cv³ + 3 cv
    if kind == "ratio":
        views = rng.poisson(5, 400_000) + 1.0
        left = views * (rng.gamma(0.5, 2, 400_000) - 1) / views.mean()
        sd, skewness = float(left.std()), float((left**3).mean() / left.std() ** 3)
    question = Question(
        kind="mean" if kind == "normal" else kind,
        mean=mean,
        sd=sd,
        margin=margin,
        sign=sign,
        shares=(1 - share, share),
        skewness=skewness,
    )
    answer = question.size(power=0.8)
    n = (answer.n_control, answer.n_treatment)
    held = sum(sign * read(kind, rng, n).z_at(-sign * margin, relative=True) > 1.959964 for _ in range(runs))
    assert held / runs == pytest.approx(0.8, abs=0.02 + rate_error(0.8, runs))


def test_an_effect_that_multiplies_is_found_as_often_as_planned(rate_error) -> None:
    # 30 % more of everything is 69 % more variance: a size for an equal spread finds it in 76 %.
    rng, runs = np.random.default_rng(6), 1500
    plain = Question(mean=1.0, sd=1.0)
    answer = replace(plain, scales=True).size(effect=0.3, power=0.8)
    # By hand: (1.96 + 0.8416)² (1 + 1.3²) ÷ 0.3².
    assert answer.n_control == pytest.approx(7.84888 * 2.69 / 0.09, rel=0.01)
    assert answer.n > 1.3 * plain.size(effect=0.3, power=0.8).n
    found = 0
    for _ in range(runs):
        sides = [Moments.of({"y": rng.gamma(1, grown, answer.n_control)}) for grown in (1.0, 1.3)]
        found += compare_arms(*sides, "y").p_value < 0.05
    assert found / runs == pytest.approx(0.8, abs=0.02 + rate_error(0.8, runs))
    with pytest.raises(UsageError, match="multiplies"):
        Question(mean=0.0, sd=1.0, relative=False, scales=True)
