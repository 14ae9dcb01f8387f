"""The placement quiz: which phase to start with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reclens.errors import UsageError
from reclens.learn.exercise import Draw, all_exercises
from reclens.learn.learner import Learner
from reclens.learn.progress import Placement
from reclens.report.learn.quiz import all_questions

__all__ = ["Asked", "grade_quiz", "questions_of", "take_quiz"]

_KNOWN: Final = 2
"""Right answers, of those of a phase, that let a learner skip it."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question of the quiz, as a learner sees it.

    Attributes:
        code: Its code.
        phase: Number of the phase that it is about.
        text: The question.
        options: The answers to choose from.
        right: Place of the right one.
    """

    code: str
    phase: int
    text: str
    options: tuple[str, ...]
    right: int


def questions_of(seed: int) -> Sequence[Asked]:
    """The questions, with the answers in an order of the learner's own."""
    asked: list[Asked] = []
    for each in all_questions():
        order = Draw(seed, "quiz").rng(each.code).permutation(len(each.options)).tolist()
        asked.append(
            Asked(
                code=each.code,
                phase=each.phase,
                text=each.text,
                options=tuple(each.options[at] for at in order),
                right=order.index(0),
            )
        )
    return asked


def grade_quiz(asked: Sequence[Asked], chosen: Sequence[int | None]) -> Placement:
    """Where answers place a learner: at the first phase with too few right ones.

    Args:
        asked: The questions.
        chosen: The place of the chosen answer of each; None for "I do not know".

    Raises:
        UsageError: If there is not one answer for each question.
    """
    if len(chosen) != len(asked):
        raise UsageError(f"The quiz has {len(asked)} questions, and {len(chosen)} answers were given.")
    right = dict.fromkeys(sorted({each.phase for each in asked}), 0)
    for each, place in zip(asked, chosen, strict=True):
        if place is not None and not 0 <= place < len(each.options):
            raise UsageError(f"Answer {place + 1} to question {each.code} is none of its {len(each.options)} answers.")
        right[each.phase] += place == each.right
    weak = next((phase for phase, count in right.items() if count < _KNOWN), max(right))
    start = next(each.code for each in all_exercises() if each.phase == weak)
    return Placement(at=datetime.now(UTC).replace(microsecond=0), right=right, start=start)


def take_quiz(learner: Learner, chosen: Sequence[int | None]) -> Placement:
    """Grade a learner's answers, and keep where they place the learner."""
    with learner.changing() as progress:
        placed = grade_quiz(questions_of(int(progress.seed, 16)), chosen)
        progress.quizzes.append(placed)
    return placed
