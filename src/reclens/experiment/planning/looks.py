"""What the looks of a plan cost, and the power that they have found an effect with."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

import numpy as np

from reclens.errors import UsageError
from reclens.experiment.planning.plan import Plan
from reclens.stats.estimate import Estimate
from reclens.stats.power import Question
from reclens.stats.sequential import GroupSequential, always_valid_bounds, exit_probabilities, group_sequential
from reclens.stats.sequential.group import drift_for, fixed_drift

__all__ = [
    "adds_up",
    "after_looks",
    "inflation_of",
    "level_at_the_end",
    "planned_power",
    "power_by_looks",
    "powers_by_last_look",
    "sequential_of",
]


def inflation_of(plan: Plan) -> float:
    """What the looks of a plan multiply the sample with."""
    looks = plan.sequential
    if looks is None:
        return 1.0
    if looks.method == "group":
        return sequential_of(plan).inflation
    fixed = fixed_drift(level=plan.level, power=plan.power)
    power_of = partial(_power_at_any_look, looks.method, plan.days or _MOMENTS, plan.level)
    return (drift_for(power_of, plan.power, start=fixed) / fixed) ** 2


_MOMENTS: Final = 28
"""Moments at which a plan without a length is looked at; one with a length is looked at every day."""


def _power_at_any_look(method: str, moments: int, level: float, drift: float) -> float:
    """Power of an always-valid method with several looks, at a given drift of the statistic at the last look."""
    times = [at / moments for at in range(1, moments + 1)]
    bound = always_valid_bounds(times, level=level, exact=method == "msprt")
    return float(sum(map(np.sum, exit_probabilities(times, bound.tolist(), (-bound).tolist(), drift=drift))))


def sequential_of(plan: Plan) -> GroupSequential:
    """The group-sequential bounds of a plan.

    Raises:
        UsageError: If it has none.
    """
    looks = plan.sequential
    if looks is None or looks.method != "group":
        raise UsageError(f"'{plan.name}' has no planned looks: expected [sequential] with method = \"group\".")
    return group_sequential(
        looks.times,
        spending=looks.spending,
        parameter=looks.parameter,
        level=plan.level,
        power=plan.power,
        futility=looks.futility,
    )


def level_at_the_end(plan: Plan) -> float:
    """Level of the interval at the last look of a plan: that of one look whose bound is the last one of the plan."""
    looks = plan.sequential
    if looks is None:
        return plan.level
    if looks.method == "group":
        bound = float(sequential_of(plan).upper[-1])
    else:
        moments = plan.days or _MOMENTS
        times = [at / moments for at in range(1, moments + 1)]
        bound = float(always_valid_bounds(times, level=plan.level, exact=looks.method == "msprt")[-1])
    return math.erf(bound / math.sqrt(2))


def planned_power(plan: Plan, question: Question, *, effect: float, n: float) -> tuple[float, ...]:
    """Power to have found an effect by each look of a plan, with n units over all arms; one number without looks.

    It is the one definition of power of a plan with looks: its sizes, its looks and its curves all take it from here.
    """
    if not adds_up(plan, question):
        return (float(question.power(effect, n)),)
    return power_by_looks(plan, question, float(replace(question, inflation=1.0).power(effect, n)))


def adds_up(plan: Plan, question: Question) -> bool:
    """Whether the power of a question adds up over the looks of a plan.

    A margin is read at the last look, at the level of its bound: see :func:`level_at_the_end`.
    """
    return plan.sequential is not None and question.margin is None


def power_by_looks(plan: Plan, question: Question, once: float) -> tuple[float, ...]:
    """Power by each look, of a test that has the power ``once`` with one look at the end of the same sample.

    The drift of the statistic is that of the test with one look. Shares of looks before the last are NaN where the
    drift cannot be told: at a power of one, and at no more than the false positives. A method that allows any look has
    one number: the power to have found the effect by the last one.
    """
    if not adds_up(plan, question) or plan.sequential is None:
        return (once,)
    looks = plan.sequential
    if looks.method != "group":
        level = 1 - question.alpha
        return (_power_at_any_look(looks.method, plan.days or _MOMENTS, level, _drift_of(once, level)),)
    made = group_sequential(
        looks.times,
        spending=looks.spending,
        parameter=looks.parameter,
        level=1 - question.alpha,
        power=plan.power,
        futility=looks.futility,
    )
    if not question.alpha < once < 1 - 1e-9:
        return (*[math.nan] * (len(made.times) - 1), once)
    up, down = made.crossing(
        drift=fixed_drift(level=1 - question.alpha, power=once), futility=looks.futility is not None
    )
    stopped = up if looks.futility is not None else up + down
    return tuple(np.cumsum(stopped).tolist())


def powers_by_last_look(plan: Plan, question: Question, once: np.ndarray) -> np.ndarray:
    """Power by the last look of tests that have the powers ``once`` with one look, as of :func:`power_by_looks`.

    Of a method that allows any look it is interpolated over the drift, to within 0.001: a curve has many points, and
    each of them would go through every day.
    """
    looks = plan.sequential
    if looks is None or looks.method == "group" or not adds_up(plan, question):
        return np.array([power_by_looks(plan, question, float(each))[-1] for each in once])
    from scipy.interpolate import PchipInterpolator

    level = 1 - question.alpha
    drift = np.array([_drift_of(float(each), level) for each in once])
    known = _powers_of_drifts(looks.method, plan.days or _MOMENTS, level)
    return np.asarray(PchipInterpolator(_DRIFTS, known)(np.minimum(drift, _DRIFTS[-1])))


_DRIFTS: Final = np.linspace(0.0, 8.0, 25)
"""Drifts of the statistic whose power is computed; beyond the last one it is 1."""


@lru_cache(maxsize=32)
def _powers_of_drifts(method: str, moments: int, level: float) -> tuple[float, ...]:
    return tuple(_power_at_any_look(method, moments, level, float(drift)) for drift in _DRIFTS)


def _drift_of(once: float, level: float) -> float:
    """The drift of a test that has this power with one look; none at no more than the false positives."""
    if once >= 1 - 1e-9:
        return float(_DRIFTS[-1])
    return 0.0 if once <= 1 - level else fixed_drift(level=level, power=once)


def after_looks(plan: Plan, question: Question, once: Estimate) -> Estimate:
    """The power by the last look, with its interval, of a test whose power with one look is estimated."""
    value, low, high = (
        None if each is None else power_by_looks(plan, question, each)[-1] for each in (once.value, once.low, once.high)
    )
    return replace(once, value=once.value if value is None else value, low=low, high=high)
