"""Sequential bounds against published tables, other libraries and simulated paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from reclens.errors import UnknownNameError, UsageError
from reclens.stats.sequential import (
    always_valid_bounds,
    at_stopping,
    confidence_sequence,
    exit_probabilities,
    group_sequential,
    mixture_variance,
    msprt,
    peeking_error,
    price_in_power,
    repeated_interval,
    spent,
)
from reclens.stats.sequential.always_valid import always_valid_p


def bounds(looks: int, spending: str, parameter: float | None = None) -> list[float]:
    return list(group_sequential(looks, spending=spending, parameter=parameter).upper)


CASES = {
    "obf": lambda: [bounds(looks, "obrien_fleming")[-1] for looks in (2, 3, 4, 5, 10)],
    "ld_obf5": lambda: bounds(5, "lan_demets_obrien_fleming"),
    "conf_bounds_rho1": lambda: bounds(5, "power", 1),
    "conf_bounds_rho2": lambda: bounds(5, "power", 2),
    "infl_poc": lambda: group_sequential(5, spending="pocock", power=0.9).inflation,
    "peek_fpr": lambda: [peeking_error(looks) for looks in (2, 3, 5, 10)],
}


@pytest.mark.parametrize("name", CASES)
def test_the_published_cases(cases, name: str) -> None:
    assert CASES[name]() == pytest.approx(cases[name]["expected"], abs=cases[name]["tolerance"])


@pytest.mark.parametrize(("name", "n"), [("gb_seq", 6461), ("gb_seq_cuped", 6461), ("gb_seq_cuped_ratio", 200)])
def test_confidence_sequences_are_those_of_growthbook(cases, name: str, n: int) -> None:
    # The sequence rests on estimate, standard error and n; how they came about (CUPED, ratio) does not matter to it.
    value, low, high, se, p = cases[name]["recomputed_value"]
    tuning = cases[name]["inputs"].get("tuning", 5000)
    interval, found = confidence_sequence(value, se, n=n, tuning=tuning)
    assert (interval.low, interval.high, found) == pytest.approx((low, high, p), abs=cases[name]["tolerance"])


def test_published_tables() -> None:
    # Jennison and Turnbull (2000), tables 2.1, 2.2 and 2.4: Pocock and O'Brien-Fleming, two-sided 5 %.
    for looks, pocock, obrien in ((2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087)):
        assert bounds(looks, "pocock") == pytest.approx([pocock] * looks, abs=1e-3)
        expected = [obrien * math.sqrt(looks / look) for look in range(1, looks + 1)]
        assert bounds(looks, "obrien_fleming") == pytest.approx(expected, abs=2e-3)
    # Lan and DeMets's O'Brien-Fleming type at fifths, as ldbounds and gsDesign print it.
    assert bounds(5, "lan_demets_obrien_fleming") == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=1.1e-3)
    assert group_sequential(5, spending="pocock").inflation == pytest.approx(1.229, abs=1e-3)
    assert group_sequential(5, spending="obrien_fleming").inflation == pytest.approx(1.028, abs=1e-3)


def test_two_looks_by_the_bivariate_normal() -> None:
    from scipy.stats import multivariate_normal

    up, down = exit_probabilities([0.3, 1.0], [2.5, 2.0], [-1.0, -2.0], drift=1.5)
    mean, r = np.array([1.5 * math.sqrt(0.3), 1.5]), math.sqrt(0.3)
    both = multivariate_normal(mean, [[1, r], [r, 1]])

    def box(low, high, last) -> float:
        return float(both.cdf([high, last]) - both.cdf([low, last]))

    assert up[1] == pytest.approx(box(-1.0, 2.5, 30.0) - box(-1.0, 2.5, 2.0), abs=1e-5)
    assert down[1] == pytest.approx(box(-1.0, 2.5, -2.0), abs=1e-5)


@pytest.fixture(scope="module")
def paths() -> np.ndarray:
    """z at the looks of 400,000 experiments without an effect, as 20 looks of a random walk."""
    rng = np.random.default_rng(5)
    walk = rng.standard_normal((400_000, 20)).cumsum(axis=1)
    return walk / np.sqrt(np.arange(1, 21))


@pytest.mark.parametrize(
    "spending",
    ["lan_demets_obrien_fleming", "lan_demets_pocock", "power", "hwang_shih_decani", "obrien_fleming", "pocock"],
)
@pytest.mark.parametrize("looks", [(4, 8, 12, 16, 20), (3, 4, 11, 20)])
def test_simulated_false_positives_are_five_percent(paths, spending: str, looks: tuple[int, ...]) -> None:
    times = [look / 20 for look in looks]
    upper = np.array(group_sequential(times, spending=spending).upper)
    hits = (np.abs(paths[:, np.array(looks) - 1]) > upper).any(axis=1)
    assert hits.mean() == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / len(paths)))


def test_simulated_peeking_is_what_the_integration_says(paths) -> None:
    at = np.array([4, 8, 12, 16, 20]) - 1
    hits = (np.abs(paths[:, at]) > 1.959964).any(axis=1).mean()
    assert hits == pytest.approx(0.142, abs=0.002) and hits == pytest.approx(peeking_error(5), abs=0.002)


def test_always_valid_methods_never_exceed_their_level(paths) -> None:
    times = np.arange(1, 21) / 20
    for exact in (False, True):
        bound = always_valid_bounds(times, exact=exact)
        hits = (np.abs(paths) > bound).any(axis=1).mean()
        up, down = exit_probabilities(times, bound, -bound)
        assert hits == pytest.approx(up.sum() + down.sum(), abs=4 * math.sqrt(0.01 / len(paths))) and hits < 0.05


def test_power_and_expected_size_are_what_simulated_paths_find(paths) -> None:
    plan = group_sequential(5, spending="pocock", power=0.9)
    at = np.array([4, 8, 12, 16, 20])
    z = paths[:, at - 1] + plan.drift * np.sqrt(at / 20)
    crossed = np.abs(z) > np.array(plan.upper)
    assert crossed.any(axis=1).mean() == pytest.approx(0.9, abs=0.002)
    stop = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 4)
    assert plan.expected_size() == pytest.approx((at[stop] / 20).mean() * plan.inflation, abs=0.005)
    assert plan.power_at(1.0) == pytest.approx(0.9, abs=1e-6) and plan.power_at(0.0) == pytest.approx(0.05, abs=1e-6)


def test_futility_spends_the_type_two_error_and_stops_what_is_hopeless(paths) -> None:
    plan = group_sequential(5, futility="lan_demets_obrien_fleming", power=0.8)
    free = group_sequential(5, power=0.8)
    assert plan.futility is not None and plan.futility[-1] == plan.upper[-1]
    assert plan.upper == pytest.approx(free.upper), "not binding: the upper bounds do not rest on it"
    assert plan.power_at(1.0) == pytest.approx(0.8, abs=1e-6) and plan.inflation > free.inflation
    assert plan.expected_size(0.0) < 0.7 < free.expected_size(0.0)
    at = np.array([4, 8, 12, 16, 20])
    z = paths[:, at - 1] + plan.drift * np.sqrt(at / 20)
    up, down = z > np.array(plan.upper), z < np.maximum(plan.futility, plan.lower)
    first = np.where(up.any(axis=1), up.argmax(axis=1), 9)
    assert (first < np.where(down.any(axis=1), down.argmax(axis=1), 9)).mean() == pytest.approx(0.8, abs=0.003)


def test_one_side_spends_half_of_alpha_upwards() -> None:
    plan = group_sequential(4, sides=1)
    up, _ = plan.crossing()
    assert up.sum() == pytest.approx(0.025, abs=1e-9)
    assert plan.upper == pytest.approx(group_sequential(4).upper, abs=1e-4)


def test_the_interval_at_stopping_covers_and_the_estimate_is_median_unbiased(paths) -> None:
    plan = group_sequential(3, spending="pocock")
    at, times, upper = np.array([6, 13, 20]), np.array([0.3, 0.65, 1.0]), np.array(plan.upper)
    drift, covered, above, plain = 2.0, 0, 0, 0
    for row in paths[:400]:
        z = row[at - 1] + drift * np.sqrt(times)
        hit = np.abs(z) > upper
        k = int(hit.argmax()) if hit.any() else 2
        # In units in which the effect is the drift, the standard error at a look is 1 / √t.
        se = 1 / math.sqrt(times[k])
        found = at_stopping(times[: k + 1], upper[: k + 1], estimate=z[k] * se, se=se)
        covered += found.low <= drift <= found.high
        above += found.median_unbiased > drift
        plain += z[k] * se > drift
    assert covered / 400 == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 400))
    assert above / 400 == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(400))
    assert plain > above


def test_p_at_stopping_is_alpha_on_the_bound_and_symmetric() -> None:
    plan = group_sequential(3)
    # Crossing exactly on the last bound has spent all of alpha, and the interval touches zero.
    found = at_stopping(plan.times, plan.upper, estimate=plan.upper[-1], se=1.0)
    assert found.p == pytest.approx(0.05, abs=1e-6) and found.low == pytest.approx(0.0, abs=1e-5)
    mirrored = at_stopping(plan.times, plan.upper, estimate=-plan.upper[-1], se=1.0)
    assert mirrored.p == pytest.approx(0.05, abs=1e-3) and mirrored.high == pytest.approx(0.0, abs=0.01)
    wide = repeated_interval(estimate=1.0, se=0.5, bound=plan.upper[0], n=10)
    assert wide.low == pytest.approx(1 - 0.5 * plan.upper[0])


def test_msprt_by_its_definition() -> None:
    # The mixture likelihood ratio by numerical integration over N(0, τ²).
    from scipy.integrate import quad
    from scipy.stats import norm

    estimate, se, tau2 = 0.25, 0.1, 0.04
    top = quad(lambda d: norm.pdf(estimate, d, se) * norm.pdf(d, 0, tau2**0.5), -3, 3)[0]
    interval, p = msprt(estimate, se, tau2=tau2, n=100)
    assert p == pytest.approx(norm.pdf(estimate, 0, se) / top, rel=1e-6)
    assert interval.low is not None and interval.high is not None
    # Where the interval touches zero, the p-value is 5 %.
    assert always_valid_p((interval.high - estimate) / se, tau2 / se**2) == pytest.approx(0.05, abs=1e-9)
    widths = [float(always_valid_bounds([1.0], tightest=1.0, exact=True)[0])]
    tau = mixture_variance(se=1.0)
    widths += [msprt(0.0, 1.0, tau2=tau * by, n=9)[0].high for by in (0.7, 1.4)]  # type: ignore[list-item]
    assert widths[0] == min(widths)


def test_the_price_of_looking_is_ordered() -> None:
    price = {each.plan: each for each in price_in_power(5)}
    assert price["one_look"].power == pytest.approx(0.8, abs=1e-4)
    assert price["peeking"].false_positives == pytest.approx(0.142, abs=1e-3)
    assert price["peeking"].inflation is None
    honest = [each for name, each in price.items() if not name.startswith("peeking")]
    assert all(each.false_positives <= 0.05 + 1e-6 and each.power <= 0.8 + 1e-4 for each in honest)
    assert price["obrien_fleming"].power > price["pocock"].power > price["confidence_sequence"].power
    assert price["pocock"].inflation == pytest.approx(1.228, abs=1e-3)
    assert price["one_look"].to_dicts()[0]["looks"] == 1


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from(["lan_demets_obrien_fleming", "lan_demets_pocock", "power", "hwang_shih_decani", "pocock"]),
    st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_any_plan_spends_its_error_and_reaches_its_power(steps: list[int], spending: str, level: float) -> None:
    times = (np.cumsum(steps) / sum(steps)).tolist()
    plan = group_sequential(times, spending=spending, level=level, power=0.9)
    up, down = plan.crossing()
    # Of a bound of 10, beyond which nothing is told apart, less than 1e-23 is missing.
    assert up.sum() + down.sum() == pytest.approx(1 - level, abs=1e-8) and up == pytest.approx(down)
    assert plan.power_at(1.0) == pytest.approx(0.9, abs=1e-6) and plan.inflation >= 1 - 1e-6
    assert plan.expected_size(1.0) <= plan.inflation + 1e-9


def test_spending_functions_by_hand() -> None:
    t = [0.5, 1.0]
    assert spent(t, error=0.05, spending="lan_demets_pocock")[0] == pytest.approx(0.05 * math.log(1 + (math.e - 1) / 2))
    assert spent(t, error=0.05, spending="hwang_shih_decani", parameter=0) == pytest.approx([0.025, 0.05])
    expected = 0.05 * (1 - math.exp(2)) / (1 - math.exp(4))
    assert spent(t, error=0.05, spending="hwang_shih_decani")[0] == pytest.approx(expected)
    for name in ("lan_demets_obrien_fleming", "lan_demets_pocock", "power", "hwang_shih_decani"):
        assert spent(t, error=0.05, spending=name)[1] == pytest.approx(0.05)


def test_wrong_plans() -> None:
    with pytest.raises(UsageError, match="times are"):
        group_sequential([0.5, 0.4, 1.0])
    with pytest.raises(UsageError, match=r"times end at 0\.9, expected 1"):
        group_sequential([0.5, 0.9])
    with pytest.raises(UnknownNameError, match="Did you mean 'pocock'"):
        group_sequential(3, spending="pococ")
    with pytest.raises(UsageError, match="level is 95"):
        group_sequential(3, level=95)
    with pytest.raises(UsageError, match=r"power is 0\.04, expected more than the 0\.05"):
        group_sequential(3, power=0.04)
    with pytest.raises(UsageError, match="as many bounds as looks"):
        exit_probabilities([0.5, 1.0], [2.0])
    with pytest.raises(UsageError, match=r"expected ρ above 0"):
        group_sequential(3, spending="power", parameter=-1)
    with pytest.raises(UsageError, match="expected all above 0"):
        confidence_sequence(0.1, 0.0, n=10, tuning=10)


@pytest.mark.parametrize("se", [0.25, 2.0])
def test_the_mixture_variance_gives_the_narrowest_interval_at_its_standard_error(se: float) -> None:
    def width(tau2: float) -> float:
        ratio = tau2 / se**2
        return math.sqrt((1 + ratio) / ratio * (2 * math.log(1 / 0.05) + math.log1p(ratio)))

    best = mixture_variance(se=se)
    assert all(width(best) < width(best * factor) for factor in (0.9, 1.1))


def test_the_rows_of_a_plan_by_hand() -> None:
    plan = group_sequential(2, spending="pocock")
    first, last = plan.to_dicts()
    bound = 2.178  # Pocock (1977), two looks
    shift = plan.drift * math.sqrt(0.5)
    up, down = norm.sf(bound - shift), norm.cdf(-bound - shift)
    assert [first["look"], first["information"], first["futility"]] == [1, 0.5, None]
    assert [first["upper"], first["lower"]] == pytest.approx([bound, -bound], abs=5e-4)
    assert [first["nominal_p"], first["error_spent"]] == pytest.approx([2 * norm.sf(bound)] * 2, abs=1e-4)
    assert [first["power_so_far"], first["stopped_so_far"]] == pytest.approx([up, up + down], abs=3e-4)
    assert [last["look"], last["information"], last["stopped_so_far"]] == [2, 1.0, 1.0]
    assert [last["error_spent"], last["power_so_far"]] == pytest.approx([0.05, 0.8], abs=1e-4)
    one_side = group_sequential(2, spending="pocock", sides=1).to_dicts()
    assert one_side[-1]["error_spent"] == pytest.approx(0.025, abs=1e-5)
    assert one_side[0]["nominal_p"] == pytest.approx(one_side[0]["error_spent"], abs=1e-5)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_exact_bounds_are_tightest_where_they_should_be(level: float) -> None:
    """At its tightest the bound of z is the least of √((1 + x)/x · (2 ln(1/α) + ln(1 + x))) over x."""
    alpha = 1 - level
    least = minimize_scalar(
        lambda log_x: (1 + math.exp(-log_x)) * (2 * math.log(1 / alpha) + math.log1p(math.exp(log_x))),
        bracket=(0.0, 2.0),
    )
    (bound,) = always_valid_bounds([0.5], level=level, tightest=0.5, exact=True)
    assert bound == pytest.approx(math.sqrt(least.fun), rel=1e-9)
