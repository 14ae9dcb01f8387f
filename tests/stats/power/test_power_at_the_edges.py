"""Power where a term is seldom seen: both tails of skewed values, few degrees of freedom, shares that rise far."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress, nct, norm, t

from reclens.errors import UsageError
from reclens.stats.power import Question, coefficient_of_determination, t_power


def test_power_with_skewness_adds_up_both_tails() -> None:
    """Next to no skewness is none; and a difference turned round has its skewness turned round."""
    asked = {"kind": "mean", "mean": 1.0, "sd": 1.0, "relative": False, "shares": (0.9, 0.1)}
    plain, next_to_none = (Question(**asked, skewness=skewness) for skewness in (0.0, 1e-7))
    up, down = (Question(**asked, skewness=skewness) for skewness in (4.0, -4.0))
    for effect in (0.0, 0.02, 0.05, 0.1):
        assert float(next_to_none.power(effect, 20_000)) == pytest.approx(float(plain.power(effect, 20_000)), abs=1e-4)
        assert float(up.power(effect, 2_000)) == pytest.approx(float(down.power(-effect, 2_000)), abs=1e-12)
    both = 2 * norm.sf(t.ppf(0.975, 1_998))
    assert float(up.power(0.0, 2_000)) == pytest.approx(both, abs=1e-12)


def test_t_power_of_less_than_one_degree_of_freedom_is_that_of_scipy() -> None:
    assert float(t_power(1.0, df=0.5, tails=1)) == pytest.approx(nct.sf(t.ppf(0.95, 0.5), 0.5, 1.0), abs=1e-9)
    assert float(t_power(9.0, df=0.0)) == 0.0


def test_a_share_may_rise_by_more_than_it_is() -> None:
    """Of 30 units of a rate of .1: more than four times the rate, which no fall could be."""
    asked = Question(kind="proportion", mean=0.1, formula="unpooled")
    found = asked.effect(n=30).value
    treated = 0.1 * (1 + found)
    away = 0.1 * found / math.sqrt((0.1 * 0.9 + treated * (1 - treated)) / 15)
    assert found > 3 and norm.sf(1.959964 - away) == pytest.approx(0.8, abs=1e-4)
    with pytest.raises(UsageError, match="find no effect"):
        asked.effect(n=30, sign=-1)


def test_r_squared_is_adjusted_for_the_covariates_by_hand() -> None:
    x, y = np.array([0, 1, 2, 3, 4]), np.array([0, 1, 1, 3, 2])
    plain = linregress(x, y).rvalue ** 2
    assert coefficient_of_determination(y, x[:, None]) == pytest.approx(1 - (1 - plain) * 4 / 3)
    both = np.column_stack([np.ones(5), x, [1, 0, 0, 1, 0]])
    left = ((y - both @ np.linalg.lstsq(both, y, rcond=None)[0]) ** 2).sum()
    adjusted = 1 - (left / 2) / y.var(ddof=1)
    assert coefficient_of_determination(y, both[:, 1:]) == pytest.approx(adjusted)
    assert coefficient_of_determination(y[:2], x[:2, None]) == 0.0
