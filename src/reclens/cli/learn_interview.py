"""Interviews: scenario questions with a planted cause, flash cards, and a mock interview of thirty minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reclens.cli.registry import command
from reclens.cli.shared import WorkspaceOption

if TYPE_CHECKING:
    from reclens.learn.interviews.scenario import Scenario
    from reclens.learn.learner import Learner

__all__ = ["interview"]

WORKSPACE = Path("workspace")


@command("learn interview", serves=True)
def interview(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Code or name of a scenario, or cards, or mock.")
    ] = "drop_over_night",
    answers: Annotated[
        str | None,
        typer.Option("--answers", help="Your answers to the scenario, divided by commas; without it you are asked."),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Ask a scenario question and grade the answer against the world; or go through cards, or a mock interview.

    Status 1 if an answer to a scenario is not right.

    Examples:
      reclens learn interview
      reclens learn interview winning_test --answers novelty,lift_by_week,do_not_ship
      reclens learn interview cards
      reclens learn interview mock
    """
    from reclens.learn.interview import scenario_of
    from reclens.learn.learner import Learner

    learner = Learner(workspace)
    if name == "cards":
        _cards(learner)
    elif name == "mock":
        _mock(learner)
    elif not _scenario(learner, scenario_of(name), answers):
        raise typer.Exit(1)


def _scenario(learner: Learner, scenario: Scenario, answers: str | None = None) -> bool:
    from reclens.learn.interview import answer_scenario, ask_scenario
    from reclens.report._toolkit.tables import to_markdown
    from reclens.report.learn.interviewing import dashboard_tables, debrief_sentences
    from reclens.report.learn.words import plain_links

    if answers is None:
        seen = ask_scenario(learner, scenario)
        print(plain_links(learner.task(scenario.code)))
        for table in dashboard_tables(seen.tables):
            print(f"**{table.title}**\n\n{to_markdown(table)}")
    given = _choose(scenario) if answers is None else dict(zip(scenario.choices, answers.split(","), strict=False))
    done = answer_scenario(learner, scenario, given)
    print("\n".join(debrief_sentences(done.given, done.right)))
    return done.passed


def _choose(scenario: Scenario) -> dict[str, str]:
    from reclens.report.learn.interviewing import QUESTIONS, choice_text

    given: dict[str, str] = {}
    for key, options in scenario.choices.items():
        print(f"\n{QUESTIONS[key]}")
        print("\n".join(f"  {number} {choice_text(each)}" for number, each in enumerate(options, 1)))
        while not (said := typer.prompt("Number").strip()).isdigit() or not 1 <= int(said) <= len(options):
            print(f"1 to {len(options)}")
        given[key] = options[int(said) - 1]
    return given


def _cards(learner: Learner) -> None:
    from reclens.learn.interview import due_cards, grade_card

    for code in due_cards(learner.progress):
        known = _card(code, "Did you know it? (y, n, q to stop)")
        if known is None:
            return
        grade_card(learner, code, known=known)


def _card(code: str, question: str) -> bool | None:
    from reclens.report.learn.cards import KINDS, card_of

    card = card_of(code)
    print(f"\n{KINDS[card.kind]} · {card.question}")
    typer.prompt("Answer aloud, then press Enter", default="", show_default=False)
    print(f"{card.answer}\nLesson {card.lesson}, exercise {card.exercise}")
    while (said := typer.prompt(question).strip().lower()) not in ("y", "n", "q"):
        print("y, n or q")
    return None if said == "q" else said == "y"


def _mock(learner: Learner) -> None:
    from reclens.learn.interview import MINUTES, grade_card, keep_mock, mock_steps, scenario_of
    from reclens.report._toolkit.format import whole
    from reclens.report._toolkit.tables import to_markdown
    from reclens.report.learn.interviewing import mock_sentences, mock_table

    with learner.changing() as progress:
        seed, number = int(progress.seed, 16), len(progress.mocks)
    steps = mock_steps(seed, number)
    grades: dict[str, bool | None] = dict.fromkeys((each.code for each in steps), None)
    begun = time.monotonic()
    print(f"{len(steps)} questions in {MINUTES} minutes. Grade yourself as an interviewer would; q stops.")
    for at, step in enumerate(steps, 1):
        left = MINUTES - (time.monotonic() - begun) / 60
        if left <= 0:
            break
        print(f"\n--- {at} of {len(steps)} · {step.minutes} minutes · {whole(left)} left")
        if step.scenario:
            grades[step.code] = _scenario(learner, scenario_of(step.code))
            continue
        known = _card(step.code, "Was it a good answer? (y, n, q to stop)")
        if known is None:
            break
        grades[step.code] = known
        grade_card(learner, step.code, known=known)
    kept = keep_mock(learner, grades, (time.monotonic() - begun) / 60)
    print(f"\n{to_markdown(mock_table(kept.grades))}")
    print("\n".join(mock_sentences(kept.grades, kept.minutes, MINUTES)))
