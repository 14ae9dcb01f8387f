"""Detection and merging of rows that repeat a (user, item) pair."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.data.read.clean import Cleaner
from reclens.engine import LocalEngine, chunk_ranges
from reclens.errors import Advice, ArgumentValueError, DataError, Setting
from reclens.schema import ITEM, TIMESTAMP, USER, WEIGHT, Vocabulary

__all__ = ["Duplicates", "merge_duplicates", "merge_repeats"]


Duplicates = Literal["last", "sum", "error"]
_SMALL: Final = 2**31
"""Two numbers below this limit are packed into one 64-bit key."""
_ROWS: Final = 1 << 18
"""Rows per task of one thread."""
_BITS: Final = 22
"""log2 of the size of the filter: 4 MiB of flags, which fit into the cache."""
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 by the golden ratio, odd."""


def merge_duplicates(frame: pl.DataFrame, how: Duplicates, cleaner: Cleaner) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The log, and the log with one row a (user, item) pair.

    Args:
        frame: Interactions, as they were logged.
        how: As for :func:`merge_repeats`; ``"sum"`` counts 1 a row where there is no weight column; ``"error"`` refuses
            repeated pairs.
        cleaner: Collects the rules.

    Returns:
        The log with the columns of the merged rows, and the merged rows: the same frame if no pair is repeated.

    Raises:
        DataError: If there are repeated pairs and ``how`` is ``"error"``.
    """
    if how not in ("last", "sum", "error"):
        raise ArgumentValueError("duplicates", f"is {how!r}, expected 'last', 'sum' or 'error'")
    if how == "sum" and WEIGHT not in frame.columns:
        frame = frame.with_columns(pl.lit(1.0).alias(WEIGHT))
        cleaner.note("weight_counts_rows", frame.height)
    again = _repeated(frame)
    if how == "error" and again.height:
        repeats = again.filter(~pl.col("pair").is_first_distinct())
        first = frame.row(int(repeats["row"][0]), named=True)
        raise DataError(
            f"user {first[USER]!r} has item {first[ITEM]!r} a second time ({repeats.height:,} rows repeat a pair)",
            source=cleaner.source,
            row=int(repeats["row"][0]) + 1,
            fix=Advice(
                "merge_duplicates",
                (Setting("duplicates", "last"), Setting("duplicates", "sum")),
                "Choose {0} or {1}, or remove the rows.",
            ),
        )
    merged = _merged(frame, again, how)
    cleaner.note("repeated_pairs_merged", frame.height - merged.height, how=how)
    return frame, merged


def merge_repeats(frame: pl.DataFrame, how: Duplicates = "last") -> pl.DataFrame:
    """One row a (user, item) pair.

    Args:
        frame: Interactions; with a weight column for ``"sum"``.
        how: ``"last"`` keeps the row with the latest time, and of equal times the later row; ``"sum"`` does the same
            and adds up the weights.

    Returns:
        The rows that are kept, in their order; the frame itself if no pair is repeated.
    """
    return _merged(frame, _repeated(frame), how)


def _merged(frame: pl.DataFrame, again: pl.DataFrame, how: Duplicates) -> pl.DataFrame:
    if not again.height:
        return frame
    if TIMESTAMP in frame.columns:
        times = frame[TIMESTAMP].gather(again["row"])
        if not times.is_sorted():
            again = again.with_columns(times.alias("time")).sort(
                "time", maintain_order=True
            )  # equal times: the later row
    last = again.filter(pl.col("pair").is_last_distinct())
    if how == "sum":
        weights = frame[WEIGHT].gather(again["row"])
        sums = again.with_columns(weights.alias("sum")).group_by("pair").agg(pl.col("sum").sum())
        added = last.join(sums, on="pair", how="left", maintain_order="left")
        frame = frame.with_columns(frame[WEIGHT].scatter(added["row"], added["sum"]))
    kept = np.ones(frame.height, bool)
    kept[again["row"].to_numpy()] = False
    kept[last["row"].to_numpy()] = True
    return frame.filter(pl.Series(kept))


def _repeated(frame: pl.DataFrame) -> pl.DataFrame:
    """``row`` and ``pair`` of the rows whose pair occurs more than once, in order."""
    pairs = pl.Series("pair", _pair_keys(frame))
    in_order = pairs.sort().to_numpy()
    twice = pl.Series(in_order[1:][in_order[1:] == in_order[:-1]])
    if len(twice) < len(pairs) / 10:  # looking up a few pairs is faster than counting all rows
        rows = pl.Series(_rows_of(pairs.to_numpy(), twice.unique()))
    else:
        rows = pairs.is_duplicated().arg_true()
    return pl.DataFrame([rows.alias("row"), pairs.gather(rows)])


def _rows_of(keys: np.ndarray, sought: pl.Series) -> np.ndarray:
    """Find the rows with one of a few keys.

    A filter that fits into the cache excludes nearly all rows; the rest are compared with the keys.

    Args:
        keys: Keys, int64, shape (rows,).
        sought: Keys to find, each once.

    Returns:
        Rows in rising order, int64.
    """
    wanted = np.zeros(1 << _BITS, bool)
    wanted[_slots(sought.to_numpy())] = True
    parts = chunk_ranges(len(keys), _ROWS)
    found = LocalEngine().map(
        lambda part: part.start + np.flatnonzero(wanted[_slots(keys[part.start : part.stop])]), parts
    )
    rows = np.concatenate(list(found))
    return rows[pl.Series(keys[rows]).is_in(sought.implode()).to_numpy()]


def _slots(keys: np.ndarray) -> np.ndarray:
    """Multiplicative hash of each key to ``2**_BITS`` slots (Knuth, 1998, section 6.4)."""
    return (keys.view(np.uint64) * _ODD >> np.uint64(64 - _BITS)).view(np.int64)


def _pair_keys(frame: pl.DataFrame) -> np.ndarray:
    """Encode each (user, item) pair as one integer; int64, shape (rows,)."""
    (users, _), (items, n_items) = LocalEngine().map(_numbers_of, (frame[USER], frame[ITEM]))
    keys = users * np.int64(n_items)
    keys += items
    return keys


def _numbers_of(ids: pl.Series) -> tuple[np.ndarray, int]:
    """Number the ids; returns the numbers and their upper bound. Small integers are only shifted to begin at 0."""
    if ids.dtype.is_integer() and len(ids) and not ids.null_count():
        values = ids.cast(pl.Int64).to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low < _SMALL:
            return values - low, high - low + 1
    known = Vocabulary(ids)
    return known.encode(ids), len(known)
