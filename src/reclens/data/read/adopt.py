"""Frames of any library as tables of a data set: renamed columns, and ids of types that can be joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from reclens.cards import AppliedRule
from reclens.data.read.clean import Cleaner
from reclens.data.read.clean_columns import clean_columns
from reclens.data.read.columns import INTERACTIONS
from reclens.data.read.frames import from_frame, is_frame
from reclens.data.read.ids import clean_ids
from reclens.data.read.naming import columns_of
from reclens.data.read.raw import Raw
from reclens.errors import ArgumentTypeError
from reclens.schema import ITEM, USER

__all__ = ["adopt", "is_settled"]

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "interactions": (USER, ITEM),
    "log": (USER, ITEM),
    "users": (USER,),
    "items": (ITEM,),
    "segments": (USER,),
}
"""Id columns of each table."""


def is_settled(tables: Mapping[str, Any]) -> bool:
    """Whether all tables are Polars frames, and their ids have one type, Int64 or String."""
    kinds: dict[str, pl.DataType] = {}
    for name, table in tables.items():
        if not isinstance(table, pl.DataFrame) or pl.Object in table.dtypes:
            return False
        for key in _KEYS[name]:
            kind = table.schema.get(key)
            if kind is None or not (kind == pl.Int64 or kind == pl.String) or kinds.setdefault(key, kind) != kind:
                return False
    return True


def adopt(tables: Mapping[str, Any]) -> tuple[dict[str, pl.DataFrame], list[AppliedRule]]:
    """Frames of any library as tables of a data set, and the rules that were applied, with their counts.

    Column names are recognised as by the readers. Integer ids become 64-bit integers; if one table has integer ids
    and another text, both become text.

    Args:
        tables: ``interactions``, and any of ``log, users, items, segments``.

    Raises:
        ArgumentTypeError: If a table is not a frame.
        DataError: If a column is missing, or an id is missing or neither an integer nor text.
    """
    cleaner = Cleaner("the data set")
    made = {name: _table(name, table, cleaner) for name, table in tables.items()}
    for key in (USER, ITEM):
        holders = [name for name in made if key in _KEYS[name]]
        if len({made[name].schema[key] for name in holders}) > 1:
            numbers = [name for name in holders if made[name].schema[key] != pl.String]
            rows = sum(made[name].height for name in numbers)
            cleaner.note("integer_ids_as_text", rows, column=key, tables=numbers)
            made |= {name: made[name].with_columns(pl.col(key).cast(pl.String)) for name in numbers}
    return made, cleaner.rules


def _table(name: str, given: Any, cleaner: Cleaner) -> pl.DataFrame:
    if not is_frame(given):
        raise ArgumentTypeError(
            name,
            given,
            expected="a frame (Polars, pandas, PyArrow, or anything else with an Arrow C stream)",
            fix="A file is read by reclens.load(path).",
        )
    keys, frame = _KEYS[name], from_frame(given)
    # An object array that begins with None stays an object column; its type is inferred from all values.
    objects = [column for column, kind in frame.schema.items() if kind == pl.Object]
    frame = frame.with_columns(pl.Series(column, frame[column].to_list(), strict=False) for column in objects)
    if isinstance(given, pl.DataFrame) and set(keys) <= set(frame.columns):
        ids = [clean_ids(frame[key], cleaner, column=key) for key in keys]
        return frame.with_columns(each.alias(key) for each, key in zip(ids, keys, strict=True))
    raw = Raw(frame=frame, where=f"the {type(given).__name__} of {name}", name=name)
    wanted = INTERACTIONS if USER in keys and ITEM in keys else keys
    found = columns_of(raw, wanted, keys, None)
    others = [column for column in frame.columns if column not in found.values()]
    own = Cleaner(raw.where)
    frame = clean_columns(raw, found, own, None, others=others)
    cleaner.rules += own.rules
    return frame
