"""The sums of an experiment in Spark, of a table with one row a unit, from one shuffle on the unit."""

from __future__ import annotations

from typing import Any, Final

from reclens.edges._spark_frames import column_of, frame_of
from reclens.edges._spark_sums import collected
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.partitions import ExperimentPlan, ExperimentSums, refuse_absent
from reclens.experiment.aggregate.summing import Summing
from reclens.experiment.planning.plan import Plan

__all__ = ["sums_on"]

_ROW_SIZE: Final = 100_000
"""Bytes of the sums of a partition, about."""


def sums_on(engine: Any, source: Any, plan: Plan, summing: Summing) -> Aggregates:
    """Check the columns, sum up, add.

    Args:
        engine: The engine.
        source: The table.
        plan: The plan of the experiment.
        summing: The columns, and what happens where they are not as they have to be.
    """
    frame = frame_of(engine, source, "the experiment")
    asked = ExperimentPlan(plan=plan, summing=summing, names=frame.columns)
    refuse_absent(asked, frame.columns)
    wanted = {summing.arm, plan.unit, summing.day, plan.triggered, *summing.segments, *plan.columns, *summing.counts}
    names: list[str] = [str(name) for name in frame.columns if name in wanted]
    # Plain names: Sail takes a dot in one for that of a field.
    rows = frame.select(*[column_of(name).alias(f"c{at}") for at, name in enumerate(names)])
    asked = ExperimentPlan(plan=plan, summing=summing, names=names)
    by = f"c{names.index(plan.unit)}"
    return asked.aggregates(collected(engine, asked, ExperimentSums, rows, by=by, row_size=_ROW_SIZE))
