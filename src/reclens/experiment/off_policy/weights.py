"""Whether a log can tell anything about a policy: weights, overlap, propensities, and when there is no verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.experiment.off_policy.log import Decisions, Target
from reclens.tabular import Tabular

__all__ = [
    "REWARDED",
    "UNITS",
    "Limits",
    "Objection",
    "ObjectionCode",
    "Weights",
    "importance_weights",
    "objections",
    "weigh",
]

UNITS: Final = 10
"""Users from which on verdicts hold."""
REWARDED: Final = {"hall": 5.0, "normal": 50.0}
"""Effective numbers of rewarded decisions from which on verdicts hold, by the method of the interval."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where there is no verdict.

    ``units`` and ``rewarded`` are where verdicts on policies that are worth the same are wrong in about 5 % of
    simulated logs and less (``benchmarks/rates_off_policy.py``); the others are conventions.

    Attributes:
        units: Least number of users.
        rewarded: Least effective number of rewarded decisions that a difference rests on; None is that of the method of
            the interval, ``REWARDED``.
        effective: Least effective sample size, in decisions: below it the interval rests on a handful of rows.
        share: Least effective sample as a share of the log.
        largest: Most that one decision may make up of all weight.
        unseen: Most probability that the target may put on what the log never did, or could not do.
        rare: Decisions from which on an action at a place counts as more than rarely done.
        alpha: Level of the test that the mean weight is 1.
    """

    units: int = UNITS
    rewarded: float | None = None
    effective: float = 200.0
    share: float = 0.005
    largest: float = 0.1
    unseen: float = 0.05
    rare: int = 10
    alpha: float = 0.001

    def least_rewarded(self, method: str) -> float:
        """Least effective number of rewarded decisions for a method of the interval.

        >>> Limits().least_rewarded("normal"), Limits(rewarded=3).least_rewarded("hall")
        (50.0, 3)
        """
        return REWARDED[method] if self.rewarded is None else self.rewarded


@dataclass(frozen=True, kw_only=True)
class Weights(Tabular):
    """Importance weights w = target probability ÷ propensity, and what they say of the log.

    Attributes:
        n: Decisions.
        units: Users.
        places: Places of a list.
        effective: Effective sample size (Σw)² / Σw² (Kish 1965).
        largest: Largest weight.
        largest_share: The same as a share of Σw.
        mean: Mean weight: 1 on average where propensities are right and the log could do all that the target does.
        mean_se: Its standard error over users.
        p_value: Two-sided, of a mean of 1.
        zero: Share of decisions that the target would never take.
        unseen: Probability of the target on actions that the log never did at that place.
        rare: The same on actions that it did rarely; those that it never did are among them.
        smallest_propensity: Smallest logged propensity.
        certain: Share of decisions with a propensity of 1.
    """

    n: int
    units: int
    places: int
    effective: float
    largest: float
    largest_share: float
    mean: float
    mean_se: float
    p_value: float
    zero: float
    unseen: float
    rare: float
    smallest_propensity: float
    certain: float

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


ObjectionCode = Literal[
    "never_explored", "few_users", "small_sample", "small_share", "one_decision", "never_done", "mean_weight"
]


@dataclass(frozen=True)
class Objection(Tabular):
    """Why a log cannot decide.

    Attributes:
        code: ``never_explored``: every propensity is 1; ``few_users``; ``small_sample``: the effective sample, in
            decisions; ``small_share``: the same as a share of the log; ``one_decision``: the share of all weight in
            one; ``never_done``: the share of the target on what the log never did; ``mean_weight``, which should be 1.
        value: What was seen.
        limit: What is asked for.
        weights: The weights that it is about.
    """

    code: ObjectionCode
    value: float
    limit: float
    weights: Weights

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"code": self.code, "value": self.value, "limit": self.limit}]


def importance_weights(decisions: Decisions, target: Target) -> np.ndarray:
    """Target probability of what was done ÷ propensity; shape (n,)."""
    return target.logged(decisions) / decisions.propensities


def weigh(decisions: Decisions, target: Target, *, limits: Limits | None = None) -> Weights:
    """Measure the weights, the overlap and the propensities."""
    from scipy.special import ndtr

    limits = limits or Limits()
    w = importance_weights(decisions, target)
    n, total = len(w), float(w.sum())
    of_unit = np.bincount(decisions.units, w - w.mean())
    units = len(of_unit)
    se = math.sqrt(units / (units - 1) * float((of_unit**2).sum())) / n if units > 1 else math.nan
    mean = total / n
    z = (mean - 1) / se if se > 0 else (0.0 if abs(mean - 1) < 1e-9 else math.inf)
    shape = (decisions.n_actions, decisions.n_places)
    counts = np.bincount(decisions.actions * shape[1] + decisions.places, minlength=shape[0] * shape[1]).reshape(shape)
    seldom = np.stack([counts == 0, counts < limits.rare]).astype(np.float64)
    of = [float(target.expected(decisions, each[None], np.zeros(n, np.int64)).mean()) for each in seldom]
    return Weights(
        n=n,
        units=units,
        places=decisions.n_places,
        effective=total**2 / float((w**2).sum()) if total else 0.0,
        largest=float(w.max()),
        largest_share=float(w.max()) / total if total else math.nan,
        mean=mean,
        mean_se=se,
        p_value=2 * float(ndtr(-abs(z))),
        zero=float((w == 0).mean()),
        unseen=of[0],
        rare=of[1],
        smallest_propensity=float(decisions.propensities.min()),
        certain=float((decisions.propensities == 1).mean()),
    )


def objections(weights: Weights, *, limits: Limits | None = None) -> tuple[Objection, ...]:
    """Why the log cannot decide; empty where it can."""
    limits = limits or Limits()
    found: list[Objection] = []

    def add(code: ObjectionCode, value: float, limit: float) -> None:
        found.append(Objection(code, value, limit, weights))

    if weights.certain == 1:
        add("never_explored", weights.certain, 1.0)
    if weights.units < limits.units:
        add("few_users", weights.units, limits.units)
    if weights.effective < limits.effective:
        add("small_sample", weights.effective, limits.effective)
    elif weights.effective < limits.share * weights.n:
        add("small_share", weights.effective / weights.n, limits.share)
    if weights.largest_share > limits.largest:
        add("one_decision", weights.largest_share, limits.largest)
    if weights.unseen > limits.unseen:
        add("never_done", weights.unseen, limits.unseen)
    if weights.p_value < limits.alpha and abs(weights.mean - 1) > limits.unseen:
        add("mean_weight", weights.mean, 1.0)
    return tuple(found)
