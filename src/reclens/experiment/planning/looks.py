"""What the looks of a plan cost, and the power that they have found an effect with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from reclens.errors import UsageError
from reclens.experiment.planning.plan import Plan
from reclens.stats.estimate import Estimate
from reclens.stats.power import Question
from reclens.stats.sequential import GroupSequential, always_valid_bounds, exit_probabilities, group_sequential
from reclens.stats.sequential.group import drift_for, fixed_drift

__all__ = ["adds_up", "after_looks", "inflation_of", "planned_power", "power_by_looks", "sequential_of"]


def inflation_of(plan: Plan) -> float:
    """What the looks of a plan multiply the sample with."""
    looks = plan.sequential
    if looks is None:
        return 1.0
    if looks.method == "group":
        return sequential_of(plan).inflation
    # Looked at every day of the plan, or at 28 moments where it has no length.
    times = [at / (plan.days or 28) for at in range(1, (plan.days or 28) + 1)]
    bound = always_valid_bounds(times, level=plan.level, exact=looks.method == "msprt")
    fixed = fixed_drift(level=plan.level, power=plan.power)

    def power_of(drift: float) -> float:
        return float(sum(map(np.sum, exit_probabilities(times, bound.tolist(), (-bound).tolist(), drift=drift))))

    return (drift_for(power_of, plan.power, start=fixed) / fixed) ** 2


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


def planned_power(plan: Plan, question: Question, *, effect: float, n: float) -> tuple[float, ...]:
    """Power to have found an effect by each look of a plan, with n units over all arms; one number without looks.

    It is the one definition of power of a plan with looks: its sizes, its looks and its curves all take it from here.
    """
    if not adds_up(plan, question):
        return (float(question.power(effect, n)),)
    return power_by_looks(plan, question, float(replace(question, inflation=1.0).power(effect, n)))


def adds_up(plan: Plan, question: Question) -> bool:
    """Whether the power of a question adds up over planned looks.

    A margin is read at the last look, and a method that allows any look has no looks to add up over: the units of both
    are deflated by what looks cost.
    """
    return plan.sequential is not None and plan.sequential.method == "group" and question.margin is None


def power_by_looks(plan: Plan, question: Question, once: float) -> tuple[float, ...]:
    """Power by each look, of a test that has the power ``once`` with one look at the end of the same sample.

    The drift of the statistic is that of the test with one look. Shares of looks before the last are NaN where the
    drift cannot be told: at a power of one, and at no more than the false positives.
    """
    if not adds_up(plan, question) or plan.sequential is None:
        return (once,)
    looks = plan.sequential
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


def after_looks(plan: Plan, question: Question, once: Estimate) -> Estimate:
    """The power by the last look, with its interval, of a test whose power with one look is estimated."""
    value, low, high = (
        None if each is None else power_by_looks(plan, question, each)[-1] for each in (once.value, once.low, once.high)
    )
    return replace(once, value=once.value if value is None else value, low=low, high=high)
