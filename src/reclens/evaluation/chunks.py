"""Cutting lists into chunks of whole users, from memory or from files larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from reclens.schema import USER

__all__ = ["ROWS_A_CHUNK", "Chunk", "cut_frame", "cut_stream"]

ROWS_A_CHUNK = 2_000_000
"""Rows of a chunk: some 50 MB of ids, ranks and scores, and few enough chunks for their sums to cost nothing."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Lists of whole users.

    Attributes:
        table: ``user_id, item_id, rank``, each list in rank order.
        starts: First row of each list, int64.
    """

    table: pl.DataFrame
    starts: np.ndarray


def cut_frame(table: pl.DataFrame, starts: np.ndarray, *, rows: int | None = None) -> Iterator[Chunk]:
    """Slices of a frame of lists that begin at ``starts``; no list is cut in two."""
    rows = rows or ROWS_A_CHUNK
    ends = np.append(starts[1:], table.height)
    first = 0
    while first < len(starts):
        begin = int(starts[first])
        after = max(int(np.searchsorted(ends, begin + rows, side="right")), first + 1)
        yield Chunk(table.slice(begin, int(ends[after - 1]) - begin), starts[first:after] - begin)
        first = after


def _start_of_last_user(users: pl.Series, start: int, stop: int) -> int:
    """The first row of the user in row ``stop`` - or, if they fill the whole slice, the row after their last."""
    boundary: Any = users[stop]
    window = 1024
    while True:  # a user's list is short: look back in growing windows
        low = max(start, stop - window)
        other = (users.slice(low, stop - low) != boundary).arg_true()
        if len(other):
            return low + int(other[-1]) + 1
        if low == start:
            after = (users.slice(stop) != boundary).arg_true()
            return stop + int(after[0]) if len(after) else len(users)
        window *= 8


def cut_stream(batches: Iterator[pl.DataFrame], *, rows: int | None = None) -> Iterator[pl.DataFrame]:
    """Chunks of whole users out of batches cut anywhere: the last user of a batch waits for the next one."""
    rows = rows or ROWS_A_CHUNK
    held: list[pl.DataFrame] = []
    height = 0
    for batch in batches:
        if not batch.height:
            continue
        held.append(batch)
        height += batch.height
        if height < rows:
            continue
        table = pl.concat(held)
        stop = _start_of_last_user(table[USER], 0, table.height - 1)
        if stop < table.height:
            yield table.slice(0, stop)
        held = [table.slice(stop)] if stop < table.height else [table]
        height = sum(part.height for part in held)
    if held:
        yield pl.concat(held)
