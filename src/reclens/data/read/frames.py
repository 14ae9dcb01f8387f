"""Conversion of frames to Polars: by the Arrow C stream, and object columns of pandas value by value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from reclens.data.read.arrow import ArrowStream
from reclens.errors import Advice, DataError, Setting
from reclens.schema import ITEM, USER

__all__ = ["from_frame", "ids_alike", "is_frame", "read_parquet"]


def read_parquet(path: Path) -> pl.DataFrame:
    """Read one Parquet file; its path is neither a glob pattern (``ws[1]``) nor a Hive partition (``run=5``)."""
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def is_frame(source: Any) -> bool:
    """Whether this is something that :func:`from_frame` can read."""
    if isinstance(source, pl.DataFrame | pl.LazyFrame | Mapping) or hasattr(source, "__arrow_c_stream__"):
        return True
    return _is_pandas(source)


def from_frame(source: Any) -> pl.DataFrame:
    """Convert any frame to Polars; columns of mixed types become object columns.

    Raises:
        DataError: If it cannot be converted.
    """
    try:
        if isinstance(source, pl.DataFrame):
            return source
        if isinstance(source, pl.LazyFrame):
            return source.collect()
        if isinstance(source, Mapping):
            return _from_columns({str(name): list(values) for name, values in source.items()})
        if _is_pandas(source):
            return _from_pandas(source)
        return pl.DataFrame(ArrowStream(source))
    except (pl.exceptions.PolarsError, OSError, TypeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"it cannot be read: {reason}", source=f"the {type(source).__name__}") from None


def _is_pandas(source: Any) -> bool:
    kind = type(source)
    return kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "pandas"


def _from_pandas(source: Any) -> pl.DataFrame:
    try:
        frame = pl.DataFrame(ArrowStream(source))
    # pandas needs PyArrow for its stream, and PyArrow refuses columns that mix types.
    except (ImportError, TypeError, ValueError, AttributeError):
        frame = _from_columns({str(name): _values(source[name]) for name in source.columns})
    # An index without a name is left over from a filter and is not data.
    return frame.select(name for name in frame.columns if not re.fullmatch(r"__index_level_\d+__", name))


def _values(column: Any) -> Any:
    """Values of a pandas column: unchanged if that is exact, else a list with None for all missing values."""
    if hasattr(column.dtype, "tz"):
        times = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        return pl.Series(times).dt.replace_time_zone("UTC")
    values = column.to_numpy()
    if values.dtype.kind in "iufb":
        return values
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    absent = column.isna().to_numpy()
    return [None if gone else value for value, gone in zip(values.tolist(), absent, strict=True)]


def _from_columns(columns: Mapping[str, Sequence[Any] | np.ndarray | pl.Series]) -> pl.DataFrame:
    series: list[pl.Series] = []
    for name, values in columns.items():
        if isinstance(values, pl.Series):
            series.append(values.alias(name))
            continue
        kinds = set() if isinstance(values, np.ndarray) else {type(v) for v in values if v is not None}
        mixed = len(kinds) > 1 and not kinds <= {int, float}
        series.append(pl.Series(name, values, dtype=pl.Object if mixed else None))
    return pl.DataFrame(series)


def ids_alike(*tables: pl.DataFrame) -> list[pl.DataFrame]:
    """Convert ids so that the tables can be joined: integers of any width become 64-bit integers.

    Raises:
        DataError: If some tables hold integers and others strings.
    """
    for column in (USER, ITEM):
        if len({table[column].dtype.is_integer() for table in tables}) > 1:
            raise DataError(
                "ids are integers in one table and strings in another, so that none can match",
                column=column,
                fix=Advice("ids_as_text", (Setting("ids", "text"),), "Read both with {ids}, or cast one side."),
            )
    wide = [pl.col(column).cast(pl.Int64) for column in (USER, ITEM) if tables[0][column].dtype.is_integer()]
    return [table.with_columns(wide) for table in tables]
