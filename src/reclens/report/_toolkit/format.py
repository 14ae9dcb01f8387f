"""How numbers are written on every surface: in tables, in sentences, on the command line and in the dashboard.

Nobody else formats a number that is shown; a house test sees to it. The errors of the rooms, which lie below, repeat
what they were given, and round nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reclens.stats.estimate import Estimate

__all__ = [
    "NOTHING",
    "between",
    "chance",
    "count_of",
    "decimal",
    "filled",
    "format_estimate",
    "format_number",
    "in_words",
    "is_identifier",
    "listed",
    "moment",
    "p_in_words",
    "p_text",
    "p_value",
    "percent",
    "points",
    "rank",
    "sentence",
    "share",
    "significant",
    "typed",
    "unlinked",
    "whole",
]

NOTHING: Final = "–"
"""What stands where there is no number."""


def whole(value: float | None, *, signed: bool = False) -> str:
    """A count, or another number without its decimals.

    Example:
        >>> whole(1234567), whole(12.6), whole(3, signed=True), whole(None)
        ('1,234,567', '13', '+3', '–')
    """
    return decimal(value, 0, signed=signed)


def decimal(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number with so many decimals.

    Example:
        >>> decimal(0.5, 2), decimal(1234.5, 1), decimal(0.25, 3, signed=True), decimal(-0.001, 2), decimal(None, 2)
        ('0.50', '1,234.5', '+0.250', '0.00', '–')
    """
    return NOTHING if value is None or value != value else f"{value:{_SIGNS[signed]}z,.{digits}f}"  # never -0.00


def significant(value: float | None, digits: int = 6, *, signed: bool = False) -> str:
    """A number with at most so many significant digits, and no zeros at its end.

    Example:
        >>> significant(0.05), significant(1000.0), significant(2 / 3, 3), significant(0.25, signed=True)
        ('0.05', '1,000', '0.667', '+0.25')
    """
    return NOTHING if value is None or value != value else f"{value:{_SIGNS[signed]}z,.{digits}g}"


def typed(value: float) -> str:
    """A number as it is typed into a command: it has no thousands separators.

    Example:
        >>> typed(1000.0), typed(0.05)
        ('1000', '0.05')
    """
    return f"{value:g}"


_SIGNS: Final = {False: "", True: "+"}


def format_number(value: float | None, *, signed: bool = False) -> str:
    """A number with the digits people need: four significant ones below 1, fewer decimals above.

    Example:
        >>> [format_number(each) for each in (0.25812, 1.5, 12.3456, 123.45, 1234.5, None)]
        ['0.2581', '1.500', '12.35', '123.5', '1,234', '–']
        >>> format_number(0.01, signed=True)
        '+0.0100'
        >>> format_number(-0.00001)
        '0.0000'
    """
    size = abs(value or 0.0)
    digits = 4 if size < 1 else 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return decimal(value, digits, signed=signed)


def format_estimate(
    row: Mapping[str, Any],
    *,
    value: str = "value",
    signed: bool = False,
    digits: int | None = None,
    in_percent: bool = False,
) -> str:
    """A value with its interval, such as ``0.2580 [0.2390, 0.2760]``.

    Args:
        row: Where ``value``, ``low`` and ``high`` stand.
        value: The column of the value.
        signed: Whether to write the plus as well.
        digits: How many decimals; None for those that people need, or for none where the metric of the row counts.
        in_percent: Whether to write shares in percent.
    """
    if digits is None and "metric" in row:
        from reclens.metrics import is_count

        digits = 0 if is_count(row["metric"]) else None

    def written(number: float | None) -> str:
        if in_percent:
            return percent(number, 2 if digits is None else digits, signed=signed)
        return format_number(number, signed=signed) if digits is None else decimal(number, digits, signed=signed)

    text = written(row[value])
    if text == NOTHING or row["low"] is None or row["high"] is None:
        return text
    return f"{text} [{written(row['low'])}, {written(row['high'])}]"


def between(found: Estimate, *, signed: bool = True) -> str:
    """A number with its interval."""
    return format_estimate(vars(found), signed=signed)


def share(found: Estimate, digits: int = 2, *, signed: bool = True) -> str:
    """A share with its interval.

    Example:
        >>> from reclens.stats.estimate import Estimate
        >>> known, unknown = (Estimate(0.031, low=low, high=high, n=9) for low, high in ((0.01, 0.052), (None, None)))
        >>> share(known), share(unknown, 0, signed=False)
        ('+3.10% [+1.00%, +5.20%]', '3%')
    """
    return format_estimate(vars(found), digits=digits, signed=signed, in_percent=True)


def rank(found: Estimate) -> str:
    """A rank correlation with its interval, such as ``+0.97 [+0.88, +0.99]``."""
    return format_estimate(vars(found), digits=2, signed=True)


def p_value(p: float) -> str:
    """A p-value with four digits, or ``< 0.0001``."""
    return NOTHING if p != p else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def in_words(code: str) -> str:
    """A code in words.

    Example:
        >>> in_words("do_not_ship")
        'do not ship'
    """
    return code.replace("_", " ")


def is_identifier(column: str) -> bool:
    """Whether the whole numbers of a column are names, such as ids and years, which have no thousands separators.

    The last word tells: one thing that has a name, such as a customer, and not several, which are counted.

    Example:
        >>> [is_identifier(name) for name in ("user_id", "movieid", "CUSTOMER KEY", "year", "users", "clicks per user")]
        [True, True, True, True, False, False]
    """
    words = [each.lower() for each in _WORD.findall(column)]
    return (
        bool(words) and _AMOUNTS.isdisjoint(words) and not _NAMES.isdisjoint({words[-1], words[-1].removesuffix("id")})
    )


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
"""A word of the name of a column: ``user_id``, ``userId`` and ``USER ID`` have two."""

_AMOUNTS: Final = frozenset({"n", "num", "count", "per", "total", "mean", "score"})

_NAMES: Final = frozenset(
    _WORD.findall(
        "id key code uuid guid hash seed sku ean upc gtin isbn asin zip postcode year phone "
        "user member customer client visitor account household person device session unit "
        "item product article movie film book song track artist video ad store shop seller basket transaction"
    )
)


def moment(when: datetime | str) -> str:
    """A moment as a reader says it, in UTC; seconds only where there are some.

    Args:
        when: A time, taken as UTC where it has no zone, or its ISO 8601 text.

    Example:
        >>> moment("2000-04-25T23:05:32+00:00"), moment("2024-01-07T02:00:00+02:00")
        ('2000-04-25 23:05:32 UTC', '2024-01-07 00:00 UTC')
    """
    time = datetime.fromisoformat(when) if isinstance(when, str) else when
    time = time.astimezone(UTC) if time.tzinfo is not None else time
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time.second else f"{time:%Y-%m-%d %H:%M} UTC"


def p_in_words(p: float | None) -> str:
    """A p-value of draws, as it follows the letter p: ``= 0.012``, ``< 0.001``, or a dash where there is none."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def p_text(p: float) -> str:
    """A p-value in a sentence: two significant digits, and no more of them than a test can hold.

    Example:
        >>> p_text(0.0123), p_text(0.0001), p_text(0.00009), p_text(0.0)
        ('p = 0.012', 'p = 0.0001', 'p < 0.0001', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def percent(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A share or a lift in percent.

    Example:
        >>> percent(0.0312), percent(0.5, 0), percent(-0.02, signed=True), percent(None)
        ('3.12%', '50%', '-2.00%', '–')
        >>> percent(-0.0001, 1)  # never -0.0%
        '0.0%'
    """
    return NOTHING if value is None or value != value else f"{value:{_SIGNS[signed]}z.{digits}%}"


def points(found: Estimate) -> str:
    """A difference of shares in percentage points, with its interval.

    Example:
        >>> from reclens.stats.estimate import Estimate
        >>> points(Estimate(0.012, low=0.003, high=0.021, n=900))
        '+1.20 pp [+0.30, +2.10]'
    """
    value, low, high = (
        None if each is None else decimal(100 * each, 2, signed=True) for each in (found.value, found.low, found.high)
    )
    return f"{value} pp" + ("" if low is None or high is None else f" [{low}, {high}]")


def chance(value: float) -> str:
    """A probability that is not certain, however near.

    Example:
        >>> chance(0.9712), chance(0.99999), chance(0.0)
        ('97.1%', '> 99.9%', '< 0.1%')
    """
    return "> 99.9%" if value > 0.999 else "< 0.1%" if value < 0.001 else f"{value:.1%}"


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names as words; where there are more than ``most``, the first ones and how many more.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=3)
        ('a', 'a, b and c', 'a, b and 2 others')
    """
    if most is not None and len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def count_of(number: int, what: str) -> str:
    """A number of things.

    Example:
        >>> count_of(1, "month"), count_of(1200, "user")
        ('1 month', '1,200 users')
    """
    return f"{whole(number)} {what}{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """A text that begins with a capital.

    Example:
        >>> sentence("item-kNN differs.")
        'Item-kNN differs.'
    """
    return text[:1].upper() + text[1:]


def unlinked(text: str) -> str:
    """Text in which Markdown finds no address to make a link of, by an invisible character that joins its parts.

    Escapes do not help: addresses are looked for after they are resolved.

    Example:
        >>> [unlinked(each).replace("\u2060", "|") for each in ("http://a.b", "www.a.b", "me@a.b", "ndcg@10")]
        ['http:|//a.b', 'www|.a.b', 'me@|a.b', 'ndcg@10']
    """
    return re.sub(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=[-\w]+\.[A-Za-z])", "\u2060", text, flags=re.IGNORECASE)


_FORMATS: Final[Mapping[str, Callable[[Any], str]]] = {
    "n": whole,
    "p": p_text,
    **{str(digits): lambda each, digits=digits: decimal(each, digits) for digits in range(1, 5)},
    **{f"+{digits}": lambda each, digits=digits: decimal(each, digits, signed=True) for digits in range(1, 5)},
    **{f"%{digits}": lambda each, digits=digits: percent(each, digits) for digits in range(3)},
    **{f"+%{digits}": lambda each, digits=digits: percent(each, digits, signed=True) for digits in range(3)},
}


class _Shown:
    """A value that knows the formats of the house."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __format__(self, spec: str) -> str:
        return _FORMATS[spec](self._value) if spec in _FORMATS else format(self._value, spec)


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A text with ``{name:format}`` where a value stands: ``n`` whole, ``3`` decimals, ``%1`` in percent, ``+`` signed.

    >>> filled("{name}: {lift:+%1} of {users:n} users, {p:p}", {"name": "a", "lift": 0.031, "users": 1200, "p": 0.02})
    'a: +3.1% of 1,200 users, p = 0.02'
    """
    return text.format_map({name: _Shown(value) for name, value in values.items()})
