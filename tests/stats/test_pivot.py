"""From a test to its interval: deviates, their inverses, and pivots without a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reclens.stats.pivot import TPivot, fieller, hall, hall_inverse, invert, normal_deviate, t_quantile

VARIANCES = (2.0, 1.2, -1.2)


@given(z=st.floats(-12, 12), df=st.floats(1, 1e6))
def test_deviates_and_t_statistics_have_the_same_tail(z: float, df: float) -> None:
    t = t_quantile(z, df)
    assert normal_deviate(t, df) == pytest.approx(z, rel=1e-6, abs=1e-9)
    assert stats.t.logsf(abs(t), df) == pytest.approx(stats.norm.logsf(abs(z)), rel=1e-6, abs=1e-9)


def test_a_statistic_beyond_floating_point_is_kept_finite() -> None:
    assert normal_deviate(1e9, 1e6) == 37.0 and normal_deviate(-1e9, 1e6) == -37.0
    assert math.isnan(normal_deviate(math.nan, 3)) and normal_deviate(50.0) == 50.0


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("control", [12.0, -12.0])
def test_the_ends_are_where_the_test_just_rejects(control: float, relative: bool) -> None:
    pivot = TPivot(control=control, gap=1.5, variances=VARIANCES, df=7.0)
    low, high = pivot.within(1.0, 2.5, relative=relative)
    assert low is not None and high is not None and low < high
    assert pivot.z_at(low, relative=relative) == pytest.approx(1.0)
    assert pivot.z_at(high, relative=relative) == pytest.approx(-2.5)
    # A deviate below zero asks for an end on the other side of the estimate, as an estimate after a stop does.
    middle = pivot.within(-0.5, 0.7, relative=relative)[0]
    assert middle is not None and pivot.z_at(middle, relative=relative) == pytest.approx(-0.5)


def test_a_control_near_zero_bounds_no_lift() -> None:
    assert TPivot(control=1.0, gap=1.5, variances=VARIANCES).within(1.96, 1.96, relative=True) == (None, None)
    assert fieller(1.0, 1.5, VARIANCES, 1.96) is None


def test_inversion_finds_the_closed_form() -> None:
    pivot = TPivot(control=12.0, gap=1.5, variances=VARIANCES, df=7.0)
    for z in np.linspace(-4, 4, 9):
        found = invert(pivot.z_at, float(z), start=1.5, step=0.1)
        assert found == pytest.approx(pivot.within(float(z), 0.0)[0])


def test_inversion_ends_at_a_limit_and_says_where_there_is_no_bound() -> None:
    # The deviate of a share falls to -1 at its limit of 1, and never reaches -2.
    assert invert(lambda b: -b, -2.0, start=0.0, step=0.1, limits=(-1.0, 1.0)) == 1.0
    assert invert(lambda b: -math.tanh(b), -2.0, start=0.0, step=0.1) is None


@given(t=st.floats(-20, 20), skew=st.floats(-1, 1))
def test_the_transformation_rises_and_is_inverted(t: float, skew: float) -> None:
    # The cube of 1 + a t / 3 loses digits where it passes zero.
    assert hall_inverse(hall(t, skew), skew) == pytest.approx(t, rel=1e-4, abs=1e-3)
    assert hall(t + 0.01, skew) > hall(t, skew)


def test_the_ends_of_a_skewed_statistic_are_where_its_test_just_rejects() -> None:
    pivot = TPivot(control=40.0, gap=1.5, variances=VARIANCES, df=70.0, skew=0.3)
    for relative in (False, True):
        low, high = pivot.within(1.0, 1.8, relative=relative)
        assert low is not None and high is not None and low < high
        assert pivot.z_at(low, relative=relative) == pytest.approx(1.0)
        assert pivot.z_at(high, relative=relative) == pytest.approx(-1.8)
