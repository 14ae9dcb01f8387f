"""Tasks and hints: one Markdown file an exercise, with ``{name}`` where something was drawn for the learner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from reclens.cards import Fact
from reclens.errors import UnknownNameError
from reclens.report._toolkit.format import filled

__all__ = ["hint_text", "milestone_of", "task_text", "title_of"]

_HINT: Final = "\n<!-- hint -->\n"


@cache
def _parts(code: str) -> list[str]:
    kind = {"P": "projects", "i": "interviews"}.get(code[:1]) or ("exercises" if code[-1:].isdigit() else "drills")
    place = files("reclens.report.learn") / kind
    try:
        text = (place / f"{code}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        known = sorted(each.name.removesuffix(".md") for each in place.iterdir() if each.name.endswith(".md"))
        raise UnknownNameError("exercise", code, known) from None
    return text.split(_HINT)


def title_of(code: str) -> str:
    """Title of an exercise.

    >>> title_of("1.1")
    'Make them disagree'
    """
    return _parts(code)[0].partition("\n")[0].removeprefix("# ").partition(" · ")[2]


def milestone_of(code: str) -> str:
    """What who has done the exercise can do."""
    line = next(line for line in _parts(code)[0].splitlines() if line.startswith("> "))
    return line.removeprefix("> ")


def task_text(code: str, facts: Mapping[str, Fact]) -> str:
    """The task as Markdown.

    Args:
        code: Code of the exercise.
        facts: What was drawn for the learner.
    """
    return filled(_parts(code)[0], facts).rstrip() + "\n"


def hint_text(code: str, number: int, facts: Mapping[str, Fact]) -> str:
    """A hint as Markdown; ``number`` counts from 1."""
    return filled(_parts(code)[number], facts).strip()
