"""The sums of a day of a log in Spark, from one shuffle on the user."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from reclens.edges._spark_frames import column_of, frame_of, functions
from reclens.edges._spark_sums import collected
from reclens.errors import DataError
from reclens.monitor.log import COLUMNS
from reclens.monitor.partitions import FACTS, DayPlan, DaySums, require_columns
from reclens.monitor.places import day_bounds
from reclens.monitor.settings import MonitorSettings
from reclens.monitor.summary import Summary
from reclens.schema import FEATURE, ITEM, REQUEST, TIMESTAMP, USER

__all__ = ["day_on"]

_ROW_SIZE: Final = 1_000_000
"""Bytes of the sums of a partition, about: exposure of items is most of them."""


def day_on(
    engine: Any, source: Any, day: date, settings: MonitorSettings, bins: Mapping[str, Any], catalogue: int | None
) -> Summary:
    """Plan, sum up, add.

    Args:
        engine: The engine.
        source: The log.
        day: The day, in the zone of the log.
        settings: Settings of the monitor.
        bins: Column -> its bins.
        catalogue: Items that could have been shown, or None.
    """
    fn = functions()
    frame = frame_of(engine, source, "the log")
    require_columns(frame.columns)
    kept = [name for name in frame.columns if name in COLUMNS or name in FACTS or name.startswith(FEATURE)]
    kind = dict(frame.dtypes)[TIMESTAMP]
    if kind not in ("timestamp", "timestamp_ntz"):
        problem = f"times are {kind}, expected timestamp"
        raise DataError(problem, source="the log", column=TIMESTAMP, fix="Cast the column.")
    # Times without a zone are those of UTC, as in the logs of a monitor.
    bounds, zone = day_bounds(day, settings.log.zone), "" if kind == "timestamp_ntz" else "+00:00"
    start, end = (fn.lit(f"{at:%Y-%m-%d %H:%M:%S}{zone}").cast(kind) for at in (bounds.start, bounds.end))
    # Names of features have dots, which Sail takes for those of fields.
    rows = frame.filter((fn.col(TIMESTAMP) >= start) & (fn.col(TIMESTAMP) < end))
    plain = {name: f"feature_{at}" if name.startswith(FEATURE) else name for at, name in enumerate(kept)}
    rows = rows.select(*[column_of(name).alias(ours) for name, ours in plain.items()])
    length = settings.log.list_length or _usual_length(rows)
    names = {ours: name for name, ours in plain.items()}
    plan = DayPlan(day=day, settings=settings, bins=bins, list_length=length, names=names)
    sums = collected(engine, plan, DaySums, rows, by=USER, row_size=_ROW_SIZE)
    return plan.summary(sums, catalogue=catalogue)


def _usual_length(rows: Any) -> int:
    """Items that most lists have; the fewest of several."""
    fn = functions()
    lengths = rows.groupBy(REQUEST).agg(fn.count(ITEM).alias("items")).groupBy("items").agg(fn.count("*").alias("n"))
    found = lengths.orderBy(fn.desc("n"), "items").limit(1).collect()
    return int(found[0][0]) if found else 1
