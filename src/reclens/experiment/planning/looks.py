"""What the looks of a plan cost, and the power that they have found an effect with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from reclens.errors import UsageError
from reclens.experiment.planning.plan import Plan
from reclens.stats.power import Question
from reclens.stats.sequential import GroupSequential, always_valid_bounds, exit_probabilities, group_sequential
from reclens.stats.sequential.group import drift_for, fixed_drift

__all__ = ["inflation_of", "planned_power", "sequential_of"]


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

    The drift of the statistic is that of a test of the same power with one look at the end. A margin is read at the
    last look, and a method that allows any look has no looks to add up over: both are deflated by what looks cost.
    """
    looks = plan.sequential
    if looks is None or looks.method != "group" or question.margin is not None:
        return (float(question.power(effect, n)),)
    once = float(replace(question, inflation=1.0).power(effect, n))
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
