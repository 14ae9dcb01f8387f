"""Tests of equivalence against PASS, statsmodels, closed forms and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from reclens.errors import UsageError
from reclens.report.experiment.method_words import adjustment_text
from reclens.stats.arms import compare_arms
from reclens.stats.equivalence import equivalence_p, share_equivalence_p, share_equivalence_power
from reclens.stats.moments import Moments
from reclens.stats.power import Question
from reclens.stats.proportions import proportion_difference


def test_power_of_one_share_is_that_of_pass() -> None:
    # PASS, equivalence tests for one proportion; also in the tests of statsmodels.
    assert share_equivalence_power(10, 0.1, 0.9, 0.6, alpha=0.05, test="normal") == pytest.approx(0.8204, abs=5e-5)
    exact = [0, 0, 0, 0.0889, 0.2356, 0.3517, 0.4457, 0.6154, 0.6674, 0.7708]
    plain = [0, 0, 0, 0.0889, 0.2356, 0.4770, 0.5530, 0.6154, 0.7365, 0.7708]
    for test, published in (("exact", exact), ("normal", plain)):
        found = [share_equivalence_power(n, 0.4, 0.6, 0.5, test=test) for n in range(20, 210, 20)]
        assert found == pytest.approx(published, abs=6e-5)
    # Four to six of ten are significant by hand: P(4 or more) at 0.1 is 0.0128, P(3 or more) 0.0702.
    assert share_equivalence_power(10, 0.1, 0.9, 0.6) == pytest.approx(0.111477 + 0.200658 + 0.250823, abs=1e-6)


def test_the_exact_test_of_a_share_rejects_where_statsmodels_does() -> None:
    # statsmodels: binom_tost_reject_interval(0.5, 0.7, 500) is (269, 332).
    outcomes = [x for x in range(501) if share_equivalence_p(x, 500, 0.5, 0.7) <= 0.05]
    assert (outcomes[0], outcomes[-1]) == (269, 332)
    # It holds its level at both limits.
    for limit in (0.5, 0.7):
        assert binom.pmf(outcomes, 500, limit).sum() <= 0.05
    assert share_equivalence_p(300, 500, 0.5, 0.7) == pytest.approx(binom.sf(299, 500, 0.5), rel=1e-9)


def test_two_one_sided_tests_are_an_interval_within_the_limits(rng) -> None:
    for gap in np.linspace(-0.4, 0.4, 17):
        a, b = (Moments.of({"y": rng.normal(mean, 1, 60)}) for mean in (5.0, 5.0 + gap))
        found = compare_arms(a, b, "y", relative="fieller", level=0.9)
        for relative, limit in ((False, 0.4), (True, 0.08)):
            ends = found.relative if relative else found.absolute
            assert ends.low is not None and ends.high is not None
            within = -limit < ends.low and ends.high < limit
            assert (equivalence_p(found, -limit, limit, relative=relative) < 0.05) == within
    shares = proportion_difference((40, 100), (43, 100), level=0.9)
    assert shares.absolute.low is not None and shares.absolute.high is not None
    worse = max(-shares.absolute.low, shares.absolute.high)
    assert equivalence_p(shares, -worse, worse) == pytest.approx(0.05, abs=1e-6)


def test_the_size_of_an_equivalence_test_has_a_closed_form_without_an_effect() -> None:
    # Chow, Shao and Wang: n an arm = 2 σ² (z of alpha + z of half of beta)² ÷ margin².
    n = 2 * (norm.ppf(0.975) + norm.ppf(0.9)) ** 2 / 0.2**2
    asked = Question(kind="mean", sd=1.0, relative=False, margin=0.2, equivalence=True, formula="normal")
    answer = asked.size(power=0.8)
    assert answer.value / 2 == pytest.approx(n, rel=1e-6)
    assert [adjustment_text(each) for each in answer.adjustments] == [
        "equivalence: the interval has to lie within ±0.2"
    ]
    # It is symmetric, costs more with an effect, and has no answer beyond the margin.
    more, less = (asked.size(effect=effect).value for effect in (0.05, -0.05))
    assert more == pytest.approx(less) and more > answer.value
    with pytest.raises(UsageError, match="no number of units"):
        asked.size(effect=0.2)
    confirmed = asked.effect(n=1.5 * answer.n, power=0.8).value
    assert -0.2 < confirmed < 0 and float(asked.power(confirmed, 1.5 * answer.n)) == pytest.approx(0.8, abs=1e-6)
    with pytest.raises(UsageError, match="equivalence is True, expected with a margin"):
        Question(kind="mean", sd=1.0, relative=False, equivalence=True)


def test_power_of_equivalence_is_what_simulated_tests_find(rng, rate_error) -> None:
    runs, n, m = 4000, 60, 30
    a, b = rng.normal(10, 2, (runs, n)), rng.normal(10.2, 2, (runs, m))
    found = 0
    for x, y in zip(a[:1000], b[:1000], strict=True):
        found += equivalence_p(compare_arms(Moments.of({"y": x}), Moments.of({"y": y}), "y"), -1.5, 1.5) <= 0.025
    said = Question(kind="mean", mean=10, sd=2, relative=False, margin=1.5, equivalence=True, shares=(2 / 3, 1 / 3))
    assert found / 1000 == pytest.approx(float(said.power(0.2, 90)), abs=rate_error(0.5, 1000))
    # Shares: a lift of at most 15 % either way, of 20 %, by the score test of the ratio.
    x, y = rng.binomial(3000, 0.2, (2, 1000)).tolist()
    held = [proportion_p(a, b, 3000, 0.15) <= 0.025 for a, b in zip(x, y, strict=True)]
    said = Question(kind="proportion", mean=0.2, margin=0.15, equivalence=True)
    assert np.mean(held) == pytest.approx(float(said.power(0.0, 6000)), abs=rate_error(0.5, 1000))


def proportion_p(x: int, y: int, n: int, limit: float) -> float:
    from reclens.stats.score import ScorePivot

    pivot = ScorePivot((x, n), (y, n))
    return float(norm.sf(min(pivot.z_at(-limit, relative=True), -pivot.z_at(limit, relative=True))))


def test_equivalence_is_shown_wrongly_no_more_often_than_alpha(rng, rate_error) -> None:
    # The true difference is the upper limit.
    runs = 1000
    wrong = sum(
        equivalence_p(
            compare_arms(Moments.of({"y": rng.normal(0, 1, 80)}), Moments.of({"y": rng.normal(0.5, 1, 20)}), "y"),
            -0.5,
            0.5,
        )
        <= 0.05
        for _ in range(runs)
    )
    assert wrong / runs <= 0.05 + rate_error(0.05, runs)


def test_what_cannot_be_asked() -> None:
    found = proportion_difference((4, 10), (5, 10))
    with pytest.raises(UsageError, match=r"low is 0\.1 and high is -0\.1, expected a lower one and a higher one"):
        equivalence_p(found, 0.1, -0.1)
    with pytest.raises(UsageError, match="between 0 and 1"):
        share_equivalence_p(3, 10, 0.0, 0.5)
    with pytest.raises(UsageError, match="11 of 10 is no share"):
        share_equivalence_p(11, 10, 0.1, 0.5)
    with pytest.raises(UsageError, match=r"alpha is 0\.7"):
        share_equivalence_power(10, 0.1, 0.9, 0.5, alpha=0.7)
    nothing = compare_arms(Moments.of({"y": [1.0, 1.0]}), Moments.of({"y": [1.0, 1.0]}), "y")
    assert math.isnan(equivalence_p(nothing, -1, 1))


def test_a_p_value_of_just_alpha_rejects() -> None:
    # One of two: P(1 or more) at .25 and P(1 or fewer) at .75 are both 7/16, without rounding; half of all outcomes.
    assert share_equivalence_p(1, 2, 0.25, 0.75) == 7 / 16
    assert share_equivalence_power(2, 0.25, 0.75, 0.5, alpha=7 / 16) == pytest.approx(0.5)
    assert share_equivalence_power(2, 0.25, 0.75, 0.5, alpha=0.4374) == 0.0
