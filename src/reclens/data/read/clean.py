"""Rules that clean columns of foreign tables; each is applied row by row and counted.

A value that cannot be used is either an error that names its row, or - with ``bad_rows="drop"`` - a row that is left
out and counted. What is converted (milliseconds to seconds, decimals to ids) is counted too. Nothing happens silently.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import polars as pl

from reclens.cards import AppliedRule, Fact
from reclens.data.rules import BadValue, RuleCode, rule
from reclens.errors import Advice, ArgumentValueError, DataError, Setting
from reclens.schema import TIMESTAMP, TIMESTAMP_TYPE

__all__ = ["BadRows", "Cleaner", "clean_numbers", "clean_timestamps"]

BadRows = Literal["error", "drop"]

_UNITS: Final = ((1e17, 1e-3, "nanoseconds"), (1e14, 1.0, "microseconds"), (1e11, 1e3, "milliseconds"))
"""Above which number of units since 1970 which unit is meant, and how many microseconds it is. As seconds, 1e11 would
be the year 5138; as milliseconds it is March 1973, before any log of interest began."""
_MOST: Final = 1e20
_TEXT_TIMES: Final = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
)
_ZONED_TIMES: Final = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z")
_DATES: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")


_NOTHING: Final = Advice("drop_rows")
_MEND: Final = "Mend the rows, or leave them out by {bad_rows} (they are counted)."


def _without(column: str) -> tuple[Setting, ...]:
    return (Setting("columns", {column: None}),)


class Cleaner:
    """Collects, for one table, the rules that were applied and the rows that cannot be used.

    Args:
        source: File or table, for messages.
        bad_rows: ``"error"`` to stop at the first row that cannot be used, ``"drop"`` to leave such rows out and count.
    """

    def __init__(self, source: str, bad_rows: BadRows = "error") -> None:
        if bad_rows not in ("error", "drop"):
            raise ArgumentValueError("bad_rows", f"is {bad_rows!r}, expected 'error' or 'drop'")
        self.source, self.bad_rows = source, bad_rows
        self.rules: list[AppliedRule] = []
        self._bad: pl.Series | None = None

    def note(self, code: RuleCode, count: int, **facts: Fact) -> None:
        """Record a rule, unless it changed nothing."""
        if count:
            self.rules.append(rule(code, count, **facts))

    def reject(
        self, bad: pl.Series, values: pl.Series, *, column: str, problem: str, kind: BadValue, fix: Advice = _NOTHING
    ) -> None:
        """Raise an error for bad rows, or mark them to be dropped.

        Args:
            bad: Boolean, shape (rows,); null counts as False.
            values: The values as they were read, for the message.
            column: The column, as the reader knows it.
            problem: What is wrong, with ``{value}`` where the value goes.
            kind: The code of such rows in the card.
            fix: Advice that precedes the general one.
        """
        bad = bad.fill_null(False)
        count = int(bad.sum())
        if not count:
            return
        if self.bad_rows == "error":
            row = int(bad.arg_true()[0])
            others = f" ({count:,} such rows)" if count > 1 else ""
            raise DataError(
                problem.format(value=_shown(values[row])) + others,
                source=self.source,
                column=column,
                row=row + 1,
                fix=Advice(fix.code, (*fix.settings, Setting("bad_rows", "drop")), f"{fix.text} {_MEND}".strip()),
            )
        fresh = bad if self._bad is None else bad & ~self._bad
        self.note(kind, int(fresh.sum()), column=column)
        self._bad = bad if self._bad is None else self._bad | bad

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Drop the marked rows from a frame."""
        return frame if self._bad is None else frame.filter(~self._bad)


def clean_numbers(
    values: pl.Series,
    cleaner: Cleaner,
    *,
    column: str,
    missing_ok: bool = False,
    decimal: Literal[".", ","] | None = None,
) -> pl.Series:
    """Clean numbers into finite 64-bit floats.

    Decimal commas (``3,5``) are read where no value of a text column has a point, and counted. Missing, not numeric and
    infinite values are bad rows.

    Args:
        values: Numbers, or numbers as text.
        cleaner: Where bad rows and rules go.
        column: Name for messages.
        missing_ok: Whether null and NaN may stay (as null).
        decimal: The decimal mark of numbers in text; None to find it out.

    Raises:
        DataError: If a value cannot be used and bad rows are errors.
    """
    if isinstance(values.dtype, pl.String | pl.Categorical | pl.Enum | pl.Object):
        numbers, text = _parsed_numbers(_as_text(values), cleaner, column, decimal)
        unreadable = numbers.is_null() & text.is_not_null()
        cleaner.reject(unreadable, values, column=column, problem="{value} is not a number", kind="text_for_a_number")
    elif values.dtype.is_numeric() or isinstance(values.dtype, pl.Boolean | pl.Null):
        numbers = values.cast(pl.Float64)
        unreadable = pl.Series([False]).new_from_index(0, len(values))
    else:
        raise DataError(f"the column is {values.dtype}, expected numbers", source=cleaner.source, column=column)
    if not missing_ok:
        missing = (numbers.is_null() | numbers.is_nan()) & ~unreadable
        advice = Advice("no_column", _without(column), "A column without meaning is left out by {columns}.")
        cleaner.reject(
            missing, values, column=column, problem="the number is missing", kind="missing_number", fix=advice
        )
    infinite = numbers.is_infinite()
    cleaner.reject(infinite, values, column=column, problem="the number is {value}", kind="infinite_number")
    return numbers.fill_nan(None) if missing_ok else numbers


def _parsed_numbers(
    text: pl.Series, cleaner: Cleaner, column: str, decimal: Literal[".", ","] | None
) -> tuple[pl.Series, pl.Series]:
    """Parse numbers in text; returns them (null where there is none) and the stripped text."""
    if decimal != ",":
        numbers = text.cast(pl.Float64, strict=False)
        if numbers.null_count() == text.null_count():
            return numbers, text
    text = text.str.strip_chars()
    text = text.set(text == "", None)
    if decimal == ",":
        swapped = text.str.replace(",", ".", literal=True)
        return swapped.set(text.str.contains(".", literal=True), None).cast(pl.Float64, strict=False), text
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() > text.null_count() and decimal is None and not text.str.contains(".", literal=True).any():
        commas = text.str.contains(r"^[+-]?\d+,\d+$")
        numbers = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        cleaner.note("decimal_commas", int(commas.sum()), column=column)
    return numbers, text


def clean_timestamps(
    values: pl.Series, cleaner: Cleaner, *, column: str = TIMESTAMP, form: str | None = None
) -> pl.Series:
    """Clean times into UTC with microseconds.

    Numbers count from 1970 in seconds; numbers above 1e11 are milliseconds, above 1e14 microseconds, above 1e17
    nanoseconds (counted). Times without a zone are UTC (counted). Text is ISO 8601 (year first) or numbers; any other
    form has to be named. Missing, unreadable and negative numbers are bad rows: -1 is how logs write "unknown".

    Args:
        values: Numbers, times, dates or text.
        cleaner: Where bad rows and rules go.
        column: Name for messages.
        form: The form of text in the words of ``strptime``, such as ``"%d/%m/%Y %H:%M"``.

    Raises:
        DataError: If a value cannot be used and bad rows are errors, or units are mixed.
    """
    if isinstance(values.dtype, pl.String | pl.Categorical | pl.Enum | pl.Object):
        times = _from_text(_as_text(values), cleaner, column=column, form=form)
    elif values.dtype.is_numeric() or values.dtype == pl.Null:
        times = _from_numbers(values.cast(pl.Float64) if not values.dtype.is_integer() else values, cleaner, column)
    elif values.dtype == pl.Date:
        times = values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    elif isinstance(values.dtype, pl.Datetime):
        times = _in_utc(values, cleaner, column)
    else:
        raise DataError(f"the column is {values.dtype}, expected times", source=cleaner.source, column=column)
    if not times.null_count():
        return times
    missing = values.is_null() | ((_as_text(values).str.strip_chars() == "") if values.dtype == pl.String else False)
    advice = Advice("no_column", _without(TIMESTAMP), "Without times, leave the column out by {columns}.")
    cleaner.reject(missing, values, column=column, problem="the time is missing", kind="missing_time", fix=advice)
    return times


def _in_utc(values: pl.Series, cleaner: Cleaner, column: str) -> pl.Series:
    assert isinstance(values.dtype, pl.Datetime)
    if values.dtype.time_zone is None:
        cleaner.note("times_read_as_utc", len(values) - values.null_count(), column=column)
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return values.cast(pl.Datetime("us", values.dtype.time_zone)).dt.convert_time_zone("UTC")


def _from_numbers(values: pl.Series, cleaner: Cleaner, column: str) -> pl.Series:
    wild = (values.abs() > _MOST) | values.is_nan() if values.dtype.is_float() else values.is_null() & False
    problem = "the time is {value}, expected seconds since 1970"
    cleaner.reject(wild, values, column=column, problem=problem, kind="odd_time")
    negative = (values < 0) & ~wild
    fix = Advice("dates", text="Times before 1970 have to come as dates.")
    cleaner.reject(negative, values, column=column, problem=problem, kind="negative_time", fix=fix)
    usable = values.set(wild | negative, None) if wild.any() or negative.any() else values
    highest = usable.max()
    if highest is None:
        return pl.Series(values.name, [None], TIMESTAMP_TYPE).new_from_index(0, len(values))
    assert isinstance(highest, int | float)
    scale = 1e6
    for least, microseconds, unit in _UNITS:
        if highest > least:
            scale = microseconds
            small = (usable <= least) & (usable > 0)
            if small.any():
                row, top = int(small.arg_true()[0]), usable.arg_max()
                shown = (
                    f"{values[row]} would be in another unit than {highest} of row {(top or 0) + 1:,}, which is {unit}"
                )
                raise DataError(
                    shown, source=cleaner.source, column=column, row=row + 1, fix="Bring the column to one unit first."
                )
            cleaner.note("times_converted", len(usable) - usable.null_count(), column=column, unit=unit)
            break
    if usable.dtype.is_integer():
        whole = usable.cast(pl.Int64)
        whole = whole // 1000 if scale < 1 else whole * int(scale)
    else:
        whole = (usable * scale).round().cast(pl.Int64)
    return whole.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _from_text(text: pl.Series, cleaner: Cleaner, *, column: str, form: str | None) -> pl.Series:
    if form is None:
        whole = text.cast(pl.Int64, strict=False)
        # Only integers between 19000000 and 20999999 can be days such as 20240229.
        if whole.null_count() == text.null_count() < len(text) and not whole.is_between(19_000_000, 20_999_999).any():
            return _from_numbers(whole, cleaner, column)
    text = text.str.strip_chars()
    text = text.set(text == "", None)
    if form is None:
        whole, numbers = text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False)
        eight_digits = bool(text.str.contains(r"^(19|20)\d{6}$").all())  # 20240229 is a day
        strange = numbers.is_null() & text.is_not_null()
        if 2 * numbers.is_not_null().sum() > text.is_not_null().sum() and not eight_digits:
            problem = "{value} is not a time"
            cleaner.reject(strange, text, column=column, problem=problem, kind="unreadable_time")
            return _from_numbers(whole if whole.null_count() == text.null_count() else numbers, cleaner, column)
    times, naive = _parsed(text, form)
    bad = times.is_null() & text.is_not_null()
    fix = Advice(
        "form_of_times",
        (Setting("timestamp_format", "%d/%m/%Y %H:%M"),),
        "Write times as 2024-02-29 13:45:00, or say how they are written, as by {timestamp_format}.",
    )
    cleaner.reject(bad, text, column=column, problem="{value} is not a time", kind="unreadable_time", fix=fix)
    cleaner.note("times_read_as_utc", naive, column=column)
    return times


def _parsed(text: pl.Series, form: str | None) -> tuple[pl.Series, int]:
    """Parse times in text; returns them and how many had no zone."""
    times = pl.Series(text.name, [None], TIMESTAMP_TYPE).new_from_index(0, len(text))
    naive = 0
    zoned = [(f, True) for f in ((form,) if form else _ZONED_TIMES) if "%z" in f or "%#z" in f]
    plain = [(f, False) for f in ((form,) if form else (*_TEXT_TIMES, *_DATES)) if "%z" not in f and "%#z" not in f]
    for each, has_zone in (*plain, *zoned):
        open_rows = times.is_null() & text.is_not_null()
        if not open_rows.any():
            break
        rest = text.set(~open_rows, None)
        if has_zone:
            found = rest.str.replace(r"[zZ]$", "+00:00").str.to_datetime(
                each, time_unit="us", time_zone="UTC", strict=False
            )
        elif "%H" in each or "%I" in each:
            found = rest.str.to_datetime(each, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        else:
            dates = rest.str.to_date(each, strict=False)
            found = dates.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        naive += 0 if has_zone else int(found.is_not_null().sum())
        times = times.zip_with(~open_rows, found)
    return times, naive


def _as_text(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Object:
        return pl.Series(values.name, [None if v is None else str(v) for v in values.to_list()], pl.String)
    return values.cast(pl.String)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
