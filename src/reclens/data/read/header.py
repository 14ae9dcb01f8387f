"""Detection of a missing header: a first row that is used as column names would be lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from reclens.errors import Advice, DataError, Setting
from reclens.schema import ITEM, RANK, RATING, SCORE, TIMESTAMP, USER

__all__ = ["header_error", "refuse_header_of_values", "refuse_names_among_rows", "values_among_names"]

_ROWS: Final = 1000
_MOST: Final = 0.9
_NUMBER: Final = r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$"
_TIME: Final = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ].*)?$"
_EPOCH: Final = r"^\d{9,19}(\.\d+)?$"
_KEYS: Final = (r"^[0-9a-f-]{8,}$", r"^[0-9A-F-]{8,}$", r"^[0-9A-Z]{8,}$")
_NAME: Final = r"^[^\W\d][\w .:#/()-]*$"
_MISSING: Final = ("na", "n/a", "nan", "null", "none", "nil", "missing", "unknown")
_FEW: Final = 20


def values_among_names(frame: pl.DataFrame) -> tuple[str, ...]:
    """Names in a header that look like values of their columns.

    They are numbers or times above numbers or times, keys of the same pattern as those below, or values that occur in
    the column.

    Example:
        >>> import polars as pl
        >>> values_among_names(pl.DataFrame({"196": ["186", "22"], "5.0": ["3.0", "1.0"], "note": ["a", "b"]}))
        ('196', '5.0')
    """
    sample = frame.head(_ROWS).cast(pl.String)
    return tuple(name for name in sample.columns if _is_value(_plain(name), sample[name].drop_nulls()))


def refuse_header_of_values(frame: pl.DataFrame, source: str, *, wanted: Sequence[str]) -> None:
    """Raise an error if all names of a header look like values.

    Raises:
        DataError: If they do; names the option to set.
    """
    if len(values_among_names(frame)) == frame.width:
        raise header_error(frame, source, wanted=wanted)


def header_error(frame: pl.DataFrame, source: str, *, wanted: Sequence[str]) -> DataError:
    """Make the error for a first line that looks like a row.

    Args:
        frame: The table that was read by that header.
        source: File or table, for messages.
        wanted: Columns of ours that the table may hold, for the advice; without any they have names of their own.
    """
    shown = ", ".join(_plain(name) for name in frame.columns[:8]) + (" …" if frame.width > 8 else "")
    guess = {ours: place for ours, place in _places(frame).items() if ours in wanted}
    if frame.width == 1 and len(wanted) > 1:
        return DataError(
            f"the first line ({shown}) is one field, of which no delimiter is known",
            source=source,
            fix=Advice("name_delimiter", (Setting("delimiter"),), "Name what stands between fields by {delimiter}."),
        )
    by_place = "name its columns by place, from 0, such as {columns}"
    places = (Setting("columns", guess),) if guess else ()
    return DataError(
        f"the first line ({shown}) looks like a row of values, not like names of columns",
        source=source,
        fix=Advice(
            "say_header",
            (*places, Setting("header", True)),
            f"If the file has no header, {by_place if guess else 'put a line with the names of the columns on top'}; "
            "if these are their names, pass {header}.",
        ),
    )


def refuse_names_among_rows(frame: pl.DataFrame, source: str) -> None:
    """Raise an error if the first row of a file that is read without a header looks like a header.

    Raises:
        DataError: If all its values are words, and one of the columns has only numbers or times below.
    """
    if frame.height < 2:
        return
    names, below = frame.row(0), frame.slice(1, _ROWS)
    if not all(name and re.match(_NAME, name) and name.lower() not in _MISSING for name in names):
        return
    columns = [values.drop_nulls() for values in below]
    if any(_all_like(values, pattern) for values in columns for pattern in (_NUMBER, _TIME)):
        shown = ", ".join(str(name) for name in names[:8]) + (" …" if len(names) > 8 else "")
        raise DataError(
            f"the first row ({shown}) looks like names of columns, not like a row",
            source=source,
            fix=Advice(
                "header_names_columns",
                (Setting("header", True),),
                "Pass {header}: places then count the columns below those names.",
            ),
        )


def _is_value(name: str, values: pl.Series) -> bool:
    for pattern in (_NUMBER, _TIME):
        if re.match(pattern, name):
            return not len(values) or _all_like(values, pattern)
    if not name or not len(values):
        return False
    if (values == name).any():
        return True
    if not re.search(r"\d", name):
        return False
    keys = any(re.match(pattern, name) and _all_like(values, pattern) for pattern in _KEYS)
    return keys or _all_like(values, f"^{_make(name)}$")


def _make(name: str) -> str:
    """The pattern of a key: the same for ``NEW-1`` and ``NEW-27``, or ``user_000001`` and ``user_000317``."""
    return re.sub(r"\\?\d+|\d+", r"\\d+", re.escape(name))


def _all_like(values: pl.Series, pattern: str) -> bool:
    return bool(len(values)) and float(values.str.contains(pattern).mean() or 0.0) >= _MOST  # type: ignore[arg-type]


def _places(frame: pl.DataFrame) -> dict[str, int]:
    """Guess the columns by their values: ids are neither times nor fractions, and the user precedes the item."""
    sample = frame.head(_ROWS).cast(pl.String)
    rows = [pl.concat([pl.Series([_plain(name)]), sample[name].drop_nulls().alias("")]) for name in sample.columns]
    numbers = [at for at, values in enumerate(rows) if _all_like(values, _NUMBER)]
    times = [at for at, values in enumerate(rows) if _all_like(values, _TIME) or _all_like(values, _EPOCH)]
    fractions = [at for at in numbers if rows[at].str.contains(r"[.,]\d").any()]
    ids = [at for at in range(len(rows)) if at not in (*times, *fractions)]
    found: dict[str, int] = dict(zip((USER, ITEM), ids if len(ids) > 1 else range(len(rows)), strict=False))
    rest = [at for at in numbers if at not in (*times, *found.values())]
    if rest:
        found[SCORE if rest[0] in fractions else RANK] = rest[0]
    rated = [at for at in rest if rows[at].n_unique() <= _FEW]
    if rated:
        found[RATING] = rated[0]
    if times and times[0] not in found.values():
        found[TIMESTAMP] = times[0]
    return found


def _plain(name: str) -> str:
    return re.sub(r"_duplicated_\d+$", "", name).strip()
