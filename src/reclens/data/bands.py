"""Labels that are bands of numbers, such as ages and incomes, in the order of their numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["in_order"]

_NUMBER: Final = r"[$€£]?\s*(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*([kmb])?\s*[$€£%]?"
_UNIT: Final = r"(?:\s*(?:years?|yrs?|y|usd|eur|gbp))?(?:\s*old)?"
_RANGE: Final = re.compile(rf"{_NUMBER}\s*(?:-|–|—|\.\.+|to|to <|and)\s*<?{_NUMBER}{_UNIT}", re.IGNORECASE)
_BELOW: Final = re.compile(rf"(?:<|≤|<=|under|below|less than|up to|at most)\s*{_NUMBER}{_UNIT}", re.IGNORECASE)
_ABOVE: Final = re.compile(
    rf"(?:(?:>|≥|>=|over|above|more than|at least|from)\s*{_NUMBER}{_UNIT}"
    rf"|{_NUMBER}{_UNIT}\s*(?:\+|plus|and (?:over|more|above|older|up)|or (?:over|more|above|older)){_UNIT})",
    re.IGNORECASE,
)
_SINGLE: Final = re.compile(rf"{_NUMBER}{_UNIT}", re.IGNORECASE)
_TIMES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels as they are shown: bands of numbers in their order, and other text in that of the alphabet.

    They are taken for bands where two at least have an edge or are a range, and no more than one in three is neither a
    band nor a number, such as "unknown"; those come last.

    Example:
        >>> in_order(["100K+", "15-24K", "25-99K", "Under 15K"])
        ['Under 15K', '15-24K', '25-99K', '100K+']
        >>> in_order(["north", "south", "east"])
        ['east', 'north', 'south']
    """
    names = sorted(labels)
    found = {name: _band(name) for name in names}
    bands = [band for band in found.values() if band is not None]
    edged = sum(low != high for low, high in bands)
    if edged < 2 or 3 * (len(names) - len(bands)) > len(names):
        return names
    return sorted(names, key=lambda name: (found[name] is None, found[name] or (0.0, 0.0), name))


def _band(label: str) -> tuple[float, float] | None:
    """The lower and upper edge that a label names; None where it is no band."""
    text = label.strip()
    if match := _RANGE.fullmatch(text):
        first, unit, second, other = match.groups()
        # In 15-24K both are thousands.
        low, high = _value(first, unit or other), _value(second, other)
        return (low, high) if low < high else None
    if match := _BELOW.fullmatch(text):
        return -math.inf, _value(*match.groups())
    if match := _ABOVE.fullmatch(text):
        groups = match.groups()
        return _value(*(groups[:2] if groups[0] is not None else groups[2:])), math.inf
    if match := _SINGLE.fullmatch(text):
        value = _value(*match.groups())
        return value, value
    return None


def _value(digits: str, unit: str | None) -> float:
    return float(digits.replace(",", "")) * _TIMES[(unit or "").lower()]
