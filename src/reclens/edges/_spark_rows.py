"""What runs on executors of Spark, and the rows that come back: Arrow in, one row of sums out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from reclens import errors
from reclens.errors import RecLensError
from reclens.evaluation.groups import named_parts
from reclens.evaluation.partition_sums import ROW, Sums, total_of
from reclens.evaluation.partitions import PartitionPlan
from reclens.schema import USER

__all__ = ["COLUMNS", "add_sums", "measure", "own_columns", "polars_of", "unpacked"]

COLUMNS: Final = f"{ROW[0]} string, {ROW[1]} binary, {ROW[2]} binary, error string"
"""The columns of a row of sums, as Spark declares them."""


def polars_of(frame: Any) -> pl.DataFrame:
    """A frame of Spark in the memory of the driver."""
    return pl.DataFrame(pl.from_arrow(frame.toArrow()))


def own_columns(plan: PartitionPlan, *, integer: bool) -> dict[str, str]:
    """The columns of the values of each user."""
    columns = {USER: "bigint" if integer else "string", "n_relevant": "bigint", "list_length": "bigint"}
    columns |= dict.fromkeys(plan.user_metrics, "double")
    return columns | {" × ".join(named_parts(by)): "string" for by in plan.by}


def measure(plan: Any, own: Mapping[str, str], batches: Iterator[Any]) -> Iterator[Any]:
    """The work of a task: one row of sums, or of an error; and, where they are kept, the values of its users.

    Args:
        plan: What is measured: its ``measure`` makes :class:`~reclens.evaluation.partition_sums.Sums` of the rows.
        own: The columns of the values of users, where they are kept.
        batches: The rows of a partition.
    """
    try:
        sums = plan.measure(pl.DataFrame(pl.from_arrow(batch)) for batch in batches)
    except RecLensError as error:
        if own:  # a write that fails leaves nothing behind
            raise
        yield from _batches([{**dict.fromkeys(ROW), "error": _told(error)}], own)
        return
    if sums is not None:
        yield from _batches([{**sums.to_row(), "error": None}], own)
        if own and sums.values is not None:
            yield from _batches(sums.values, own)


def add_sums(kind: type[Sums], batches: Iterator[Any]) -> Iterator[Any]:
    """Add rows of sums of a kind up on an executor."""
    tables = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]
    rows = [row for table in tables for row in table.iter_rows(named=True)]
    failed = [row for row in rows if row["error"] is not None]
    if rows:
        total = None if failed else total_of(kind, sorted(rows, key=lambda row: row[ROW[0]]))
        yield from _batches(failed[:1] if total is None else [{**total.to_row(), "error": None}], {})


def _batches(rows: Any, own: Mapping[str, str]) -> Iterator[Any]:
    """Rows of sums, or the values of users, as Arrow in the columns of the whole output."""
    import pyarrow as pa

    kinds = {"string": pa.string(), "bigint": pa.int64(), "double": pa.float64(), "binary": pa.binary()}
    names = {ROW[0]: "string", ROW[1]: "binary", ROW[2]: "binary", "error": "string", **own}
    if own:
        names = {"part": "string", **names}
    table = pl.DataFrame(rows, infer_schema_length=None) if isinstance(rows, list) else rows
    table = table.with_columns(part=pl.lit("sums" if isinstance(rows, list) else "users"))
    absent = [pl.lit(None).alias(name) for name in names if name not in table.columns]
    schema = pa.schema([(name, kinds[kind]) for name, kind in names.items()])
    arrow = table.with_columns(absent).select(list(names)).to_arrow(compat_level=pl.CompatLevel.oldest())
    yield from arrow.cast(schema).to_batches()


def unpacked(table: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of sums, in the order of their keys; the error of a task is raised here."""
    for failed in table["error"].drop_nulls():
        raise _error_of(failed)
    yield from table.sort(ROW[0]).iter_rows(named=True)


def _told(error: RecLensError) -> str:
    """An error as JSON: its kind, its message, and its facts."""
    facts = {name: value for name, value in vars(error).items() if isinstance(value, str | int | float)}
    return json.dumps({"kind": type(error).__name__, "message": error.said(), "facts": facts})


def _error_of(told: str) -> RecLensError:
    """The inverse of :func:`_told`."""
    known = json.loads(told)
    kind = getattr(errors, known["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, RecLensError)):  # of a newer RecLens
        return RecLensError(known["message"])
    return errors._rebuild(kind, (known["message"],), {"advice": None, **known["facts"]})
