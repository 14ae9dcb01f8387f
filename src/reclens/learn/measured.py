"""The numbers of a project: tables that can be computed again, and a query for each number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError

__all__ = ["Measured", "Number", "Value", "values_of"]

_SECONDS = 20.0
Verdict = Literal["better", "worse", "cannot_be_told_apart", "described"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number of a project.

    Attributes:
        key: Its name in the evidence.
        label: What it is.
        short: The same in a few words, for a chart; by default the label.
        query: A SELECT that gives one row: ``value``, and ``low``, ``high``, ``n`` where there are any.
        percent: Whether it is shown in %.
        null: The value of no difference, 0 or 1; None of a number that compares nothing.
        higher: Whether more is better, of one that compares; None where neither is.
        reason: Why it has no interval; empty where it has one.
        finding: Code of the sentences that are made of it; empty for none.
    """

    key: str
    label: str
    query: str
    short: str = ""
    percent: bool = False
    null: float | None = None
    higher: bool | None = None
    reason: str = ""
    finding: str = ""


@dataclass(frozen=True, kw_only=True)
class Value:
    """A number as its query gave it.

    Attributes:
        number: What it is.
        value: The number; NaN where the query failed.
        low: Lower end of the interval; None without one.
        high: Upper end.
        n: Units behind it.
        failed: Why there is none.
    """

    number: Number
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    failed: str = ""

    @property
    def label(self) -> str:
        """What it is."""
        return self.number.label

    @property
    def verdict(self) -> Verdict | None:
        """What the interval supports; None of a number that compares nothing."""
        null, higher = self.number.null, self.number.higher
        if null is None or self.low is None or self.high is None:
            return None
        if self.low <= null <= self.high:
            return "cannot_be_told_apart"
        if higher is None:
            return "described"
        return "better" if (self.low > null) is higher else "worse"

    def record(self) -> dict[str, Any]:
        """As evidence keeps it."""
        number = self.number
        return {
            "key": number.key,
            "label": number.label,
            "query": number.query,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "reason": number.reason,
        }


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a project came to.

    Attributes:
        tables: Name -> rows that the queries read.
        numbers: The numbers, the first ones first.
        primary: Key of the number that decides.
        data: The data card: name, licence, sizes, fingerprint.
        protocol: The protocol card: how the numbers came about.
        command: The commands that reproduce it.
    """

    tables: Mapping[str, pl.DataFrame]
    numbers: Sequence[Number]
    primary: str
    data: Mapping[str, Fact]
    protocol: Mapping[str, Fact] = field(default_factory=dict)
    command: str = ""


def values_of(tables: Mapping[str, pl.DataFrame], numbers: Sequence[Number]) -> dict[str, Value]:
    """Run the query of each number, in a process without files and network.

    Args:
        tables: Name -> rows.
        numbers: The numbers.

    Returns:
        Key -> value; of a query that fails, or gives no single row, one that says so.
    """
    with TemporaryDirectory() as place:
        files = {name: Path(place) / f"{name}.parquet" for name in tables}
        for name, table in tables.items():
            table.write_parquet(files[name])
        return {each.key: _value(each, files) for each in numbers}


def _value(number: Number, files: Mapping[str, Path]) -> Value:
    from reclens.workspace.query import ask

    try:
        table = ask(files, number.query, limit=2, seconds=_SECONDS).table
    except RecLensError as error:
        return Value(number=number, value=math.nan, failed=str(error))
    if table.height != 1 or "value" not in table.columns:
        return Value(number=number, value=math.nan, failed=f"{table.height} rows of {', '.join(table.columns)}")
    row = table.row(0, named=True)
    value, low, high, n = (_finite(row.get(name)) for name in ("value", "low", "high", "n"))
    if value is None:
        return Value(number=number, value=math.nan, failed="no number")
    return Value(number=number, value=value, low=low, high=high, n=None if n is None else round(n))


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
