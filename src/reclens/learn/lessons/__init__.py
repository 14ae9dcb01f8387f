"""The lessons: one file a phase, one function a lesson."""

from __future__ import annotations

from collections.abc import Sequence

from reclens.errors import UnknownNameError
from reclens.learn.lesson import Lesson
from reclens.learn.lessons.architectures import LESSONS as OF_ARCHITECTURES
from reclens.learn.lessons.experiments import LESSONS as OF_EXPERIMENTS
from reclens.learn.lessons.fairness import LESSONS as OF_FAIRNESS
from reclens.learn.lessons.foundations import LESSONS as OF_FOUNDATIONS
from reclens.learn.lessons.production import LESSONS as OF_PRODUCTION

__all__ = ["all_lessons", "lesson_of", "lessons_before"]


def all_lessons() -> Sequence[Lesson]:
    """All lessons, in the order of the path."""
    return (*OF_FOUNDATIONS, *OF_EXPERIMENTS, *OF_ARCHITECTURES, *OF_FAIRNESS, *OF_PRODUCTION)


def lesson_of(code: str) -> Lesson:
    """The lesson of a code.

    Raises:
        UnknownNameError: If there is none.

    Example:
        >>> lesson_of("1.b").exercises
        ('1.3',)
    """
    found = {each.code: each for each in all_lessons()}
    if code not in found:
        raise UnknownNameError("lesson", code, list(found))
    return found[code]


def lessons_before(exercise: str) -> list[str]:
    """Codes of the lessons that prepare an exercise.

    >>> lessons_before("2.4")
    ['2.a', '2.c']
    """
    return [each.code for each in all_lessons() if exercise in each.exercises]
