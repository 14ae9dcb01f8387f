"""Critiques of a shown item, such as "cheaper", "newer" or "other genres", as requirements relative to it.

A critique is a word such as ``cheaper``, or a direction and a column: ``lower price``, ``higher year``, ``same
studio``, ``like genres`` (one of its values at least; also ``more like: genres``), ``other genres`` (none of its
values). Several make a compound critique: ``cheaper, newer``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from reclens.errors import Advice, Setting, UnknownNameError, UsageError, suggest
from reclens.models._content.features import is_identifier
from reclens.models._knowledge.attributes import Attributes
from reclens.models._knowledge.requirements import Requirement
from reclens.tabular import Tabular

__all__ = ["WORDS", "Critiqued", "likeness", "possible_critiques", "requirements_of"]

_PRICES: Final = ("price", "cost", "fee", "rent", "unit_price", "sales_value")
_TIMES: Final = ("year", "release_year", "release_date", "released", "date", "published", "date_added")
_LENGTHS: Final = ("runtime", "duration", "length", "minutes", "pages")
WORDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "cheaper": ("lower", _PRICES),
    "dearer": ("higher", _PRICES),
    "more expensive": ("higher", _PRICES),
    "newer": ("higher", _TIMES),
    "older": ("lower", _TIMES),
    "shorter": ("lower", _LENGTHS),
    "longer": ("higher", _LENGTHS),
    "smaller": ("lower", ("size", "area")),
    "bigger": ("higher", ("size", "area")),
    "lighter": ("lower", ("weight",)),
    "heavier": ("higher", ("weight",)),
    "better rated": ("higher", ("rating", "vote_average", "stars", "score")),
    "nearer": ("lower", ("distance",)),
}
"""Word -> direction and candidate columns; the first column that the items have is used."""
_DIRECTIONS: Final = ("lower", "higher", "same", "like", "other")


@dataclass(frozen=True, kw_only=True)
class Critiqued(Tabular):
    """Result of a critique.

    Attributes:
        item: The criticised item.
        critique: The critique.
        require: The new requirements: those of the critique, and the declared ones on other columns.
        prefer: Preferences that rank the remaining items: requirement -> weight.
        n_items: Number of remaining items.
        table: ``item_id, rank, score``: the best of them.
    """

    item: Any
    critique: str
    require: tuple[str, ...]
    prefer: Mapping[str, float]
    n_items: int
    table: pl.DataFrame

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an item."""
        return self.table.to_dicts()


def requirements_of(
    critique: str, row: int, attributes: Attributes, words: Mapping[str, str]
) -> tuple[Requirement, ...]:
    """Translate a critique of an item into requirements.

    Args:
        critique: One or more critiques, with commas between them.
        row: The item.
        attributes: Of all items.
        words: More words: word -> direction and column.

    Raises:
        UsageError: If a critique cannot be parsed, or the item has no value to compare with.
        UnknownNameError: If a column does not exist.
    """
    made: list[Requirement] = []
    for part in critique.split(","):
        direction, column = _understood(" ".join(part.split()), attributes, words)
        made.append(_relative(direction, column, row, attributes))
    return tuple(made)


def _understood(text: str, attributes: Attributes, words: Mapping[str, str]) -> tuple[str, str]:
    """Parse the direction and the column of one critique."""
    if text in words:
        text = words[text]
    if text.lower() in WORDS:
        direction, columns = WORDS[text.lower()]
        for column in columns:
            if attributes.kinds.get(column) in ("number", "date"):
                return direction, column
        there = ", ".join(name for name, kind in attributes.kinds.items() if kind in ("number", "date"))
        raise UsageError(
            f"'{text}' is about numbers in a column {' or '.join(columns)}, and the items have none of them. "
            f"Columns of numbers: {there or 'none'}",
            advice=Advice(
                "declare_critique",
                (Setting("critiques", {text: f"{direction} COLUMN"}, "model"),),
                f"Say '{direction} COLUMN', or declare {{critiques}}.",
            ),
        )
    found = re.fullmatch(r"(?:more )?(lower|higher|same|like|other):? (.+)", text, re.IGNORECASE)
    if found is None:
        known = [*words, *WORDS, *(f"{each} COLUMN" for each in _DIRECTIONS)]
        raise UsageError(f"the critique '{text}' is not understood.{suggest(text, known)}")
    column = found[2].strip("\"'")
    if column not in attributes.kinds:
        raise UnknownNameError("item attribute", column, attributes.kinds)
    return found[1].lower(), column


def _relative(direction: str, column: str, row: int, attributes: Attributes) -> Requirement:
    kind, values = attributes.kinds[column], attributes.shown(column, row)
    item = attributes.table[row, 0]
    if not values:
        raise UsageError(f"'{direction} {column}' cannot be told: item {item} has no value in '{column}'.")
    if direction in ("lower", "higher"):
        if kind not in ("number", "date"):
            raise UsageError(
                f"'{direction} {column}' means nothing: '{column}' holds no numbers. Say 'other {column}'."
            )
        return Requirement(column, "<" if direction == "lower" else ">", values)
    if kind == "list":
        operators = {"same": "includes all of", "like": "includes any of", "other": "excludes"}
        return Requirement(column, operators[direction], values)
    return Requirement(column, "!=" if direction == "other" else "=", values)


def likeness(row: int, attributes: Attributes, *, but: set[str]) -> dict[Requirement, float]:
    """Preferences for items similar to a given one: each column has weight 1, except those in ``but``.

    Numbers are preferred near its own; the weight of a list is shared among its values; text counts if another item
    has the same value.
    """
    found: dict[Requirement, float] = {}
    for column, kind in attributes.kinds.items():
        values = attributes.shown(column, row)
        if column in but or not values or is_identifier(column):
            continue
        if kind == "list":
            found |= {Requirement(column, "includes", (value,)): 1 / len(values) for value in values}
        elif kind in ("number", "date"):
            found[Requirement(column, "near", values)] = 1.0
        elif _shared(column, row, attributes):
            found[Requirement(column, "=", values)] = 1.0
    return found


def _shared(column: str, row: int, attributes: Attributes) -> bool:
    """Whether another item has the same value."""
    return int((attributes.table[column] == attributes.table[column][row]).sum()) > 1


def possible_critiques(row: int, attributes: Attributes) -> dict[str, Requirement]:
    """All critiques of a single column that are possible for an item, by their text."""
    said = {}
    for word, (direction, columns) in reversed(WORDS.items()):
        column = next((each for each in columns if attributes.kinds.get(each) in ("number", "date")), None)
        said[direction, column] = word
    found: dict[str, Requirement] = {}
    for column, kind in attributes.kinds.items():
        if not attributes.shown(column, row) or is_identifier(column):
            continue
        if kind == "text" and not _shared(column, row, attributes):
            continue  # a unique name: every other item differs
        directions = {"list": ("same", "like", "other"), "text": ("same", "other"), "flag": ("same", "other")}
        for direction in directions.get(kind, ("lower", "higher")):
            found[said.get((direction, column), f"{direction} {column}")] = _relative(
                direction, column, row, attributes
            )
    return found
