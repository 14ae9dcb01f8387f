"""The learning path as one HTML file: lessons, exercises, flash cards, glossary, and ticks and notes of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reclens.learn.exercise import all_drills, all_exercises, all_projects, exercise_of
from reclens.learn.headers import fingerprint
from reclens.learn.learner import Learner
from reclens.learn.lessons import lessons_before
from reclens.learn.placement import questions_of
from reclens.learn.progress import FORMAT
from reclens.learn.project import Project
from reclens.learn.reading import EXAMPLE_SEED, read_lesson
from reclens.report._toolkit.html import Document
from reclens.report.learn.page import render_page
from reclens.report.learn.tasks import task_text

__all__ = ["build_page"]


def build_page(workspace: str | Path) -> Document:
    """The page of a learner; of nobody, with numbers of the example seed, before one has begun.

    Args:
        workspace: Folder of the workspace.
    """
    learner = Learner(workspace)
    progress = learner.progress
    standing = learner.standing()
    drills = {row["exercise"]: row for row in learner.drills()}
    seed = EXAMPLE_SEED if progress is None else int(progress.seed, 16)
    readings = {code: read_lesson(code, workspace) for code in _lesson_codes()}
    levels = {each.code: each.level for each in all_projects() if isinstance(each, Project)}
    held: dict[str, Any] | None = None if progress is None else progress.model_dump(mode="json")
    draws = {
        each.code: each.draw(seed, 0) if progress is None else learner.draw(each)
        for each in (*all_exercises(), *all_drills(), *all_projects())
    }
    quiz = [
        {"code": each.code, "phase": each.phase, "text": each.text, "options": each.options, "right": each.right}
        for each in questions_of(seed)
    ]
    return render_page(
        lessons={
            code: (each.body, each.after, [(bar.label, bar.value, bar.low, bar.high) for bar in each.bars])
            for code, each in readings.items()
        },
        tasks={code: task_text(code, exercise_of(code).facts(draw)) for code, draw in draws.items()},
        exercises=[{**row, "lessons": lessons_before(row["exercise"])} for row in standing],
        drills=[drills[each.code] for each in all_drills()],
        projects=[{**row, "level": levels[row["exercise"]]} for row in learner.projects()],
        quiz=quiz,
        progress=held,
        version=FORMAT,
        owner=None if progress is None else fingerprint(seed),
    )


def _lesson_codes() -> list[str]:
    from reclens.learn.lessons import all_lessons

    return [each.code for each in all_lessons()]
