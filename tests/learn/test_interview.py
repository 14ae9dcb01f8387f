"""Flash cards, mock interviews and refused answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.errors import UnknownNameError, UsageError
from reclens.learn.interview import (
    MINUTES,
    answer_scenario,
    ask_scenario,
    due_cards,
    grade_card,
    keep_mock,
    mock_steps,
    scenario_of,
)
from reclens.learn.learner import Learner
from reclens.report.learn.cards import KINDS, all_cards, card_of
from reclens.report.learn.interviewing import debrief_sentences, mock_sentences, mock_table


def test_cards_that_were_not_known_come_back_before_those_that_were(tmp_path: Path) -> None:
    learner = Learner(tmp_path)
    first, second, third, *_ = due_cards(None)
    grade_card(learner, first, known=True)
    grade_card(learner, second, known=False)
    due = due_cards(learner.progress)
    assert due[0] == third and due[-2:] == [second, first]
    grade_card(learner, first, known=True)
    grade_card(learner, second, known=True)
    grade_card(learner, third, known=False)
    assert due_cards(learner.progress)[-3:] == [third, second, first]
    assert all(card_of(code).kind == "advanced" for code in due_cards(None, "advanced"))
    with pytest.raises(UnknownNameError, match="nosuch"):
        grade_card(learner, "nosuch", known=True)


def test_a_mock_interview_fills_thirty_minutes_with_every_kind() -> None:
    for number in range(5):
        steps = mock_steps(9 << 64, number)
        assert sum(each.minutes for each in steps) == MINUTES == 30
        assert len({each.code for each in steps}) == len(steps) == 10
        assert sum(each.scenario for each in steps) == 2
        assert {card_of(each.code).kind for each in steps if not each.scenario} == set(KINDS)
    assert mock_steps(9 << 64, 0) != mock_steps(9 << 64, 1)


def test_the_summary_of_a_mock_interview_names_what_to_learn_next(tmp_path: Path) -> None:
    learner = Learner(tmp_path)
    grades = {"why-ndcg": True, "logq-why": False, "p-value-says": None, "i.a": False}
    kept = keep_mock(learner, grades, 12.34)
    assert learner.progress is not None and learner.progress.mocks == [kept]
    assert mock_sentences(kept.grades, kept.minutes, MINUTES) == [
        "1 of 4 questions answered well, in 12 of 30 minutes.",
        "The time was over before 1 question: practise answers of two minutes.",
        "Learn next: lesson 2.a and 3.b; then exercise 2.4 and 3.1.",
        "Ask again: reclens learn interview i.a.",
    ]
    assert [row[1] for row in mock_table(grades).rows] == ["good", "not yet", "no time", "not yet"]
    assert "Nothing is left" in mock_sentences({"why-ndcg": True}, 2, 30)[-1]


def test_answers_that_are_no_choice_are_refused_and_kept_nowhere(tmp_path: Path) -> None:
    learner, scenario = Learner(tmp_path), scenario_of("ratio_that_looks")
    right = ask_scenario(learner, scenario).answer
    for given in ({}, {**right, "cause": "nosuch"}, {key: right[key] for key in ("cause", "first_check")}):
        with pytest.raises(UsageError, match="expected one of"):
            answer_scenario(learner, scenario, given)
    assert learner.progress is not None and learner.progress.attempts == []
    with pytest.raises(UsageError, match="not asked yet"):
        answer_scenario(Learner(tmp_path / "other"), scenario, right) if Learner(tmp_path / "other").start(
            "1.b"
        ) else None
    with pytest.raises(UnknownNameError, match="nosuch"):
        scenario_of("nosuch")


def test_a_debrief_says_what_was_right_and_what_told_it() -> None:
    right = {"cause": "routing", "where": "fallback"}
    assert debrief_sentences({"cause": "routing", "where": "v8"}, right) == [
        "1 of 2 answers right.",
        "Where is it? You said: v8. The world says: fallback.",
        "No version lost clicks by itself. Half of the traffic went to the fallback, which always had fewer.",
    ]


def test_every_cause_has_a_debrief_and_cards_have_codes() -> None:
    from reclens.learn.exercise import all_interviews
    from reclens.report.learn.interviewing import DEBRIEFS

    causes = {cause for each in all_interviews() for cause in scenario_of(each.code).choices["cause"]}
    assert causes == set(DEBRIEFS)
    assert len(all_cards()) == 36
