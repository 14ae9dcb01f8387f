"""What a lesson shows: a goal of the path on numbers that are computed when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reclens.cards import Fact
from reclens.learn.exercise import Draw

__all__ = ["Bar", "Lesson", "Shown"]


@dataclass(frozen=True)
class Bar:
    """A number of the chart of a lesson.

    Attributes:
        label: What it is of.
        value: The number.
        low: Lower end of its 95 % interval; None if it has none.
        high: Upper end.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Shown:
    """The numbers of a lesson for one learner.

    Attributes:
        facts: What its text names.
        bars: What its chart draws.
    """

    facts: Mapping[str, Fact]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson; :mod:`reclens.report.learn.lessons` has its text. The drill of the same code practises it.

    Attributes:
        code: Phase and letter, such as ``"1.a"``.
        exercises: Codes of the exercises that it prepares.
        show: Computes its numbers.
    """

    code: str
    exercises: tuple[str, ...]
    show: Callable[[Draw], Shown]

    def numbers(self, seed: int) -> Shown:
        """The numbers of a learner: the same each time, others for everybody else."""
        return self.show(Draw(seed, f"lesson {self.code}"))
