"""Attributes of the items of a catalogue, and the evaluation of requirements on them."""

from __future__ import annotations

import difflib
import io
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.errors import UnknownNameError, UsageError
from reclens.models._knowledge.requirements import OPERATORS, WISHES, Requirement
from reclens.schema import ITEM, Vocabulary

__all__ = ["Attributes"]

_NAMES: Final = {"list": "lists", "text": "text", "number": "numbers", "date": "dates", "flag": "true or false"}
_YES_OR_NO: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Attributes:
    """Attributes of the items of a catalogue, one row per item.

    Args:
        table: ``item_id, …attributes`` in the order of the catalogue; null if the items table lacks the item.
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table

    @classmethod
    def of(cls, items: pl.DataFrame | None, catalogue: Vocabulary) -> Attributes:
        """Take the attributes of a catalogue from an items table; the first row of an item is used."""
        ids = catalogue.ids.alias(ITEM).to_frame()
        if items is None:
            return cls(ids)
        usable = [name for name, dtype in items.schema.items() if name == ITEM or _kind(dtype)]
        table = items.select(usable).with_columns(pl.col(ITEM).cast(ids[ITEM].dtype)).unique(ITEM, keep="first")
        return cls(ids.join(table, on=ITEM, how="left", maintain_order="left"))

    @classmethod
    def from_bytes(cls, data: np.ndarray) -> Attributes:
        """Read the attributes that :meth:`to_bytes` wrote."""
        return cls(pl.read_parquet(io.BytesIO(data.tobytes())))

    def to_bytes(self) -> np.ndarray:
        """The attributes as the bytes of a Parquet file: uint8."""
        buffer = io.BytesIO()
        self.table.write_parquet(buffer)
        return np.frombuffer(buffer.getvalue(), np.uint8)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Column -> ``list``, ``text``, ``number``, ``date`` or ``flag``."""
        return {name: kind for name, dtype in self.table.schema.items() if name != ITEM and (kind := _kind(dtype))}

    def check(self, requirement: Requirement) -> str:
        """The kind of the column of a requirement.

        Raises:
            UnknownNameError: If there is no such column.
            UsageError: If the column does not take the operator.
        """
        if requirement.column not in self.kinds:
            raise UnknownNameError(f"item attribute in '{requirement}'", requirement.column, self.kinds)
        kind = self.kinds[requirement.column]
        if requirement.operator not in OPERATORS[kind]:
            other = {
                "includes": "contains",
                "excludes": "does not contain",
                "contains": "includes",
                "does not contain": "excludes",
                "=": "includes",
                "in": "includes any of",
            }
            near = other.get(requirement.operator)
            hint = f" Did you mean '{near}'?" if near in OPERATORS[kind] else ""
            raise UsageError(
                f"the requirement '{requirement}': '{requirement.column}' holds {_NAMES[kind]}, which take "
                f"{', '.join(OPERATORS[kind])}, and not '{requirement.operator}'.{hint}"
            )
        return kind

    def met(self, requirement: Requirement) -> np.ndarray:
        """Whether each item meets a requirement: bool, shape (items,). Missing values only meet ``is missing``."""
        kind = self.check(requirement)
        values, operator = self.table[requirement.column], requirement.operator
        if operator in ("is known", "is missing"):
            gone = np.isnan(self.numbers(requirement.column)) if kind == "number" else values.is_null().to_numpy()
            return gone if operator == "is missing" else ~gone
        if operator in WISHES:
            raise UsageError(f"'{requirement}' is met more or less, so it cannot be required. Put it into prefer.")
        if kind == "list":
            found = _lists_met(values, requirement)
        elif kind in ("number", "date"):
            return _numbers_met(self.numbers(requirement.column), self._limits(requirement), operator)
        else:
            found = _texts_met(values, kind, requirement)
        return found.fill_null(False).to_numpy()

    def utility(self, requirement: Requirement) -> np.ndarray:
        """Degree to which items meet a requirement, 0 to 1: float64, shape (items,).

        1 or 0 for requirements that are met or not. ``low`` is (max - x) ÷ (max - min) over the items, ``high`` is 1
        minus ``low``, and ``near A`` is 1 - |x - A| ÷ the largest |x - A|; a missing value gives 0.
        """
        self.check(requirement)
        if requirement.operator not in WISHES:
            return self.met(requirement).astype(np.float64)
        values = self.numbers(requirement.column)
        there = ~np.isnan(values)
        if not there.any():
            return np.zeros(len(values))
        low, high = values[there].min(), values[there].max()
        if requirement.operator == "near":
            aim = self._limits(requirement)[0]
            away, most = np.abs(values - aim), max(abs(low - aim), abs(high - aim))
        else:
            away, most = (values - low if requirement.operator == "low" else high - values), high - low
        found = np.ones(len(values)) if not most else 1 - away / most
        return np.where(there, found, 0.0)

    def numbers(self, column: str) -> np.ndarray:
        """A column of numbers or dates as float64 (dates in microseconds), NaN where missing or not finite."""
        values = self.table[column]
        if self.kinds[column] == "date":
            return _microseconds(values).cast(pl.Float64).fill_null(np.nan).to_numpy()
        found = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
        return np.where(np.isfinite(found), found, np.nan)

    def shown(self, column: str, row: int) -> tuple[str, ...]:
        """The value of an item in the syntax of requirements: all values of a list; none if it is missing."""
        value: Any = self.table[column][row]
        if value is None:
            return ()
        if self.kinds[column] == "list":
            return tuple(str(each) for each in value.to_list() if each is not None)
        if isinstance(value, float):
            if not np.isfinite(value):
                return ()
            return (str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value),)
        return (str(value).lower() if isinstance(value, bool) else str(value),)

    def nearest(self, requirement: Requirement) -> str | None:
        """The most similar existing value, for a requirement on text that no item meets."""
        kind = self.kinds[requirement.column]
        if kind not in ("list", "text") or requirement.operator not in ("=", "in", "includes", "includes any of"):
            return None
        values = self.table[requirement.column]
        known = (values.explode() if kind == "list" else values).cast(pl.String).drop_nulls().unique()
        lower = {value.lower(): value for value in known.sort().head(10_000)}
        near = difflib.get_close_matches(requirement.values[0].lower(), sorted(lower), n=1, cutoff=0.6)
        return lower[near[0]] if near else None

    def _limits(self, requirement: Requirement) -> list[float]:
        """The values of a requirement as numbers."""
        kind = self.kinds[requirement.column]
        return [_number(value, kind, requirement) for value in requirement.values]


def _kind(dtype: pl.DataType) -> str | None:
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        text = inner == pl.String or isinstance(inner, pl.Categorical | pl.Enum)
        return "list" if text or inner.is_integer() else None  # type: ignore[union-attr]
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return "date"
    return "flag" if dtype == pl.Boolean else "number" if dtype.is_numeric() else None


def _microseconds(values: pl.Series) -> pl.Series:
    """Dates and times as microseconds since 1970, UTC."""
    return values.cast(pl.Datetime("us")).to_physical() if values.dtype == pl.Date else values.dt.epoch("us")


def _number(value: str, kind: str, requirement: Requirement) -> float:
    try:
        if kind == "number":
            if not np.isfinite(found := float(value)):
                raise ValueError
            return found
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1e6
    except ValueError:
        expected = "a number" if kind == "number" else "a date such as 2024-02-29"
        raise UsageError(
            f"the requirement '{requirement}': '{requirement.column}' holds {_NAMES[kind]}, and '{value}' is not "
            f"{expected}."
        ) from None


def _numbers_met(values: np.ndarray, limits: list[float], operator: str) -> np.ndarray:
    there, first = ~np.isnan(values), limits[0]
    if operator in ("in", "not in"):
        inside = np.isin(values, limits)
        return there & (inside if operator == "in" else ~inside)
    if operator == "between":
        return (values >= min(limits)) & (values <= max(limits))
    found = {
        "=": np.equal,
        "!=": np.not_equal,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
    }[operator]
    return there & found(values, first)


def _lists_met(values: pl.Series, requirement: Requirement) -> pl.Series:
    lower = values.cast(pl.List(pl.String)).list.eval(pl.element().str.to_lowercase())
    hits = [lower.list.contains(value.lower()) for value in requirement.values]
    found = hits[0]
    for hit in hits[1:]:
        found = found & hit if requirement.operator == "includes all of" else found | hit
    return ~found if requirement.operator == "excludes" else found


def _texts_met(values: pl.Series, kind: str, requirement: Requirement) -> pl.Series:
    wanted, operator = [value.lower() for value in requirement.values], requirement.operator
    if kind == "flag":
        if wanted[0] not in _YES_OR_NO:
            raise UsageError(f"the requirement '{requirement}': expected true or false.")
        found = values == _YES_OR_NO[wanted[0]]
        return found if operator == "=" else ~found
    lower = values.cast(pl.String).str.to_lowercase()
    if operator in ("contains", "does not contain"):
        found = lower.str.contains(wanted[0], literal=True)
        return found if operator == "contains" else ~found
    found = lower.is_in(wanted)
    return ~found if operator in ("!=", "not in") else found
