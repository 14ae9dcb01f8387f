"""The rows of a partition as they come in, piece by piece: tables, of which the lists are kept as numbers.

Lists are most of the rows. Of each of their rows 16 bytes are kept: the numbers of its user and of its item, and its
rank. Texts would take four times as much, in memory that is new to the process and slow for that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.data.read.lists import run_starts
from reclens.engine import LocalEngine
from reclens.errors import DataError
from reclens.evaluation.partition_context import FACTS, SEGMENT
from reclens.evaluation.source import Source, open_lists
from reclens.memory import require_memory
from reclens.schema import ITEM, RANK, SCORE, USER
from reclens.vocabulary import Numbering

__all__ = ["NUMBER", "PART", "PARTS", "TURNS", "Listed", "PartitionRows", "gathered"]

PART: Final = "part"
"""Column that says which table a row is of: its place in :data:`PARTS`."""
NUMBER: Final = "number"
"""Column with the rank or score of a row of the lists, and the relevance of a row of the truth."""
PARTS: Final = ("lists", "truth", "train", "history", "users")

TURNS: Final = threading.BoundedSemaphore(LocalEngine().threads)
"""Tasks of a process that work at a time; none waits for rows meanwhile. An engine may have all of its tasks in one
process: at once they would spend as much time again on waiting for memory, which one of them after the other reuses."""

_ROWS_A_CHECK: Final = 1_000_000
_ROWS_AT_ONCE: Final = 60_000
_ROW_SIZE: Final = 24
"""Bytes of a row of the lists, with its score."""


@dataclass(frozen=True, eq=False)
class Listed:
    """The lists of a partition, by number.

    Attributes:
        users: The users, by their numbers.
        items: The items, by their numbers; with the facts that were joined to them, where there are any.
        rows: The rows: numbers of user and item, and :data:`NUMBER`, and scores.
    """

    users: pl.Series
    items: pl.DataFrame
    rows: pl.DataFrame

    def source(self, ordered_by: Literal["rank", "score"]) -> Source:
        """The lists in order.

        Raises:
            DataError: If they are none; ids are named as they are.
        """
        rows = self._in_order(ordered_by)
        source = _source_of(rows)
        try:
            source.put_in_order()
        except DataError:
            owner, item = (rows[name].to_numpy() for name in (USER, ITEM))
            _source_of(rows.with_columns(self.users.gather(owner), self.items[ITEM].gather(item))).put_in_order()
            raise
        return source

    def _in_order(self, ordered_by: Literal["rank", "score"]) -> pl.DataFrame:
        """The lists by user: an engine brings the rows of a user in any order, and in few runs for the most part.

        Equal ranks and scores are ordered by item, so that a task that is run again gives the same sums.
        """
        name, sign = (SCORE, -1.0) if ordered_by == "score" else (RANK, 1.0)
        beside = [SCORE] if SCORE in self.rows.columns and name != SCORE else []
        rows = self.rows.select(USER, ITEM, pl.col(NUMBER).alias(name), *beside)
        owner, numbers = rows[USER].to_numpy(), sign * rows[name].to_numpy()
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(owner), 1), bool), owner[1:] != owner[:-1]]))
        if len(self.users) < len(starts):
            lengths = np.diff(starts, append=rows.height)
            in_turn = np.lexsort((numbers[starts], owner[starts]))
            starts, lengths = starts[in_turn], lengths[in_turn]
            order = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(rows.height)
            rows, numbers, owner = rows[order], numbers[order], owner[order]
        same = owner[1:] == owner[:-1]
        if not (same & ~(numbers[1:] > numbers[:-1])).any():
            return rows
        order = np.lexsort((numbers, owner))
        held = numbers[order]  # users stay where they are: `same` still holds
        if (same & (held[1:] == held[:-1])).any():
            place = self.items[ITEM].rank("dense").to_numpy()
            order = np.lexsort((place[rows[ITEM].to_numpy()], numbers, rows[USER].to_numpy()))
        return rows[order]


def _source_of(rows: pl.DataFrame) -> Source:
    source = open_lists(rows, name="lists")
    source.where = "the lists"
    return source


@dataclass(frozen=True, eq=False)
class PartitionRows:
    """The rows of a partition.

    Attributes:
        lists: The lists.
        parts: The other tables of :data:`PARTS`, with integer ids of 64 bits; and of the lists the items, each once.
        counts: Rows of each table.
    """

    lists: Listed
    parts: Mapping[str, pl.DataFrame]
    counts: Mapping[str, int]

    @property
    def users(self) -> pl.Series:
        """All users, with repeats."""
        return pl.concat([self.lists.users, *(rows[USER] for name, rows in self.parts.items() if name != "lists")])


@dataclass(eq=False, kw_only=True)
class _ListRows:
    """Rows of lists as they come in."""

    users: Numbering = field(default_factory=Numbering)
    items: Numbering = field(default_factory=Numbering)
    waiting: list[pl.DataFrame] = field(default_factory=list)
    pieces: list[dict[str, np.ndarray]] = field(default_factory=list)
    facts: list[pl.DataFrame] = field(default_factory=list)

    def add(self, table: pl.DataFrame) -> None:
        self.waiting.append(table)
        if sum(each.height for each in self.waiting) >= _ROWS_AT_ONCE:
            with TURNS:
                self._take()

    def _take(self) -> None:
        """Number the rows that wait: some pieces at once, as each call takes its time."""
        table = pl.concat(self.waiting, rechunk=True)
        self.waiting.clear()
        _check_ids("lists", table)
        starts = run_starts(table[USER])
        owner = np.repeat(self.users.number(table[USER][starts]), np.diff(starts, append=table.height))
        known = 0 if self.items.ids is None else len(self.items.ids)
        item = self.items.number(table[ITEM])
        numbers = {name: table[name].to_numpy().astype(np.float64) for name in (NUMBER, SCORE) if name in table.columns}
        self.pieces.append({USER: owner, ITEM: item, **numbers})
        if FACTS[0] in table.columns and len(self.items.ids) > known:  # pyright: ignore[reportArgumentType]
            new, rows = np.unique(item, return_index=True)
            self.facts.append(table[list(FACTS)][rows[new >= known]])

    def whole(self, none: pl.DataFrame) -> Listed:
        """The lists; the columns of an empty table say what ids are where there is no row."""
        if self.waiting:
            self._take()
        if self.users.ids is None or self.items.ids is None:
            rows = none.drop(*FACTS, strict=False).cast({USER: pl.Int32, ITEM: pl.Int32})
            return Listed(none[USER], none.drop(USER, NUMBER, SCORE, strict=False), rows)
        columns = {name: np.concatenate([each.pop(name) for each in self.pieces]) for name in list(self.pieces[0])}
        facts = pl.concat(self.facts).get_columns() if self.facts else []
        return Listed(self.users.ids, pl.DataFrame([self.items.ids, *facts]), pl.DataFrame(columns, nan_to_null=True))


def gathered(tables: Iterable[pl.DataFrame]) -> PartitionRows | None:
    """The rows of a partition; refused before they fill the memory. None where there is no row.

    Each table keeps the columns that it has values in. Most pieces that a shuffle hands over are of one table, and are
    taken as they are.

    Args:
        tables: ``part, user_id, item_id, number`` and a column a segmentation, in pieces.

    Raises:
        DataError: If ids are missing.
        NotEnoughMemoryError: If the partition does not fit in memory.
    """
    lists = _ListRows()
    held: dict[str, list[pl.DataFrame]] = {}
    columns: dict[str, list[str]] = {}
    counts: dict[str, int] = dict.fromkeys(PARTS, 0)
    size = checked = 0
    for table in tables:
        if not held:
            columns = {name: _own(name, table.columns) for name in PARTS}
            held = {name: [_with_wide_ids(table.clear()[own])] for name, own in columns.items()}
        places = table[PART]
        low, high = places.min(), places.max()
        if low is None or high is None:
            continue
        for place in range(int(low), int(high) + 1):  # pyright: ignore[reportArgumentType]
            name, mine = PARTS[place], table if low == high else table.filter(places == place)
            mine = _with_wide_ids(mine[columns[name]])
            counts[name] += mine.height
            if name == "lists":
                lists.add(mine)
                size += _ROW_SIZE * mine.height
            else:
                held[name].append(mine)
                size += int(mine.estimated_size())
        if sum(counts.values()) - checked >= _ROWS_A_CHECK:
            checked = sum(counts.values())
            _require(size, checked)
    if not sum(counts.values()):
        return None
    _require(size, sum(counts.values()))
    own = lists.whole(held.pop("lists")[0])
    parts = {name: pl.concat(pieces) for name, pieces in held.items()}
    for name, rows in parts.items():
        _check_ids(name, rows)
    return PartitionRows(own, {"lists": own.items, **parts}, counts)


def _own(name: str, columns: Sequence[str]) -> list[str]:
    """The columns of one of :data:`PARTS`."""
    segments = [each for each in columns if each.startswith(SEGMENT)]
    return [USER, *segments] if name == "users" else [each for each in columns if each not in (PART, *segments)]


def _with_wide_ids(rows: pl.DataFrame) -> pl.DataFrame:
    ids = [name for name in (USER, ITEM) if name in rows.columns and rows.schema[name].is_integer()]
    return rows.cast(dict.fromkeys(ids, pl.Int64())) if ids else rows


def _require(size: int, rows: int) -> None:
    # The rows are copied once to be put in order, and codes of lists and truth take about as much again.
    require_memory(2 * size, f"a partition of {rows:,} rows or more", advice="Cut the users into more partitions.")


def _check_ids(name: str, rows: pl.DataFrame) -> None:
    """Refuse missing ids."""
    for column in (USER, ITEM):
        if column in rows.columns and (bad := rows[column].null_count()):
            raise DataError(
                f"{bad:,} ids or more are missing",
                source="the lists" if name == "lists" else f"the table of {name}",
                column=column,
                fix="Drop those rows.",
            )
