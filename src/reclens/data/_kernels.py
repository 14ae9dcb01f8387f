"""The compiled loops that turn interactions into sparse matrices: counting sorts, which need no comparison."""

from __future__ import annotations

from typing import Any

from reclens.kernels import kernel

__all__ = ["bucket", "transpose"]


@kernel("void(int32[::1], int32[::1], int64[::1], int32[::1])")
def bucket(keys: Any, payload: Any, cursor: Any, out: Any) -> None:
    """Put each payload at the cursor of its key, and advance the cursor: a stable counting sort by key."""
    for at in range(len(keys)):
        key = keys[at]
        out[cursor[key]] = payload[at]
        cursor[key] += 1


@kernel("void(int64[::1], int32[::1], float32[::1], int64[::1], int64[::1], int32[::1], float32[::1])")
def transpose(indptr: Any, indices: Any, values: Any, order: Any, cursor: Any, rows: Any, cells: Any) -> None:
    """The lists of a sparse matrix by column: ``rows[p]`` is the place in ``order`` of the row of a cell.

    Rows are taken in the given order, so that the lists ascend. ``cursor`` holds where the list of each column begins,
    and in the end where it ends. ``values`` and ``cells`` are empty where only the pattern is wanted.
    """
    whole = len(values) > 0
    for place in range(len(order)):
        row = order[place]
        for p in range(indptr[row], indptr[row + 1]):
            at = cursor[indices[p]]
            cursor[indices[p]] += 1
            rows[at] = place
            if whole:
                cells[at] = values[p]
