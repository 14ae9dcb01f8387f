"""``reclens learn``: from the first exercise to the replay of the export."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from reclens.learn.exercise import exercise_of
from reclens.learn.interview import scenario_of
from reclens.learn.learner import Learner


def test_from_start_to_verify(run: Any, tmp_path: Path) -> None:
    upcoming = run("learn", "next", cwd=tmp_path).stdout
    assert "1.1 · Make them disagree" in upcoming and "Read 'reclens learn lesson 1.a', Kinds of" in upcoming
    started = run("learn", "start", cwd=tmp_path).stdout
    assert "README.md, matrix.csv and answer.toml" in started
    failed = run("learn", "check", "1.1", cwd=tmp_path, status=1)
    assert "not yet (attempt 1)" in failed.stdout
    assert "- A row or a column of the matrix holds no 1." in failed.stdout
    assert "Hint 1 of 3" in run("learn", "hint", "1.1", cwd=tmp_path).stdout

    learner, exercise = Learner(tmp_path / "workspace"), exercise_of("1.1")
    exercise.solve(learner.draw(exercise), learner.place(exercise))
    assert "solved, after 2 attempts" in run("learn", "check", "make_them_disagree", cwd=tmp_path).stdout
    assert "--- matrix.csv" in run("learn", "solution", "1.1", cwd=tmp_path).stdout
    listed = json.loads(run("learn", "list", "--format", "json", cwd=tmp_path).stdout)
    assert [row["solved"] for row in listed["rows"]][:3] == [True, False, False]

    run("learn", "export", cwd=tmp_path)
    verified = run("learn", "verify", "learn.json", cwd=tmp_path)
    assert "2 of 2 attempts reproduced. Solved: 1.1." in verified.stderr
    path = tmp_path / "learn.json"
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    assert "1 of 2 attempts reproduced" in run("learn", "verify", "learn.json", cwd=tmp_path, status=1).stderr


def test_a_portfolio_from_projects_to_replay(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECLENS_CHROMIUM", "nosuch")  # printing takes seconds a page
    learner = Learner(tmp_path / "workspace")
    for name in ("audit", "explorer", "experiment"):
        project = exercise_of(name)
        assert f"reclens learn check {project.code}" in run("learn", "start", name, cwd=tmp_path).stdout
        project.solve(learner.draw(project), learner.place(project))
    words = ("portfolio", "build", "--projects", "audit,explorer,experiment")
    said = run(*words, cwd=tmp_path).stderr
    assert "portfolio/index.html: 3 projects, 13 numbers" in said and "No PDF of audit, explorer and experiment" in said
    found = run("portfolio", "verify", "portfolio", "--format", "json", cwd=tmp_path)
    assert "13 of 13 numbers reproduced on " in found.stderr
    assert all(row["reproduced"] for row in json.loads(found.stdout)["rows"])
    path = tmp_path / "portfolio" / "index.html"
    path.write_text(path.read_text() + " ")
    changed = run("portfolio", "verify", "portfolio", cwd=tmp_path, status=1).stderr
    assert "Not as they were written: index.html." in changed
    path = tmp_path / "workspace" / "learn" / "P3-audit" / "project.toml"
    path.write_text(path.read_text().replace("We keep to what", "It is fair, and we keep to what"))
    refused = run(*words, cwd=tmp_path, status=1).stdout
    assert "audit: project.toml, decision: 'fair' claims what no finding carries" in refused


def test_watch_ends_when_the_answer_passes(run: Any, tmp_path: Path) -> None:
    run("learn", "start", "1.1", cwd=tmp_path)
    learner, exercise = Learner(tmp_path / "workspace"), exercise_of("1.1")
    exercise.solve(learner.draw(exercise), learner.place(exercise))
    assert "solved" in run("learn", "check", "1.1", "--watch", cwd=tmp_path).stdout


def test_a_drill_prints_its_task_and_then_checks(run: Any, tmp_path: Path) -> None:
    task = run("learn", "drill", cwd=tmp_path).stdout
    assert task.startswith("# 1.a · Sort the kinds") and "run 'reclens learn drill 1.a' again" in task
    assert "not yet (attempt 1)" in run("learn", "drill", "sort_the_kinds", cwd=tmp_path, status=1).stdout
    learner, exercise = Learner(tmp_path / "workspace"), exercise_of("1.a")
    exercise.solve(learner.draw(exercise), learner.place(exercise))
    assert "solved, after 2 attempts" in run("learn", "drill", "1.a", cwd=tmp_path).stdout
    assert run("learn", "drill", cwd=tmp_path).stdout.startswith("# 1.b · Metrics by hand")
    rows = json.loads(run("learn", "list", "--format", "json", cwd=tmp_path).stdout)["rows"]
    assert [row["exercise"] for row in rows if row["solved"]] == ["1.a"]
    assert "unknown drill '1.1'" in run("learn", "drill", "1.1", cwd=tmp_path, status=2).stderr


def test_lessons_glossary_and_quiz(run: Any, tmp_path: Path) -> None:
    assert "  2.c  Holdouts, and what lasts" in run("learn", "lesson", cwd=tmp_path).stdout
    lesson = run("learn", "lesson", "2.c", cwd=tmp_path).stdout
    assert "Exercise 2.1, The plan that survives" in lesson and "](#" not in lesson
    assert not (tmp_path / "workspace").exists(), "reading writes nothing"
    assert "How much worse a guardrail may get" in run("learn", "glossary", "margin", cwd=tmp_path).stdout
    placed = run("learn", "quiz", "--answers", "-" * 15, cwd=tmp_path).stdout
    assert "Start with phase 1" in placed
    own = run("learn", "lesson", "2.c", cwd=tmp_path).stdout
    assert own != lesson, "with a seed, numbers are the learner's own"


def test_an_interview_asks_and_grades(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("9\n1\n1\n1\n"))
    asked = run("learn", "interview", "winning_test", cwd=tmp_path, status=None)
    assert "**Lift by week**" in asked.stdout and "1 to 4" in asked.stdout and "of 3 answers right." in asked.stdout
    dashboard = scenario_of("i.b").seen(*_where(tmp_path))
    answers = ",".join(dashboard.answer.values())
    unseen = run("learn", "interview", "winning_test", "--answers", answers, cwd=tmp_path, status=2)
    assert "Run 'reclens learn interview i.b' to see it" in unseen.stderr
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    run("learn", "interview", "winning_test", cwd=tmp_path, status=None)
    graded = run("learn", "interview", "winning_test", "--answers", answers, cwd=tmp_path)
    assert "3 of 3 answers right." in graded.stdout
    again = run("learn", "interview", "winning_test", "--answers", "novelty", cwd=tmp_path, status=2)
    assert "first_check is None" in again.stderr


def test_cards_and_a_mock_interview_are_graded_by_oneself(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\ny\n\nn\n\nq\n"))
    run("learn", "interview", "cards", cwd=tmp_path)
    progress = Learner(tmp_path / "workspace").progress
    assert progress is not None and [*progress.cards.values()] == [[True], [False]]
    monkeypatch.setattr("sys.stdin", io.StringIO("\nx\ny\n\nn\n\nq\n"))
    ended = run("learn", "interview", "mock", cwd=tmp_path).stdout
    assert "1 of 10 questions answered well" in ended and "Learn next: lesson" in ended
    progress = Learner(tmp_path / "workspace").progress
    assert progress is not None and list(progress.mocks[0].grades.values())[:3] == [True, False, None]


def _where(folder: Path) -> tuple[int, int]:
    progress = Learner(folder / "workspace").progress
    assert progress is not None
    return int(progress.seed, 16), progress.tries("i.b")
