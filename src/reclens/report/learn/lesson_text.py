"""Lessons as Markdown: one file a lesson, with ``{name:format}`` where a number is computed for the learner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from reclens.cards import Fact
from reclens.errors import UnknownNameError
from reclens.report._toolkit.format import filled

__all__ = ["STATES", "lesson_source", "lesson_text", "lesson_title"]

STATES: Final[Mapping[str, str]] = {
    "holds": "holds",
    "broken": "is broken",
    "unclear": "cannot be told: too few users",
    "above": "It lies above zero: here EASE is better.",
    "below": "It lies below zero: here popularity is better.",
    "around": "It holds zero: the two cannot be told apart.",
}
"""What the code of a state says; only facts whose name ends in ``_state``, or ``told_apart``, are codes."""


@cache
def lesson_source(code: str) -> str:
    """The text of a lesson, before its numbers are in it.

    Raises:
        UnknownNameError: If there is no such lesson.
    """
    place = files("reclens.report.learn") / "lessons"
    try:
        return (place / f"{code}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        known = sorted(each.name.removesuffix(".md") for each in place.iterdir() if each.name.endswith(".md"))
        raise UnknownNameError("lesson", code, known) from None


def lesson_title(code: str) -> str:
    """Title of a lesson.

    >>> lesson_title("2.b")
    'Guardrails'
    """
    return lesson_source(code).partition("\n")[0].partition(" · ")[2]


def lesson_text(code: str, facts: Mapping[str, Fact]) -> str:
    """A lesson as Markdown; terms are links to anchors of the glossary.

    Args:
        code: Code of the lesson.
        facts: Its numbers.
    """
    worded = {
        name: STATES[str(value)] if name.endswith("_state") or name == "told_apart" else value
        for name, value in facts.items()
    }
    return filled(lesson_source(code), worded).rstrip() + "\n"
