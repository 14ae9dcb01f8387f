"""Rows of any kind through one shuffle into sums, whatever is measured of them."""

from __future__ import annotations

from functools import partial
from math import ceil, sqrt
from typing import Any, Final, TypeVar

from reclens.edges._spark_rows import COLUMNS, add_sums, measure, polars_of, unpacked
from reclens.errors import ArgumentValueError
from reclens.evaluation.partition_sums import ROW, Sums, total_of

__all__ = ["added", "collected", "partitions_of"]

_ADDED_AT_ONCE: Final = 1_000
_FETCHED: Final = 256_000_000
"""Partitions, and bytes of their sums, that the driver adds by itself; more are added on executors first."""

Total = TypeVar("Total", bound=Sums)


def partitions_of(engine: Any) -> int:
    """How many partitions users are cut into.

    Raises:
        ArgumentValueError: If fewer than 1 are asked for.
    """
    wanted = engine.partitions
    if wanted is not None and wanted < 1:
        raise ArgumentValueError("partitions", f"is {wanted}, expected 1 or more, or None for the session's")
    return wanted or int(engine.session.conf.get("spark.sql.shuffle.partitions") or 200)


def collected(engine: Any, plan: Any, kind: type[Total], rows: Any, *, by: str, row_size: int) -> Total | None:
    """The sums of all partitions.

    Args:
        engine: The engine.
        plan: What every partition is measured with.
        kind: What its ``measure`` gives.
        rows: The rows.
        by: Column of the users: rows of one of them stand in one partition.
        row_size: Bytes of a row of sums, about.
    """
    n = partitions_of(engine)
    found = rows.repartition(n, by).mapInArrow(partial(measure, plan, {}), COLUMNS)
    if n > _ADDED_AT_ONCE or n * row_size > _FETCHED:
        found = found.repartition(ceil(sqrt(n)), ROW[0]).mapInArrow(partial(add_sums, kind), COLUMNS)
    return added(kind, found)


def added(kind: type[Total], found: Any) -> Total | None:
    """Rows of sums, added on the driver; None without any."""
    return total_of(kind, unpacked(polars_of(found.select(*ROW, "error"))))
