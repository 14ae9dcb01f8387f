"""Checks of vectors, and vectors of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import chunk_ranges
from reclens.errors import ArgumentTypeError, DataError
from reclens.schema import Vocabulary

__all__ = ["as_vectors", "check_ids", "check_vectors", "unit_vectors", "unusable_rows"]

_ROWS: Final = 65_536
"""Rows that are looked at together: what one step makes stays small beside the vectors, which may be a file."""


def as_vectors(values: Any, *, name: str = "vectors") -> np.ndarray:
    """An array of numbers as float32, shape (n, d), contiguous by rows; float32 is not copied.

    Args:
        values: The array.
        name: What it is called in errors.

    Raises:
        ArgumentTypeError: If it is no array of numbers.
        DataError: If its shape is not (n, d) with d of 1 or more, or numbers are too large for float32.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ArgumentTypeError(name, values, expected="an array of numbers, shape (n, d)")
    if array.ndim != 2 or array.shape[1] < 1:
        raise DataError(
            f"the {name} have the shape {array.shape}, expected (n, d): n vectors of d numbers",
            fix="Give one row a vector.",
        )
    if array.dtype == np.float32:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(array, np.float32)
    # Infinity where there was a number would look like a fault of the file.
    lost = np.isinf(narrow) & np.isfinite(array)
    if lost.any():
        row = int(np.flatnonzero(lost.any(axis=1))[0])
        raise DataError(f"a number of the {name} is beyond float32", row=row + 1, fix="Scale the vectors down.")
    return narrow


def unusable_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have no direction.

    Args:
        vectors: Shape (n, d), float32.

    Returns:
        Rows that hold what is no finite number, and rows of 0 (or so near to it that their length is 0 in float32).
    """
    broken: list[np.ndarray] = []
    zero: list[np.ndarray] = []
    for rows in chunk_ranges(len(vectors), _ROWS):
        part = vectors[rows.start : rows.stop]
        finite = np.isfinite(part).all(axis=1)
        broken.append(np.flatnonzero(~finite) + rows.start)
        zero.append(np.flatnonzero(finite & ~(_lengths(part) > 0)) + rows.start)
    none = np.zeros(0, np.int64)
    return (np.concatenate(broken) if broken else none), (np.concatenate(zero) if zero else none)


def check_ids(ids: pl.Series, *, column: str | None, source: str | None = None) -> None:
    """Refuse ids that repeat.

    Args:
        ids: The ids.
        column: The column that holds them.
        source: The file or table that they come from.

    Raises:
        DataError: With the first id that repeats and its second row, and how many others do.
    """
    if len(Vocabulary(ids)) == len(ids):
        return
    again = ids.filter(ids.is_duplicated())
    others = again.n_unique() - 1
    also = f", as {'does' if others == 1 else 'do'} {others:,} more" if others else ""
    raise DataError(
        f"the id {again[0]!r} stands there more than once{also}",
        source=source,
        column=column,
        row=int((ids == again[0]).arg_true()[1]) + 1,
        fix="Keep one vector of each id.",
    )


def check_vectors(vectors: np.ndarray, ids: Sequence[Any] | pl.Series, *, source: str | None = None) -> None:
    """Refuse vectors that have no direction, and ids that are not one a vector.

    Args:
        vectors: Shape (n, d), float32.
        ids: n ids.
        source: The file or table that they come from.

    Raises:
        DataError: With the first row and id that is not valid, and how many there are.
    """
    if len(ids) != len(vectors):
        raise DataError(
            f"there are {len(ids):,} ids and {len(vectors):,} vectors", source=source, fix="Give one id a vector."
        )
    broken, zero = unusable_rows(vectors)
    for rows, what in ((broken, "holds what is no finite number"), (zero, "is 0, which has no direction")):
        if len(rows):
            first, others = int(rows[0]), len(rows) - 1
            also = f", as {'does' if others == 1 else 'do'} {others:,} more" if others else ""
            raise DataError(
                f"the vector of {ids[first]!r} {what}{also}",
                source=source,
                row=first + 1,
                fix="Leave these vectors out.",
            )


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Vectors divided by their lengths; a vector of 0 stays 0.

    Args:
        vectors: Shape (n, d), float32.

    Returns:
        A new array of that shape.

    Example:
        >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).round(1).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    found = np.empty(vectors.shape, np.float32)
    for rows in chunk_ranges(len(vectors), _ROWS):
        part = vectors[rows.start : rows.stop]
        lengths = _lengths(part)
        # In float64: the square of a float32 may be beyond float32, or 0 in it.
        np.divide(part, np.where(lengths > 0, lengths, 1)[:, None], out=found[rows.start : rows.stop], casting="unsafe")
    return found


def _lengths(part: np.ndarray) -> np.ndarray:
    """Euclidean lengths in float64."""
    return np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64))
