"""A readout as plain values, and back: what a workspace keeps, so that it says tomorrow what it said today.

Nothing is computed anew: a later version of the library shows the numbers that were decided on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel

from reclens.errors import DataError
from reclens.experiment.analysis.readout import Readout
from reclens.stats.pivot import TPivot
from reclens.stats.quantiles import QuantilePivot
from reclens.stats.score import ExactPivot, ScorePivot

__all__ = ["from_plain", "to_plain"]

_TYPE: Final = "type"
"""The key that names the class of a record; its fields stand beside it, under ``fields``."""

_PIVOTS: Final = (TPivot, ScorePivot, ExactPivot, QuantilePivot)
"""The classes that stand behind the protocol ``Pivot``, which no annotation names."""

_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {"Readout": {"look": "interim"}, "Progress": {"look": "interim"}}
"""Class -> its fields that an older version wrote by another name: old name -> new one."""


def to_plain(value: Any) -> Any:
    """A readout, or a part of one, as values that JSON can hold; NaN stays NaN.

    Args:
        value: The readout.

    Returns:
        Mappings, lists, texts and numbers; a record names its class.
    """
    if isinstance(value, BaseModel):
        return {_TYPE: type(value).__name__, "fields": value.model_dump(mode="json")}
    if isinstance(value, np.ndarray):
        return {_TYPE: "array", "fields": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if _is_record(type(value)):
        names = _fields(type(value))
        return {_TYPE: type(value).__name__, "fields": {name: to_plain(getattr(value, name)) for name in names}}
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def from_plain(value: Any) -> Readout:
    """The readout that :func:`to_plain` was given.

    Args:
        value: What it gave.

    Returns:
        The readout.

    Raises:
        DataError: If it is no readout, or one with records or codes that this version does not have.
    """
    found = _record(value)
    if not isinstance(found, Readout):
        raise DataError(f"it holds a {type(found).__name__}, expected a readout")
    return found


def _record(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_record(each) for each in value)
    if not isinstance(value, dict):
        return value
    if set(value) != {_TYPE, "fields"}:
        return {name: _record(each) for name, each in value.items()}
    name, fields = value[_TYPE], value["fields"]
    if name == "array":
        return np.array(fields, float)
    if name not in _records():
        raise DataError(f"it holds a '{name}', which is no part of a readout")
    record = _records()[name]
    if issubclass(record, BaseModel):
        return record.model_validate(fields)
    renamed = _RENAMED.get(str(name), {})
    made = {renamed.get(str(each), str(each)): _record(inner) for each, inner in fields.items()}
    for each, codes in _codes(record).items():
        if made.get(each) is not None and made[each] not in codes:
            raise DataError(f"{each} of a {name} is '{made[each]}', expected one of {', '.join(map(str, codes))}")
    return record(**made)


@cache
def _records() -> Mapping[str, type]:
    """The classes that a readout is made of, by name: those that its annotations lead to."""
    found: dict[str, type] = {}
    waiting: list[Any] = [Readout, *_PIVOTS]
    while waiting:
        hint = waiting.pop()
        waiting += get_args(hint)
        if isinstance(hint, type) and hint.__name__ not in found and (_is_record(hint) or issubclass(hint, BaseModel)):
            found[hint.__name__] = hint
            waiting += get_type_hints(hint).values()
    return found


def _is_record(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def _fields(kind: type) -> list[str]:
    return [each.name for each in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else list(kind._fields)  # type: ignore[attr-defined]


@cache
def _codes(record: type) -> dict[str, tuple[Any, ...]]:
    """The fields of a record that hold one code, and which there are."""
    return {name: codes for name, hint in get_type_hints(record).items() if (codes := _literals(hint))}


def _literals(hint: Any) -> tuple[Any, ...]:
    """The codes of an annotation such as ``Literal["a", "b"] | None``; none where it has other values too."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    inner = [] if get_origin(hint) in (None, tuple) else [each for each in get_args(hint) if each is not type(None)]
    found = [_literals(each) for each in inner]
    return tuple(code for codes in found for code in codes) if all(found) else ()
