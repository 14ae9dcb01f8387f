"""Asking scenario questions, flash cards and a mock interview, and keeping how they went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.files import write_text
from reclens.learn.data_files import check_data
from reclens.learn.drill import toml_answer
from reclens.learn.exercise import Draw, all_interviews, named
from reclens.learn.interviews.scenario import Dashboard, Scenario
from reclens.learn.learner import Learner
from reclens.learn.progress import MockInterview, Progress
from reclens.report.learn.cards import all_cards

__all__ = [
    "MINUTES",
    "Answered",
    "Step",
    "answer_scenario",
    "ask_scenario",
    "due_cards",
    "grade_card",
    "keep_mock",
    "mock_steps",
    "scenario_of",
]

MINUTES: Final = 30
"""Length of a mock interview."""
_CARDS: Final = 8
"""Flash cards of a mock interview, two minutes each."""
_CARD_MINUTES: Final = 2
_SCENARIOS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A graded answer to a scenario question.

    Attributes:
        passed: Whether everything was right.
        given: Question -> what was answered.
        right: Question -> what the world says.
    """

    passed: bool
    given: Mapping[str, str]
    right: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A question of a mock interview.

    Attributes:
        code: Code of a flash card or of a scenario.
        minutes: How long it should take.
        scenario: Whether it is a scenario.
    """

    code: str
    minutes: int
    scenario: bool


def scenario_of(name: str) -> Scenario:
    """The scenario of a code or a name.

    Raises:
        UnknownNameError: If there is none.

    Example:
        >>> scenario_of("i.a").name
        'drop_over_night'
    """
    return named("scenario", name, (each for each in all_interviews() if isinstance(each, Scenario)))


def ask_scenario(learner: Learner, scenario: Scenario) -> Dashboard:
    """Write the next world of a scenario into the learner's folder, and give what is seen of it."""
    learner.start(scenario.code)
    progress = learner.progress
    assert progress is not None
    return scenario.seen(int(progress.seed, 16), progress.drawn(scenario))


def answer_scenario(learner: Learner, scenario: Scenario, given: Mapping[str, str]) -> Answered:
    """Grade an answer, and keep the attempt; the next question about it is drawn anew.

    Raises:
        UsageError: If it was not asked since the last answer, or a question has no answer, or one that is none of its
            choices.
    """
    for key, options in scenario.choices.items():
        if given.get(key) not in options:
            raise UsageError(f"{key} is {given.get(key)!r}, expected one of {', '.join(options)}.")
    folder, draw = learner.place(scenario), learner.draw(scenario)
    if not folder.is_dir():
        raise UsageError(f"Scenario {scenario.code} was not asked yet. Run 'reclens learn interview {scenario.code}'.")
    try:
        check_data(scenario, draw, {}, folder)
    except DataError:
        raise UsageError(
            f"Scenario {scenario.code} was answered since it was asked, and its next world is another one. Run "
            f"'reclens learn interview {scenario.code}' to see it."
        ) from None
    right = {key: str(value) for key, value in scenario.paper(draw).right.items()}
    write_text(folder / scenario.files[0], toml_answer(draw, {key: given[key] for key in right}))
    checked = learner.check(scenario.code)
    return Answered(passed=checked.passed, given=dict(given), right=right)


def due_cards(progress: Progress | None, kind: str | None = None) -> list[str]:
    """Codes of the flash cards, those first that were never answered, then those that were not known last.

    Args:
        progress: Of the learner; None before anything was started.
        kind: Only cards of this kind.
    """
    graded = progress.cards if progress else {}

    def known(code: str) -> tuple[int, int]:
        grades = graded.get(code, [])
        streak = next((at for at, grade in enumerate(reversed(grades)) if not grade), len(grades))
        return (streak, len(grades)) if grades else (0, -1)

    codes = [each.code for each in all_cards() if kind in (None, each.kind)]
    return sorted(codes, key=known)


def grade_card(learner: Learner, code: str, *, known: bool) -> None:
    """Keep how a learner graded an answer to a flash card."""
    codes = [each.code for each in all_cards()]
    if code not in codes:
        raise UnknownNameError("card", code, codes)
    with learner.changing() as progress:
        progress.cards.setdefault(code, []).append(known)


def mock_steps(seed: int, number: int) -> Sequence[Step]:
    """The questions of a mock interview: flash cards of every kind, and two scenarios.

    Args:
        seed: Of the learner.
        number: How many mock interviews there were before.
    """
    rng = Draw(seed, "mock", number).rng("questions")
    by_kind: dict[str, list[str]] = {}
    for each in all_cards():
        by_kind.setdefault(each.kind, []).append(each.code)
    first = [str(rng.choice(codes)) for codes in by_kind.values()]
    others = [each.code for each in all_cards() if each.code not in first]
    cards = [*first, *rng.choice(others, _CARDS - len(first), replace=False).tolist()]
    scenarios = rng.choice([each.code for each in all_interviews()], _SCENARIOS, replace=False).tolist()
    long = (MINUTES - _CARD_MINUTES * _CARDS) // _SCENARIOS
    steps = [Step(code=code, minutes=_CARD_MINUTES, scenario=False) for code in cards]
    asked = [Step(code=code, minutes=long, scenario=True) for code in scenarios]
    half = len(steps) // 2
    return (*steps[:half], asked[0], *steps[half:], *asked[1:])


def keep_mock(learner: Learner, grades: Mapping[str, bool | None], minutes: float) -> MockInterview:
    """Keep a finished mock interview."""
    kept = MockInterview(at=datetime.now(UTC).replace(microsecond=0), minutes=round(minutes, 1), grades=dict(grades))
    with learner.changing() as progress:
        progress.mocks.append(kept)
    return kept
