"""Why ids of two tables do not match: what was lost or added on the way, told by what makes them match again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

__all__ = ["Cause", "Near", "explain_mismatch", "without_zeros"]

Cause = Literal[
    "type", "whitespace", "leading_zeros", "decimals", "case", "prefix", "suffix", "swapped", "codes", "unknown"
]
"""What keeps ids of two tables from matching.

``type``: integers on one side and text on the other, equal as text. ``whitespace``: blanks around them.
``leading_zeros``: one side has lost them (``7`` for ``007``). ``decimals``: one side is written with ``.0``. ``case``:
upper and lower case. ``prefix``, ``suffix``: what all ids of one side begin or end with (``user_7`` for ``7``).
``swapped``: the users of one side are the items of the other. ``codes``: one side counts 0, 1, 2 …, as codes of a
library do. ``unknown``: none of these.
"""

_ENOUGH: Final = 0.1
"""A mend is a likely cause from this share of the ids of the smaller side on that it makes match."""
_SWAPPED: Final = 0.5
"""Small integers are users and items by chance: to call them swapped takes more."""
_SHOWN: Final = 3
_MOST: Final = 20_000, 1_000_000
"""Ids of the smaller and of the larger side that are looked at: a cause shows in them, and this never costs seconds."""


@dataclass(frozen=True, kw_only=True)
class Near:
    """What was found about ids that do not match.

    Attributes:
        cause: The likely cause.
        mended: Ids that would match without it.
        of: Number of compared ids of the smaller side.
        affix: The prefix or suffix, where that is the cause.
        width: Digits that all ids of the other side have, where zeros were lost from ids of one width.
        examples: The first few ids of each side.
    """

    cause: Cause
    mended: int
    of: int
    affix: str | None
    width: int | None
    examples: tuple[tuple[Any, ...], tuple[Any, ...]]


def explain_mismatch(left: pl.Series, right: pl.Series, *, crossed: pl.Series | None = None) -> Near:
    """Say why ids of two tables do not match.

    Args:
        left: Ids of one table that the other does not hold; integers or text, repeats allowed.
        right: Ids of the other table that the first does not hold.
        crossed: Ids of the other kind in the second table (its items, where users are looked at), to tell whether two
            columns were swapped.

    Returns:
        The cause whose mend makes the most ids match; of equals the simplest.

    Example:
        >>> import polars as pl
        >>> near = explain_mismatch(pl.Series([7, 12]), pl.Series(["007", "012", "100"]))
        >>> near.cause, near.mended, near.of, near.width
        ('leading_zeros', 2, 2, 3)
    """
    left, right = (ids.unique().sort().head(_MOST[1]) for ids in (left, right))
    if len(left) <= len(right):
        left = left.head(_MOST[0])
    else:
        right = right.head(_MOST[0])
    examples = tuple(left.head(_SHOWN).to_list()), tuple(right.head(_SHOWN).to_list())
    of = min(len(left), len(right))
    best: tuple[int, Cause, str | None] = 0, "unknown", None
    if left.dtype.is_integer() and right.dtype.is_integer():
        mends: Iterator[tuple[Cause, str | None, pl.Series, pl.Series]] = iter(())
    else:
        mends = _mends(left.cast(pl.String), right.cast(pl.String), typed=left.dtype != right.dtype)
    for cause, affix, one, other in mends:
        mended = int(one.filter(one != "").unique().is_in(other.unique().implode()).sum())
        if mended > best[0] and mended >= _ENOUGH * of:
            best = mended, cause, affix
    # What only begins otherwise may as well be of the other kind: u7 and i7.
    if best[1] in ("unknown", "prefix", "suffix") and crossed is not None and crossed.dtype == left.dtype:
        swapped = int(left.is_in(crossed.unique().implode()).sum())
        if swapped >= _SWAPPED * len(left):
            best = swapped, "swapped", None
    mended, cause, affix = best
    if cause == "unknown" and (_are_codes(left, right) or _are_codes(right, left)):
        cause = "codes"
    width = _width(left, right) if cause == "leading_zeros" else None
    return Near(cause=cause, mended=mended, of=of, affix=affix, width=width, examples=examples)


def without_zeros(ids: pl.Series) -> pl.Series:
    """Text ids that are digits, without the zeros before them: ``007`` is ``7``, ``A07`` stays.

    Example:
        >>> import polars as pl
        >>> without_zeros(pl.Series(["007", "0", "A07"])).to_list()
        ['7', '0', 'A07']
    """
    return ids.str.replace(r"^0+(\d+)$", "${1}")


_MENDS: Final[Mapping[Cause, Callable[[pl.Series], pl.Series]]] = {
    "whitespace": lambda ids: ids.str.strip_chars(),
    "leading_zeros": without_zeros,
    "decimals": lambda ids: ids.str.replace(r"^(-?\d+)\.0+$", "${1}"),
    "case": lambda ids: ids.str.to_lowercase(),
}


def _mends(
    left: pl.Series, right: pl.Series, *, typed: bool
) -> Iterator[tuple[Cause, str | None, pl.Series, pl.Series]]:
    """Both sides as each mend leaves them, the simplest first."""
    if typed:
        yield "type", None, left, right
    for cause, mend in _MENDS.items():
        yield cause, None, mend(left), mend(right)
    starts = _prefix(left), _prefix(right)
    if starts[0] != starts[1]:
        yield "prefix", starts[0] or starts[1], left.str.strip_prefix(starts[0]), right.str.strip_prefix(starts[1])
    ends = tuple(_prefix(ids.str.reverse())[::-1] for ids in (left, right))
    if ends[0] != ends[1]:
        yield "suffix", ends[0] or ends[1], left.str.strip_suffix(ends[0]), right.str.strip_suffix(ends[1])


def _prefix(ids: pl.Series) -> str:
    """What all ids begin with, up to its last character that is no digit: the numbers behind it may begin alike too."""
    first, last = str(ids.min() or ""), str(ids.max() or "")
    alike = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:alike].rstrip("0123456789")


def _are_codes(ids: pl.Series, others: pl.Series) -> bool:
    """Whether ids are integers that count from 0 or 1 with few gaps, and the others mostly are no such integers."""
    if not ids.dtype.is_integer() or not len(ids) or not len(others):
        return False
    numbers = ids.to_numpy()
    if numbers.min() not in (0, 1) or int(np.ptp(numbers)) >= 2 * len(numbers):
        return False
    return not others.dtype.is_integer() or bool(others.is_between(0, int(numbers.max())).mean() < _SWAPPED)  # type: ignore[operator]


def _width(left: pl.Series, right: pl.Series) -> int | None:
    """The width of the ids on the side that has kept its zeros, if it is one."""
    for ids in (left, right):
        if ids.dtype == pl.String and ids.str.contains(r"^0\d").any():
            widths = ids.str.len_chars().unique()
            return int(widths[0]) if len(widths) == 1 else None
    return None
