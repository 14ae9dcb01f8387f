"""Read the lessons and the glossary, take the placement quiz, and write the learning path as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.bundles import OUTPUT, Output
from reclens.cli.registry import command
from reclens.cli.shared import QuietOption, WorkspaceOption, writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reclens.learn.placement import Asked

__all__ = ["glossary", "lesson", "page", "quiz"]

WORKSPACE = Path("workspace")


@command("learn lesson")
def lesson(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="Such as 1.b; if omitted, the list.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Print a lesson as Markdown, with numbers that are computed from your own data.

    Examples:
      reclens learn lesson
      reclens learn lesson 1.b
    """
    from reclens.learn.reading import read_lesson
    from reclens.report.learn.sentences import lesson_lines
    from reclens.report.learn.words import plain_links

    if code is None:
        print("\n".join(lesson_lines()))
        return
    print(plain_links(read_lesson(code, workspace).text))


@command("learn glossary")
def glossary(
    term: Annotated[str | None, typer.Argument(metavar="[TERM]", help="Only terms that hold this text.")] = None,
    output: Output = OUTPUT,
) -> None:
    """List the terms of the path and what they mean.

    Examples:
      reclens learn glossary
      reclens learn glossary margin
    """
    from reclens.report.learn.tables import glossary_table

    output.emit(glossary_table(term))


@command("learn quiz")
def quiz(
    answers: Annotated[
        str | None,
        typer.Option("--answers", help="A letter for each question, - for none; without it you are asked."),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Take the placement quiz: fifteen questions, and where to start.

    Examples:
      reclens learn quiz --answers abcda-bcdabcdab
    """
    from reclens.learn.learner import Learner
    from reclens.learn.placement import questions_of, take_quiz
    from reclens.report.learn.interviewing import placement_sentences

    learner = Learner(workspace)
    with learner.changing() as progress:
        asked = questions_of(int(progress.seed, 16))
    chosen = _ask(asked) if answers is None else _read(answers)
    placed = take_quiz(learner, chosen)
    each = sum(question.phase == 1 for question in asked)
    print("\n".join(placement_sentences(placed.right, placed.start, each)))


def _read(answers: str) -> list[int | None]:
    from reclens.errors import UsageError

    letters = answers.replace(" ", "").lower()
    if not all(each in "abcd-" for each in letters):
        raise UsageError(f"--answers is {answers!r}, expected letters from a to d, and - for a question left out.")
    return [None if each == "-" else "abcd".index(each) for each in letters]


def _ask(asked: Sequence[Asked]) -> list[int | None]:
    chosen: list[int | None] = []
    for number, each in enumerate(asked, 1):
        print(f"\n{number} of {len(asked)} · {each.text}")
        print("\n".join(f"  {letter} {text}" for letter, text in zip("abcd", each.options, strict=True)))
        while (given := typer.prompt("a to d, or - for none").strip().lower()) not in (*"abcd", "-"):
            print("a, b, c, d or -")
        chosen.append(None if given == "-" else "abcd".index(given))
    return chosen


@command("learn page")
def page(
    out: Annotated[Path, typer.Option("--out", "-o", callback=writable, help="File to write, as HTML.")] = Path(
        "learn.html"
    ),
    workspace: WorkspaceOption = WORKSPACE,
    quiet: QuietOption = False,
) -> None:
    """Write the whole path as one HTML file: lessons, tasks, flash cards, glossary, your progress, ticks and notes.

    Example:
      reclens learn page --out learn.html
    """
    from reclens.cli.shared import say
    from reclens.learn.standalone import build_page

    build_page(workspace).save(out)
    say(f"{out}: open it in any browser; it needs no network", quiet=quiet)
