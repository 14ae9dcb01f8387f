"""The placement quiz: where answers lead, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reclens.errors import UsageError
from reclens.learn.exercise import all_exercises
from reclens.learn.learner import Learner
from reclens.learn.placement import grade_quiz, questions_of, take_quiz
from reclens.learn.progress import Attempt
from reclens.report.learn.interviewing import placement_sentences
from reclens.report.learn.quiz import all_questions

ASKED = questions_of(3 << 64)


def test_options_are_in_an_order_of_the_learners_own_and_the_first_of_the_file_is_right() -> None:
    for asked, question in zip(ASKED, all_questions(), strict=True):
        assert asked.options[asked.right] == question.options[0]
        assert sorted(asked.options) == sorted(question.options)
    assert len({each.right for each in ASKED}) > 1
    assert [each.right for each in ASKED] != [each.right for each in questions_of(4 << 64)]


@pytest.mark.parametrize(
    ("wrong", "start"), [(range(15), "1.1"), ([], "5.1"), ([0], "5.1"), ([6, 8], "3.1"), ([4, 3, 14, 13], "2.1")]
)
def test_the_first_phase_with_too_few_right_answers_is_where_to_start(wrong, start: str) -> None:
    chosen = [None if at in wrong else each.right for at, each in enumerate(ASKED)]
    other = [(each.right + 1) % len(each.options) if at in wrong else each.right for at, each in enumerate(ASKED)]
    for answers in (chosen, other):
        placed = grade_quiz(ASKED, answers)
        assert placed.start == start
        assert sum(placed.right.values()) == 15 - len(list(wrong))


def test_a_number_of_answers_that_is_not_that_of_the_questions_is_refused(tmp_path: Path) -> None:
    for chosen in ([], [0] * 14, [0] * 16, [9] * 15):
        with pytest.raises(UsageError):
            grade_quiz(ASKED, chosen)
    learner = Learner(tmp_path)
    placed = take_quiz(learner, [None] * 15)
    assert learner.progress is not None and learner.progress.quizzes == [placed]
    assert placement_sentences(placed.right, placed.start, 3)[-1] == (
        "Start with phase 1, Foundations of recommendation: 'reclens learn start 1.1'."
    )


def test_the_next_exercise_is_the_first_one_left_from_where_the_quiz_led(tmp_path: Path) -> None:
    learner = Learner(tmp_path)
    assert learner.next() == "1.1"
    with learner.changing() as progress:
        asked = questions_of(int(progress.seed, 16))
    assert take_quiz(learner, [each.right if each.phase < 5 else None for each in asked]).start == "5.1"
    assert learner.next() == "5.1"

    def solve(codes: Iterable[str]) -> None:
        with learner.changing() as progress:
            now = datetime.now(UTC)
            progress.attempts += [Attempt(exercise=code, at=now, passed=True, version="1") for code in codes]

    solve(["5.1", "5.2"])
    assert learner.next() == "5.3"
    solve(["5.3", "1.1"])
    assert learner.next() == "1.2", "what the quiz led past comes after the rest"
    assert take_quiz(learner, [None] * 15).start == "1.1" and learner.next() == "1.2"
    solve(each.code for each in all_exercises())
    assert learner.next() is None
