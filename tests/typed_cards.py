"""Whether a card is what its type declares.

No test; :func:`misfits` of ``conftest.py`` brings it to those in any room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict


def misfits(card: Any, kind: Any, where: str = "card") -> set[str]:
    """Entries of a card, and of the cards in it, that are not declared, that are absent, or whose value is unknown."""
    hints, marked = get_type_hints(kind), get_type_hints(kind, include_extras=True)
    found = {f"{where}.{name}" for name in set(card) - set(hints)}
    # NotRequired stands in a text here, which __required_keys__ does not read.
    absent = {name for name in kind.__required_keys__ - set(card) if get_origin(marked[name]) is not NotRequired}
    found |= {f"{where}.{name} is absent" for name in absent}
    for name in set(card) & set(hints):
        found |= _below(card[name], hints[name], f"{where}.{name}")
    return found


def _below(value: Any, hint: Any, where: str) -> set[str]:
    if is_typeddict(hint):
        return misfits(value, hint, where) if isinstance(value, Mapping) else {where}
    args, origin = get_args(hint), get_origin(hint)
    if origin is Literal:
        return set() if value in args else {f"{where} is {value!r}"}
    if isinstance(value, list) and args:
        return set().union(*(_below(each, args[0], f"{where}[]") for each in value))
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return set().union(*(_below(each, args[1], f"{where}.{name}") for name, each in value.items()))
    if isinstance(value, list):  # a sequence beside other kinds
        found = [each for each in args if get_origin(each) in (list, Sequence)]
        return _below(value, found[0], where) if found else set()
    kinds = [each for each in args if is_typeddict(each)]
    return _below(value, kinds[0], where) if kinds and isinstance(value, Mapping) else set()
