"""Reading an experiment: from a plan and sums to everything that a readout shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict

from reclens.data.warehouse import Warehouse
from reclens.engine import table_engine
from reclens.errors import UsageError
from reclens.experiment.aggregate.aggregates import Aggregates, Rule
from reclens.experiment.aggregate.arm_column import NAME_UNITS
from reclens.experiment.aggregate.by_age import gather_ages, metric_by_age
from reclens.experiment.aggregate.distribution import arm_differences, quantile_differences
from reclens.experiment.aggregate.gather import gather, gather_events
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.aggregate.units import OnFault
from reclens.experiment.aggregate.unknown import Unknown
from reclens.experiment.analysis.decision import Decision, decide
from reclens.experiment.analysis.effects import Effect, Intervals, Others, compare_metric, effects_of
from reclens.experiment.analysis.interim import Crossing, InterimAnalysis, interim_analysis
from reclens.experiment.analysis.over_time import (
    CumulativeEffect,
    DailyValue,
    cumulative_effects,
    daily_values,
    earlier_crossings,
)
from reclens.experiment.analysis.remarks import Remark, adjustments_of, caveats_of, next_steps_of
from reclens.experiment.analysis.segments import (
    Heterogeneity,
    SegmentEffect,
    heterogeneity_of,
    segment_effects,
    small_segments,
)
from reclens.experiment.analysis.triggered_effects import Diluted, dilute
from reclens.experiment.analysis.trust_checks import run_checks
from reclens.experiment.check_result import TrustCheck
from reclens.experiment.planning.metric import OF_ARM
from reclens.experiment.planning.plan import Plan, load_plan
from reclens.stats.bayes import Posterior, normal_posterior
from reclens.tabular import Tabular

__all__ = ["EffectByAge", "PosteriorLift", "Readout", "read_experiment", "read_sums"]


class EffectByAge(TypedDict):
    """The lift on a metric so many days after first exposure."""

    metric: str
    arm: str
    age: int
    n: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PosteriorLift(Tabular):
    """The posterior of a lift under a flat prior.

    Attributes:
        metric: The metric.
        arm: The treated arm.
        better: Whether ``higher`` or ``lower`` is better.
        posterior: The lift with its credible interval, the chance that the arm wins, and the losses of either choice.
    """

    metric: str
    arm: str
    better: Literal["higher", "lower"]
    posterior: Posterior

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [{"metric": self.metric, "arm": self.arm, "better": self.better, **self.posterior.to_dicts()[0]}]


@dataclass(frozen=True, kw_only=True)
class Readout(Tabular):
    """The analysis of an experiment.

    Attributes:
        plan: The plan.
        interim: Progress of the experiment.
        decisions: One a treated arm.
        effects: Every metric of every treated arm.
        trust_checks: The trust checks, in the order to read them.
        segments: Effects by segment.
        heterogeneity: Whether they differ between segments.
        cumulative: Effect on the primary metrics as days of first exposure come in: rows ``metric, arm, day,
            information, n, value, low, high, bound_low, bound_high`` (the latter by the plan's looks), relative; at a
            look of the plan also ``look, z, bound``.
        crossings: Bounds of looks before this one that the data had crossed, where the plan would have stopped.
        daily: Values of the primary metrics by arm and day of first exposure: rows ``metric, arm, day, n, value``.
        novelty: Effect by days since first exposure: rows ``metric, arm, age, n, value, low, high``, if gathered.
        adjustments: What was adjusted, and how.
        posteriors: The Bayesian view of the primary metrics, under a flat prior.
        caveats: What to keep in mind.
        next_steps: What to do next.
        diluted: The effects over all units, where the plan has triggered ones.
        units: Arm -> units; of a plan with triggered units those.
        rules: What was found on the way to the sums.
        unknown: Codes of what cannot be derived from the table.
        synthetic: Whether the data are synthetic, as far as is known; set it with :func:`dataclasses.replace`.
    """

    plan: Plan
    interim: InterimAnalysis
    decisions: tuple[Decision, ...]
    effects: tuple[Effect, ...]
    trust_checks: tuple[TrustCheck, ...]
    segments: tuple[SegmentEffect, ...]
    heterogeneity: tuple[Heterogeneity, ...]
    cumulative: tuple[CumulativeEffect, ...]
    crossings: tuple[Crossing, ...]
    daily: tuple[DailyValue, ...]
    novelty: tuple[EffectByAge, ...]
    adjustments: tuple[Remark, ...]
    posteriors: tuple[PosteriorLift, ...]
    caveats: tuple[Remark, ...]
    next_steps: tuple[Remark, ...]
    diluted: tuple[Diluted, ...]
    units: Mapping[str, int]
    rules: tuple[Rule, ...]
    unknown: tuple[Unknown, ...] = ()
    synthetic: bool = False

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an effect, with the decision on its arm and what blocks it; :meth:`record` has everything."""
        codes = {decision.arm: decision.code for decision in self.decisions}
        blocked_by = ", ".join(check.code for check in self.trust_checks if check.status == "fail")
        unknown = ", ".join(each.code for each in self.unknown)
        return [
            {**row, "decision": codes.get(effect.arm), "blocked_by": blocked_by or None, "unknown": unknown or None}
            for effect in self.effects
            for row in effect.to_dicts()
        ]

    def record(self) -> dict[str, Any]:
        """Every number, as plain values."""
        parts = {
            "decisions": self.decisions,
            "effects": self.effects,
            "trust_checks": self.trust_checks,
            "segments": self.segments,
            "heterogeneity": self.heterogeneity,
            "diluted": self.diluted,
            "unknown": self.unknown,
            "crossings": self.crossings,
            "posteriors": self.posteriors,
            "adjustments": self.adjustments,
            "caveats": self.caveats,
            "next_steps": self.next_steps,
            "rules": self.rules,
        }
        return {
            "experiment": self.plan.name,
            "plan": self.plan.to_dicts()[0],
            "interim": self.interim.to_dicts()[0],
            "units": dict(self.units),
            **{name: [row for each in rows for row in each.to_dicts()] for name, rows in parts.items()},
            "check_rows": {check.code: list(check.rows) for check in self.trust_checks},
            "cumulative": list(self.cumulative),
            "daily": list(self.daily),
            "novelty": list(self.novelty),
        }


def read_experiment(
    plan: Plan | str | Path,
    source: Any,
    *,
    arm: str = "variant",
    ids: bool = True,
    events: bool = False,
    time: str = "timestamp",
    start: date | datetime | None = None,
    day: str | None = None,
    exposures: Any = None,
    catalogue: Sequence[Any] | None = None,
    table: str | None = None,
    two_arms: OnFault = "error",
    unknown_arms: OnFault = "error",
    counts: Sequence[str] = (),
    event_id: str | None = None,
    duplicates: Literal["keep", "drop"] = "keep",
    triggered: str | None = None,
    planned_units: float | None = None,
    days: int | None = None,
    looks_taken: Sequence[float] = (),
    stratify: str | None = None,
    intervals: Intervals = "each",
) -> Readout:
    """Aggregate the data of an experiment and analyse it.

    Args:
        plan: The plan, or its TOML file.
        source: A file, a frame, a DuckDB connection, a :class:`~reclens.data.warehouse.Warehouse`, or a frame of Spark,
            which is summed up there. In a warehouse and in Spark the check for outliers and the effects by age of
            exposure are left out.
        arm: Column of the arm.
        ids: Whether the table has the plan's unit as a column; with False, each row is a unit.
        events: Whether the rows are events; otherwise there is one row per unit.
        time: Column of the time of an event.
        start: When it began; None takes the plan's.
        day: Column of the day of first exposure, of a table with one row a unit.
        exposures: Rows of what was shown to whom (unit, arm, ``item_id``; with events and a start the time too), for
            coverage and Gini.
        catalogue: Items that could have been shown; None takes those that were shown in any arm.
        table: Table of a DuckDB file or connection, or of a warehouse.
        two_arms: Whether units in two arms are an error, or dropped and counted.
        unknown_arms: Likewise, rows of arms that the plan does not have.
        counts: Columns that may not be negative; see :func:`~reclens.experiment.aggregate.gather.gather`.
        event_id: Column of an id of the event; see :func:`~reclens.experiment.aggregate.gather.gather_events`.
        duplicates: Whether duplicated events count each time, or once; likewise.
        triggered: A column or a SELECT that defines the triggered units; None uses that of the plan.
        planned_units: As in :func:`read_sums`.
        days: As in :func:`read_sums`.
        looks_taken: As in :func:`read_sums`.
        stratify: As in :func:`read_sums`; one of the plan's segments.
        intervals: As in :func:`read_sums`.
    """
    plan = load_plan(plan)
    if triggered is not None:
        plan = plan.model_copy(update={"triggered": triggered})
    asked: dict[str, Any] = {"planned_units": planned_units, "days": days, "looks_taken": looks_taken}
    asked |= {"stratify": stratify, "intervals": intervals}
    _refuse_rows(plan, source, ("quantile",))
    _refuse_rows(plan, exposures, OF_ARM)
    elsewhere = _is_elsewhere(source)
    ages: Mapping[int, Aggregates] = {}
    faults: dict[str, Any] = {
        "two_arms": two_arms,
        "unknown_arms": unknown_arms,
        "table": table,
        "tails": not elsewhere,
        "counts": counts,
    }
    if not ids and (events or plan.cluster):
        raise UsageError(
            f"the rows are said to have no ids, and {'events' if events else 'clusters'} are grouped by them",
            advice=NAME_UNITS,
        )
    if events or plan.cluster:
        at = time if events else None
        sums = gather_events(
            source, plan, arm=arm, time=at, start=start, event_id=event_id, duplicates=duplicates, **faults
        )
        if (
            events
            and not plan.cluster
            and not elsewhere
            and any(m.kind in ("mean", "proportion", "ratio") for m in plan.primary)
        ):
            ages = gather_ages(source, plan, arm=arm, time=time, start=start, table=table)
    else:
        sums = gather(source, plan, arm=arm, day=day, ids=ids, **faults)
    inside: dict[str, Any] = {"arm": arm, "start": start, "two_arms": two_arms}
    others = quantile_differences(source, plan, time=time if events else None, table=table, ids=ids, **inside)
    if exposures is not None:
        others |= arm_differences(exposures, plan, catalogue=catalogue, time=time, **inside)
    return read_sums(
        plan,
        sums,
        others=others,
        ages=ages,
        **asked,
    )


def _is_elsewhere(source: Any) -> bool:
    """Whether the rows are those of a warehouse or of an engine, which gives sums."""
    return isinstance(source, Warehouse) or table_engine(source) is not None


def _refuse_rows(plan: Plan, source: Any, kinds: Sequence[str]) -> None:
    """Refuse metrics that need rows which lie elsewhere."""
    of_rows = [each for each in plan.metrics if each.kind in kinds]
    if of_rows and _is_elsewhere(source):
        first = of_rows[0]
        raise UsageError(f"'{first.name}' is a {first.kind}, which needs the rows: load them into memory before.")


def read_sums(
    plan: Plan,
    sums: Aggregates,
    *,
    others: Others | None = None,
    planned_units: float | None = None,
    days: int | None = None,
    looks_taken: Sequence[float] = (),
    ages: Mapping[int, Aggregates] | None = None,
    stratify: str | None = None,
    intervals: Intervals = "each",
) -> Readout:
    """Read an experiment.

    Args:
        plan: The plan.
        sums: Its sums, from :func:`~reclens.experiment.aggregate.gather.gather` or any engine.
        others: Metric and arm -> difference, of metrics that need more than sums; see
            :mod:`reclens.experiment.aggregate.distribution`.
        planned_units: Units that were planned over all arms.
        days: Days that the experiment has run, if the aggregates have no day.
        looks_taken: Information at the looks before this one, where they were not those of the plan.
        ages: Days since first exposure -> sums of those days, for the novelty curve.
        stratify: A segmentation of the aggregates, known before the experiment, for post-stratification.
        intervals: ``"each"`` holds for each metric by itself; ``"simultaneous"`` for all of a family of questions
            together (Bonferroni), so that an interval without zero has an adjusted p-value to match.

    Returns:
        The readout.

    Raises:
        UnknownNameError: If there are no such intervals.
    """
    interim = interim_analysis(plan, sums, planned_units=planned_units, days=days, looks_taken=looks_taken)
    cumulative = cumulative_effects(plan, sums, interim)
    crossings = earlier_crossings(plan, interim, cumulative)
    effects = effects_of(
        plan, sums, interim, others=others, stratify=stratify, intervals=intervals, crossings=crossings
    )
    checks = run_checks(plan, sums, interim, effects, stratified=stratify is not None)
    segments = segment_effects(plan, sums, interim)
    differing = heterogeneity_of(segments)
    metric_columns = metric_columns_of(plan.metrics, rows=sums.rows, indicators=sums.indicators)
    decisions = decide(
        plan,
        effects,
        checks,
        interim,
        between=lambda metric, arm, other: (
            compare_metric(sums, metric_columns[metric.name], arm, other, level=plan.level, stratify=stratify)
            if metric.name in metric_columns
            else None
        ),
    )
    return Readout(
        plan=plan,
        interim=interim,
        decisions=decisions,
        effects=effects,
        trust_checks=checks,
        segments=segments,
        heterogeneity=differing,
        cumulative=cumulative,
        daily=daily_values(plan, sums),
        crossings=crossings,
        novelty=_novelty(plan, ages or {}),
        adjustments=adjustments_of(
            plan, effects, segmented=bool(segments), strata=len(sums.segments(stratify)) if stratify else 0
        ),
        posteriors=_posteriors(effects),
        caveats=caveats_of(plan, effects, checks, differing, small_segments(plan, sums), sums.unknown),
        next_steps=next_steps_of(interim, decisions, checks, effects),
        diluted=dilute(plan, sums, interim, effects),
        units={arm: sums.arm(arm).n for arm in sums.arms},
        rules=sums.rules,
        unknown=sums.unknown,
    )


def _novelty(plan: Plan, ages: Mapping[int, Aggregates]) -> tuple[EffectByAge, ...]:
    rows: list[EffectByAge] = []
    bare = tuple(metric_by_age(metric) for metric in plan.primary)
    for age, sums in sorted(ages.items()):
        for name, columns in metric_columns_of(bare, rows=sums.rows).items():
            for arm in plan.treatments:
                if min(sums.arm(each).n for each in (plan.control, arm)) < 30:
                    continue
                lift = compare_metric(sums, columns, plan.control, arm, level=plan.level).relative
                rows.append(
                    {
                        "metric": name,
                        "arm": arm,
                        "age": age,
                        "n": lift.n,
                        "value": lift.value,
                        "low": lift.low,
                        "high": lift.high,
                    }
                )
    return tuple(rows)


def _posteriors(effects: tuple[Effect, ...]) -> tuple[PosteriorLift, ...]:
    return tuple(
        PosteriorLift(
            e.metric.name, e.arm, e.metric.better, normal_posterior(e.found, relative=True, sign=e.metric.sign)
        )
        for e in effects
        if e.metric.role == "primary" and e.found.relative_se > 0
    )
