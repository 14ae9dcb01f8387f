"""Values of indicators, series and days as people write them."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from reclens.errors import UnknownNameError
from reclens.monitor.indicators.registry import Family, IndicatorInfo, describe
from reclens.monitor.records import OVERALL, SeriesKey
from reclens.report._toolkit.format import NOTHING, decimal, format_number, in_words, percent, sentence
from reclens.report.monitor.words import dimension_name

__all__ = [
    "change_text",
    "day_text",
    "days_text",
    "indicator_name",
    "interval_text",
    "is_count",
    "is_share",
    "series_order",
    "series_text",
    "slice_text",
    "unit_of",
    "value_text",
]

_MOST: Final = 9.99
"""A change beyond this, such as of a share that is nearly always 0, is not told more exactly."""
_WHOLE: Final = 100
"""Counts from here on have no decimals; a mean count, such as the length of a list, has one."""
_FAMILIES: Final[tuple[Family, ...]] = (
    "response",
    "ranking",
    "exposure",
    "traffic",
    "model",
    "fairness",
    "data",
    "pipeline",
    "space",
)
_LEADING: Final = ("ctr", "conversion", "ndcg", "coverage", "traffic")
"""The first indicator of a family for a reader."""
_POSITION: Final = re.compile(r"\d+")


def indicator_name(indicator: str) -> str:
    """The name of an indicator for people; one that is not registered here has its code in words.

    Example:
        >>> indicator_name("ctr"), indicator_name("share_of_moons")
        ('Click-through rate', 'Share of moons')
    """
    info = _info(indicator)
    return sentence(in_words(indicator)) if info is None else info.caption


def series_order(indicator: str) -> tuple[int, int, str]:
    """Where an indicator stands among others: what people do first, then what they are shown, then the machinery.

    Example:
        >>> sorted(["traffic", "coverage", "ctr", "ndcg", "moons"], key=series_order)
        ['ctr', 'ndcg', 'coverage', 'traffic', 'moons']
    """
    info = _info(indicator)
    place = len(_FAMILIES) if info is None else _FAMILIES.index(info.family)
    return place, _LEADING.index(indicator) if indicator in _LEADING else len(_LEADING), indicator


def is_share(indicator: str) -> bool:
    """Whether an indicator is a share, which is written in percent."""
    info = _info(indicator)
    return info is not None and info.unit == "share"


def unit_of(indicator: str) -> str:
    """What the numbers of an indicator are of; empty for a share, a count or a plain number."""
    info = _info(indicator)
    return "" if info is None or info.unit in ("share", "count", "ratio") else info.unit


def is_count(indicator: str) -> bool:
    """Whether an indicator counts, and is written without decimals."""
    info = _info(indicator)
    return info is not None and info.unit == "count"


def _info(indicator: str) -> IndicatorInfo | None:
    """What an indicator is; None for one that is not registered, such as one of an older version."""
    try:
        return describe(indicator)
    except UnknownNameError:
        return None


def series_text(key: SeriesKey) -> str:
    """A series: the indicator, and the slice where it is not the whole day.

    Example:
        >>> series_text(SeriesKey("moons", "surface", "home")), series_text(SeriesKey("moons"))
        ('Moons of home (surface)', 'Moons')
        >>> series_text(SeriesKey("moons", "position", "3"))
        'Moons of position 3'
    """
    name = indicator_name(key.indicator)
    if key.dimension == OVERALL:
        return name
    return f"{name} of {slice_text(key)}"


def slice_text(key: SeriesKey) -> str:
    """The slice of a series: a number needs its dimension before it."""
    what = dimension_name(key.dimension)
    return f"{what} {key.slice}" if _POSITION.fullmatch(key.slice) else f"{key.slice} ({what})"


def value_text(indicator: str, value: float | None, *, signed: bool = False) -> str:
    """A value with its unit.

    Example:
        >>> value_text("moons", 3.14159), value_text("moons", None), value_text("list_length", 7.9999)
        ('3.142', '–', '8')
        >>> value_text("ctr", 0.031), value_text("ctr", -0.004, signed=True)
        ('3.10%', '-0.40 pp')
    """
    if value is None or value != value:
        return NOTHING
    if is_share(indicator):
        # A difference of shares in percent would read as a relative one.
        return f"{decimal(100 * value, 2, signed=True)} pp" if signed else percent(value, 2)
    if is_count(indicator):
        shown = round(value, 0 if abs(value) >= _WHOLE else 1)
        return decimal(shown, 0 if shown.is_integer() else 1, signed=signed)
    unit = unit_of(indicator)
    return f"{format_number(value, signed=signed)}{f' {unit}' if unit else ''}"


def interval_text(indicator: str, low: float | None, high: float | None, *, signed: bool = False) -> str:
    """An interval or a band; a dash where there is none."""
    if low is None or high is None:
        return NOTHING
    first = value_text(indicator, low, signed=signed)
    return f"{first.removesuffix(' pp')} to {value_text(indicator, high, signed=signed)}"


def change_text(value: float | None, before: float | None) -> str:
    """How far a value is from another, in percent of that.

    Example:
        >>> change_text(0.04, 0.05), change_text(0.04, 0.0), change_text(None, 1.0), change_text(0.2, 0.001)
        ('-20.0%', '–', '–', '>+999%')
    """
    if value is None or not before:
        return NOTHING
    change = value / before - 1
    return f">{percent(_MOST, 0, signed=True)}" if change > _MOST else percent(change, 1, signed=True)


def day_text(day: date) -> str:
    """A day.

    Example:
        >>> day_text(date(2026, 3, 5))
        '5 Mar 2026'
    """
    return f"{day.day} {day:%b %Y}"


def days_text(first: date, last: date) -> str:
    """A span of days.

    Example:
        >>> days_text(date(2026, 3, 2), date(2026, 3, 8)), days_text(date(2026, 3, 2), date(2026, 3, 2))
        ('2 to 8 Mar 2026', '2 Mar 2026')
        >>> days_text(date(2026, 2, 23), date(2026, 3, 1)), days_text(date(2025, 12, 29), date(2026, 1, 4))
        ('23 Feb to 1 Mar 2026', '29 Dec 2025 to 4 Jan 2026')
    """
    if first == last:
        return day_text(last)
    if first.year != last.year:
        return f"{day_text(first)} to {day_text(last)}"
    if first.month != last.month:
        return f"{first.day} {first:%b} to {day_text(last)}"
    return f"{first.day} to {day_text(last)}"
