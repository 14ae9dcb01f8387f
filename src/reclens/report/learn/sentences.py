"""Sentences of the commands: what comes next, what was written, what a check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from reclens.cards import Fact
from reclens.report._toolkit.format import count_of, listed
from reclens.report.learn.lesson_text import lesson_title
from reclens.report.learn.path import PATH, phase_of
from reclens.report.learn.remarks import remark_sentence
from reclens.report.learn.tasks import milestone_of, title_of

__all__ = [
    "ALL_DRILLED",
    "PROOF",
    "checked_sentences",
    "drill_sentences",
    "lesson_lines",
    "next_sentences",
    "progress_sentence",
    "reset_sentence",
    "started_sentences",
    "verified_sentence",
]

_MOST: Final = 12


def next_sentences(code: str | None, lessons: Sequence[str] = ()) -> list[str]:
    """Which exercise comes next, and why; ``code`` is None when all are solved.

    Args:
        code: Its code.
        lessons: Codes of the lessons that prepare it.
    """
    if code is None:
        return ["All exercises are solved. 'reclens learn export' writes them to one file."]
    phase = phase_of(int(code.partition(".")[0]))
    return [
        f"{code} · {title_of(code)}",
        milestone_of(code),
        f"Phase {phase.number}, {phase.title}: {' '.join(phase.goals)}",
        *(f"Read 'reclens learn lesson {each}', {lesson_title(each)}." for each in lessons),
        f"Run 'reclens learn start {code}'.",
    ]


def started_sentences(code: str, folder: Path, written: Sequence[str]) -> list[str]:
    """Where the task is, and what was written now."""
    kept = "" if written else " Your answer stays as it is, and the data are written."
    files = f" New: {listed(list(written))}." if written else ""
    return [
        f"{code} · {title_of(code)}: {folder}.{files}{kept}",
        f"Read {folder / 'README.md'}, then run 'reclens learn check {code}'.",
    ]


ALL_DRILLED: Final = "All drills are solved. 'reclens learn next' names the next exercise."


def drill_sentences(code: str, folder: Path, task: str) -> list[str]:
    """The task of a drill, and where to answer it."""
    return [
        task.rstrip(),
        "",
        f"Data and template: {folder}. Write answer.toml there, and run 'reclens learn drill {code}' again.",
    ]


def checked_sentences(
    code: str,
    remarks: Sequence[tuple[str, Mapping[str, Fact]]],
    attempt: int,
    *,
    passed: bool = False,
    redrawn: bool = False,
) -> list[str]:
    """What a check found.

    Args:
        code: Code of the exercise.
        remarks: Code and facts of each remark, of a right answer of each note.
        attempt: Number of the attempt.
        passed: Whether the answer is right.
        redrawn: Whether new data were written.
    """
    lines = [f"- {remark_sentence(each, facts)}" for each, facts in remarks[:_MOST]]
    more = [f"- and {len(remarks) - _MOST} more"] if len(remarks) > _MOST else []
    if passed:
        after = count_of(attempt, "attempt")
        head = f"solved, after {after}. 'reclens learn solution {code}' shows another answer."
    else:
        head = f"not yet (attempt {attempt})"
    new = ["Each attempt has data of its own: new ones were written for the next."] if redrawn else []
    return [f"{code} · {title_of(code)}: {head}", *lines, *more, *new]


def reset_sentence(code: str, aside: Path | None) -> str:
    """Where the old folder is."""
    return f"{code} begins anew." + ("" if aside is None else f" What was there is kept in {aside}.")


def verified_sentence(reproduced: int, attempts: int, solved: Sequence[str]) -> str:
    """How much of an export was reproduced.

    >>> verified_sentence(4, 4, ["1.1"])
    '4 of 4 attempts reproduced. Solved: 1.1.'
    """
    return (
        f"{reproduced} of {attempts} attempts reproduced. Solved: {listed(list(solved)) if solved else 'nothing yet'}."
    )


def lesson_lines() -> list[str]:
    """The lessons by phase, and how one is read."""
    lines: list[str] = []
    for phase in PATH:
        lines += [
            f"Phase {phase.number} · {phase.title}",
            *(f"  {code}  {lesson_title(code)}" for code in phase.lessons),
        ]
    return [*lines, "Run 'reclens learn lesson 1.a' to read one."]


PROOF: Final = (
    "A tick, a note and a file on your own machine can be edited. The proof is the replay: 'reclens learn export' "
    "writes every answer to one file, and 'reclens learn verify' checks each of them again."
)


def progress_sentence(solved: int, exercises: int, drills: int, ticked: int) -> str:
    """Where a learner stands.

    >>> progress_sentence(3, 16, 1, 2)
    '3 of 16 exercises and 1 drill solved, 2 lessons ticked.'
    """
    return (
        f"{solved} of {count_of(exercises, 'exercise')} and {count_of(drills, 'drill')} solved, "
        f"{count_of(ticked, 'lesson')} ticked."
    )
