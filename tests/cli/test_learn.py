"""``reclens learn``: from the first exercise to the replay of the export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reclens.learn.exercise import exercise_of
from reclens.learn.learner import Learner


def test_from_start_to_verify(run: Any, tmp_path: Path) -> None:
    assert "1.1 · Make them disagree" in run("learn", "next", cwd=tmp_path).stdout
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
