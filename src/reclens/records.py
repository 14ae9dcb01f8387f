"""Records as JSON and back, by the types of their fields; arrays and columns of ids lie in files beside it."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import numpy as np
import polars as pl

from reclens.files import write_text
from reclens.schema import read_arrays

__all__ = ["read_record", "revived", "write_record"]

_ARRAY: Final = "array"
_COLUMN: Final = "column"
"""The keys that stand in JSON for an array and a column, with the name that it has in its file."""


def write_record(record: Any, folder: Path, name: str) -> None:
    """Write a record of numbers, texts, arrays and columns into a folder.

    Args:
        record: A dataclass; what it holds may be dataclasses, mappings, lists, numpy arrays and Polars series.
        folder: Where.
        name: ``NAME.json`` holds the record, ``NAME.npz`` its arrays, and ``NAME-0.parquet`` … its columns: each once,
            however many records share it.
    """
    arrays: dict[int, np.ndarray] = {}
    columns: dict[int, pl.Series] = {}
    plain = _taken_apart(record, arrays, columns)
    write_text(folder / f"{name}.json", json.dumps(plain, ensure_ascii=False))
    with (folder / f"{name}.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **{f"a{at}": each for at, each in enumerate(arrays.values())})
    for at, each in enumerate(columns.values()):
        pl.DataFrame({_COLUMN: each}).write_parquet(folder / f"{name}-{at}.parquet")


def read_record(kind: Any, folder: Path, name: str, *, columns: Mapping[str, pl.DataFrame]) -> Any:
    """Read what :func:`write_record` wrote.

    Args:
        kind: The dataclass.
        folder: Where.
        name: As it was written.
        columns: The tables of the folder, by name of the file.

    Raises:
        OSError: If a file is missing.
        ValueError: If one is broken.
        KeyError: If an array, a column or a field is missing.
        TypeError: If a record lacks a field that has no default.
    """
    arrays = read_arrays(folder / f"{name}.npz")
    plain = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        if set(value) == {_COLUMN}:
            return columns[f"{name}-{value[_COLUMN]}"][_COLUMN]
        return {key: whole(each) for key, each in value.items()}

    return revived(kind, whole(plain))


def _taken_apart(value: Any, arrays: dict[int, np.ndarray], columns: dict[int, pl.Series]) -> Any:
    """A value without its arrays and columns, which are put aside by what they are: shared ones once."""
    if isinstance(value, np.ndarray):
        arrays.setdefault(id(value), value)
        return {_ARRAY: f"a{list(arrays).index(id(value))}"}
    if isinstance(value, pl.Series):
        columns.setdefault(id(value), value)
        return {_COLUMN: list(columns).index(id(value))}
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value):
        return {each.name: _taken_apart(getattr(value, each.name), arrays, columns) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _taken_apart(each, arrays, columns) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_taken_apart(each, arrays, columns) for each in value]
    return value


def revived(hint: Any, value: Any) -> Any:
    """What JSON holds as the type that it was: records as their dataclasses, lists as tuples where they were.

    Args:
        hint: The type.
        value: What JSON gave.

    Raises:
        TypeError: If a record lacks a field that has no default.

    Example:
        >>> from reclens.stats.estimate import Estimate
        >>> revived(tuple[Estimate, ...], [{"value": 0.5, "low": None, "high": None, "n": 9}])
        (Estimate(0.5, n=9),)
    """
    if value is None:
        return None
    origin, parts = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        hints = _hints(hint)
        return hint(**{name: revived(hints[name], each) for name, each in value.items() if name in hints})
    if origin in (Union, types.UnionType):
        return revived(_of_union(parts, value), value)
    if origin is tuple:
        kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
        return tuple(revived(kind, each) for kind, each in zip(kinds, value, strict=True))
    if origin is not None and isinstance(value, Mapping):
        return {key: revived(parts[1], each) for key, each in value.items()}
    if isinstance(value, list) and parts:
        return [revived(parts[0], each) for each in value]
    return value


def _of_union(parts: tuple[Any, ...], value: Any) -> Any:
    """The alternative that has the fields of a record; else the first that is not None."""
    if isinstance(value, Mapping):
        for part in parts:
            if is_dataclass(part) and set(value) <= {each.name for each in fields(part)}:
                return part
    return next(part for part in parts if part is not type(None))


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if name in {each.name for each in fields(kind)}}
