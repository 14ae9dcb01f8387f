"""What is odd in the rows of a data set: codes, counted rows and facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import polars as pl

from reclens.data.dataset import Dataset
from reclens.schema import ITEM, RATING, TIMESTAMP, USER, WEIGHT

__all__ = ["Problem", "ProblemCode", "attribute_problems", "number_problems", "time_problems"]

_MANY_TIES: Final = 0.1
_DAY: Final = 86_400_000_000  # microseconds

ProblemCode = Literal[
    "repeated_pairs",
    "no_timestamp",
    "times_before_1990",
    "times_in_the_future",
    "ties_at_the_end",
    "no_time_of_day",
    "missing_number",
    "not_finite",
    "weight_not_positive",
    "one_rating",
    "without_attributes",
    "repeated_ids",
    "missing_attribute",
    "not_in_training",
    "pairs_in_training",
]
"""What is odd in the rows of a data set, or (the last two) of a split.

Facts: ``column`` of numbers and attributes that are missing or not finite; ``of``, ``"users"`` or ``"items"``, and
``n``, how many of them; of splits the ``part``, the ``pairs`` that it has, and its ``task``.
"""


@dataclass(frozen=True)
class Problem:
    """Something in the rows that a reader of the numbers should know of.

    Attributes:
        code: What it is.
        rows: How many rows of the interactions it touches; of the table of attributes where the code is about it.
        facts: What it is about: see :data:`ProblemCode`.
    """

    code: ProblemCode
    rows: int
    facts: Mapping[str, str | int] = field(default_factory=dict)


def time_problems(table: pl.DataFrame, times: Mapping[str, Any], n_users: int) -> list[Problem]:
    """What is odd in the times of a log.

    Args:
        table: The events.
        times: The profile's measures of time.
        n_users: Users with an interaction.
    """
    if TIMESTAMP not in table.columns:
        return []
    stamps = table[TIMESTAMP]
    found = [Problem("no_timestamp", stamps.null_count())]
    if times["first"] is None:
        return found
    first, last = times["first"], times["last"]  # they tell in most data that no row need be looked at
    zone = UTC if first.tzinfo else None
    start, now = datetime(1990, 1, 1, tzinfo=zone), datetime.now(UTC).replace(tzinfo=zone)
    early = int((stamps < start).sum()) if first < start else 0
    late = int((stamps > now).sum()) if last > now else 0
    found += [Problem("times_before_1990", early), Problem("times_in_the_future", late)]
    if times["users_tied_at_the_end"] > _MANY_TIES * n_users:
        found.append(Problem("ties_at_the_end", times["users_tied_at_the_end"]))
    known = stamps.drop_nulls()
    if table.height > 1 and all((part.dt.epoch("us") % _DAY == 0).all() for part in (known.head(1_000), known)):
        found.append(Problem("no_time_of_day", table.height))
    return found


def number_problems(table: pl.DataFrame) -> list[Problem]:
    """What is odd in ratings and weights."""
    found: list[Problem] = []
    for column in (RATING, WEIGHT):
        if column not in table.columns:
            continue
        values = table[column].cast(pl.Float64)
        odd = values.is_nan() | values.is_infinite()
        found += [
            Problem("missing_number", values.null_count(), {"column": column}),
            Problem("not_finite", int(odd.sum()), {"column": column}),
        ]
        if column == WEIGHT:
            found.append(Problem("weight_not_positive", int((values <= 0).sum())))
        elif table.height > 1 and values.min() is not None and values.min() == values.max():
            found.append(Problem("one_rating", table.height))
    return found


def attribute_problems(data: Dataset, without: Mapping[str, int | None]) -> list[Problem]:
    """What is odd in the tables of attributes.

    Args:
        data: The data set.
        without: How many ``"users"`` and ``"items"`` have interactions but no attributes; None without a table.
    """
    found: list[Problem] = []
    for what, attributes, key in (("users", data.users, USER), ("items", data.items, ITEM)):
        if attributes is None:
            continue
        if alone := without[what]:
            rows = data.events.join(attributes.select(key), on=key, how="anti").height
            found.append(Problem("without_attributes", rows, {"of": what, "n": alone}))
        repeated = attributes.height - attributes[key].n_unique()
        found.append(Problem("repeated_ids", repeated, {"of": what}))
        for column in attributes.columns:
            values = attributes[column]
            missing = values.null_count()
            if isinstance(values.dtype, pl.List):
                missing += int((values.list.len() == 0).sum())
            found.append(Problem("missing_attribute", missing, {"of": what, "column": column}))
    return found
