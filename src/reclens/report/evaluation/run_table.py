"""The run table: every run with its metrics, the baseline first, intervals as bars in the cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from reclens.metrics import direction
from reclens.report.evaluation.cells import as_data_uri, domain_of, interval_svg

__all__ = ["RunTable", "run_table"]

_WIDTH, _HEIGHT = 84, 30
"""Of a picture, in pixels: as high as a cell, which scales pictures to its height and cuts what is too wide."""


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """Rows for a grid.

    Attributes:
        runs: The run of each row.
        rows: Columns of the grid -> cells.
        numbers: The columns that hold numbers.
        pictures: The columns that hold pictures.
        best: Metric -> the run with the best value; only where a direction is better.
    """

    runs: tuple[str, ...]
    rows: Mapping[str, list[Any]]
    numbers: tuple[str, ...]
    pictures: tuple[str, ...]
    best: Mapping[str, str]


def run_table(
    estimates: pl.DataFrame,
    *,
    metrics: Sequence[str],
    sort: str,
    baseline: str | None,
    colours: Mapping[str, str],
    grey: str,
    ground: str,
    notes: Mapping[str, tuple[str, str]] | None = None,
) -> RunTable:
    """Lay out runs.

    Args:
        estimates: Rows of estimates over all users: ``run, metric, value, low, high``.
        metrics: The metrics to show, two columns each: the number, and a bar of its interval.
        sort: The metric that the rows are sorted by, the best first; the baseline stands above them.
        baseline: The run that stands first; None pins none.
        colours: Run -> its colour; the others are grey.
        grey: Colour of the others.
        ground: Colour of the axes.
        notes: Run -> its tags and its note.
    """
    known = {
        (run, metric): (value, low, high)
        for run, metric, value, low, high in estimates.select("run", "metric", "value", "low", "high").iter_rows()
    }
    runs = list(dict.fromkeys(estimates["run"]))
    runs.sort(key=lambda run: (run != baseline, *_place(known.get((run, sort)), sort)))
    best = {metric: run for metric in metrics if (run := _best(known, runs, metric)) is not None}
    marks = ["baseline" if run == baseline else "★ best" if run == best.get(sort) else "" for run in runs]
    rows: dict[str, list[Any]] = {"run": runs, "": marks}
    said = notes or {}
    if any(said.get(run, ("", ""))[0] for run in runs):
        rows["tags"] = [said.get(run, ("", ""))[0] for run in runs]
    if any(said.get(run, ("", ""))[1] for run in runs):
        rows["note"] = [said.get(run, ("", ""))[1] for run in runs]
    pictures: list[str] = []
    for metric in metrics:
        cells = [known.get((run, metric), (math.nan, None, None)) for run in runs]
        rows[metric] = [None if math.isnan(value) else value for value, _, _ in cells]
        if all(low is None for _, low, _ in cells):  # a property of all lists together
            continue
        ends = domain_of(cells)
        picture = f"{metric} interval"
        pictures.append(picture)
        rows[picture] = [
            as_data_uri(
                interval_svg(
                    value,
                    low,
                    high,
                    domain=ends,
                    colour=colours.get(run, grey),
                    ground=ground,
                    width=_WIDTH,
                    height=_HEIGHT,
                )
            )
            for run, (value, low, high) in zip(runs, cells, strict=True)
        ]
    return RunTable(runs=tuple(runs), rows=rows, numbers=tuple(metrics), pictures=tuple(pictures), best=best)


def _place(found: tuple[float, float | None, float | None] | None, metric: str) -> tuple[bool, float]:
    """Where a run stands: the best first, those without a value last."""
    if found is None or math.isnan(found[0]):
        return True, 0.0
    return False, found[0] if direction(metric) is False else -found[0]


def _best(known: Mapping[tuple[str, str], tuple[float, Any, Any]], runs: Sequence[str], metric: str) -> str | None:
    if direction(metric) is None:
        return None
    there = [run for run in runs if (run, metric) in known and not math.isnan(known[run, metric][0])]
    return min(there, key=lambda run: _place(known[run, metric], metric), default=None)
