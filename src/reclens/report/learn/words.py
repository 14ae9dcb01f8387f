"""What stands below a lesson or a task: where it is practised, and the terms that it uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from reclens.report.learn.glossary import Term, all_terms, terms_in, with_terms
from reclens.report.learn.path import phase_of
from reclens.report.learn.tasks import title_of

__all__ = [
    "anchor_of",
    "glossary_page",
    "plain_links",
    "practice_part",
    "readme_text",
    "task_with_words",
    "with_links",
    "words_part",
]

_LINK: Final = re.compile(r"\[([^]]+)\]\(#([a-z0-9-]+)\)")


def with_links(text: str, address: Callable[[str], str]) -> str:
    """A text whose links to terms lead to an address.

    >>> with_links("An [arm](#arm).", lambda slug: f"glossary.md#{slug}")
    'An [arm](glossary.md#arm).'
    """
    return _LINK.sub(lambda found: f"[{found[1]}]({address(found[2])})", text)


def plain_links(text: str) -> str:
    """A text for a terminal, where nothing can be clicked.

    >>> plain_links("An [arm](#arm).")
    'An arm.'
    """
    return _LINK.sub(lambda found: found[1], text)


def practice_part(drills: Sequence[str], exercises: Sequence[str]) -> str:
    """Where a lesson is practised, as Markdown."""
    lines = [f"- Drill {code}, {title_of(code)}: `reclens learn drill {code}`" for code in drills]
    lines += [f"- Exercise {code}, {title_of(code)}: `reclens learn start {code}`" for code in exercises]
    rooms = phase_of(int((*drills, *exercises)[0].partition(".")[0])).rooms
    pages = ", ".join(f"`docs/{each}`" for each in rooms)
    return "\n".join(["\n## Practise it", "", *lines, f"- Pages of the documentation that do this work: {pages}", ""])


def task_with_words(task: str) -> str:
    """A task whose terms are links where they first stand, and below it what they mean."""
    return with_terms(task) + words_part(task)


def readme_text(task: str) -> str:
    """A task as a file: its terms lead to the words at its end."""
    words = plain_links(words_part(task))
    more = "\n`reclens learn glossary TERM` names the page of the documentation about a term.\n" if words else ""
    return with_links(with_terms(task), lambda _: "#words") + words + more


def words_part(text: str) -> str:
    """The terms that a text uses and what they mean, as Markdown; nothing if it uses none."""
    found = terms_in(text)
    return "\n".join(["\n## Words", "", *map(_line, found), ""]) if found else ""


def _line(term: Term) -> str:
    return f"- [{term.term}](#{term.slug}): {term.means}"


def glossary_page(lessons: Callable[[str], Sequence[str]]) -> str:
    """The glossary as a page of the documentation.

    Args:
        lessons: Anchor of a term -> the codes of the lessons that use it.
    """
    lines = [
        "# Glossary",
        "",
        "The terms of the [learning path](learn.md), each with the [lessons](lessons.md) that use it.",
        "",
    ]
    for term in all_terms():
        used = ", ".join(f"[{code}](lessons.md#{anchor_of(code)})" for code in lessons(term.slug))
        more = f"Lessons {used}. " if used else ""
        lines += [f"## {term.term} {{#{term.slug}}}", "", term.means, "", f"{more}See [{term.page}]({term.page}).", ""]
    return "\n".join(lines)


def anchor_of(code: str) -> str:
    """Anchor of a lesson on the page of the documentation.

    >>> anchor_of("1.a")
    'lesson-1-a'
    """
    return f"lesson-{code.replace('.', '-')}"
