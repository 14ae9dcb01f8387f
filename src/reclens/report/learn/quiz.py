"""The questions of the placement quiz."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["Question", "all_questions"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with the answers to choose from, the right one first.

    Attributes:
        code: Its code.
        phase: Number of the phase that it is about.
        lesson: Code of the lesson that answers it.
        text: The question.
        options: The answers.
    """

    code: str
    phase: int
    lesson: str
    text: str
    options: tuple[str, ...]


@cache
def all_questions() -> tuple[Question, ...]:
    """All questions, phase by phase."""
    text = (files("reclens.report.learn") / "quiz.toml").read_text(encoding="utf-8")
    return tuple(
        Question(
            code=code,
            phase=each["phase"],
            lesson=each["lesson"],
            text=each["question"],
            options=tuple(each["answers"]),
        )
        for code, each in tomllib.loads(text).items()
    )
