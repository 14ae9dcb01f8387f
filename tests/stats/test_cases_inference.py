"""The published and recomputed numbers of ``tests/cases/experiment.json`` that concern inference."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from reclens.stats.arms import compare_arms
from reclens.stats.bayes import normal_posterior
from reclens.stats.counts import homogeneity, sample_ratio
from reclens.stats.difference import Difference, Spread, difference_of
from reclens.stats.estimate import Estimate
from reclens.stats.moments import Moments
from reclens.stats.multiplicity import adjust
from reclens.stats.proportions import proportion_difference


def row(found: Estimate, *more: float) -> list[float]:
    assert found.low is not None and found.high is not None
    return [found.value, found.low, found.high, *more]


def mean_arms(case: dict[str, Any]) -> tuple[Moments, Moments]:
    """The two arms that the file describes in words: sums and sums of squares, and products where it has them."""
    numbers = re.search(r"A sum=([\d.]+) ss=([\d.]+); B sum=([\d.]+) ss=([\d.]+) n=(\d+)", case["inputs"]["stats"])
    assert numbers is not None
    a, a2, b, b2, n = (float(part) for part in numbers.groups())
    arms = []
    for size, (total, squares), before in (
        (case["inputs"]["nA"], (a, a2), case["inputs"].get("preA")),
        (int(n), (b, b2), case["inputs"].get("preB")),
    ):
        sums, products = {"y": total}, {("y", "y"): squares}
        if before:
            sums["x"] = before[0]
            products |= {("x", "x"): before[1], ("x", "y"): case["inputs"]["sum_products"]}
        arms.append(Moments.of_sums(size, sums, products))
    return arms[0], arms[1]


def ratio_arm(words: str, products: list[float], order: str, n: int) -> Moments:
    read = {m[0]: (float(m[1]), float(m[2])) for m in re.findall(r"(\w+)\(([\d.]+),([\d.]+)\)", words)}
    pairs: dict[tuple[str, str], float] = {(name, name): squares for name, (_, squares) in read.items()}
    for both, value in zip(order.split(", "), products, strict=True):
        first, second = both.split("*")
        pairs[first, second] = value
    return Moments.of_sums(n, {name: total for name, (total, _) in read.items()}, pairs)


@pytest.mark.parametrize("name", ["srm_1000_1200", "srm_135_115", "srm_310_98", "srm_3arm", "srm_zero_arm"])
def test_sample_ratio(cases, name: str) -> None:
    case = cases[name]
    found = sample_ratio(case["inputs"]["users"], case["inputs"]["weights"], method="chi2")
    assert found.p_value == pytest.approx(case["expected"], abs=case["tolerance"])


def test_sample_ratio_of_tea_tasting(cases) -> None:
    # Its normal approximation has a continuity correction, as near to the exact test as three digits show.
    found = sample_ratio(cases["tt_srm"]["inputs"]["n"], [1, 1], method="exact")
    assert found.p_value == pytest.approx(cases["tt_srm"]["expected"], abs=cases["tt_srm"]["tolerance"])


def test_two_shares(cases) -> None:
    case = cases["ztest_5_83_12_99"]
    found = proportion_difference((12, 99), (5, 83), pooled=True)
    assert [found.statistic, found.p_value] == pytest.approx(case["expected"], abs=case["tolerance"])
    case = cases["conf_z"]
    (t, c), (m, n) = case["inputs"]["x"], case["inputs"]["n"]
    found = proportion_difference((c, n), (t, m), pooled=False)
    assert row(found.absolute, found.p_value) == pytest.approx(case["expected"], abs=case["tolerance"])


def test_many_shares(cases) -> None:
    case = cases["R_prop_test_smokers"]
    found = homogeneity(case["inputs"]["x"], case["inputs"]["n"])
    assert [found.statistic, found.p_value] == pytest.approx(case["expected"], abs=case["tolerance"])


def test_three_comparisons_with_bonferroni(cases) -> None:
    case = cases["conf_z_bonf_p"]
    treatment, *others = zip(case["inputs"]["success"], case["inputs"]["total"], strict=True)
    # The README compares every group with the control, which stands second.
    control = others[0]
    groups = [treatment, *others[1:]]
    p = [proportion_difference(control, group, pooled=False).p_value for group in groups]
    found = adjust(np.array(p), correction="bonferroni")
    assert found.tolist() == pytest.approx(case["expected"], abs=case["tolerance"])


def test_corrections(cases) -> None:
    case = cases["BH1995_rejections"]
    for name, expected in zip(("bh", "bonferroni", "hochberg", "holm"), case["expected"], strict=True):
        assert (adjust(np.array(case["inputs"]["p"]), correction=name) <= 0.05).sum() == expected
    case = cases["adjust_4p"]
    ours = {"fdr_bh": "bh", "fdr_by": "by", "simes-hochberg": "hochberg"}
    for theirs, expected in case["expected"].items():
        found = adjust(np.array(case["inputs"]["p"]), correction=ours.get(theirs, theirs))
        assert found.tolist() == pytest.approx(expected, abs=case["tolerance"])


def test_welch(cases) -> None:
    case = cases["gb_ttest_abs"]
    found = compare_arms(*mean_arms(case), "y")
    assert row(found.absolute, found.se, found.p_value) == pytest.approx(case["expected"], abs=case["tolerance"])


def test_relative_lift_of_shares(cases) -> None:
    case = cases["gb_ttest_binom_rel"]
    x = case["inputs"]
    found = proportion_difference((x["xA"], x["nA"]), (x["xB"], x["nB"]), pooled=False, distribution="t")
    got = row(found.relative, found.relative_se, found.relative_p_value)
    assert got == pytest.approx(case["expected"], abs=case["tolerance"])


@pytest.mark.parametrize("name", ["gb_seq", "gb_seq_cuped"])
def test_what_goes_into_a_confidence_sequence(cases, name: str) -> None:
    case = cases[name]
    covariates = ("x",) if "preA" in case["inputs"] else ()
    found = compare_arms(*mean_arms(case), "y", covariates=covariates, base="observed")
    expected = [case["expected"][0], case["expected"][3]]
    assert [found.relative.value, found.relative_se] == pytest.approx(expected, abs=case["tolerance"])


def test_cuped_of_a_ratio(cases) -> None:
    case = cases["gb_seq_cuped_ratio"]
    x = case["inputs"]
    arms = [ratio_arm(x[arm], x[f"{arm}_products"], x["product_order"], x["n"]) for arm in "AB"]
    found = compare_arms(*arms, ("m_post", "d_post"), covariates=(("m_pre", "d_pre"),), theta="within", base="observed")
    expected = case["recomputed_value"]
    assert [found.relative.value, found.relative_se] == pytest.approx([expected[0], expected[3]], abs=1e-12)


def test_cuped_by_hand(cases) -> None:
    case = cases["toy_cuped"]
    x, y, arm = (np.array(case["inputs"][name], np.float64) for name in ("x", "y", "variant"))
    control, treatment = (Moments.of({"x": x[arm == a], "y": y[arm == a]}) for a in (0, 1))
    found = compare_arms(control, treatment, "y", covariates=["x"])
    got = [dict(found.details)["theta:x"], found.absolute.value, found.p_value]
    assert got == pytest.approx(case["expected"], abs=case["tolerance"])


def test_bayes(cases) -> None:
    case = cases["gb_bayes_binom"]
    x = case["inputs"]
    found = proportion_difference((x["xA"], x["nA"]), (x["xB"], x["nB"]), pooled=False)
    got = normal_posterior(found, relative=True)
    expected = pytest.approx(case["expected"], abs=case["tolerance"])
    assert row(got.value, got.se, got.p_win, got.loss_control, got.loss_treatment) == expected
    case = cases["gb_bayes_norm"]
    arms = [Moments.of_sums(n, {"y": s}, {("y", "y"): q}) for s, q, n in (case["inputs"]["A"], case["inputs"]["B"])]
    got = normal_posterior(compare_arms(*arms, "y"), relative=True)
    expected = pytest.approx(case["expected"], abs=case["tolerance"])
    assert row(got.value, got.se, got.p_win, got.loss_control, got.loss_treatment) == expected


def test_quantiles(cases) -> None:
    # GrowthBook takes half widths of intervals for standard errors, and scales the variances by (n - 1)/n.
    case = cases["gb_quantile_p90_abs"]
    x = case["inputs"]
    a, b = (((x[f"q{arm}_hi"] - x[f"q{arm}_lo"]) / (2 * 1.959963984540054)) ** 2 for arm in "CT")
    for scale, tolerance in (((1.0, 1.0), 1e-5), (tuple(1 - 1 / x[f"n{arm}"] for arm in "CT"), case["tolerance"])):
        found = difference_of(
            x["qC"],
            x["qT"] - x["qC"],
            spread=Spread(gap=a * scale[0] + b * scale[1], control=a * scale[0], covariance=-a * scale[0]),
            n=(x["nC"], x["nT"]),
            method="given",
        )
        assert row(found.absolute) == pytest.approx(case["expected"], abs=tolerance)


def test_variance_of_a_difference(cases) -> None:
    case = cases["gb_delta_var"]
    x = case["inputs"]
    a, b = x["varA"] / x["nA"], x["varB"] / x["nB"]
    found = difference_of(
        x["meanA"],
        x["meanB"] - x["meanA"],
        spread=Spread(gap=a + b, control=a, covariance=-a),
        n=(x["nA"], x["nB"]),
        method="given",
    )
    # The relative variance is that of B/A with B's mean as it is: 0.005886.
    expected = pytest.approx(case["expected"], abs=case["tolerance"])
    assert [found.se**2, found.relative_se**2] == expected


def tea(sums: list[float], products: list[float], n: int) -> Moments:
    """An arm of tea-tasting's example data, ``make_users_data(rng=42)``, from its sums."""
    names = ("sessions", "orders", "sessions_before", "orders_before")[: len(sums)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    return Moments.of_sums(n, dict(zip(names, sums, strict=True)), dict(zip(pairs, products, strict=True)))


TEA = (tea([4038, 1073], [10098, 2648, 2073], 2023), tea([3920, 1133], [9698, 2730, 2121], 1977))
TEA_BEFORE = (
    tea([4038, 1073, 4031, 1090], [10098, 2648, 9932, 2715, 2073, 2692, 1691, 13779, 3701, 2720], 2023),
    tea([3920, 1133, 3941, 1006], [9698, 2730, 9738, 2407, 2121, 2721, 1551, 13579, 3324, 2380], 1977),
)


def tea_row(found: Difference) -> list[float]:
    return [found.control, found.treatment, *row(found.absolute), *row(found.relative, found.p_value, found.statistic)]


def test_the_user_guide_of_tea_tasting(cases) -> None:
    case = cases["tt_orders_per_user"]
    found = tea_row(compare_arms(*TEA, "orders", relative="log"))
    assert found == pytest.approx(case["expected"], rel=1e-12, abs=case["tolerance"])


# tea-tasting 1.14.0 on the same data: columns of its results in the order of tea_row.
@pytest.mark.parametrize(
    ("arms", "of", "covariates", "expected"),
    [
        (
            TEA,
            ("orders", "sessions"),
            (),
            [
                0.2657256067360079,
                0.28903061224489796,
                0.02330500550889003,
                -0.0024594336679094955,
                0.04906944468568956,
                0.0877032732944063,
                -0.008944184133335975,
                0.19377576095526305,
                0.0762375997816836,
                1.7734062668340305,
            ],
        ),
        (
            TEA_BEFORE,
            "orders",
            ("orders_before",),
            [
                0.5226833010781679,
                0.5809871936868317,
                0.058303892608663865,
                0.015696510168619296,
                0.10091127504870843,
                0.11154726483206412,
                0.02880682688997549,
                0.20094199383435463,
                0.007330409808686719,
                2.6828271683604403,
            ],
        ),
        (
            TEA_BEFORE,
            ("orders", "sessions"),
            (("orders_before", "sessions_before"),),
            [
                0.2615585590795329,
                0.293292822116314,
                0.03173426303678112,
                0.011344477017760871,
                0.05212404905580137,
                0.121327564842302,
                0.04164883252897922,
                0.20710115387201378,
                0.002292943842523004,
                3.0513753226861113,
            ],
        ),
    ],
    ids=["ratio", "CUPED", "CUPED of a ratio"],
)
def test_tea_tasting(arms, of, covariates, expected: list[float]) -> None:
    found = tea_row(compare_arms(*arms, of, covariates=covariates, relative="log"))
    assert found[:6] + found[8:] == pytest.approx(expected[:6] + expected[8:], rel=1e-9)
    # It takes adjusted arms as independent; we count what they share in the interval of the lift.
    assert found[6:8] == pytest.approx(expected[6:8], rel=1e-9 if not covariates else 3e-3)
