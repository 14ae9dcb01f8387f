"""Formulas of means with intervals: against hand computation, the delta method and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reclens.errors import UsageError
from reclens.stats.replicated import Replicated, means_of_rest, replicated_means
from reclens.stats.summary import Summary

ALL = ("overall", "all")


def _means(values: dict[str, np.ndarray], *, replicates: int = 400, seed: int = 0) -> Replicated:
    n = len(next(iter(values.values())))
    keys = np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)
    return replicated_means(Summary.of(keys, values, replicates=replicates), ALL, list(values))


def test_arithmetic_goes_through_values_and_replicates_alike() -> None:
    a = Replicated(np.array([2.0, 3.0]), np.array([[1.0, 4.0], [3.0, 6.0]]))
    b = Replicated(np.array([4.0, 6.0]), np.array([[2.0, 2.0], [1.0, 3.0]]))
    assert (a + b).value.tolist() == [6.0, 9.0] and (a + b).draws.tolist() == [[3.0, 6.0], [4.0, 9.0]]
    assert (a - 1).draws.tolist() == [[0.0, 3.0], [2.0, 5.0]] and (1 - a).value.tolist() == [-1.0, -2.0]
    assert (a / b).value.tolist() == [0.5, 0.5] and (a / b).draws.tolist() == [[0.5, 2.0], [3.0, 2.0]]
    assert (6 / a).value.tolist() == [3.0, 2.0] and (a * np.array([1.0, 10.0])).draws.tolist() == [[1, 4], [30, 60]]
    assert a.sum().value == 5.0 and a.sum().draws.tolist() == [4.0, 10.0]
    assert (a / a.sum())[0].draws.tolist() == [0.25, 0.4]
    assert np.isnan((a / 0.0).value).all(), "nothing is divided by nothing"


def test_a_ratio_has_the_standard_error_of_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.gamma(2.0, size=4_000), rng.gamma(5.0, size=4_000)
    y += x
    ratio = _means({"x": x, "y": y}, replicates=4_000)
    found = ratio[0] / ratio[1]
    r = x.mean() / y.mean()
    delta = np.std(x - r * y, ddof=1) / y.mean() / np.sqrt(len(x))
    assert float(found.value) == pytest.approx(r, rel=1e-12)
    assert float(found.standard_error()) == pytest.approx(delta, rel=0.04)  # 3 standard errors of 4,000 replicates
    assert float(found.standard_error("log")) == pytest.approx(delta / r, rel=0.04)


def test_ends_are_those_of_student_on_the_scale() -> None:
    found = _means({"x": np.random.default_rng(2).random(60), "one": np.ones(60)})
    share = found[0] / found[1]
    error = float(share.standard_error("logit"))
    reach = stats.t.ppf(0.95, 59) * np.sqrt(60 / 59) * error
    at = np.log(share.value / (1 - share.value))
    ends = share.estimate(n=60, level=0.9, scale="logit")
    assert [ends.low, ends.high] == pytest.approx([1 / (1 + np.exp(-(at + s * reach))) for s in (-1, 1)], rel=1e-9)
    z = share.z(0.4, "logit")
    assert z == pytest.approx((at - np.log(0.4 / 0.6)) / error)
    assert share.p_value(0.4, n=60, scale="logit") == pytest.approx(2 * stats.t.sf(abs(z) * np.sqrt(59 / 60), 59))


@pytest.mark.parametrize("scale", ["identity", "log", "logit"])
def test_what_does_not_vary_has_no_interval(scale: str) -> None:
    found = _means({"x": np.full(50, 0.3), "nothing": np.zeros(50)})
    for each in (found[0], found[1]):
        estimate = each.estimate(n=50, scale=scale)  # type: ignore[arg-type]
        assert (estimate.low, estimate.high) == (None, None)
        assert np.isnan(each.p_value(0.5, n=50, scale=scale))  # type: ignore[arg-type]


def test_one_number_is_asked_for() -> None:
    with pytest.raises(UsageError, match=r"there are \(2,\)"):
        _means({"x": np.arange(9.0), "y": np.arange(9.0)}).estimate(n=9)
    with pytest.raises(UsageError, match="level is 95"):
        _means({"x": np.arange(9.0)})[0].estimate(n=9, level=95)
    with pytest.raises(UsageError, match="400 and 200 replicates"):
        _means({"x": np.arange(9.0)}) + _means({"x": np.arange(9.0)}, replicates=200)


def test_intervals_of_a_share_of_sums_hold_the_truth(rate_error) -> None:
    """Shares of zero-inflated sums of few units: the parts are Poisson, the truth is the share of their means."""
    rng, runs, held = np.random.default_rng(3), 300, 0
    for run in range(runs):
        mine, other = rng.poisson(0.8, 150).astype(float), rng.poisson(3.2, 150).astype(float)
        found = _means({"mine": mine, "all": mine + other}, replicates=200, seed=run)
        ends = (found[0] / found[1]).estimate(n=150, scale="logit")
        held += ends.low is not None and ends.high is not None and ends.low <= 0.2 <= ends.high
    assert abs(held / runs - 0.95) < rate_error(0.95, runs)


def test_a_rest_of_one_unit_is_missing_where_no_replicate_draws_it() -> None:
    """A unit is in none of exp(-1) of the replicates, which then have no mean of the rest."""
    values = np.random.default_rng(3).normal(size=80)
    inside = (np.arange(80) != 40).astype(np.int64)
    keys = np.random.default_rng(4).integers(0, 2**63, 80).astype(np.uint64)
    summary = Summary.of(keys, {"x": values}, groups={"g": (["rest", "cell"], inside)}, replicates=2_000)
    found = means_of_rest(summary, ("g", "cell"), ["x"])
    assert found.value[0] == pytest.approx(values[40])
    missing = np.isnan(found.draws[0])
    assert missing.mean() == pytest.approx(np.exp(-1), abs=3 * (0.37 * 0.63 / 2_000) ** 0.5)
    np.testing.assert_allclose(found.draws[0][~missing], values[40], atol=1e-9)
