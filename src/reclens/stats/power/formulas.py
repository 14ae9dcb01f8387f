"""Formulas of power, each with its name and source.

All compare two arms of ``n_c`` and ``n_t`` units. ``delta`` is the true difference (treatment − control) and ``null``
the difference of the null hypothesis: 0, or the margin of a non-inferiority test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.stats.pivot import hall, hall_inverse
from reclens.stats.score import shares_at

__all__ = ["FORMULAS", "Formula", "Inputs", "t_power", "z_power"]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Inputs of a formula; arrays broadcast.

    Attributes:
        mean: Mean or share in control.
        var_c: Variance of a unit in control.
        var_t: Variance of a unit in treatment.
        delta: True absolute difference.
        null: Absolute difference of the null hypothesis.
        n_c: Units in control, already divided by design effect and inflation.
        n_t: Units in treatment, likewise.
        factor: Factor of the variance of a proportion (1 − R² of CUPED).
        df: Degrees of freedom of a t-test.
        alpha: Probability of a false positive, over all tails.
        tails: 1 or 2.
        skewness: Skewness of a unit.
        relative: Whether the null hypothesis is one of a lift: its test is that of a ratio.
        side: -1 if a positive difference is a decrease of the value, as for metrics where lower is better; else +1.
    """

    mean: float
    var_c: float
    var_t: Any
    delta: Any
    null: float
    n_c: Any
    n_t: Any
    factor: float
    df: Any
    alpha: float
    tails: int
    skewness: float = 0.0
    relative: bool = False
    side: int = 1


@dataclass(frozen=True)
class Formula:
    """One way to compute power.

    Attributes:
        name: Its name.
        kinds: The kinds of metric it is for.
        power: Inputs -> power.
    """

    name: str
    kinds: tuple[str, ...]
    power: Callable[[Inputs], Any]


def z_power(noncentrality: Any, *, alpha: float = 0.05, tails: int = 2) -> Any:
    """Power of a z-test whose statistic has this mean and variance 1; the far tail counts too.

    Example:
        >>> round(float(z_power(1.959964 + 0.841621)), 4)
        0.8
    """
    from scipy.special import ndtr, ndtri

    critical = ndtri(1 - alpha / tails)
    near = ndtr(np.asarray(noncentrality) - critical)
    return near + ndtr(-np.asarray(noncentrality) - critical) if tails == 2 else near


def t_power(noncentrality: Any, *, df: Any, alpha: float = 0.05, tails: int = 2) -> Any:
    """Power of a t-test by the noncentral t distribution; the far tail counts too.

    Of one sample (or of pairs) the noncentrality is effect · √n / sd with n − 1 degrees of freedom. Beyond a million
    degrees of freedom the normal distribution is used, which differs by less than 1e-6.

    Example:
        >>> round(float(t_power(30**0.5, df=29)), 6)  # one sample of 30, effect of one standard deviation
        0.999564
    """
    from scipy.special import nctdtr, stdtrit

    noncentrality, df = np.broadcast_arrays(np.asarray(noncentrality, float), np.asarray(df, float))
    known = np.clip(df, 1e-9, 1e6)
    critical = stdtrit(known, 1 - alpha / tails)
    with np.errstate(all="ignore"):
        found = 1 - nctdtr(known, noncentrality, critical)
        if tails == 2:
            found = found + nctdtr(known, noncentrality, -critical)
    # Far out the series of the library gives up; there the power is 0 or 1 by the normal distribution too.
    good = np.isfinite(found) & (df > 0) & (df < 1e6) & (np.abs(noncentrality) < 30)
    normal = z_power(noncentrality, alpha=alpha, tails=tails)
    return np.where(df <= 0, 0.0, np.where(good, np.clip(found, 0, 1), normal))


def _ratio(given: Inputs) -> float:
    """φ of the test of treatment - φ · control: that of a relative margin, as Fieller's; 1 of a difference."""
    return 1 + given.side * given.null / given.mean if given.relative and given.null else 1.0


def _standard_error(given: Inputs) -> Any:
    return np.sqrt(_ratio(given) ** 2 * given.var_c / given.n_c + given.var_t / given.n_t)


def _student(given: Inputs) -> Any:
    away = (given.delta - given.null) / _standard_error(given)
    if given.skewness:
        return _skewed(given, away, given.df)
    return t_power(away, df=given.df, alpha=given.alpha, tails=given.tails)


def _normal(given: Inputs) -> Any:
    away = (given.delta - given.null) / _standard_error(given)
    if given.skewness:
        return _skewed(given, away, np.inf)
    return z_power(away, alpha=given.alpha, tails=given.tails)


def _skewed(given: Inputs, away: Any, df: Any) -> Any:
    """Power of the test that takes the skewness of the difference out, to first order in it.

    With u = (d - δ)/ŝ and λ = (δ - δ₀)/s the statistic is u + λ s/ŝ, and s/ŝ is 1 - a u/2 on average, because the
    covariance of the difference and its variance is a third cumulant. Hall's transformation of u is normal.
    """
    from scipy.special import ndtr, stdtrit

    spread = (_ratio(given) ** 2 * given.var_c / given.n_c + given.var_t / given.n_t) ** 1.5
    third = given.var_t**1.5 / given.n_t**2 - _ratio(given) ** 3 * given.var_c**1.5 / given.n_c**2
    skew = given.side * given.skewness * third / spread
    critical = stdtrit(np.minimum(np.maximum(df, 1e-9), 1e6), 1 - given.alpha / given.tails)
    found: Any = 0.0
    for sign in (1.0, -1.0)[: given.tails]:
        needed = hall_inverse(critical, sign * skew) - sign * away
        found = found + ndtr(-hall(needed / np.maximum(1 - skew * away / 2, 0.1), sign * skew))
    return np.clip(found, 0.0, 1.0)


def _relative(given: Inputs) -> Any:
    lift = given.delta / given.mean
    variance = (given.var_t / given.n_t + given.var_c * (1 + given.side * lift) ** 2 / given.n_c) / given.mean**2
    return z_power((lift - given.null / given.mean) / np.sqrt(variance), alpha=given.alpha, tails=given.tails)


def _shares(given: Inputs) -> tuple[float, Any]:
    """Both shares; outside 0 … 1 there are none."""
    treated = given.mean + given.side * given.delta
    return given.mean, np.where((treated > 0) & (treated < 1), treated, np.nan)


def _two_errors(given: Inputs, null: Any, true: Any) -> Any:
    """Power where the test uses another variance than the truth has: Φ((|δ - δ₀| - z·se₀) / se₁)."""
    from scipy.special import ndtr, ndtri

    away = given.delta - given.null
    bound = ndtri(1 - given.alpha / given.tails) * np.sqrt(null)
    near = ndtr((away - bound) / np.sqrt(true))
    return near + ndtr((-away - bound) / np.sqrt(true)) if given.tails == 2 else near


def _unpooled(given: Inputs) -> Any:
    old, new = _shares(given)
    variance = given.factor * (_ratio(given) ** 2 * old * (1 - old) / given.n_c + new * (1 - new) / given.n_t)
    return z_power((given.delta - given.null) / np.sqrt(variance), alpha=given.alpha, tails=given.tails)


def _score(given: Inputs) -> Any:
    """Variances of q̂ - φp̂, under the null hypothesis at the most likely shares that fulfil it.

    φ is the ratio of a relative margin, and 1 for a difference.
    """
    old, new = _shares(given)
    bound = given.side * given.null / (given.mean if given.relative else 1.0)
    ratio = 1 + bound if given.relative else 1.0

    def null_shares(treated: float, control: float, treatment: float) -> tuple[float, float]:
        if math.isnan(treated):
            return math.nan, math.nan
        counts = (old * control, control), (treated * treatment, treatment)
        return shares_at(*counts, bound, relative=given.relative)

    p, q = np.vectorize(null_shares, otypes=[float, float])(new, given.n_c, given.n_t)
    null, true = (
        given.factor * (ratio**2 * a * (1 - a) / given.n_c + b * (1 - b) / given.n_t) for a, b in ((p, q), (old, new))
    )
    return _two_errors(given, null, true)


def _baseline(given: Inputs) -> Any:
    old, new = _shares(given)
    null = given.factor * old * (1 - old) * (1 / given.n_c + 1 / given.n_t)
    return _two_errors(given, null, given.factor * (old * (1 - old) / given.n_c + new * (1 - new) / given.n_t))


def _arcsine(given: Inputs) -> Any:
    old, new = _shares(given)
    h = 2 * (np.arcsin(np.sqrt(new)) - np.arcsin(np.sqrt(np.clip(old + given.side * given.null, 0, 1))))
    away = given.side * h / np.sqrt(given.factor * (1 / given.n_c + 1 / given.n_t))
    return z_power(away, alpha=given.alpha, tails=given.tails)


FORMULAS: Final[Mapping[str, Formula]] = {
    each.name: each
    for each in (
        # Cohen (1988), ch. 2; with a relative margin the variance of Fieller's test
        Formula("student", ("mean",), _student),
        # Lehr (1992); ratios: Deng, Knoblich and Lu (2018)
        Formula("normal", ("mean", "ratio", "quantile"), _normal),
        # Deng, Knoblich and Lu (2018), eq. 4
        Formula("relative", ("mean", "ratio", "proportion"), _relative),
        # Farrington and Manning (1990); Fleiss, Levin and Paik (2003), eq. 4.14
        Formula("score", ("proportion",), _score),
        # Fleiss, Levin and Paik (2003), sec. 4.2
        Formula("unpooled", ("proportion",), _unpooled),
        # Evan Miller (2010)
        Formula("baseline", ("proportion",), _baseline),
        # Cohen (1988), ch. 6
        Formula("arcsine", ("proportion",), _arcsine),
    )
}
"""The formulas by name."""
