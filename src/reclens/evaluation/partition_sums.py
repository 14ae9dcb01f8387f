"""The sums of partitions: immutable rows that add up, and that travel as one row of a table each."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Final, Protocol, Self, TypeVar

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.errors import IncomparableError
from reclens.schema import ITEM
from reclens.stats.summary import Summary

__all__ = ["ROW", "PartitionSums", "Sums", "once", "total_of"]

ROW: Final = ("header", "sums", "exposure")
"""The columns of a row of sums: text, and two of bytes."""


class Sums(Protocol):
    """What the users of one or several partitions come to, whatever is measured of them."""

    @property
    def keys(self) -> tuple[int, ...]:
        """What tells partitions apart: the least hash of a user of each."""
        ...

    def to_row(self) -> dict[str, Any]:
        """The sums as one row, with the columns :data:`ROW`."""
        ...

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_row`."""
        ...

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """The sums of one or several; a partition that is in two of them counts once."""
        ...


Part = TypeVar("Part", bound=Sums)


def once(parts: Iterable[Part]) -> list[Part]:
    """The parts without those that came twice, as an engine may run a task again.

    Raises:
        IncomparableError: If two of them share some partitions, and each has others too.
    """
    kept: list[Part] = []
    known: set[int] = set()
    for part in sorted(parts, key=lambda each: -len(each.keys)):
        again = known.intersection(part.keys)
        if again and len(again) < len(set(part.keys)):
            raise IncomparableError(
                f"sums share {len(again):,} of {len(part.keys):,} partitions with others. Expected the same "
                "partitions, or none: add the sums of each partition once."
            )
        if not again:
            kept.append(part)
            known.update(part.keys)
    return kept


def total_of(kind: type[Part], rows: Iterable[Mapping[str, Any]]) -> Part | None:
    """What rows of sums come to together; None without any."""
    parts = [kind.of_row(row) for row in rows]
    return kind.total(parts) if parts else None


@dataclass(frozen=True, eq=False, kw_only=True)
class PartitionSums:
    """What the users of one or several partitions come to.

    Attributes:
        keys: What tells partitions apart: the least hash of a user of each.
        summary: The sums.
        exposure: ``k, cell, item_id, count``: how often items were shown to the users of a cell of the summary.
        counts: Counts and totals of hashes, which add up.
        rules: Rules that were applied to the lists, with their counts.
        values: Values of each user, where they are wanted; not added.
    """

    keys: tuple[int, ...]
    summary: Summary
    exposure: pl.DataFrame
    counts: Mapping[str, int]
    rules: list[AppliedRule]
    values: pl.DataFrame | None = None

    def __add__(self, other: PartitionSums) -> PartitionSums:
        return PartitionSums.total([self, other])

    def to_row(self) -> dict[str, Any]:
        """The sums as one row, with the columns :data:`ROW`."""
        header = {"keys": self.keys, "summary": self.summary.header(), "counts": self.counts, "rules": self.rules}
        arrays, exposure = io.BytesIO(), io.BytesIO()
        np.savez(arrays, allow_pickle=False, **self.summary.arrays())
        self.exposure.write_ipc(exposure, compression="zstd")
        return dict(zip(ROW, (json.dumps(header), arrays.getvalue(), exposure.getvalue()), strict=True))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> PartitionSums:
        """The inverse of :meth:`to_row`."""
        header, arrays, exposure = (row[name] for name in ROW)
        known = json.loads(header)
        return cls(
            keys=tuple(known["keys"]),
            summary=Summary.of_arrays(known["summary"], np.load(io.BytesIO(arrays), allow_pickle=False)),
            exposure=pl.read_ipc(io.BytesIO(exposure)),
            counts=known["counts"],
            rules=known["rules"],
        )

    @classmethod
    def total(cls, parts: Iterable[PartitionSums]) -> PartitionSums:
        """The sums of one or several; a partition that is in two of them counts once.

        An engine may run a task twice: the second row of its sums is dropped by its key.

        Raises:
            IncomparableError: If two of them share some partitions, and each has others too.
        """
        kept = once(parts)
        summary = reduce(add, (part.summary for part in kept))
        place = {cell: at for at, cell in enumerate(summary.cells)}
        shown = [
            part.exposure.with_columns(
                cell=pl.Series([place[cell] for cell in part.summary.cells], dtype=pl.Int32).gather(
                    part.exposure["cell"]
                )
            )
            for part in kept
        ]
        counts: dict[str, int] = {}
        rules: dict[str, AppliedRule] = {}
        for part in kept:
            for name, count in part.counts.items():
                counts[name] = counts.get(name, 0) + count
            for rule in part.rules:
                if (same := rules.get(rule["code"])) is None:
                    rules[rule["code"]] = rule.copy()
                else:
                    same["count"] += rule["count"]
        together = pl.concat(shown, how="vertical_relaxed").group_by("k", "cell", ITEM, maintain_order=True)
        return cls(
            keys=tuple(key for part in kept for key in part.keys),
            summary=summary,
            exposure=together.agg(pl.col("count").sum()),
            counts=counts,
            rules=list(rules.values()),
        )
