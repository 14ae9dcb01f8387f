"""Where lists come from: memory, a file, or a stream larger than memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import AppliedRule, ListsCard
from reclens.data.read.lists import order_lists
from reclens.data.rules import rule
from reclens.errors import UsageError
from reclens.evaluation.chunks import Chunk, cut_frame, cut_stream
from reclens.schema import ITEM, RANK, SCORE, USER, Recommendations

__all__ = ["ROWS_A_BATCH", "Source", "open_lists"]

ROWS_A_BATCH = 1_000_000
"""Rows that are read from a stream at a time."""


@dataclass(eq=False, kw_only=True)
class Source:
    """Lists, in chunks of whole users in rank order.

    Attributes:
        name: Name of the system.
        where: File or table, for messages.
        table: The lists in memory, or None.
        starts: First row of each list of the table; None before :meth:`put_in_order`.
        stream: The lists as a query, or None.
        card: What made the lists.
        rules: Rules that were applied to the lists, with counts; complete when the chunks have been read.
    """

    name: str
    where: str
    table: pl.DataFrame | None
    starts: np.ndarray | None
    stream: pl.LazyFrame | None
    card: ListsCard
    rules: list[AppliedRule] = field(default_factory=list)

    def put_in_order(self) -> None:
        """Bring lists in memory to the one form of lists; a stream is, chunk by chunk.

        Raises:
            DataError: If they are not lists.
        """
        if self.table is not None and self.starts is None:
            self.table, self.starts, rules = order_lists(self.table, self.where)
            self.rules += rules

    def users(self) -> pl.Series | None:
        """The users with a list; None for a stream."""
        self.put_in_order()
        return None if self.table is None else self.table[USER]

    def ids(self, column: str, *, rows: int | None = None) -> pl.Series:
        """Ids in the lists, repeats and all; of the first rows, or of all of them."""
        if self.table is not None:
            return self.table[column] if rows is None else self.table[column].head(rows)
        assert self.stream is not None
        ids = self.stream.select(column)
        return (ids.unique() if rows is None else ids.head(rows)).collect(engine="streaming")[column]

    def kind_of(self, column: str) -> pl.DataType | None:
        """The type of a column; None where it is absent, or there are no rows."""
        if self.table is not None:
            return self.table.schema.get(column) if self.table.height else None
        assert self.stream is not None
        return self.stream.collect_schema().get(column)

    def chunks(self) -> Iterator[Chunk]:
        """The lists, whole users at a time."""
        self.put_in_order()
        if self.table is not None and self.starts is not None:
            yield from cut_frame(self.table, self.starts)
        elif self.stream is not None:
            for chunk in cut_stream(self.stream.collect_batches(maintain_order=True, chunk_size=ROWS_A_BATCH)):
                table, starts, rules = order_lists(chunk, self.where)
                self.add(rules)
                yield Chunk(table, starts)

    def sorted_by_user(self) -> Iterator[Chunk]:
        """The chunks of a stream once it has been sorted by user, on disk where memory does not hold it."""
        assert self.stream is not None
        self.rules.clear()
        with tempfile.TemporaryDirectory(prefix="reclens-") as folder:
            path = Path(folder) / "sorted.parquet"
            order = [name for name in (USER, RANK, SCORE) if name in self.stream.collect_schema().names()]
            falling = [name == SCORE for name in order]
            self.stream.sort(order, descending=falling, maintain_order=True).sink_parquet(path)
            in_order = Source(
                name=self.name, where=self.where, table=None, starts=None, stream=pl.scan_parquet(path), card=self.card
            )
            yield from in_order.chunks()
            self.add(in_order.rules)
            rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        self.add([rule("lists_sorted", rows)])

    def add(self, rules: list[AppliedRule]) -> None:
        """Add to the counts of the rules."""
        for each in rules:
            same = next((known for known in self.rules if known["code"] == each["code"]), None)
            if same is None:
                self.rules.append(each.copy())
            else:
                same["count"] += each["count"]


def open_lists(
    recommendations: Recommendations | pl.LazyFrame | Any, *, name: str | None, scores: bool = False
) -> Source:
    """Make lists ready to be put in order and read in chunks.

    Args:
        recommendations: The lists.
        name: Name of the system.
        scores: Whether the scores of a stream are read even where its ranks are known.

    Raises:
        DataError: If they are not lists, or a file cannot be read.
        UsageError: If a stream lacks a column.
    """
    if isinstance(recommendations, pl.LazyFrame):
        present = recommendations.collect_schema().names()
        absent = [column for column in (USER, ITEM) if column not in present]
        if absent or not {RANK, SCORE} & set(present):
            raise UsageError(
                f"a stream of lists needs {USER}, {ITEM} and {RANK} or {SCORE}; it has {', '.join(present)}. "
                "Rename its columns."
            )
        columns = [column for column in (USER, ITEM, RANK, SCORE) if column in present]
        if RANK in columns and SCORE in columns and not scores:
            columns.remove(SCORE)  # the order is known: do not read the scores
        return Source(
            name=name or "system",
            where="the stream of lists",
            table=None,
            starts=None,
            stream=recommendations.select(columns),
            card={},
        )
    if isinstance(recommendations, Recommendations):
        lists, label = recommendations, name or recommendations.name
    elif isinstance(recommendations, pl.DataFrame):
        lists = Recommendations(recommendations, "system")
        label = name or "system"
    else:
        from reclens.data.read.tables import read_recommendations

        lists = read_recommendations(recommendations, name=name)
        label = lists.name
    rules = [each.copy() for each in lists.card.get("rules", [])]
    card = lists.card.copy()
    card.pop("rules", None)
    return Source(name=label, where=label, table=lists.table, starts=None, stream=None, card=card, rules=rules)
