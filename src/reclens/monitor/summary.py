"""A day as sums: the tables that indicators are computed from. Days add up to weeks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, Final

import polars as pl

from reclens.monitor.records import OVERALL

__all__ = ["DIMENSIONS", "KEYS", "LIST_DIMENSIONS", "TABLES", "Past", "Summary", "rolled_up"]

LIST_DIMENSIONS: Final = ("surface", "model", "model_version", "variant", "segment")
"""Dimensions that all rows of a list share."""

DIMENSIONS: Final = (*LIST_DIMENSIONS, "position", "retriever")

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "cells": DIMENSIONS,
    "lists": LIST_DIMENSIONS,
    "duplicates": LIST_DIMENSIONS,
    "items": ("item_id", "dimension", "slice"),
    "users": ("user_id",),
    "activity": ("impressions",),
    "bins": ("column", *LIST_DIMENSIONS, "bin"),
    "pipeline": ("what", "name"),
    "latency": ("what", "name", "bin"),
    "staleness": ("column", *LIST_DIMENSIONS),
    "facts": ("fact",),
    "measures": ("indicator", "dimension", "slice"),
}
"""Table of a day -> the columns that tell its rows apart; every other one is a sum."""

TABLES: Final = tuple(KEYS)

MISSING: Final = "(null)"
"""Slice of the rows that have no value in a dimension."""

OTHER: Final = "(other)"
"""Slice of the values that are too rare for one of their own."""


@dataclass(frozen=True, eq=False)
class Past:
    """The days that distributions are compared with.

    Attributes:
        days: The days.
        bins: Their bins, summed.
    """

    days: tuple[date, ...] = ()
    bins: pl.DataFrame | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """One day, or several, as sums.

    Attributes:
        days: The days.
        tables: Name -> table, as :data:`KEYS` lists them.
        dimensions: Dimensions of the slices.
        most: Slices of a dimension; the rarest ones beyond are one slice.
        past: Reference of the distributions.
    """

    days: tuple[date, ...]
    tables: Mapping[str, pl.DataFrame]
    dimensions: tuple[str, ...] = DIMENSIONS
    most: int = 30
    past: Past = field(default_factory=Past)

    def __add__(self, other: Summary) -> Summary:
        return Summary.sum([self, other])

    @classmethod
    def sum(cls, parts: Sequence[Summary]) -> Summary:
        """Combine several days by adding counts and sums.

        Args:
            parts: At least one, in order; the dimensions are those of the last, and the past is that of the first: it
                has none of the others in it.
        """
        tables: dict[str, pl.DataFrame] = {}
        for name, keys in KEYS.items():
            found = [each.tables[name] for each in parts if name in each.tables]
            if found:
                tables[name] = _added(pl.concat(found, how="diagonal_relaxed"), keys)
        days = tuple(sorted({day for each in parts for day in each.days}))
        return replace(parts[-1], days=days, tables=tables, past=parts[0].past)

    def table(self, name: str) -> pl.DataFrame | None:
        """A table; None if it is missing or empty."""
        found = self.tables.get(name)
        return None if found is None or found.is_empty() else found

    def fact(self, name: str) -> float | None:
        """A number of the days, such as ``catalogue``; None if it is not known."""
        facts = self.table("facts")
        found = None if facts is None else facts.filter(pl.col("fact") == name)
        return None if found is None or found.is_empty() else float(found["value"].sum()) / float(found["n"].sum())

    def rolled(self, name: str) -> pl.DataFrame | None:
        """A table of combinations by ``dimension`` and ``slice``, with the whole day as ``overall``."""
        return self.kept(f"rolled {name}", lambda _: self._rolled(name))

    def kept(self, name: str, make: Callable[[Summary], pl.DataFrame | None]) -> pl.DataFrame | None:
        """Cached intermediate results that several indicators share."""
        if name not in self._kept:
            self._kept[name] = make(self)
        return self._kept[name]

    @cached_property
    def _kept(self) -> dict[str, pl.DataFrame | None]:
        return {}

    def _rolled(self, name: str) -> pl.DataFrame | None:
        table, keys = self.table(name), KEYS[name]
        kept = [each for each in keys if each not in DIMENSIONS]
        sliced = [each for each in self.dimensions if each in keys]
        return None if table is None else rolled_up(table, sliced, kept=kept, names=self.slices)

    @cached_property
    def slices(self) -> Mapping[str, list[str]]:
        """Dimension -> its slices that have a row of their own: those with the most impressions and lists."""
        found: dict[str, list[str]] = {}
        for name in self.dimensions:
            counts = [
                table.select(slice=pl.col(name).fill_null(MISSING), n=pl.col(column).cast(pl.Int64))
                for table, column in ((self.table("cells"), "impressions"), (self.table("lists"), "requests"))
                if table is not None and name in table.columns
            ]
            if not counts:
                continue
            sums = pl.concat(counts).group_by("slice").agg(pl.col("n").sum())
            ordered = sums.sort(["n", "slice"], descending=[True, False])["slice"].to_list()
            # A column that the log lacks is null throughout: that is no dimension.
            found[name] = [] if ordered == [MISSING] else ordered[: self.most]
        return found


def rolled_up(
    table: pl.DataFrame, dimensions: Sequence[str], *, kept: Sequence[str] = (), names: Mapping[str, list[str]]
) -> pl.DataFrame:
    """Sums of a table of combinations, overall and by each dimension.

    Args:
        table: The combinations.
        dimensions: Columns of it to slice by.
        kept: Columns that are no dimensions and stay.
        names: Dimension -> its slices; the others are one, ``(other)``. A dimension without slices is left out.

    Returns:
        ``dimension, slice``, the columns that stay, and the sums.
    """
    sums = [name for name in table.columns if name not in DIMENSIONS and name not in kept]
    adding = [pl.col(name).sum() for name in sums]
    # Not as one lazy query: its threads would add in another order each time, and days would differ in the last bit.
    total = table.group_by(kept, maintain_order=True).agg(adding) if kept else table.select(adding)
    order = ["dimension", "slice", *kept, *sums]
    parts = [total.with_columns(dimension=pl.lit(OVERALL), slice=pl.lit("all")).select(order)]
    for name in dimensions:
        if not names.get(name):
            continue
        own = pl.col(name).fill_null(MISSING)
        own = pl.when(own.is_in(names[name])).then(own).otherwise(pl.lit(OTHER)).alias("slice")
        parts.append(
            table.group_by([own, *kept], maintain_order=True)
            .agg(adding)
            .with_columns(dimension=pl.lit(name))
            .select(order)
            .sort("slice", *kept)
        )
    return pl.concat(parts)


def _added(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    keys = [name for name in keys if name in table.columns]
    numbers = [name for name in table.columns if name not in keys]
    kinds: Mapping[str, Any] = table.schema
    adding = [
        pl.col(name).max() if kinds[name] == pl.Boolean or not kinds[name].is_numeric() else pl.col(name).sum()
        for name in numbers
    ]
    return table.group_by(keys, maintain_order=True).agg(adding)
