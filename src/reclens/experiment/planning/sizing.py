"""From a plan to numbers: how many units each metric needs, for how many days, and what the planned days can find.

Each answer names its formula and shows its neighbours; what has no formula is simulated from the history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.errors import UsageError
from reclens.experiment.planning.history import Known, known_of
from reclens.experiment.planning.looks import adds_up, after_looks, inflation_of, planned_power, power_by_looks
from reclens.experiment.planning.metric import OF_ARM, Metric
from reclens.experiment.planning.plan import Plan, load_plan
from reclens.experiment.planning.power_question import question_of
from reclens.experiment.planning.power_simulation import simulate_power, spread_of_arm, statistic_of
from reclens.experiment.planning.traffic import days_for, units_by
from reclens.stats.estimate import Estimate
from reclens.stats.pivot import imbalance
from reclens.stats.power import Answer, Question
from reclens.tabular import Tabular

__all__ = ["MetricSize", "SizeNote", "Sizing", "look_schedule", "size_plan"]


SizeNote = Literal["needs_exposures", "needs_history", "by_standard_error"]
"""Not sized for want of exposures of the past, or of a history or baseline; or sized by the standard error of the
readout's test, with its power by simulation."""


@dataclass(frozen=True, kw_only=True)
class MetricSize(Tabular):
    """What one metric needs.

    Attributes:
        metric: The metric.
        known: What it rests on; None where nothing is known.
        question: The question of power; None where nothing is known.
        size: Units needed for the smallest effect worth finding, or to hold the margin; None without either.
        found: Smallest effect found by the planned sample; None without one.
        achieved: Power with the planned sample; None without one.
        simulated: Power by simulation, with the error of the simulation; None where a formula is enough.
        days: Days to collect the units; None without traffic.
        skew: Skewness of the difference that the planned sample, or else the size, will have; None where not known.
        simulated_from: Units that the simulated experiments are resampled from; None where nothing was simulated.
        simulated_once: The simulated power of one look at the end; None where nothing was simulated.
        note: Why there is no size, or how it was found.
    """

    metric: Metric
    known: Known | None
    question: Question | None
    size: Answer | None
    found: Answer | None
    achieved: float | None
    simulated: Estimate | None
    days: int | None
    skew: float | None = None
    simulated_from: int | None = None
    simulated_once: float | None = None
    note: SizeNote | None = None

    @property
    def true(self) -> float | None:
        """The true effect that the size is for: none where a margin is to hold, else the smallest worth finding."""
        if self.question is not None and self.question.margin is not None:
            return 0.0
        return None if self.metric.effect is None else self.metric.sign * self.metric.effect

    @property
    def power(self) -> float | None:
        """Power with the planned sample: simulated where it was simulated, else of the formula; None without one."""
        return self.achieved if self.simulated is None else self.simulated.value

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        known, size = self.known, self.size
        return [
            {
                "metric": self.metric.name,
                "role": self.metric.role,
                "kind": self.metric.kind,
                "effect": self.metric.effect,
                "margin": self.metric.margin,
                "mean": known and known.mean,
                "sd": known and known.sd,
                "r2": known and known.r2,
                "source": known and known.source,
                "units": size and size.n,
                "days": self.days,
                "formula": self.question and self.question.formula_name,
                "power": self.achieved,
                "detectable": self.found and self.found.effect,
                "simulated": self.simulated and self.simulated.value,
                "simulated_low": self.simulated and self.simulated.low,
                "simulated_high": self.simulated and self.simulated.high,
                "skew": self.skew,
                "note": self.note,
            }
        ]


@dataclass(frozen=True, kw_only=True)
class Sizing(Tabular):
    """The sample sizes of a plan.

    Attributes:
        plan: The plan.
        metrics: Each metric, in the order of the plan.
        inflation: What the looks on the way multiply the size of every metric with.
        needed: Units that satisfy every primary metric and guardrail that could be sized; None where none could.
        planned: Units in the planned days; None without days or traffic.
        daily: Units per day that reach the experiment; None without traffic.
        days: Days for the required sample; None without traffic.
        arrivals: Distinct units that reached the experiment by the end of each day of the past; None if not given.
        synthetic: Whether the history, or the exposures, are synthetic.
    """

    plan: Plan
    metrics: tuple[MetricSize, ...]
    inflation: float
    needed: int | None
    planned: int | None
    daily: float | None
    days: int | None
    arrivals: tuple[float, ...] | None = None
    synthetic: bool = False

    def __getitem__(self, name: str) -> MetricSize:
        """The size of the metric of a name."""
        self.plan.metric(name)
        return next(each for each in self.metrics if each.metric.name == name)

    @property
    def enough(self) -> bool | None:
        """Whether the planned sample is enough; None where that is unknown."""
        return None if self.planned is None or self.needed is None else self.planned >= self.needed

    @property
    def unsized(self) -> tuple[str, ...]:
        """Names of the metrics of which too little is known."""
        return tuple(each.metric.name for each in self.metrics if each.size is None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row a metric."""
        return [row for each in self.metrics for row in each.to_dicts()]


def size_plan(
    plan: Plan | str | Path,
    *,
    history: pl.DataFrame | None = None,
    exposures: pl.DataFrame | None = None,
    arrivals: Sequence[float] | None = None,
    runs: int = 400,
    rng: int | np.random.Generator = 0,
    synthetic: bool = False,
) -> Sizing:
    """Size every metric of a plan.

    Args:
        plan: The plan, or its TOML file.
        history: Units of the past with the columns of the metrics, over as many days as the experiment will last; the
            gain of CUPED and the intra-cluster correlation are estimated from it.
        exposures: Items shown in the past (the unit's column, ``item_id``), for coverage, Gini and effective items.
        arrivals: Distinct units seen by the end of each day of the past, which come back and so grow more slowly than
            the traffic; without it ``daily_units`` new ones come every day.
        runs: Simulated experiments, where there is no formula.
        rng: Seed or generator of the simulation.
        synthetic: Whether the history or the exposures are synthetic, which every document of the sizes then says.

    Raises:
        UsageError: If a primary metric has no baseline, or no effect to detect.
        UnknownNameError: If a column is missing.
        DataError: If a column is not what the metric needs.
    """
    plan, stream = load_plan(plan), np.random.default_rng(rng)
    inflation = inflation_of(plan)
    inside = _share_inside(plan)
    seen = None if arrivals is None else [each * inside for each in arrivals]
    daily = seen[0] if seen else None if plan.daily_units is None else plan.daily_units * inside
    planned = None if daily is None or plan.days is None else int(units_by(plan.days, daily, arrivals=seen))
    found: list[MetricSize] = []
    for metric in plan.metrics:
        sized = _size(metric, plan, history, exposures, inflation, planned, runs, stream)
        days = None if sized.size is None or daily is None else days_for(sized.size.n, daily, arrivals=seen)
        found.append(replace(sized, days=days))
    deciding = [each.size for each in found if each.metric.role != "secondary"]
    needed = max((each.n for each in deciding if each is not None), default=None)
    days = None if needed is None or daily is None else days_for(needed, daily, arrivals=seen)
    return Sizing(
        plan=plan,
        metrics=tuple(found),
        inflation=inflation,
        needed=needed,
        planned=planned,
        daily=daily,
        days=days,
        arrivals=None if seen is None else tuple(seen),
        synthetic=synthetic,
    )


def look_schedule(sizing: Sizing) -> list[dict[str, Any]]:
    """When the looks are: rows ``look, information, units, day, metric, power``.

    The day is None where the traffic is not known. The whole sample is what is planned, or what is needed where the
    plan has no length. The power is that to have found what the primary metric with the least of it was planned for;
    before the last look it is None of a margin, which is read at the last look alone.
    """
    looks, whole = sizing.plan.sequential, sizing.planned or sizing.needed
    if looks is None or looks.method != "group" or not whole:
        return []
    least = _least_power(sizing, whole)
    metric, powers = least if least is not None else (None, ())
    told = [*[None] * (len(looks.times) - len(powers)), *powers]
    units = [math.ceil(whole * time - 1e-9) for time in looks.times]
    days = [None if sizing.daily is None else days_for(n, sizing.daily, arrivals=sizing.arrivals) for n in units]
    return [
        {"look": at + 1, "information": looks.times[at], "units": n, "day": day, "metric": metric, "power": power}
        for at, (n, day, power) in enumerate(zip(units, days, told, strict=True))
    ]


def _least_power(sizing: Sizing, n: int) -> tuple[str, Sequence[float]] | None:
    """The primary metric whose planned effect is found least often, and the power by each look."""
    found = []
    for each in sizing.metrics:
        if each.metric.role != "primary" or each.question is None or each.true is None:
            continue
        if each.simulated_once is not None and n == (sizing.planned or (each.size and each.size.n)):
            powers = power_by_looks(sizing.plan, each.question, each.simulated_once)
        else:
            powers = planned_power(sizing.plan, each.question, effect=each.true, n=n)
        found.append((each.metric.name, powers))
    return min(found, key=lambda pair: pair[1][-1], default=None)


def _size(
    metric: Metric,
    plan: Plan,
    history: pl.DataFrame | None,
    exposures: pl.DataFrame | None,
    inflation: float,
    planned: int | None,
    runs: int,
    rng: np.random.Generator,
) -> MetricSize:
    of_arm = metric.kind in OF_ARM
    statistic, units = None, 0
    if of_arm and exposures is not None:
        statistic, units = statistic_of(metric, plan, history, exposures=exposures)
    given = _known(metric, plan, history, exposures, units)
    if not isinstance(given, Known):
        return _unsized(metric, given)
    if metric.kind == "quantile" and history is not None and given.units < history.height:
        statistic, units = statistic_of(metric, plan, history)
    known, question, size, true = _needed(metric, plan, given, exposures, inflation, planned, units)
    found = achieved = simulated = once = None
    if planned is not None:
        achieved = None if true is None else planned_power(plan, question, effect=true, n=planned)[-1]
        if not question.equivalence or (achieved or 0.0) >= plan.power:  # too few units show equivalence of nothing
            found = question.effect(n=planned, power=plan.power, sign=metric.sign if question.margin is None else 1)
    if statistic is not None and true is not None and (planned or size):
        n = planned if planned is not None else size.n if size is not None else 0
        # As the formulas do: a corrected alpha for several tests, and looks that cost power or units.
        once = simulate_power(
            statistic,
            units=units,
            n=n if adds_up(plan, question) else n / question.inflation,
            effect=true,
            shares=question.shares,
            level=1 - question.alpha,
            margin=question.margin,
            equivalence=question.equivalence,
            better=metric.sign,
            runs=runs,
            rng=rng,
        )
        simulated = after_looks(plan, question, once)
    return MetricSize(
        metric=metric,
        known=known,
        question=question,
        size=size,
        found=found,
        achieved=achieved,
        simulated=simulated,
        simulated_from=units if simulated is not None else None,
        simulated_once=once and once.value,
        days=None,
        skew=_skew(known, question, planned or (size and size.n)),
        note="by_standard_error" if of_arm else None,
    )


def _known(
    metric: Metric, plan: Plan, history: pl.DataFrame | None, exposures: pl.DataFrame | None, units: int
) -> Known | SizeNote:
    """What is known of a metric beforehand; else what would be needed."""
    of_arm = metric.kind in OF_ARM
    if of_arm and exposures is not None:
        mean, sd = spread_of_arm(metric, plan, exposures)
        return Known(mean=mean, sd=sd, units=units, source="history")
    if (metric.baseline is None or metric.baseline.mean is None) and (of_arm or history is None):
        if metric.role == "primary":
            raise UsageError(
                f"nothing is known of the primary metric '{metric.name}'. Give a history, or its mean and "
                "sd in [metrics.baseline]."
            )
        return "needs_exposures" if of_arm else "needs_history"
    return known_of(metric, plan, None if of_arm else history)


def _needed(
    metric: Metric,
    plan: Plan,
    known: Known,
    exposures: pl.DataFrame | None,
    inflation: float,
    planned: int | None,
    units: int,
) -> tuple[Known, Question, Answer | None, float | None]:
    """What the size rests on, the question, the size, and the true effect that it is for."""
    question = question_of(metric, plan, known, inflation=inflation)
    if metric.role == "primary" and metric.effect is None and not metric.loss[0]:
        raise UsageError(
            f"effect is missing for the primary metric '{metric.name}'. Say the smallest relative effect "
            "worth finding, such as effect = 0.02."
        )
    target = None if metric.effect is None else metric.sign * metric.effect
    true = 0.0 if question.margin is not None else target
    size = None if true is None else question.size(effect=true, power=plan.power)
    for _ in range(3 if metric.kind in OF_ARM and exposures is not None else 0):
        # An arm of that size has a spread of its own.
        n = planned or (size.n if size is not None else 0)
        if exposures is None or not n or n * min(question.shares) >= units:
            break
        known = replace(known, sd=spread_of_arm(metric, plan, exposures, users=n * min(question.shares))[1])
        question = question_of(metric, plan, known, inflation=inflation)
        size = None if true is None else question.size(effect=true, power=plan.power)
    return known, question, size, true


def _unsized(metric: Metric, note: SizeNote) -> MetricSize:
    return MetricSize(
        metric=metric,
        known=None,
        question=None,
        size=None,
        found=None,
        achieved=None,
        simulated=None,
        days=None,
        note=note,
    )


def _skew(known: Known, question: Question, n: int | None) -> float | None:
    """Skewness of the difference at a sample of n units over both arms."""
    if n is None or math.isnan(known.skewness):
        return None
    control, treatment = (n * share for share in question.shares)
    return known.skewness * float(imbalance(control, treatment))


def _share_inside(plan: Plan) -> float:
    """Share of the units that come which reach the experiment."""
    low, high = plan.slice
    return (1 - plan.holdout) * (1 - plan.layer_holdout) * (high - low)
