"""Reading a lesson: its text with the learner's numbers, its chart, and what the workspace has of the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reclens.errors import RecLensError
from reclens.learn.exercise import all_drills, all_exercises
from reclens.learn.learner import Learner
from reclens.learn.lesson import Bar
from reclens.learn.lessons import lesson_of
from reclens.report._toolkit.document import SYNTHETIC
from reclens.report._toolkit.tables import Table
from reclens.report.learn.lesson_text import lesson_text
from reclens.report.learn.own_numbers import KIND_OF_LESSON, own_table
from reclens.report.learn.words import practice_part, words_part

__all__ = ["EXAMPLE_SEED", "Reading", "read_lesson"]

EXAMPLE_SEED: Final = 0
"""What lessons are computed from before a learner has a seed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """A lesson as it is read.

    Attributes:
        code: Its code.
        body: Its Markdown, with numbers; terms are links to anchors of the glossary.
        after: Where it is practised, and the words that it uses, as Markdown.
        bars: What its chart draws.
        own: The newest artefact of the workspace about the same; None if there is none.
        personal: Whether the numbers are drawn from the learner's seed.
    """

    code: str
    body: str
    after: str
    bars: tuple[Bar, ...]
    own: Table | None
    personal: bool

    @property
    def text(self) -> str:
        """All of it as Markdown."""
        from reclens.report._toolkit.tables import to_markdown

        own = "" if self.own is None else f"\n## In your workspace\n\n**{self.own.title}**\n\n{to_markdown(self.own)}"
        return f"{self.body}{own}\n{self.after}\n*Synthetic data. {SYNTHETIC}*"


def read_lesson(code: str, workspace: str | Path) -> Reading:
    """A lesson with the numbers of the learner of a workspace.

    Raises:
        UnknownNameError: If there is no such lesson.
    """
    lesson = lesson_of(code)
    progress = Learner(workspace).progress
    seed = EXAMPLE_SEED if progress is None else int(progress.seed, 16)
    shown = lesson.numbers(seed)
    body = lesson_text(code, shown.facts)
    drills = [each.code for each in all_drills() if each.code == code]
    exercises = [each.code for each in all_exercises() if each.code in lesson.exercises]
    return Reading(
        code=code,
        body=body,
        after=practice_part(drills, exercises) + words_part(body),
        bars=shown.bars,
        own=_own(code, Path(workspace)),
        personal=progress is not None,
    )


def _own(code: str, workspace: Path) -> Table | None:
    from reclens.workspace import Workspace

    kind = KIND_OF_LESSON.get(code)
    if kind is None or not workspace.is_dir():
        return None
    place = Workspace(workspace)
    try:
        newest = max(place.list(kind), key=lambda each: each.created, default=None)
        return None if newest is None else own_table(kind, newest.name, place.load(kind, newest.name))
    except RecLensError:  # of an older version, or broken: the lesson reads without it
        return None
