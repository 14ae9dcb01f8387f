"""Where a learner stands: the seed, every attempt and the hints that were read, in one file that is written whole."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from reclens.errors import WorkspaceError
from reclens.files import write_text
from reclens.learn.exercise import Exercise

__all__ = [
    "FORMAT",
    "Attempt",
    "MockInterview",
    "Placement",
    "Progress",
    "new_progress",
    "read_progress",
    "write_progress",
]

FORMAT: Final = 2
"""Version of the file."""


class Attempt(BaseModel):
    """One check of one answer.

    Attributes:
        exercise: Code of the exercise.
        at: When, in UTC; never before the attempt ahead of it, so that a clock that was set back reorders nothing.
        passed: Whether the check found nothing wrong.
        remarks: Codes of what it found.
        answer: File of the answer -> SHA-256 of its bytes; the text is kept below ``answers``.
        data: SHA-256 of the data that were in the folder; empty in files of format 1.
        version: Version of RecLens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exercise: str = Field(pattern=r"^[\w.]{1,40}$")
    at: AwareDatetime
    passed: bool
    remarks: list[str] = []
    answer: dict[str, str] = {}
    data: str = ""
    version: str


class Placement(BaseModel):
    """An answered placement quiz.

    Attributes:
        at: When, in UTC.
        right: Phase -> right answers.
        start: Code of the exercise to start with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AwareDatetime
    right: dict[int, int]
    start: str


class MockInterview(BaseModel):
    """A finished mock interview.

    Attributes:
        at: When it ended, in UTC.
        minutes: How long it took.
        grades: Question -> whether it was answered well; None if the time was over.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AwareDatetime
    minutes: float
    grades: dict[str, bool | None]


class Progress(BaseModel):
    """The file ``learn/progress.json``.

    Attributes:
        format: Version of the file.
        seed: 128 bits in hexadecimal, from which everything is drawn.
        begun: When the learner began, in UTC.
        hints: Exercise -> hints that were read.
        ticks: Lessons and others that the learner has ticked off; nothing checks them.
        notes: What the learner noted beside a lesson or an exercise.
        cards: Flash card -> how the learner graded each answer.
        quizzes: Placement quizzes.
        mocks: Mock interviews.
        attempts: The attempts, in their order.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    seed: str = Field(pattern=r"^[0-9a-f]{32}$")
    begun: AwareDatetime
    hints: dict[str, Annotated[int, Field(ge=0, le=3)]] = {}
    ticks: list[str] = []
    notes: dict[str, str] = {}
    cards: dict[str, list[bool]] = {}
    quizzes: list[Placement] = []
    mocks: list[MockInterview] = []
    attempts: list[Attempt] = []

    def solved(self) -> set[str]:
        """Codes of the exercises that an attempt passed."""
        return {each.exercise for each in self.attempts if each.passed}

    def failed(self, exercise: str, codes: Collection[str]) -> int:
        """Attempts at an exercise with a remark of these codes, before the first that passed."""
        attempts = [each for each in self.attempts if each.exercise == exercise]
        before = itertools.takewhile(lambda each: not each.passed, attempts)
        return sum(not set(codes).isdisjoint(each.remarks) for each in before)

    def drawn(self, exercise: Exercise) -> int:
        """How often data of an exercise were drawn anew."""
        if exercise.endless:
            return self.tries(exercise.code)
        return self.failed(exercise.code, exercise.redraws)

    def begun_with(self, exercise: str) -> bool:
        """Whether an answer was checked or a hint was read."""
        return exercise in self.hints or any(each.exercise == exercise for each in self.attempts)

    def tries(self, exercise: str) -> int:
        """Attempts at an exercise."""
        return sum(each.exercise == exercise for each in self.attempts)


def new_progress() -> Progress:
    """Progress of a learner who begins now, with a seed of its own."""
    return Progress(seed=secrets.token_hex(16), begun=datetime.now(UTC).replace(microsecond=0))


def read_progress(path: Path) -> Progress | None:
    """Read the file; None where there is none.

    Raises:
        WorkspaceError: If it cannot be read, or a newer version of RecLens wrote it.
    """
    if path.exists() and not path.is_file():  # a device has no end
        raise WorkspaceError(f"{path} is no regular file. Put back a copy, or move it away to begin anew.")
    try:
        held: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise WorkspaceError(
            f"{path} cannot be read ({error}). Put back a copy, or move it away to begin anew."
        ) from error
    written = held.get("format") if isinstance(held, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise WorkspaceError(
            f"{path} has format {written}, and this version of RecLens reads up to {FORMAT}. Install a newer RecLens."
        )
    try:
        return Progress.model_validate(held)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise WorkspaceError(
            f"{path}: {where}: {first['msg']}. Put back a copy, or move it away to begin anew."
        ) from error


def write_progress(path: Path, progress: Progress) -> None:
    """Write the file whole, one line an attempt.

    Raises:
        WorkspaceError: If it cannot be written.
    """
    held = progress.model_dump(mode="json")
    attempts = [json.dumps(each, ensure_ascii=False) for each in held.pop("attempts")]
    head = json.dumps(held, ensure_ascii=False, indent=1).removesuffix("\n}")
    rows = ",\n".join(f"  {each}" for each in attempts)
    write_text(path, f'{head},\n "attempts": [{chr(10) + rows + chr(10) + " " if rows else ""}]\n}}\n')
