"""Which questions are corrected together, and what that does to intervals and power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from exact_arms import CLICKS, check, plan, shares, sums
from reclens.errors import UsageError
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.analysis.readout import read_sums


def test_the_interval_of_the_lift_says_what_the_test_says() -> None:
    # A gap of 8.9 at a standard error of √20 = 4.47 is z = 1.99. By the delta method the lift would reach below zero.
    effect = read_sums(plan(), sums(b=8.9)).effects[0]
    assert effect.p_value == pytest.approx(2 * stats.t.sf(8.9 / 20**0.5, 1998)) and effect.p_value < 0.05
    delta = 0.089 - 1.96 * (10 + 1.089**2 * 10) ** 0.5 / 100
    assert delta < 0 < effect.relative.low and effect.verdict == "better"
    # The ends are the lifts r at which Welch's test of b - (1 + r) a just rejects.
    q = stats.t.ppf(0.975, 1998)
    for end, side in ((effect.relative.low, 1), (effect.relative.high, -1)):
        assert end == pytest.approx(
            optimize.brentq(
                lambda r, side=side: (8.9 - 100 * r) / (10 + 10 * (1 + r) ** 2) ** 0.5 - side * q, -0.5, 0.5
            )
        )


@pytest.mark.parametrize("gap", np.linspace(-12, 0, 25))
def test_a_guardrail_holds_just_where_its_interval_excludes_the_margin(gap: float) -> None:
    guarded = plan(
        metrics=({**CLICKS, "name": "primary", "effect": 0.05}, {**CLICKS, "role": "guardrail", "margin": 0.1})
    )
    rail = read_sums(guarded, sums(b=float(gap))).effects[1]
    # Welch's test of b - 0.9 a, its degrees of freedom apart from rounding those of the difference.
    z = (10 + gap) / (10 + 0.9**2 * 10) ** 0.5
    assert (rail.verdict == "holds") == (rail.relative.low > -0.1) == (z > stats.t.ppf(0.975, 1998))


@pytest.mark.parametrize("hits", range(100, 140))
def test_shares_are_tested_by_their_score_which_their_interval_inverts(hits: int) -> None:
    counted = Aggregates.of_rows(
        [
            {"arm": arm, "n": n, "sum:y": float(x), "product:y:y": float(x)}
            for arm, n, x in (("a", 9000, 800), ("b", 1000, hits))
        ],
        arms=["a", "b"],
    )
    asked = plan(arms=("a", "b"), metrics=({**CLICKS, "kind": "proportion"},))
    p, low = shares(read_sums(asked.model_copy(update={"arms": {"a": 0.9, "b": 0.1}}), counted))
    # Gart and Nam (1990) at zero: t = z + g (z² - 1), g a sixth of the skewness; N/(N - 1) as Miettinen and Nurminen.
    s = (800 + hits) / 10_000
    variance = s * (1 - s) * (1 / 1000 + 1 / 9000) * 10_000 / 9_999
    g = s * (1 - s) * (1 - 2 * s) * (1 / 1000**2 - 1 / 9000**2) / (6 * variance**1.5)
    z = max(np.roots([g, 1, -g - (hits / 1000 - 800 / 9000) / variance**0.5]))
    assert p == pytest.approx(2 * stats.norm.sf(z)) and (p < 0.05) == (low > 0)


def test_power_is_that_of_the_corrected_test() -> None:
    # Six metrics share the alpha: 0.05 / 6 each, as the planner has it.
    six = plan(metrics=tuple({**CLICKS, "name": f"m{i}", "effect": 0.12} for i in range(6)))
    effect = read_sums(six, sums(b=0.0)).effects[0]
    assert effect.power == pytest.approx(stats.norm.sf(stats.norm.isf(0.05 / 12) - 12 / 20**0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("effect", "status", "word"),
    [(0.087, "fail", "blocked"), (0.089, "warn", "undecided"), (0.126, "pass", "undecided")],
)
def test_power_blocks_where_the_rule_says(effect: float, status: str, word: str) -> None:
    # z of 8.7 % is 1.945, a power of 49 %; of 8.9 % it is 1.99, 51 %; of 12.6 % it is 2.82, 80 %.
    asked = plan(metrics=({**CLICKS, "effect": effect},))
    found = read_sums(asked, sums(b=1.0))
    assert found.effects[0].power == pytest.approx(stats.norm.sf(1.96 - 100 * effect / 20**0.5), abs=1e-3)
    assert check(found, "power").status == status and found.decisions[0].code == word


def test_primary_and_secondary_metrics_are_families_of_their_own() -> None:
    metrics = ({**CLICKS, "effect": 0.05}, *({**CLICKS, "name": f"s{i}", "role": "secondary"} for i in range(4)))
    found = read_sums(plan(metrics=metrics), sums(b=10.0))
    p = 2 * stats.t.sf(10 / 20**0.5, 1998)
    first, *others = found.effects
    assert (first.family, first.family_size) == ("primary", 1) and first.p_value == pytest.approx(p)
    assert first.p_adjusted == first.p_value  # the main question does not pay for what explains it
    assert all((each.family, each.family_size) == ("secondary", 4) for each in others)
    # BH of four equal p-values changes none of them.
    assert all(each.p_adjusted == pytest.approx(p) for each in others)


def test_simultaneous_intervals_share_the_alpha_of_their_own_family() -> None:
    # One primary metric, four secondary ones: 5 % for the one, a quarter of it for each of the four (Bonferroni).
    metrics = ({**CLICKS, "effect": 0.05}, *({**CLICKS, "name": f"s{i}", "role": "secondary"} for i in range(4)))
    first, *others = read_sums(plan(metrics=metrics), sums(b=10.0), intervals="simultaneous").effects
    for each, alpha in ((first, 0.05), *((other, 0.05 / 4) for other in others)):
        half = stats.t.ppf(1 - alpha / 2, 1998) * 20**0.5
        assert (each.absolute.low, each.absolute.high) == pytest.approx((10 - half, 10 + half))


def test_an_adjusted_p_beside_an_interval_without_zero_has_its_reason() -> None:
    # p = .038 in either of two primary metrics; after Bonferroni .076, and the interval by itself excludes zero.
    two = plan(metrics=tuple({**CLICKS, "name": f"m{i}", "effect": 0.05} for i in range(2)), correction="bonferroni")
    found = read_sums(two, sums(b=9.3))
    effect = found.effects[0]
    p = 2 * stats.t.sf(9.3 / 20**0.5, 1998)
    assert effect.p_adjusted == pytest.approx(2 * p) and effect.p_adjusted > 0.05 and effect.absolute.low > 0
    lost = [each for each in found.adjustments if each.code == "lost_by_correction"]
    assert effect.disagrees(0.05) and [each["p_value"] for each in lost] == pytest.approx([p, p])
    assert [each["tests"] for each in lost] == [2, 2]
    together = read_sums(two, sums(b=9.3), intervals="simultaneous")
    effect = together.effects[0]
    q = stats.t.ppf(1 - 0.0125, 1998)
    assert effect.simultaneous and not effect.disagrees(0.05)
    assert effect.absolute.low == pytest.approx(9.3 - q * 20**0.5) and effect.absolute.low < 0
    assert (effect.absolute.level, effect.relative.level) == (pytest.approx(0.975), pytest.approx(0.975))
    assert together.adjustments[0].code == "level_simultaneous" and found.adjustments[0].code == "level_each"
    with pytest.raises(UsageError, match="intervals"):
        read_sums(two, sums(b=9.3), intervals="both")  # pyright: ignore[reportArgumentType]
