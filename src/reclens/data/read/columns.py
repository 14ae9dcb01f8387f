"""Recognition of columns by the names that are common in the field, or by those that the caller gives.

Known without asking, whatever the case and the underscores: ``userId movieId`` (MovieLens), ``userID itemID
prediction`` (Microsoft Recommenders), ``uid iid est`` (Surprise), ``user item`` and ``user_id item_id`` (LensKit),
``user_id item_id weight datetime`` (RecTools).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from reclens.data.read.options import name_column
from reclens.errors import Advice, DataError, Setting, UnknownNameError, UsageError, suggest
from reclens.schema import ITEM, RANK, RATING, RELEVANCE, SCORE, TIMESTAMP, USER, WEIGHT

__all__ = ["INTERACTIONS", "LISTS", "TABLE", "Columns", "column_at", "find_columns", "knows", "positional"]

Columns = Mapping[str, str | int | None]
"""Maps a column of the schema to one of the file: its name, its index (from 0) without a header, None to ignore it."""

INTERACTIONS: Final = (USER, ITEM, TIMESTAMP, RATING, WEIGHT)
LISTS: Final = (USER, ITEM, RANK, SCORE)
TABLE: Final = (USER, ITEM, TIMESTAMP, RATING, WEIGHT, RANK, SCORE, RELEVANCE)

_CHANGE: Final = Advice("change_columns", (Setting("columns"),), "Change {columns}.")
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    USER: ("userid", "user", "uid"),
    ITEM: ("itemid", "item", "iid", "movieid"),
    TIMESTAMP: ("timestamp", "datetime", "ts", "time"),
    RATING: ("rating",),
    WEIGHT: ("weight",),
    RANK: ("rank",),
    SCORE: ("score", "prediction", "est"),
    RELEVANCE: ("relevance",),
}


def find_columns(
    present: list[str],
    *,
    wanted: Iterable[str],
    required: Iterable[str],
    columns: Mapping[str, str | int | None] | None,
    source: str,
    strict: bool = True,
) -> dict[str, str]:
    """Find the columns of a table that hold columns of the schema.

    Args:
        present: The columns of the table.
        wanted: The columns that can be used.
        required: Those that must be there.
        columns: Names that the caller gives: ours to theirs; a number is a place (from 0), None means "there is none".
        source: File or table, for messages.
        strict: Whether a given name that is absent is an error; if not, the known names are tried.

    Returns:
        Our name -> their name.

    Raises:
        DataError: If a required column is not there, or two columns could be meant.
        UnknownNameError: If ``columns`` names a column of ours that does not exist.
    """
    wanted, columns = list(wanted), columns or {}
    for ours in columns:
        if ours not in _SPELLINGS:
            raise UnknownNameError("column", ours, _SPELLINGS)
    found: dict[str, str] = {}
    for ours in wanted:
        if ours in columns:
            theirs = columns[ours]
            if theirs is None:
                continue
            place = column_at(theirs, present, ours, source)
            if place in present:
                found[ours] = place
                continue
            if strict:
                raise DataError(
                    f"there is no column '{theirs}', which is named for '{ours}'",
                    source=source,
                    fix=suggest(str(theirs), present).strip(),
                )
        theirs = _known_spelling(ours, [name for name in present if name not in columns.values()], source)
        if theirs is not None:
            found[ours] = theirs
    for ours in required:
        if ours not in found:
            raise DataError(
                f"there is no column for '{ours}'; there are {_listed(present)}",
                source=source,
                fix=name_column(ours, _guess(ours, present, found)),
            )
    taken = [theirs for theirs in found.values() if list(found.values()).count(theirs) > 1]
    if taken:
        raise UsageError(f"the column '{taken[0]}' is named twice: one column cannot be two things.", advice=_CHANGE)
    return found


def knows(name: str) -> bool:
    """Whether a column of that name is recognised."""
    return any(_bare(name) in spellings for spellings in _SPELLINGS.values())


def positional(columns: Mapping[str, str | int | None] | None) -> bool:
    """Whether the caller gives columns by index, because the file has no header.

    Raises:
        UsageError: If places and names are mixed.
    """
    given = [theirs for theirs in (columns or {}).values() if theirs is not None]
    places = [isinstance(theirs, int) and not isinstance(theirs, bool) for theirs in given]
    if any(places) and not all(places):
        raise UsageError(
            "some columns are named and some given by place: a file without a header needs places (from 0) for all.",
            advice=_CHANGE,
        )
    return any(places)


def column_at(theirs: str | int, present: list[str], ours: str, source: str) -> str:
    """The name of a column that is given by name or by index.

    Raises:
        DataError: If the index is too large.
    """
    if isinstance(theirs, str):
        return theirs
    if not 0 <= theirs < len(present):
        raise DataError(
            f"'{ours}' is to be at place {theirs}, but there are {len(present)} columns (from 0)",
            source=source,
            fix=_CHANGE,
        )
    return present[theirs]


def _known_spelling(ours: str, present: list[str], source: str) -> str | None:
    if ours in present:
        return ours
    near = [name for name in present if _bare(name) in _SPELLINGS[ours]]
    if len(near) > 1:
        raise DataError(
            f"'{near[0]}' and '{near[1]}' could both be '{ours}'",
            source=source,
            fix=Advice("say_which", (Setting("columns", {ours: near[0]}),), "Say which: {columns}."),
        )
    return near[0] if near else None


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _guess(ours: str, present: list[str], found: Mapping[str, str]) -> str:
    """A column that could be the missing one, for the error message."""
    free = [name for name in present if name not in found.values()]
    hints = {
        USER: ("user", "customer", "household", "member", "visitor", "reviewer", "session"),
        ITEM: ("item", "product", "movie", "article", "book", "stock", "sku", "asin", "track"),
    }
    for hint in hints.get(ours, ()):
        for name in free:
            if hint in name.lower():
                return name
    return "your name"


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:20])
    return (shown + (" …" if len(names) > 20 else "")) or "none"
