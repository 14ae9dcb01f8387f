"""What an exercise is: data of the learner's own, an answer in files, and a check that no answer of another passes."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Final, TypeVar
from zlib import crc32

import numpy as np

from reclens.cards import Fact
from reclens.errors import UnknownNameError

__all__ = [
    "HIDDEN",
    "Draw",
    "Exercise",
    "Remark",
    "all_drills",
    "all_exercises",
    "all_interviews",
    "all_projects",
    "exercise_of",
    "named",
]

Asked = TypeVar("Asked", bound="Exercise")

HIDDEN: Final = 3
"""Further draws that code and SQL are run on."""


@dataclass(frozen=True)
class Draw:
    """Where the random numbers of an exercise come from: the same for a learner each time, others for everybody else.

    Attributes:
        seed: 128 bits, of the learner.
        exercise: Code of the exercise.
        number: 0 is what the learner sees; further ones are hidden.
        failed: Attempts that failed before, where each has data of its own.
    """

    seed: int
    exercise: str
    number: int = 0
    failed: int = 0

    def rng(self, what: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that a change of one draw moves no other.

        >>> first, again = Draw(7, "1.1").rng("items"), Draw(7, "1.1").rng("items")
        >>> int(first.integers(1000)) == int(again.integers(1000))
        True
        """
        keys = (crc32(self.exercise.encode()), self.number, crc32(what.encode()))
        keys += (self.failed,) if self.failed else ()
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=keys))

    def hidden(self, count: int = HIDDEN) -> list[Draw]:
        """The draws that code and SQL are run on again."""
        return [replace(self, number=number) for number in range(1, count + 1)]


@dataclass(frozen=True)
class Remark:
    """Something that a check saw and did not expect.

    Attributes:
        code: What is wrong; :mod:`reclens.report.learn` has its sentence.
        facts: What was seen and what was expected: never the answer.
    """

    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Exercise(ABC):
    """An exercise: one file below ``learn/exercises``, and one with its texts below ``report/learn/exercises``.

    Attributes:
        code: Phase and number, such as ``"1.1"``.
        name: Name of its folder.
        files: The files of an answer, all of them text.
        minutes: How long it takes somebody who knows the phase.
        redraws: Codes of remarks after which new data are drawn; none by default.
        endless: Whether new data are drawn after each attempt, also after one that passed.
        wrong: Name of a wrong answer -> what writes it as :meth:`solve` does. The tests see each of them fail.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    minutes: ClassVar[int]
    redraws: ClassVar[frozenset[str]] = frozenset()
    endless: ClassVar[bool] = False
    wrong: ClassVar[Mapping[str, Callable[[Draw, Path], None]]]

    @property
    def phase(self) -> int:
        """Number of its phase."""
        return int(self.code.partition(".")[0])

    def draw(self, seed: int, failed: int) -> Draw:
        """What the data of a learner are drawn from, after so many attempts that drew new ones."""
        return Draw(seed, self.code, failed=failed)

    @abstractmethod
    def facts(self, draw: Draw) -> dict[str, Fact]:
        """What the text of the task names: what was drawn for the learner."""

    @abstractmethod
    def write_data(self, draw: Draw, folder: Path) -> None:
        """Write the data of the task; the same files each time."""

    @abstractmethod
    def templates(self, draw: Draw) -> dict[str, str]:
        """File of the answer -> what it begins as."""

    @abstractmethod
    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Say what is wrong with an answer; nothing if it is right.

        Args:
            answer: File -> its text.
            draw: The draw of the learner.
        """

    def notes(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """What is worth knowing about a right answer, such as how far it lies from the best one; nothing by default."""
        yield from ()

    @abstractmethod
    def solve(self, draw: Draw, folder: Path) -> None:
        """Write a right answer, in a folder that holds the data."""


@cache
def _found(package: str) -> dict[str, Exercise]:
    home = importlib.import_module(f"reclens.learn.{package}")
    held = (
        each
        for module in pkgutil.iter_modules(home.__path__)
        for each in vars(importlib.import_module(f"reclens.learn.{package}.{module.name}")).values()
    )
    kinds = {
        each for each in held if isinstance(each, type) and issubclass(each, Exercise) and not each.__abstractmethods__
    }
    made = [each() for each in kinds]
    return {each.code: each for each in sorted(made, key=lambda each: each.code.split("."))}


def all_exercises() -> Sequence[Exercise]:
    """All exercises, in the order of the path."""
    return tuple(_found("exercises").values())


def all_drills() -> Sequence[Exercise]:
    """All drills, in the order of the goals."""
    return tuple(_found("drills").values())


def all_interviews() -> Sequence[Exercise]:
    """All scenario questions of the interviews."""
    return tuple(_found("interviews").values())


def all_projects() -> Sequence[Exercise]:
    """All projects, in the order of their difficulty."""
    return tuple(_found("projects").values())


def exercise_of(name: str) -> Exercise:
    """The exercise, the drill, the scenario question or the project of a code or a name.

    Raises:
        UnknownNameError: If there is none.

    Example:
        >>> exercise_of("1.1").name
        'make_them_disagree'
    """
    return named("exercise", name, (*all_exercises(), *all_drills(), *all_interviews(), *all_projects()))


def named(what: str, name: str, kinds: Iterable[Asked]) -> Asked:
    """One of several by its code or name; ``what`` they are is said where none has it."""
    found = {each.code: each for each in kinds}
    by_name = {each.name: each for each in found.values()}
    if name in found or name in by_name:
        return found.get(name) or by_name[name]
    raise UnknownNameError(what, name, [*found, *by_name])
