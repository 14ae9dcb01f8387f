"""Power, sizes and detectable effects against R, statsmodels, published calculators and a simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm, poisson

from reclens.errors import UnknownNameError, UsageError
from reclens.stats.power import (
    FORMULAS,
    Question,
    coefficient_of_determination,
    corrected_alpha,
    design_effect,
    quantile_sd,
    ratio_sd,
    t_power,
    z_power,
)
from reclens.stats.power.formulas import Inputs
from reclens.stats.score import ScorePivot

UNIT = Question(kind="mean", mean=0.0, sd=1.0, relative=False)


def share(p: float, formula: str, **more) -> Question:
    return Question(kind="proportion", mean=p, relative=False, formula=formula, **more)


def per_group(question: Question, effect: float, power: float = 0.8) -> float:
    return question.size(effect=effect, power=power).value / 2


# What each case of the shared file is by our functions; ids as there.
CASES = {
    "pwr_t_one_d1_n30": lambda: float(t_power(30**0.5, df=29)),
    "pwr_t2n_d0.1_20_30": lambda: float(
        Question(kind="mean", sd=1.0, relative=False, shares=(0.4, 0.6)).power(0.1, 50)
    ),
    "pwr_2p_h0.3_n80": lambda: float(z_power(0.3 * math.sqrt(40))),
    "pwr_t_n_d2_3_p90": lambda: per_group(UNIT, 2 / 3, 0.9),
    "R_power_t_n20_d1": lambda: float(UNIT.power(1.0, 40)),
    "R_power_t_p90_d1": lambda: per_group(UNIT, 1.0, 0.9),
    "R_power_prop_p90_n": lambda: per_group(share(0.5, "score"), 0.25, 0.9),
    "R_power_prop_one_power": lambda: float(share(0.5, "score", tails=1).power(0.25, 2 * 62.33551)),
    "stata_power_2prop": lambda: float(share(0.001, "score").power(0.014, 1100)),
    "evan_20_abs5": lambda: per_group(share(0.2, "baseline"), 0.05),
    "n_20_abs5_pooled": lambda: per_group(share(0.2, "score"), 0.05),
    "n_20_abs5_arcsine": lambda: per_group(share(0.2, "arcsine"), 0.05),
    "n_20_abs5_unpooled": lambda: per_group(share(0.2, "unpooled"), 0.05),
    "gb_power_rel": lambda: float(
        Question(kind="mean", mean=10, sd=3909.9997749994377**0.5, formula="relative", shares=(1 / 3, 1 / 3)).power(
            0.05, 400_000
        )
    ),
}


# tea-tasting's own example, make_users_data(rng=42) without uplift: sums of 4,000 users.
SESSIONS, ORDERS, SESSIONS_2, ORDERS_2, PRODUCT, USERS = 7958.0, 2076.0, 19796.0, 3942.0, 5045.0, 4000


def orders() -> Question:
    sd = math.sqrt((ORDERS_2 - ORDERS**2 / USERS) / (USERS - 1))
    return Question(kind="mean", mean=ORDERS / USERS, sd=sd, relative=False, level=0.9)


def orders_per_session() -> Question:
    ratio = ORDERS / SESSIONS
    left = ORDERS_2 - 2 * ratio * PRODUCT + ratio**2 * SESSIONS_2
    return Question(kind="ratio", mean=ratio, sd=math.sqrt(left / (USERS - 1)) / (SESSIONS / USERS))


CASES |= {
    "tt_power": lambda: float(orders_per_session().power(0.1, USERS)),
    "tt_mde": lambda: [orders().effect(n=n, power=0.7).value for n in (10_000, 20_000)],
}


@pytest.mark.parametrize("name", CASES)
def test_the_published_cases(cases, name: str) -> None:
    case = cases[name]
    expected = case.get("recomputed_value", case["expected"])
    # Sizes that count the far tail too differ from the closed form in the sixth digit.
    assert CASES[name]() == pytest.approx(case["expected"], abs=max(case["tolerance"], 1e-12)), expected


def test_published_values_without_the_file() -> None:
    assert float(t_power(30**0.5, df=29)) == pytest.approx(0.9995636009612725, abs=1e-8)  # pwr
    assert CASES["pwr_t2n_d0.1_20_30"]() == pytest.approx(0.0633081832564667, abs=1e-8)  # pwr
    assert CASES["R_power_prop_p90_n"]() == pytest.approx(76.70692, abs=1e-4)  # power.prop.test
    assert CASES["stata_power_2prop"]() == pytest.approx(0.74156, abs=1e-6)  # Stata


def test_a_running_experiment_that_needs_25_times_more() -> None:
    # GrowthBook's own test: 500 users an arm, means 1 and 1.05, variance 1000/499; it bisects until power is within
    # 1e-5 of 0.8 and stops at a factor of 25.45703 more users.
    question = Question(kind="mean", mean=1.0, sd=(1000 / 499) ** 0.5, formula="relative")
    assert float(question.power(0.05, 1000 * (1 + 25.45703125))) == pytest.approx(0.8, abs=1e-5)
    assert question.size(effect=0.05).value / 1000 - 1 == pytest.approx(25.45703125, abs=1e-3)


def test_the_shared_case_of_a_running_experiment(cases) -> None:
    factor = cases["gb_midexp_power"]["expected"]
    question = Question(kind="mean", mean=1.0, sd=(1000 / 499) ** 0.5, formula="relative")
    assert float(question.power(0.05, 1000 * (1 + factor))) == pytest.approx(0.8, abs=1e-5)


def test_power_of_shares_ratios_margins_and_clusters_is_what_simulated_experiments_find(rng) -> None:
    runs = 20_000
    error = 4 * math.sqrt(0.16 / runs) + 0.003

    def found(estimate, se) -> float:
        return float((np.abs(estimate / se) > 1.959964).mean())

    # Shares, one to four.
    p, q = rng.binomial(1600, 0.2, runs) / 1600, rng.binomial(400, 0.26, runs) / 400
    said = share(0.2, "unpooled", shares=(0.8, 0.2)).power(0.06, 2000)
    assert found(q - p, np.sqrt(p * (1 - p) / 1600 + q * (1 - q) / 400)) == pytest.approx(float(said), abs=error)
    # Non-inferiority: the lower end of the interval above −10 % of 0.4, when nothing has changed.
    p, q = rng.binomial(1500, 0.4, runs) / 1500, rng.binomial(1500, 0.4, runs) / 1500
    held = (q - p - 1.959964 * np.sqrt(p * (1 - p) / 1500 + q * (1 - q) / 1500) > -0.04).mean()
    said = Question(kind="proportion", mean=0.4, margin=0.1, absolute_margin=True, formula="unpooled").power(0.0, 3000)
    assert held == pytest.approx(float(said), abs=error)
    # The same margin of a lift is tested by treatment - 0.9 control, whose variance counts control by 0.81.
    held = (q - 0.9 * p > 1.959964 * np.sqrt(0.81 * p * (1 - p) / 1500 + q * (1 - q) / 1500)).mean()
    said = Question(kind="proportion", mean=0.4, margin=0.1, formula="unpooled").power(0.0, 3000)
    assert held == pytest.approx(float(said), abs=error)
    # Clusters of 25 units with an ICC of 0.1: 40 clusters an arm, means of clusters with variance 0.1 + 0.9 / 25.
    spread = math.sqrt(0.1 + 0.9 / 25)
    old, new = (rng.normal(mean, spread, (runs, 40)) for mean in (5.0, 5.25))
    se = np.sqrt(old.var(axis=1, ddof=1) / 40 + new.var(axis=1, ddof=1) / 40)
    t = (new.mean(axis=1) - old.mean(axis=1)) / se
    said = Question(kind="mean", mean=5, sd=1, icc=0.1, cluster_size=25).power(0.05, 2000)
    assert (np.abs(t) > 1.990847).mean() == pytest.approx(float(said), abs=error)  # t with 78 degrees of freedom


def test_one_question_has_several_answers_and_each_is_named() -> None:
    answer = Question(kind="proportion", mean=0.2, relative=False).size(effect=0.05, power=0.8)
    assert (answer.n, answer.n_control, answer.n_treatment) == (2188, 1094, 1094)
    assert answer.formula == "score"
    sizes = {name: round(n / 2) for name, n in answer.neighbours}
    assert sizes["baseline"] == 1030 and sizes["unpooled"] == 1091
    assert sizes["arcsine"] == 1092
    assert answer.to_dicts()[0]["formula"] == "score"


@pytest.mark.parametrize("formula", ["unpooled", "score", "baseline", "arcsine", "relative"])
@pytest.mark.parametrize("effect", [0.05, -0.05])
def test_size_effect_and_power_are_inverse(formula: str, effect: float) -> None:
    question = share(0.2, formula)
    n = question.size(effect=effect, power=0.9).value
    assert float(question.power(effect, n)) == pytest.approx(0.9, abs=1e-9)
    found = question.effect(n=n, power=0.9, sign=1 if effect > 0 else -1)
    assert found.value == pytest.approx(effect, abs=1e-7)
    assert question.power_at(effect=effect, n=n).power == pytest.approx(0.9, abs=1e-9)


def test_the_power_of_a_mean_is_what_a_simulation_finds(rng) -> None:
    # Two arms of unequal size, three to one, effect of 4 % of a mean of 10.
    question = Question(kind="mean", mean=10, sd=4, shares=(0.75, 0.25))
    n, runs = 4000, 4000
    control = 10 + 4 * rng.standard_normal((runs, 300)).mean(axis=1) * math.sqrt(300 / (0.75 * n))
    treated = 10.4 + 4 * rng.standard_normal((runs, 300)).mean(axis=1) * math.sqrt(300 / (0.25 * n))
    z = (treated - control) / (4 * math.sqrt(1 / (0.75 * n) + 1 / (0.25 * n)))
    found = (np.abs(z) > 1.96).mean()
    assert float(question.power(0.04, n)) == pytest.approx(found, abs=4 * math.sqrt(0.25 / runs))


def test_adjustments_by_hand() -> None:
    plain = Question(kind="ratio", mean=0.1, sd=0.4).size(effect=0.05).value

    def size(**more) -> float:
        return Question(kind="ratio", mean=0.1, sd=0.4, **more).size(effect=0.05).value / plain

    assert size(r2=0.4) == pytest.approx(0.6, abs=1e-6)
    assert size(inflation=1.1) == pytest.approx(1.1, abs=1e-6)
    assert size(icc=0.05, cluster_size=20) == pytest.approx(1.95, abs=1e-6)  # 1 + 19 · 0.05
    assert size(shares=(0.8, 0.2)) == pytest.approx(0.25 / 0.16, abs=1e-6)
    # Three treatments against control: (z of 0.05/6 + z of 0.8)² over (1.96 + 0.8416)².
    assert size(comparisons=3) == pytest.approx(((2.39398 + 0.841621) / 2.801585) ** 2, abs=1e-4)
    assert size(comparisons=3, correction="none") == pytest.approx(1.0)
    assert corrected_alpha(0.05, comparisons=5, correction="holm") == pytest.approx(0.01)
    # Benjamini and Yekutieli: 1 + 1/2 + 1/3 + 1/4 + 1/5 = 137/60.
    assert corrected_alpha(0.05, comparisons=5, correction="by") == pytest.approx(0.01 * 60 / 137)


def test_design_effect_of_unequal_clusters() -> None:
    # Eldridge et al. (2006): 1 + ((0.65² + 1) · 50 − 1) · 0.05 for sizes that vary by 65 %.
    assert design_effect(icc=0.05, cluster_size=50, cluster_cv=0.65) == pytest.approx(4.50625)
    assert design_effect(icc=0.0, cluster_size=50) == 1.0


def test_non_inferiority_asks_for_the_margin_only() -> None:
    # Closed form: (1.96 + 0.8416)² · (1 + 0.97²) p (1 − p) / margin², p = 0.45, margin 3 % of it.
    answer = Question(kind="proportion", mean=0.45, margin=0.03, formula="unpooled").size(power=0.8)
    assert answer.n_control == math.ceil(7.848879 * (1 + 0.97**2) * 0.45 * 0.55 / (0.03 * 0.45) ** 2)
    assert "non_inferiority" in {each.code for each in answer.adjustments}
    assert {name for name, _ in answer.neighbours} == {"score", "relative", "arcsine"}
    # A treatment that is truly better needs fewer units, one that is worse by half the margin four times as many.
    mean = Question(kind="mean", mean=5, sd=5, margin=0.04, formula="normal")
    n = mean.size(effect=0.0).value
    assert mean.size(effect=0.04).value == pytest.approx(n / 4, rel=1e-3)
    assert mean.size(effect=-0.02).value == pytest.approx(4 * n, rel=1e-3)


@pytest.mark.parametrize(("relative", "margin", "sign"), [(False, 0.05, 1), (True, 0.2, 1), (True, 0.2, -1)])
def test_the_size_of_a_score_test_is_that_of_farrington_and_manning(relative: bool, margin: float, sign: int) -> None:
    # Their formula, with the shares under the null hypothesis found by a numerical search; three units to one.
    p, w = 0.1, (0.75, 0.25)
    ratio, shift = (1 - sign * margin, 0.0) if relative else (1.0, -sign * margin)

    def surprise(a: float) -> float:
        b = ratio * a + shift
        return -(
            w[0] * (p * math.log(a) + (1 - p) * math.log1p(-a)) + w[1] * (p * math.log(b) + (1 - p) * math.log1p(-b))
        )

    inside = (max(1e-9, 1e-9 - shift), min(1 - 1e-9, (1 - 1e-9 - shift) / ratio))
    a = minimize_scalar(surprise, bounds=inside, method="bounded", options={"xatol": 1e-12}).x
    b = ratio * a + shift
    null, true = (math.sqrt(ratio**2 * s * (1 - s) / w[0] + t * (1 - t) / w[1]) for s, t in ((a, b), (p, p)))
    away = margin * (p if relative else 1.0)
    n = ((1.959964 * null + 0.841621 * true) / away) ** 2
    question = Question(kind="proportion", mean=p, margin=margin, relative=relative, shares=w, sign=sign)
    assert question.formula_name == "score" and question.size(power=0.8).value == pytest.approx(n, rel=1e-6)


@pytest.mark.parametrize(("relative", "margin"), [(False, 0.02), (True, 0.3)])
def test_the_power_of_a_score_test_is_what_the_test_has(relative: bool, margin: float, rng) -> None:
    # The test itself at 9,000 and 1,000 units of 6 %: non-inferiority, when nothing has changed.
    runs = 4000
    x, y = rng.binomial(9000, 0.06, runs).tolist(), rng.binomial(1000, 0.06, runs).tolist()
    tests = (ScorePivot((a, 9000), (b, 1000)).z_at(-margin, relative=relative) for a, b in zip(x, y, strict=True))
    held = np.mean([z >= 1.959964 for z in tests])
    said = Question(kind="proportion", mean=0.06, margin=margin, relative=relative, shares=(0.9, 0.1)).power(
        0.0, 10_000
    )
    # Three Monte-Carlo errors and a hundredth: the formula is one of the normal distribution.
    assert held == pytest.approx(float(said), abs=3 * math.sqrt(0.25 / runs) + 0.01)


def test_shares_that_are_adjusted_or_clustered_are_sized_for_their_t_test() -> None:
    assert Question(kind="proportion", mean=0.1, r2=0.3).formula_name == "unpooled"
    assert Question(kind="proportion", mean=0.1, icc=0.1, cluster_size=5).formula_name == "unpooled"
    assert Question(kind="proportion", mean=0.1).formula_name == "score"


def test_the_spread_of_a_ratio_of_a_quantile_and_of_covariates(rng) -> None:
    views = rng.poisson(20, 50_000) + 1
    clicks = rng.binomial(views, 0.1)
    ratio, sd = ratio_sd(clicks, views)
    resampled = rng.multinomial(50_000, np.full(50_000, 1 / 50_000), size=200)
    again = (resampled @ clicks) / (resampled @ views)
    assert ratio == pytest.approx(clicks.sum() / views.sum())
    assert sd / math.sqrt(50_000) == pytest.approx(again.std(), rel=0.2)
    # Median of an exponential: density 1/2 there, so √(0.25) / 0.5 = 1.
    assert quantile_sd(rng.exponential(size=400_000), 0.5)[1] == pytest.approx(1.0, rel=0.1)
    # Of counts: the spread of the shares below the mid-quantile ÷ the slope of the cell that it lies in.
    k = np.arange(60)
    pmf = poisson.pmf(k, 3.67)
    mid = np.cumsum(pmf) - pmf / 2
    slope, part = mid[4] - mid[3], (0.5 - mid[3]) / (mid[4] - mid[3])
    inside = np.select([k < 3, k == 3, k == 4], [1, 0.5 + part / 2, part / 2], 0)
    found = quantile_sd(rng.poisson(3.67, 400_000), 0.5)
    assert found == pytest.approx((3 + part, math.sqrt(pmf @ inside**2 - 0.25) / slope), rel=0.01)
    # Every unit has the same value five times: five times the rows tell nothing more.
    once = rng.normal(size=40_000)
    units = np.repeat(np.arange(40_000), 5)
    assert quantile_sd(np.repeat(once, 5), 0.9, units=units)[1] == pytest.approx(quantile_sd(once, 0.9)[1], rel=0.1)
    x = rng.normal(size=(20_000, 2))
    y = x @ [1.0, 1.0] + rng.normal(size=20_000) * math.sqrt(2)
    assert coefficient_of_determination(y, x) == pytest.approx(0.5, abs=0.02)
    assert coefficient_of_determination(y[:300], rng.normal(size=(300, 2))) < 0.03


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "mean", "mean": 1.0}, "sd is missing"),
        ({"kind": "mean", "mean": 1.0, "sd": 0.0}, "sd is 0.0, expected above 0; a metric that never varies"),
        ({"kind": "mean", "mean": 0.0, "sd": 1.0}, "mean is 0.0, expected another number: an effect relative to 0"),
        ({"kind": "proportion", "mean": 1.2}, "mean is 1.2, expected a share"),
        ({"kind": "proportion", "mean": 0.2, "formula": "unpoled"}, "Did you mean 'unpooled'"),
        ({"kind": "proportion", "mean": 0.2, "formula": "baseline", "margin": 0.1}, "unknown formula"),
        ({"kind": "proportion", "mean": 0.2, "shares": (0.7, 0.5)}, "shares is"),
        ({"kind": "proportion", "mean": 0.2, "level": 95}, "level is 95"),
        (
            {"kind": "mean", "mean": 0.0, "sd": 1.0, "relative": False, "scales": True},
            "mean is 0.0, expected another number: an effect that multiplies",
        ),
        ({"kind": "mean", "mean": 1.0, "sd": 0.0}, "sd is 0.0, expected above 0"),
        ({"kind": "proportion", "mean": 0.2, "margin": 0.0}, "margin is 0.0, expected above 0"),
        ({"kind": "proportion", "mean": 0.2, "equivalence": True}, "equivalence is True, expected with a margin"),
        ({"kind": "proportion", "mean": 0.2, "comparisons": 0}, "comparisons is 0, expected 1 or more"),
        ({"kind": "proportion", "mean": 0.2, "r2": 1.0}, "r2 is 1.0, expected in 0"),
        ({"kind": "proportion", "mean": 0.2, "icc": -0.1}, "icc is -0.1, expected in 0"),
        ({"kind": "proportion", "mean": 0.2, "cluster_size": 0.5}, "cluster_size is 0.5, expected 1 or more"),
        ({"kind": "proportion", "mean": 0.2, "inflation": 0.9}, "inflation is 0.9, expected 1 or more"),
    ],
)
def test_wrong_questions(values, says) -> None:
    with pytest.raises(UsageError) as caught:
        Question(**values)
    assert says in str(caught.value)


def test_questions_without_an_answer() -> None:
    with pytest.raises(UsageError, match="no number of units finds an effect of 0 "):
        Question(kind="proportion", mean=0.2).size(effect=0.0)
    with pytest.raises(UsageError, match="a share that stays between 0 and 1"):
        Question(kind="proportion", mean=0.6).size(effect=0.8)
    with pytest.raises(UsageError, match="units find no effect"):
        Question(kind="proportion", mean=0.5).effect(n=4, power=0.99)
    with pytest.raises(UsageError, match="n is 0, expected above 0"):
        Question(kind="proportion", mean=0.5).effect(n=0)
    with pytest.raises(UsageError, match=r"effect is 2\.0, expected one that leaves a share"):
        Question(kind="proportion", mean=0.5).power_at(effect=2.0, n=100)
    with pytest.raises(UnknownNameError, match="kind of metric"):
        Question(kind="gini", mean=0.5)  # pyright: ignore[reportArgumentType]


def test_a_margin_of_a_share_that_should_be_low_lies_above_it() -> None:
    # Complaints of 10 % that may rise to 12 %: n an arm = 2 (z₀.₉₇₅ + z₀.₈)² ÷ h², h = 2 (asin √.12 - asin √.10).
    lower = Question(kind="proportion", mean=0.1, margin=0.2, sign=-1, formula="arcsine").size(power=0.8)
    h = 2 * (math.asin(math.sqrt(0.12)) - math.asin(math.sqrt(0.1)))
    assert lower.n_control == math.ceil(2 * 2.801585**2 / h**2)
    higher = Question(kind="proportion", mean=0.1, margin=0.2, formula="arcsine").size(power=0.8)
    h = 2 * (math.asin(math.sqrt(0.1)) - math.asin(math.sqrt(0.08)))
    assert higher.n_control == math.ceil(2 * 2.801585**2 / h**2)
    # A true fall to 9 % makes the variance that of 9 %, not of 11 %; the test is of treatment - 1.2 control.
    found = Question(kind="proportion", mean=0.1, margin=0.2, sign=-1, formula="unpooled").power(0.1, 8000)
    se = math.sqrt((1.2**2 * 0.1 * 0.9 + 0.09 * 0.91) / 4000)
    assert float(found) == pytest.approx(norm.cdf(0.03 / se - 1.959964), abs=1e-6)


# ----------------------------------------------------------------------------------- sizes follow the test that is made


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("formula", ["student", "normal"])
def test_a_relative_margin_is_a_difference_from_the_control_times_its_ratio(formula: str, side: int) -> None:
    # The test of t - φ c is that of a difference whose control has φ times the spread, its skewness as before.
    given = Inputs(
        mean=10.0,
        var_c=100.0,
        var_t=144.0,
        delta=0.0,
        null=-3.0,
        n_c=900.0,
        n_t=100.0,
        factor=1.0,
        df=998.0,
        alpha=0.025,
        tails=1,
        skewness=4.0,
        relative=True,
        side=side,
    )
    scaled = replace(given, var_c=(1 - side * 0.3) ** 2 * 100.0, relative=False)
    power = FORMULAS[formula].power
    assert 0.05 < power(given) < 0.95 and power(given) == pytest.approx(power(scaled), rel=1e-9)


def test_what_changed_the_size_is_told_with_its_numbers() -> None:
    # CUPED leaves 1 - 0.36 of the variance; clusters of 11 with an ICC of 0.1 multiply it by 1 + 10 · 0.1.
    asked = Question(sd=1, mean=1, r2=0.36, icc=0.1, cluster_size=11, comparisons=2, inflation=1.02)
    found = {each.code: each.facts for each in asked.size(effect=0.1).adjustments}
    assert list(found) == ["several_tests", "covariates", "clusters", "looks"]
    assert (found["several_tests"]["tests"], found["several_tests"]["each"]) == (2, pytest.approx(0.025))
    assert found["covariates"]["factor"] == pytest.approx(0.64)
    assert (found["clusters"]["factor"], found["looks"]["factor"]) == (pytest.approx(2.0), 1.02)
