"""The question of power of a metric under its plan, and its answers over a range: by units and by days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reclens.errors import UsageError
from reclens.experiment.planning.history import Known
from reclens.experiment.planning.looks import adds_up, level_at_the_end, powers_by_last_look
from reclens.experiment.planning.metric import OF_ARM, Metric
from reclens.experiment.planning.plan import Plan
from reclens.experiment.planning.traffic import units_by
from reclens.stats.power import Question

__all__ = ["effect_by_days", "power_curve", "question_of"]


def power_curve(
    question: Question, *, effects: Sequence[float], around: float, points: int = 60, plan: Plan | None = None
) -> list[dict[str, Any]]:
    """Power against the number of units, for a few effects: rows ``effect, n, power``.

    Args:
        question: The question.
        effects: True effects, a curve each.
        around: Number of units in the middle of the curve.
        points: Points a curve.
        plan: The plan, whose looks count; without it there is one look.
    """
    grid = np.unique(np.geomspace(max(around / 10, 4), around * 4, points).round())

    def powers(effect: float) -> np.ndarray:
        if plan is None or not adds_up(plan, question):
            return np.asarray(question.power(effect, grid))
        once = np.asarray(replace(question, inflation=1.0).power(effect, grid))
        return powers_by_last_look(plan, question, once)

    return [
        {"effect": effect, "n": int(n), "power": float(power)}
        for effect in effects
        for n, power in zip(grid, powers(effect), strict=True)
    ]


def effect_by_days(
    question: Question,
    *,
    daily: float,
    days: int,
    power: float = 0.8,
    sign: int = 1,
    arrivals: Sequence[float] | None = None,
) -> list[dict[str, Any]]:
    """Smallest effect that is found after each day: rows ``days, n, effect``. Days without an answer are left out.

    ``arrivals`` are as in :func:`days_for`.
    """
    rows = []
    for day in range(1, days + 1):
        n = units_by(day, daily, arrivals=arrivals)
        try:
            answer = question.effect(n=n, power=power, sign=sign)
        except UsageError:
            continue
        rows.append({"days": day, "n": int(n), "effect": answer.effect})
    return rows


def question_of(
    metric: Metric, plan: Plan, known: Known, *, inflation: float = 1.0, formula: str | None = None
) -> Question:
    """The question of power of a metric under its plan: shares, correction, margin and looks taken from the plan.

    The looks widen the interval of every metric, not only of the primary ones. A difference can be found at each look,
    and its sample is multiplied with ``inflation``; a margin is read at the last look, at the level of that bound.
    """
    primary = metric.role == "primary"
    kind = "quantile" if metric.kind in OF_ARM else metric.kind
    smallest = min(plan.arms[arm] for arm in plan.treatments)
    margin = metric.margin
    if metric.margin_absolute is not None and known.mean:
        margin = metric.margin_absolute / abs(known.mean)
    if metric.aim == "difference":
        margin = None
    return Question(
        kind=kind,
        mean=known.mean,
        sd=None if kind == "proportion" else known.sd,
        level=plan.level if margin is None else level_at_the_end(plan),
        skewness=known.skewness if metric.kind in ("mean", "ratio") and known.skewness == known.skewness else 0.0,
        scales=metric.effect_scales and metric.kind in ("mean", "ratio", "quantile"),
        shares=(plan.arms[plan.control], smallest),
        margin=margin,
        equivalence=metric.aim == "equivalence",
        absolute_margin=metric.margin_absolute is not None,
        sign=metric.sign,
        r2=known.r2,
        icc=known.icc,
        cluster_size=known.cluster_size,
        cluster_cv=known.cluster_cv,
        inflation=inflation if margin is None else 1.0,
        comparisons=len(plan.treatments) * len(plan.primary) if primary and margin is None else 1,
        correction=plan.correction,
        formula=formula,
    )
