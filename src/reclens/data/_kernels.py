"""The compiled loops that turn interactions into sparse matrices: counting sorts, and one of the few items of a row."""

from __future__ import annotations

from typing import Any

from reclens.kernels import kernel

__all__ = ["bucket", "group_runs", "transpose"]


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


@kernel("void(int32[::1], int64[::1], int32[::1], int64[::1], int64[::1], int32[::1])")
def group_runs(owners: Any, lengths: Any, items: Any, cursor: Any, indptr: Any, out: Any) -> None:
    """Put the items of the runs of each owner side by side, and sort those of each owner: Shell's sort.

    ``cursor`` holds where the items of each owner begin, and in the end where they end; ``indptr`` holds both.
    """
    at = 0
    for run in range(len(owners)):
        to = out[cursor[owners[run]] : cursor[owners[run]] + lengths[run]]
        for place in range(len(to)):
            to[place] = items[at + place]
        cursor[owners[run]] += lengths[run]
        at += lengths[run]
    for owner in range(len(indptr) - 1):
        row, gap = out[indptr[owner] : indptr[owner + 1]], 1
        while 64 * gap < len(row):
            gap = 3 * gap + 1
        while gap:
            for place in range(gap, len(row)):
                item, free = row[place], place
                while free >= gap and row[free - gap] > item:
                    row[free] = row[free - gap]
                    free -= gap
                row[free] = item
            gap //= 3
