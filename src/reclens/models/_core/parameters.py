"""Hyper-parameters: their defaults and types, and recommenders made from checked values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar, Protocol, TypeVar

from reclens.errors import UnknownNameError, UsageError
from reclens.files import is_device

__all__ = ["Described", "defaults_of", "is_label", "is_number", "is_whole", "make"]


class Described(Protocol):
    """A dataclass whose fields are hyper-parameters: every recommender."""

    name: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def _check(self) -> None: ...


Model = TypeVar("Model", bound=Described)
_BY_RULE = {"float | None": float, "int | None": int}
"""Type annotation of hyper-parameters that are set by a rule unless given -> type of their values."""
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def make(model: type[Model], parameters: Mapping[str, Any]) -> Model:
    """Make an unfitted recommender of a class from hyper-parameters, which are checked.

    Raises:
        UnknownNameError: If there is no such hyper-parameter.
        UsageError: If a hyper-parameter is of the wrong kind or out of range.
    """
    known = {field.name: field for field in fields(model)}
    for key in parameters:
        if key not in known:
            raise UnknownNameError(f"hyper-parameter of {model.name}", key, known)
    made = model(**{key: _fitting(known[key], value) for key, value in parameters.items()})
    made._check()
    return made


def is_label(text: str) -> bool:
    """Whether a text is a plain name that is valid for a folder too, on every system."""
    return _LABEL.fullmatch(text) is not None and not is_device(text)


def defaults_of(model: type[Described]) -> dict[str, Any]:
    """Hyper-parameters of a model with their defaults; None if it is required, or set by a rule."""
    return {field.name: _default(field) for field in fields(model)}


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def _fitting(field: Field[Any], value: Any) -> Any:
    """Convert a value to the type of the field's default.

    Raises:
        UsageError: If it is of another type.
    """
    default = _default(field)
    by_rule = default is None and field.type in _BY_RULE
    given: Any = value
    if given is None and by_rule:
        return None
    kinds = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        tuple: "a list",
        list: "a list",
        dict: "a mapping",
    }
    fits = {
        bool: isinstance(value, bool),
        int: is_whole(value) and abs(value) < 2**63,
        float: is_number(value),
        str: isinstance(value, str),
        tuple: isinstance(value, list | tuple),
        list: isinstance(value, list | tuple),
        dict: isinstance(value, Mapping),
    }
    kind: Any = _BY_RULE[str(field.type)] if by_rule else type(default)
    expected = kinds.get(kind)
    if expected is None:
        return value
    if not fits[kind]:
        example = "or nothing, for the value by the rule of the model" if by_rule else f"such as {default!r}"
        raise UsageError(f"{field.name} is {value!r}: expected {expected}, {example}.")
    return kind(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number and not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, including floats such as 5.0."""
    return is_number(value) and float(value).is_integer()
