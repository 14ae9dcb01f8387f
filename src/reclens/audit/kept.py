"""Records of an audit as JSON and back, by the types of their fields."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["revived"]


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
