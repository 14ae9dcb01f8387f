"""Requirements on items as text: ``genres includes Comedy``, ``year >= 1990``, ``brand in [A, B]``.

A requirement is ``COLUMN OPERATOR VALUE``. It is parsed, never executed. Column names with spaces are quoted, as are
values with brackets or commas; text is compared case-insensitively.

``pl.sql_expr`` is not used: relaxation and critiques change the parts of a requirement, and preferences and lists are
not SQL.

====================================================  ==============================================================
``= != in [A, B]``, ``not in [A, B]``                 text, numbers, dates, true or false
``contains``, ``does not contain``                    text
``includes A``, ``includes any of [A, B]``,           lists
``includes all of [A, B]``, ``excludes A``
``< <= > >=``, ``between A and B``                    numbers, dates (as 2024-02-29)
``is known``, ``is missing``                          anything
``low``, ``high``, ``near A``                         numbers, dates: wishes, met more or less
====================================================  ==============================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reclens.errors import UsageError, suggest

__all__ = ["OPERATORS", "WISHES", "Requirement", "parse_requirement"]

WISHES: Final = ("low", "high", "near")
"""Operators with degrees, which can be preferred but not required."""
_LISTS: Final = ("in", "not in", "includes any of", "includes all of")
_BARE: Final = ("is known", "is missing", "low", "high")
_TEXT: Final = ("=", "!=", "in", "not in", "contains", "does not contain", "is known", "is missing")
_NUMBER: Final = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "between",
    "in",
    "not in",
    "low",
    "high",
    "near",
    "is known",
    "is missing",
)
OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    "list": ("includes", "includes any of", "includes all of", "excludes", "is known", "is missing"),
    "text": _TEXT,
    "number": _NUMBER,
    "date": _NUMBER,
    "flag": ("=", "!=", "is known", "is missing"),
}
"""Kind of a column -> its operators."""
_KNOWN: Final = sorted({name for names in OPERATORS.values() for name in names}, key=lambda name: (-len(name), name))
_OTHER_SPELLINGS: Final = {
    "==": "=",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "<>": "!=",
    "at least": ">=",
    "at most": "<=",
    "is not": "!=",
    "is": "=",
}
_PARTS: Final = re.compile(
    r"""\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s<>=!≤≥≠"']+))\s*(?P<rest>.*)""",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_PLAIN: Final = re.compile(r"""[^\s"'\[\],][^"'\[\],]*""")


@dataclass(frozen=True)
class Requirement:
    """One requirement; ``str`` gives its text.

    Attributes:
        column: The attribute of the items.
        operator: One of ``OPERATORS``.
        values: Operands as text; empty for operators without a value.
    """

    column: str
    operator: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        plain = re.fullmatch(r"[^\s<>=!≤≥≠\"'\\]+", self.column)
        head = f"{self.column if plain else _in_quotes(self.column)} {self.operator}"
        if self.operator in _BARE:
            return head
        if self.operator == "between":
            return f"{head} {' and '.join(map(_shown, self.values))}"
        if self.operator in _LISTS or len(self.values) != 1:
            return f"{head} [{', '.join(map(_shown, self.values))}]"
        return f"{head} {_shown(self.values[0], alone=True)}"


def parse_requirement(given: str | Mapping[str, Any] | Requirement) -> Requirement:
    """Parse a requirement.

    Args:
        given: A text, or a mapping with ``column``, ``operator`` and ``value`` (one value or a list of them).

    Raises:
        UsageError: If it cannot be parsed; names the place, and suggests what was meant.

    Example:
        >>> parse_requirement("genres includes any of [Comedy, 'Film-Noir']")
        Requirement(column='genres', operator='includes any of', values=('Comedy', 'Film-Noir'))
        >>> str(parse_requirement({"column": "year", "operator": ">=", "value": 1990}))
        'year >= 1990'
    """
    if isinstance(given, Requirement):
        return given
    if isinstance(given, Mapping):
        return _from_mapping(given)
    text: Any = given
    if not isinstance(text, str) or not (found := _PARTS.fullmatch(text)):
        raise UsageError(f"the requirement {given!r} is no text such as 'year >= 1990'.")
    quoted = found["double"] if found["double"] is not None else found["single"]
    column = found["bare"] if quoted is None else _plain(quoted)
    operator, rest = _operator(found["rest"].strip(), given)
    return _made(column, operator, _values(operator, rest, given), given)


def _from_mapping(given: Mapping[str, Any]) -> Requirement:
    unknown = [key for key in given if key not in ("column", "operator", "value")]
    if unknown or not {"column", "operator"} <= set(given):
        raise UsageError(f"the requirement {dict(given)!r} needs 'column', 'operator' and 'value', and nothing else.")
    operator, rest = _operator(str(given["operator"]), str(dict(given)))
    if rest:
        raise UsageError(f"the requirement {dict(given)!r}: unknown operator '{given['operator']}'.")
    value = given.get("value", ())
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return _made(str(given["column"]), operator, tuple(map(_as_text, values)), str(dict(given)))


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _made(column: str, operator: str, values: tuple[str, ...], given: str) -> Requirement:
    """Make a requirement after checking the number of its values."""
    least, most = {"between": (2, 2), "excludes": (1, 99)}.get(operator, (1, 1))
    least, most = (0, 0) if operator in _BARE else (1, 9999) if operator in _LISTS else (least, most)
    if least <= len(values) <= most:
        return Requirement(column, operator, values)
    hints = {"includes": " Say 'includes any of' or 'includes all of'.", "=": " Say 'in'.", "!=": " Say 'not in'."}
    seen = "no value" if not values else f"{len(values)} values"
    expected = "none" if not most else "one" if most == 1 else "two" if most == 2 else "one or more"
    hint = hints.get(operator, "") if len(values) > 1 else ""
    raise UsageError(f"the requirement '{given}': '{operator}' has {seen}, expected {expected}.{hint}")


def _operator(rest: str, given: str) -> tuple[str, str]:
    """Split the operator off the beginning of a text."""
    lower = rest.lower()
    for name in sorted([*_KNOWN, *_OTHER_SPELLINGS], key=len, reverse=True):
        if not lower.startswith(name):
            continue
        tail = rest[len(name) :]
        if name[-1].isalpha() and tail and not tail[0].isspace() and tail[0] not in "[\"'":
            continue
        return _OTHER_SPELLINGS.get(name, name), tail.strip()
    word = re.match(r"[^\s\[\"'\d]+|\S+", rest)
    if word is None:
        raise UsageError(f"the requirement '{given}' has no operator. Expected one such as 'year >= 1990'.")
    raise UsageError(f"the requirement '{given}': unknown operator '{word[0]}'.{suggest(word[0], _KNOWN)}")


def _values(operator: str, text: str, given: str) -> tuple[str, ...]:
    if operator in _BARE:
        if text:
            raise UsageError(f"the requirement '{given}': nothing can follow '{operator}', and there is '{text}'.")
        return ()
    if operator == "between":
        low, found, high = text.partition(" and ")
        if not found:
            raise UsageError(f"the requirement '{given}': expected two values, as in 'between 1990 and 1999'.")
        return _one(low.strip(), given), _one(high.strip(), given)
    if text.startswith("["):
        return _listed(text, given)
    if operator in _LISTS:
        raise UsageError(f"the requirement '{given}': '{operator}' needs a list, such as [A, B].")
    return (_one(text, given),) if text else ()


def _listed(text: str, given: str) -> tuple[str, ...]:
    """Parse the values of ``[A, "B, C"]``."""
    values: list[str] = []
    at = 1
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        found = _QUOTED.match(text, at) or _PLAIN.match(text, at)
        if found is None:
            break
        values.append(_one(found[0].strip(), given))
        at = found.end()
        while at < len(text) and text[at].isspace():
            at += 1
        if text[at : at + 1] != ",":
            break
        at += 1
    if text[at:].strip() != "]":
        raise UsageError(f"the requirement '{given}': expected a list such as [A, \"B, C\"], and there is '{text}'.")
    return tuple(values)


def _one(text: str, given: str) -> str:
    """Remove the quotes of a value."""
    if text[:1] in ('"', "'"):
        if not _QUOTED.fullmatch(text):
            raise UsageError(f"the requirement '{given}': the quotes of {text} do not close, or something follows.")
        return _plain(text[1:-1])
    return text


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)


def _shown(value: str, *, alone: bool = False) -> str:
    """Quote a value if necessary."""
    if alone:  # "includes any of" would be another operator
        calm = value[:1] not in ("", "'", '"', "[") and not value.lower().startswith(("any of", "all of"))
    else:
        calm = _PLAIN.fullmatch(value) is not None and " and " not in value
    calm = calm and value == value.strip()
    return value if calm else _in_quotes(value)


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
