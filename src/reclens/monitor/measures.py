"""Values of a day from other modules: the embedding space, its index, fairness, losses of stages.

A day has its values in ``measures/2026-01-05.json``; the run of the day reads them and monitors them as indicators.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from statistics import NormalDist
from typing import Any, Final

import polars as pl

from reclens.audit.result import Audit
from reclens.errors import ArgumentTypeError, DataError, UnknownNameError
from reclens.explore.result import Exploration
from reclens.files import write_text
from reclens.monitor.project import Project
from reclens.monitor.records import OVERALL
from reclens.pipeline.stage_losses import StageEvaluation
from reclens.stats.estimate import Estimate

__all__ = [
    "MEASURED",
    "Measured",
    "keep_results",
    "of_audit",
    "of_exploration",
    "of_stages",
    "read_measures",
    "write_measures",
]

MEASURED: Final = ("embedding_drift", "fairness_gap", "index_recall", "pipeline_loss")
"""Indicators whose values are measured elsewhere."""

_EXPLORED: Final = {"moved": "embedding_drift", "recall": "index_recall"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One value of a day.

    Attributes:
        indicator: One of :data:`MEASURED`.
        value: The value.
        error: Standard error, or None.
        n: Sample size: items, queries or users.
        dimension: Dimension of the value.
        slice: Slice of the dimension.
    """

    indicator: str
    value: float
    error: float | None = None
    n: int = 0
    dimension: str = OVERALL
    slice: str = "all"


def of_exploration(found: Exploration) -> list[Measured]:
    """The share of items that moved from one version of the space to the next, and the recall of the index."""
    return [
        _measured(_EXPLORED[each.measure], each.estimate, exact=each.exact)
        for each in found.measures
        if each.measure in _EXPLORED
    ]


def of_audit(audit: Audit) -> list[Measured]:
    """Value of each group minus that of its reference; the slice is ``GROUP/MEASURE``."""
    return [
        _measured(
            "fairness_gap",
            row.difference,
            dimension=row.attribute or row.by,
            slice_=f"{row.group or row.segment}/{row.measure}",
        )
        for row in audit.rows
        if row.by != OVERALL or row.attribute is not None
    ]


def of_stages(found: StageEvaluation) -> list[Measured]:
    """What each stage of a pipeline costs, over all users; the slice is ``STAGE/METRIC``."""
    return [
        _measured("pipeline_loss", row.loss, dimension="stage", slice_=f"{row.stage}/{row.metric}")
        for row in found.losses
        if row.by == OVERALL
    ]


def keep_results(project: Project, day: date, *results: Audit | Exploration | StageEvaluation) -> None:
    """Keep what other modules measured on a day, so that its run watches it like any indicator.

    Of an exploration these are the drift of the embeddings and the recall of the index, of an audit the gaps of each
    group, of a pipeline the losses of its stages. What was kept for the day before is replaced, and a day that was run
    already is run again.

    Args:
        project: The monitor.
        day: The day.
        *results: What was measured, all of it at once.

    Raises:
        ArgumentTypeError: If a result is of another type.
    """
    readers: dict[type, Callable[[Any], list[Measured]]] = {
        Audit: of_audit,
        Exploration: of_exploration,
        StageEvaluation: of_stages,
    }
    found: list[Measured] = []
    for each in results:
        reader = next((reader for kind, reader in readers.items() if isinstance(each, kind)), None)
        if reader is None:
            raise ArgumentTypeError("results", each, expected="an audit, an exploration or an evaluation of stages")
        found += reader(each)
    write_measures(project, day, found)


def write_measures(project: Project, day: date, values: Iterable[Measured]) -> None:
    """Store the values of a day for its run, replacing existing values.

    Raises:
        UnknownNameError: If a value belongs to an unknown indicator.
    """
    listed = list(values)
    for each in listed:
        if each.indicator not in MEASURED:
            raise UnknownNameError("measured indicator", each.indicator, MEASURED)
    place = project.place(project.settings.tables.measures) / f"{day.isoformat()}.json"
    write_text(place, json.dumps([asdict(each) for each in listed], indent=1, ensure_ascii=False))


def read_measures(project: Project, day: date) -> pl.DataFrame | None:
    """The values of a day as sums: ``indicator, dimension, slice, total, variance, days, n``; None without any.

    Raises:
        DataError: If the file is not a valid list of values.
    """
    place = project.place(project.settings.tables.measures) / f"{day.isoformat()}.json"
    if not place.is_file():
        return None
    try:
        values = [Measured(**each) for each in json.loads(place.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise DataError(f"it is no list of values: {error}", source=str(place)) from error
    return _sums(values) if values else None


def _sums(values: Sequence[Measured]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "indicator": [each.indicator for each in values],
            "dimension": [each.dimension for each in values],
            "slice": [each.slice for each in values],
            "total": [float(each.value) for each in values],
            "variance": [None if each.error is None else each.error**2 for each in values],
            "days": [1] * len(values),
            "n": [each.n for each in values],
        },
        schema_overrides={"variance": pl.Float64},
    )


def _measured(
    indicator: str, estimate: Estimate, *, exact: bool = False, dimension: str = OVERALL, slice_: str = "all"
) -> Measured:
    """A value with the standard error implied by its interval; exact values have none."""
    error = None
    if not exact and estimate.low is not None and estimate.high is not None:
        error = (estimate.high - estimate.low) / (2 * NormalDist().inv_cdf(0.5 + estimate.level / 2))
    return Measured(
        indicator=indicator, value=estimate.value, error=error, n=estimate.n, dimension=dimension, slice=slice_
    )
