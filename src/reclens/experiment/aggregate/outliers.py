"""Outliers: how much of a metric its largest users hold, and what the effect is when their values are cut off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reclens.data.quoting import quoted
from reclens.experiment.aggregate.aggregates import Aggregates, OutlierSummary
from reclens.experiment.aggregate.metric_columns import capped, effective, metric_columns_of
from reclens.experiment.aggregate.missing_values import known, tally_of
from reclens.experiment.aggregate.query import Layout, layout, sums_query
from reclens.experiment.aggregate.source import Table, run
from reclens.experiment.aggregate.tally import Tally
from reclens.experiment.planning.metric import Metric
from reclens.experiment.planning.plan import Plan
from reclens.stats.moments import Moments

__all__ = ["CUT", "outlier_summary"]

CUT = 0.999
"""Quantile over all arms at which values are cut off (winsorised) for comparison, unless the fence is below it."""

_FENCE = 3.0  # Tukey's factor of what is "far out"
_LEAST_SPREAD = math.log(2)  # of the quartiles, so that a unit is never extreme below eight times the upper one


def outlier_summary(rows: Table, plan: Plan, sums: Aggregates, *, arm: str) -> OutlierSummary | None:
    """Look at the tails, in two more passes; None where no metric has any (shares have none)."""
    looked = [m for m in plan.metrics if m.kind in ("mean", "ratio") and m.value and m.cap is None]
    if not looked:
        return None
    columns = [f"CAST({quoted(m.value or '')} AS DOUBLE)" for m in looked]
    at = f"CAST({quoted(arm)} AS VARCHAR)"
    quantiles = run(rows, f"SELECT {', '.join(f'quantile_disc({c}, {CUT})' for c in columns)} FROM {rows.sql}")[0]
    most = ", ".join(f"max({c}), list_sum(max({c}, 10))" for c in columns)
    found = run(rows, f"SELECT {at}, {most} FROM {rows.sql} GROUP BY 1 ORDER BY 1")
    limits = _fences_of(rows, [*(["events"] if "events" in rows.columns else []), *(m.value or "" for m in looked)])
    caps = {
        m.name: min(float(cap), limits.get(m.value or "", math.inf)) for m, cap in zip(looked, quantiles, strict=True)
    }
    largest: dict[tuple[str, str], float] = {}
    top10_sum: dict[tuple[str, str], float] = {}
    for name, *values in found:
        for i, metric in enumerate(looked):
            largest[metric.name, str(name)] = float(values[2 * i])
            top10_sum[metric.name, str(name)] = float(values[2 * i + 1])
    ratios = {m.name: effective(m, sums.indicators) for m in looked if m.kind == "ratio"}
    below = _limits_below(rows, ratios)
    cut = tuple(
        m.model_copy(update={"cap": caps[m.name]})
        if (read := ratios.get(m.name)) is None
        else read.model_copy(update={"cap": caps[m.name], "per": capped(read.per or "", below[m.name])})
        for m in looked
    )
    metric_columns = metric_columns_of(cut, rows=sums.rows, indicators=sums.indicators)
    asked = layout(cut, metric_columns, indicators=sums.indicators, rows=sums.rows, skewness=plan.uneven)
    lower = {capped(read.per or "", below[name]): (read.per or "", below[name]) for name, read in ratios.items()}
    base = {
        each.columns[0]: effective(metric, sums.indicators).value or ""
        for each, metric in zip(metric_columns.values(), looked, strict=True)
    }
    base |= {name: column for name, (column, _) in lower.items()}
    arms = _cut_moments(rows, plan, sums, asked, base, lower, arm=arm)
    return OutlierSummary(
        caps=caps,
        largest=largest,
        top10_sum=top10_sum,
        metric_columns=metric_columns,
        arms=arms,
        below=below,
        extremes=_extremes(rows, plan, limits, arm=arm),
    )


def _cut_moments(
    rows: Table,
    plan: Plan,
    sums: Aggregates,
    asked: Layout,
    base: Mapping[str, str],
    lower: Mapping[str, tuple[str, float]],
    *,
    arm: str,
) -> dict[str, Moments]:
    """Moments of each arm with values cut off.

    The means of the first pass are taken off, so that squares of values far from zero keep their digits; ``base`` names
    the column of that pass for each column.
    """
    means = {name: sums.arm(name) for name in plan.arms}
    shifted = {
        column: {name: moments.value(base.get(column, column)) for name, moments in means.items()}
        for column in asked.expressions
    }
    asked = replace(asked, shifts=shifted)
    answer: list[tuple[Any, ...]] = run(rows, sums_query(_with(rows, lower), asked, arm=arm))
    arms: dict[str, Moments] = {}
    for row in answer:
        numbers = [float(value or 0.0) for value in row[asked.first_sum :]]
        width = len(asked.expressions)
        shifts = {column: by_arm.get(str(row[0]), 0.0) for column, by_arm in asked.shifts.items()}
        added = dict(zip(asked.expressions, numbers[:width], strict=True))
        products = dict(zip(asked.products, numbers[width:], strict=True))
        arms[str(row[0])] = Moments.of_sums(int(row[4]), added, products, shifts=shifts)
    return arms


def _limits_below(rows: Table, ratios: Mapping[str, Metric]) -> dict[str, float]:
    """Ratio -> value at which its denominator is cut off, by the rule for numerators.

    A bot has absurd values in both sums: cut off above alone, 1,200 clicks in 4,000 impressions would be 8 in 4,000.
    """
    names = {name: read.per or "" for name, read in ratios.items()}
    if not names:
        return {}
    asked = ", ".join(f"quantile_disc(CAST({quoted(per)} AS DOUBLE), {CUT})" for per in names.values())
    quantiles = run(rows, f"SELECT {asked} FROM {rows.sql}")[0]
    fences = _fences_of(rows, list(names.values()))
    return {
        name: min(float(at), fences.get(per, math.inf))
        for (name, per), at in zip(names.items(), quantiles, strict=True)
    }


def _with(rows: Table, lower: Mapping[str, tuple[str, float]]) -> str:
    """The rows with more columns: new name -> a column and the value at which it is cut off."""
    more = "".join(
        f", least(CAST({quoted(column)} AS DOUBLE), {limit!r}::DOUBLE) AS {quoted(name)}"
        for name, (column, limit) in lower.items()
    )
    return f"(SELECT *{more} FROM {rows.sql})" if more else rows.sql


def _fences_of(rows: Table, names: Sequence[str]) -> dict[str, float]:
    """Column -> value above which a unit is extreme, by the quartiles of the values above 0 of all arms together.

    Values are compared by their logarithm: the fence is Q3 + 3 max(Q3 - Q1, log 2), Tukey's of what is far out (1977).
    One lognormal value in a million lies beyond it, and none below 8 times the upper quartile does.
    """
    listed = list(dict.fromkeys(names))
    numbers = [f"CAST({quoted(name)} AS DOUBLE)" for name in listed]
    asked = ", ".join(f"quantile_disc({x}, [0.25, 0.75]) FILTER ({x} > 0)" for x in numbers)
    found: dict[str, float] = {}
    for name, quartiles in zip(listed, run(rows, f"SELECT {asked} FROM {rows.sql}")[0], strict=True):
        if quartiles is not None:
            low, high = (math.log(each) for each in quartiles)
            found[name] = math.exp(high + _FENCE * max(high - low, _LEAST_SPREAD))
    return found


def _extremes(rows: Table, plan: Plan, limits: Mapping[str, float], *, arm: str) -> tuple[Tally, ...]:
    """Units beyond the fences, by arm, and the share of everything that they hold."""
    beyond = ", ".join(
        f"count(*) FILTER (CAST({quoted(name)} AS DOUBLE) > {limit!r})" for name, limit in limits.items()
    )
    counts = run(rows, f"SELECT {beyond} FROM {rows.sql}")[0] if limits else ()
    found: list[Tally] = []
    for (name, limit), count in zip(limits.items(), counts, strict=True):
        x, empty = (
            f"CAST({quoted(name)} AS DOUBLE)",
            Tally(code="extreme_units", column=name, handled="kept", arms={}, limit=limit),
        )
        found.append(
            empty
            if not count
            else tally_of(
                rows,
                empty,
                f"(CASE WHEN {x} > {limit!r} THEN {x} ELSE 0 END)",
                f"(CASE WHEN {x} > 0 THEN {x} ELSE 1 END)",
                arm=arm,
            )
        )
    return known(found, plan.arms)
