"""Bayesian analysis of a difference: probability of improvement and expected loss.

It complements the frequentist analysis and does not correct for repeated looks: stopping at the first favourable
posterior inflates false positives, as with a p-value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from reclens.errors import ArgumentValuesError, UsageError
from reclens.stats.difference import Difference
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["Posterior", "beta_binomial", "normal_posterior"]


@dataclass(frozen=True, kw_only=True)
class Posterior(Tabular):
    """Posterior distribution of a difference.

    Attributes:
        value: Posterior mean of the difference, with a credible interval (equal tails).
        p_win: Probability that treatment is better: above control, or below it where lower is better.
        loss_treatment: Expected loss of choosing treatment, E max(0, -difference) where higher is better.
        loss_control: Expected loss of choosing control, E max(0, difference) where higher is better.
        se: Posterior standard deviation.
        method: ``normal`` approximation, or ``beta_binomial`` of two shares.
        prior: Parameters of the prior: mean and standard deviation, or those of the beta distribution; None if flat.
        relative: Whether the difference is the relative lift.
    """

    value: Estimate
    p_win: float
    loss_treatment: float
    loss_control: float
    se: float
    method: Literal["normal", "beta_binomial"]
    prior: tuple[float, float] | None
    relative: bool

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row = asdict(self)
        return [row.pop("value") | row]


def normal_posterior(
    found: Difference, *, relative: bool = False, prior: tuple[float, float] | None = None, sign: int = 1
) -> Posterior:
    """Posterior of a difference from its estimate and standard error, both taken as normal.

    Args:
        found: The difference.
        relative: Whether of the relative lift, by its delta-method standard error.
        prior: Mean and standard deviation of a normal prior; None for a flat one.
        sign: +1 where higher is better, -1 where lower is.

    Raises:
        UsageError: If the difference has no standard error or the prior no width.

    References:
        Gelman et al. (2013), Bayesian data analysis, section 2.5; Stucchio (2015), Bayesian A/B testing, for the loss.
    """
    from scipy.special import ndtr, ndtri

    estimate, se = (found.relative, found.relative_se) if relative else (found.absolute, found.se)
    if not se > 0:
        raise UsageError("the difference has no standard error, so that there is no posterior to compute.")
    mean, sd = estimate.value, se
    if prior is not None:
        if not prior[1] > 0:
            raise UsageError(f"the prior has the standard deviation {prior[1]}, expected more than 0.")
        weight = 1 / se**2 + 1 / prior[1] ** 2
        mean = (estimate.value / se**2 + prior[0] / prior[1] ** 2) / weight
        sd = math.sqrt(1 / weight)
    z = float(ndtri(0.5 + estimate.level / 2))
    chance = float(ndtr(mean / sd))
    density = sd * math.exp(-((mean / sd) ** 2) / 2) / math.sqrt(2 * math.pi)
    gain = mean * chance + density
    win, losses = (chance, (gain - mean, gain)) if sign > 0 else (1 - chance, (gain, gain - mean))
    return Posterior(
        value=Estimate(mean, low=mean - z * sd, high=mean + z * sd, n=estimate.n, level=estimate.level),
        p_win=win,
        loss_treatment=losses[0],
        loss_control=losses[1],
        se=sd,
        method="normal",
        prior=prior,
        relative=relative,
    )


def beta_binomial(
    control: tuple[int, int],
    treatment: tuple[int, int],
    *,
    relative: bool = False,
    prior: tuple[float, float] = (1.0, 1.0),
    level: float = 0.95,
) -> Posterior:
    """Posterior of the difference of two shares with beta priors, without approximation.

    Integrals over the control's share p are taken over its quantiles, ∫ g(F⁻¹(u)) du, by Gauss and Legendre.

    Args:
        control: Units that count, and all units.
        treatment: Likewise.
        relative: Whether of the lift (q - p)/p instead of q - p.
        prior: The two parameters of the beta prior of both shares; (1, 1) is uniform.
        level: Level of the credible interval.

    Raises:
        UsageError: If counts are not 0 ≤ successes ≤ n, or the prior is not positive.

    Example:
        >>> round(beta_binomial((40, 100), (50, 100)).p_win, 3)
        0.921
    """
    from scipy.special import betainc, betaincinv

    for hits, n in (control, treatment):
        if not 0 <= hits <= n:
            raise UsageError(f"{hits} of {n} is no share: expected 0 ≤ successes ≤ n.")
    if relative and prior[0] + control[0] <= 1:
        raise UsageError(
            f"{control[0]} of {control[1]} in control under a beta({prior[0]:g}, {prior[1]:g}) prior: the share may be "
            "so close to 0 that the expected lift is infinite. Ask for the difference, or take a prior above 1."
        )
    if min(prior) <= 0 or not 0 < level < 1:
        raise ArgumentValuesError({"prior": prior, "level": level}, "positive parameters, and a level between 0 and 1")
    (a, b), (c, d) = ((hits + prior[0], n - hits + prior[1]) for hits, n in (control, treatment))
    nodes, weights = np.polynomial.legendre.leggauss(400)
    p, weights = betaincinv(a, b, (nodes + 1) / 2), weights / 2
    q = betaincinv(c, d, (nodes + 1) / 2)
    at: Callable[[float], np.ndarray] = (lambda r: p * (1 + r)) if relative else (lambda r: p + r)

    def below(r: float) -> float:
        return float(weights @ betainc(c, d, np.clip(at(r), 0.0, 1.0)))

    # E max(0, q - p) given p: mean of q above p less p, in incomplete beta integrals.
    above = c / (c + d) * (1 - betainc(c + 1, d, p)) - p * (1 - betainc(c, d, p))
    scale = 1 / np.maximum(p, 1e-300) if relative else np.ones_like(p)
    gain, mean = float(weights @ (above * scale)), float(weights @ ((c / (c + d) - p) * scale))
    square = float(weights @ (c * (c + 1) / ((c + d) * (c + d + 1)) - 2 * p * c / (c + d) + p**2))
    loss = gain - mean
    if relative:  # 1 / p has heavy tails that the nodes miss; its moments are known
        once, twice = (a + b - 1) / (a - 1), (a + b - 2) / (a - 2) if a > 2 else math.inf
        mean = c / (c + d) * once - 1
        square = c * (c + 1) / ((c + d) * (c + d + 1)) * once * twice - 2 * c / (c + d) * once + 1
    ends = (q.min() / p.max() - 1, q.max() / p.min() - 1) if relative else (-1.0, 1.0)
    low, high = (_root(below, tail, ends) for tail in ((1 - level) / 2, (1 + level) / 2))
    return Posterior(
        value=Estimate(mean, low=low, high=high, n=control[1] + treatment[1], level=level),
        p_win=1 - below(0.0),
        loss_treatment=loss,
        loss_control=loss + mean,
        se=math.sqrt(max(square - mean**2, 0.0)),
        method="beta_binomial",
        prior=prior,
        relative=relative,
    )


def _root(rising: Callable[[float], float], level: float, ends: tuple[float, float]) -> float:
    """Where a rising function reaches a level, by halving."""
    low, high = ends
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < level else (low, middle)
    return (low + high) / 2
