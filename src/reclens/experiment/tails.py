"""Outliers: how much of a metric its largest users hold, and what the effect is when their values are cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reclens.data.quoting import quoted
from reclens.experiment.plan import Plan
from reclens.experiment.query import layout, sums_query
from reclens.experiment.source import Table, run
from reclens.experiment.sums import Measure, Sums, measures
from reclens.stats.moments import Moments

__all__ = ["CUT", "Tails", "tails_of"]

CUT = 0.999
"""Quantile over all arms at which values are cut off (winsorised) for comparison."""


@dataclass(frozen=True, eq=False)
class Tails:
    """The largest values of metrics that are sums or amounts.

    Attributes:
        caps: Metric -> value at the 99.9 % quantile over all arms.
        largest: Metric and arm -> largest value of a user in the arm.
        ten: Metric and arm -> sum of the ten largest.
        places: Metric -> where it stands in ``arms``.
        arms: Arm -> moments with the values cut off.
    """

    caps: Mapping[str, float]
    largest: Mapping[tuple[str, str], float]
    ten: Mapping[tuple[str, str], float]
    places: Mapping[str, Measure]
    arms: Mapping[str, Moments]


def tails_of(rows: Table, plan: Plan, sums: Sums, *, arm: str) -> Tails | None:
    """Look at the tails, in two more passes; None where no metric has any (shares have none)."""
    looked = [m for m in plan.metrics if m.kind in ("mean", "ratio") and m.value and m.cap is None]
    if not looked:
        return None
    columns = [f"CAST({quoted(m.value or '')} AS DOUBLE)" for m in looked]
    at = f"CAST({quoted(arm)} AS VARCHAR)"
    quantiles = run(rows, f"SELECT {', '.join(f'quantile_disc({c}, {CUT})' for c in columns)} FROM {rows.sql}")[0]
    most = ", ".join(f"max({c}), list_sum(max({c}, 10))" for c in columns)
    found = run(rows, f"SELECT {at}, {most} FROM {rows.sql} GROUP BY 1 ORDER BY 1")
    caps = {m.name: float(cap) for m, cap in zip(looked, quantiles, strict=True)}
    largest: dict[tuple[str, str], float] = {}
    ten: dict[tuple[str, str], float] = {}
    for name, *values in found:
        for i, metric in enumerate(looked):
            largest[metric.name, str(name)] = float(values[2 * i])
            ten[metric.name, str(name)] = float(values[2 * i + 1])
    capped = tuple(metric.model_copy(update={"cap": caps[metric.name]}) for metric in looked)
    places = measures(capped, rows=sums.rows, indicators=sums.indicators)
    asked = layout(capped, places, indicators=sums.indicators, rows=sums.rows)
    # The means of the first pass are taken off, so that squares of values far from zero keep their digits.
    base = {place.columns[0]: metric.value or "" for place, metric in zip(places.values(), looked, strict=True)}
    means = {name: sums.arm(name) for name in plan.arms}
    asked = replace(asked, shifts={
        column: {name: moments.value(base.get(column, column)) for name, moments in means.items()}
        for column in asked.expressions
    })  # fmt: skip
    answer: list[tuple[Any, ...]] = run(rows, sums_query(rows.sql, asked, arm=arm))
    arms: dict[str, Moments] = {}
    for row in answer:
        numbers = [float(value or 0.0) for value in row[asked.first_sum :]]
        width = len(asked.expressions)
        shifts = {column: by_arm.get(str(row[0]), 0.0) for column, by_arm in asked.shifts.items()}
        added = dict(zip(asked.expressions, numbers[:width], strict=True))
        products = dict(zip(asked.pairs, numbers[width:], strict=True))
        arms[str(row[0])] = Moments.of_sums(int(row[4]), added, products, shifts=shifts)
    return Tails(caps, largest, ten, places, arms)
