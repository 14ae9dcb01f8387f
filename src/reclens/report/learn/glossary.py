"""The glossary: every term of the path, what it means, and where more stands about it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from reclens.errors import UnknownNameError

__all__ = ["Term", "all_terms", "linked", "term_of", "terms_in", "with_terms"]

_LINK: Final = re.compile(r"\[([^]]+)\]\(#([a-z0-9-]+)\)")
_CODE: Final = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_UNTOUCHED: Final = re.compile(rf"{_CODE.pattern}|^[#>].*?$|\[[^]]*\]\([^)]*\)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Term:
    """A term of the field.

    Attributes:
        slug: Its anchor in links.
        term: The term.
        means: What it means.
        page: Page of the documentation about it.
        also: Other spellings.
    """

    slug: str
    term: str
    means: str
    page: str
    also: tuple[str, ...] = ()


@cache
def all_terms() -> tuple[Term, ...]:
    """All terms, in the order of the alphabet."""
    text = (files("reclens.report.learn") / "glossary.toml").read_text(encoding="utf-8")
    found = [
        Term(slug=slug, term=each["term"], means=each["means"], page=each["page"], also=tuple(each.get("also", ())))
        for slug, each in tomllib.loads(text).items()
    ]
    return tuple(sorted(found, key=lambda each: each.term.casefold()))


def term_of(slug: str) -> Term:
    """A term by its anchor.

    Raises:
        UnknownNameError: If there is none.

    Example:
        >>> term_of("srm").term
        'sample ratio mismatch'
    """
    found = {each.slug: each for each in all_terms()}
    if slug not in found:
        raise UnknownNameError("term", slug, list(found))
    return found[slug]


def linked(text: str) -> list[Term]:
    """The terms that a Markdown text links to, in their order.

    >>> [each.term for each in linked("An [arm](#arm) of a [test](#ab-test), and another [arm](#arm).")]
    ['arm', 'A/B test']
    """
    return [term_of(slug) for slug in dict.fromkeys(slug for _, slug in _LINK.findall(text))]


def terms_in(text: str) -> list[Term]:
    """The terms that a text uses, linked or not, in the order in which they first stand.

    >>> [each.slug for each in terms_in("Guardrails have margins.")]
    ['guardrail', 'margin']
    """
    return list(_first_places(text))


def with_terms(text: str) -> str:
    r"""A Markdown text in which each term leads to the glossary where it first stands.

    Headings, quotes, code and links stay as they are.

    >>> with_terms("# A margin\n\nGuardrails have margins, each `margin` its guardrail.")
    '# A margin\n\n[Guardrails](#guardrail) have [margins](#margin), each `margin` its guardrail.'
    """
    parts: list[str] = []
    end = 0
    for term, place in _first_places(text, within=_UNTOUCHED).items():
        parts += [text[end : place.start()], f"[{place[0]}](#{term.slug})"]
        end = place.end()
    return "".join([*parts, text[end:]])


def _first_places(text: str, within: re.Pattern[str] = _CODE) -> dict[Term, re.Match[str]]:
    """Term -> its first place in a text outside of code; of several that begin at one place, the longest."""
    plain = within.sub(lambda found: " " * len(found[0]), text)
    spellings = _spellings()
    pattern = "|".join(map(_pattern, sorted(spellings, key=len, reverse=True)))
    places: dict[Term, re.Match[str]] = {}
    for found in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", plain):
        said = found[0]
        term = spellings.get(said) or spellings.get(said[0].swapcase() + said[1:])
        assert term is not None
        places.setdefault(term, found)
    return places


@cache
def _spellings() -> dict[str, Term]:
    return {name: each for each in all_terms() for name in (each.term, *each.also)}


def _pattern(spelling: str) -> str:
    """A spelling, at the beginning of a sentence too; an abbreviation stands in capitals."""
    first = spelling[0]
    return f"[{first.upper()}{first.lower()}]{re.escape(spelling[1:])}" if first.isalpha() else re.escape(spelling)
