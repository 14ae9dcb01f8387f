"""Numbers as experiments write them: estimates, shares, p-values and lists of names, in tables and in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from reclens.report._toolkit.tables import NOTHING, format_estimate
from reclens.stats.estimate import Estimate

__all__ = [
    "between",
    "between_of",
    "chance",
    "count_of",
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
    "span",
    "unlinked",
]


def between(found: Estimate, *, signed: bool = True) -> str:
    """A number with its interval."""
    return format_estimate(vars(found), signed=signed)


def share(found: Estimate, *, signed: bool = True) -> str:
    """A share with its interval, such as ``+3.10% [+1.02%, +5.18%]``."""
    return format_estimate(vars(found), form="+.2%" if signed else ".0%")


def rank(found: Estimate) -> str:
    """A rank correlation with its interval, such as ``+0.97 [+0.88, +0.99]``."""
    return format_estimate(vars(found), form="+.2f")


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
    return NOTHING if value is None or value != value else f"{value:{'+' if signed else ''}z.{digits}%}"


def points(found: Estimate) -> str:
    """A difference of shares in percentage points, with its interval.

    Example:
        >>> points(Estimate(0.012, low=0.003, high=0.021, n=900))
        '+1.20 pp [+0.30, +2.10]'
    """
    ends = "" if found.low is None or found.high is None else f" [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
    return f"{100 * found.value:+.2f} pp{ends}"


def chance(value: float) -> str:
    """A probability that is not certain, however near.

    Example:
        >>> chance(0.9712), chance(0.99999), chance(0.0)
        ('97.1%', '> 99.9%', '< 0.1%')
    """
    return "> 99.9%" if value > 0.999 else "< 0.1%" if value < 0.001 else f"{value:.1%}"


def span(found: Estimate, form: str) -> str:
    """A value with its interval in one of Python's formats, such as ``+.2%``.

    Example:
        >>> known, unknown = (Estimate(0.031, low=low, high=high, n=100) for low, high in ((0.01, 0.052), (None, None)))
        >>> span(known, "+.1%"), span(unknown, "+.1%")
        ('+3.1% [+1.0%, +5.2%]', '+3.1%')
    """
    ends = f" [{found.low:{form}}, {found.high:{form}}]" if found.low is not None and found.high is not None else ""
    return f"{found.value:{form}}{ends}"


def between_of(row: Mapping[str, Any], *, form: str = "+.2%") -> str:
    """The value of a row with its interval."""
    return format_estimate(row, form=form)


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
    return f"{number:,} {what}{'' if number == 1 else 's'}"


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
