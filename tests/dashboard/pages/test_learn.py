"""The page Learn: where one stands, lessons, an exercise from start to solution, interviews, and the glossary."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.dashboard.widgets import plain
from reclens.learn.exercise import exercise_of
from reclens.learn.interview import scenario_of
from reclens.learn.learner import Learner
from reclens.report.learn.cards import card_of
from reclens.report.learn.lesson_text import lesson_title


def words(app) -> str:
    shown = [*app.markdown, *app.caption, *app.title, *app.warning, *app.error, *app.success, *app.info]
    return "\n".join(str(each.value) for each in shown)


@pytest.fixture
def open_learn(open_page, tmp_path: Path):
    def opened(**query):
        return open_page("learn", folder=tmp_path, **query)

    return opened


def test_the_path_says_where_one_stands_and_what_comes_next(open_learn, tmp_path: Path) -> None:
    app = open_learn()
    assert "0 of " in words(app) and "Nothing is begun yet" in words(app)
    assert not (tmp_path / "learn").exists(), "looking writes nothing"
    learner, exercise = Learner(tmp_path), exercise_of("1.b")
    learner.start("1.b")
    exercise.solve(learner.draw(exercise), learner.place(exercise))
    learner.check("1.b")
    app = open_learn()
    rows = next(each.value for each in app.dataframe if "State" in each.value.columns)
    assert dict(zip(rows["Exercise"], rows["State"], strict=True))["1.b"] == "solved"
    assert "The proof is the replay" in words(app)


def test_a_lesson_has_the_learners_numbers_ticks_and_notes(open_learn, tmp_path: Path) -> None:
    assert "Numbers of an example" in words(open_learn(part="Lessons", lesson="2.c"))
    learner = Learner(tmp_path)
    learner.start("1.b")
    app = open_learn(part="Lessons", lesson="2.c")
    assert lesson_title("2.c") in words(app) and "?part=Glossary&term=holdout" in words(app)
    app.checkbox(key="tick-2.c").check().run()
    app.text_area(key="note-2.c").set_value("ask about week five").run()
    assert not app.exception
    progress = learner.progress
    assert progress is not None and (progress.ticks, progress.notes) == (["2.c"], {"2.c": "ask about week five"})


def test_an_exercise_is_started_answered_and_solved_in_the_browser(open_learn, tmp_path: Path) -> None:
    app = open_learn(part="Exercises", exercise="1.b")
    app.button(key="start-1.b").click().run()
    assert "`data.csv` is the [list](?part=Glossary&term=list)" in words(app)
    app.button(key="check-1.b").click().run()
    assert plain("not yet (attempt 1)") in words(app)
    app.button(key="hint-1.b").click().run()
    assert "Hint 1 of 3" in app.info[0].value
    learner, exercise = Learner(tmp_path), exercise_of("1.b")
    answer = tmp_path / "right"
    answer.mkdir()
    exercise.solve(learner.draw(exercise), answer)
    app.text_area(key="edit-1.b-answer.toml").set_value((answer / "answer.toml").read_text())
    app.button(key="check-1.b").click().run()
    assert "solved" in app.success[0].value and not app.exception
    progress = learner.progress
    assert progress is not None and [each.passed for each in progress.attempts] == [False, True]
    assert progress.hints == {"1.b": 1}


def test_a_wrong_file_is_a_message_and_no_attempt(open_learn, tmp_path: Path) -> None:
    learner = Learner(tmp_path)
    learner.start("1.b")
    (learner.place(exercise_of("1.b")) / "answer.toml").write_bytes(b"\xff\xfe\x00")
    app = open_learn(part="Exercises", exercise="1.b")
    app.button(key="check-1.b").click().run()
    assert "UTF" in words(app) and learner.progress is not None and not learner.progress.attempts


def test_a_scenario_is_graded_against_the_world(open_learn, tmp_path: Path) -> None:
    app = open_learn(part="Interviews", scenario="i.c")
    app.button(key="ask-i.c").click().run()
    assert len(app.get("vega_lite_chart")) == 1 and len(app.dataframe) == 2
    learner = Learner(tmp_path)
    assert learner.progress is not None
    right = scenario_of("i.c").seen(int(learner.progress.seed, 16), 0).answer
    for key, value in right.items():
        app.selectbox(key=f"asked-i.c-{key}").set_value(value)
    next(each for each in app.button if each.label == "Answer").click().run()
    assert plain("3 of 3 answers right.") in app.success[0].value
    assert learner.progress.solved() == {"i.c"}


def test_cards_are_graded_and_a_mock_interview_ends_with_what_to_learn(open_learn, tmp_path: Path) -> None:
    app = open_learn(part="Interviews", view="Flash cards")
    next(each for each in app.button if each.label == "Show the answer").click().run()
    assert plain(card_of("user-or-item").answer) in words(app)
    next(each for each in app.button if each.label == "Not yet").click().run()
    progress = Learner(tmp_path).progress
    assert progress is not None and progress.cards == {"user-or-item": [False]}
    app = open_learn(part="Interviews", view="Mock interview")
    app.button(key="mock-begin").click().run()
    assert not app.exception
    app.button(key="mock-stop").click().run()
    assert "0 of 10 questions answered well" in words(app) and not app.exception


def test_a_term_of_the_glossary_has_a_link(open_learn) -> None:
    app = open_learn(part="Glossary", term="srm")
    assert "sample ratio mismatch" in words(app) and "winner's curse" not in words(app)
