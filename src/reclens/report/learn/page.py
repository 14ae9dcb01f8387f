"""The standalone page of the learning path, from its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.report._toolkit.document import SYNTHETIC
from reclens.report._toolkit.html import Document, figure_of, render, still_of
from reclens.report.learn.cards import KINDS, all_cards
from reclens.report.learn.charts import Row, lesson_caption, lesson_chart
from reclens.report.learn.glossary import all_terms, with_terms
from reclens.report.learn.lesson_text import lesson_title
from reclens.report.learn.path import PATH
from reclens.report.learn.tasks import milestone_of, title_of

__all__ = ["LONGEST_NOTE", "markdown_to_html", "render_page"]

LONGEST_NOTE: Final = 4_000
"""Letters of a note."""

Lesson = tuple[str, str, Sequence[Row]]
"""Body and end as Markdown, and the rows of the chart."""


def markdown_to_html(text: str) -> str:
    """Markdown with tables as HTML; tags in it are text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def render_page(
    *,
    lessons: Mapping[str, Lesson],
    tasks: Mapping[str, str],
    exercises: Sequence[Mapping[str, Any]],
    drills: Sequence[Mapping[str, Any]],
    projects: Sequence[Mapping[str, Any]],
    quiz: Sequence[Mapping[str, Any]],
    progress: Mapping[str, Any] | None,
    version: int,
    owner: str | None,
) -> Document:
    """The page.

    Args:
        lessons: Code -> its text and chart.
        tasks: Code of an exercise, a drill or a project -> its task as Markdown.
        exercises: Of each: ``exercise``, ``minutes``, ``started``, ``solved``, ``attempts``, ``hints``, ``lessons``.
        drills: Likewise.
        projects: Likewise, with ``level``.
        quiz: Of each question: ``code``, ``phase``, ``text``, ``options``, ``right``.
        progress: The content of the progress file; None before one has begun.
        version: Version of that file.
        owner: Who the learner is; None for nobody.
    """
    said = {code: _told(row, tasks[code]) for row in (*exercises, *drills, *projects) for code in [row["exercise"]]}
    phases = [
        {
            "phase": phase,
            "lessons": [_lesson(code, *lessons[code]) for code in phase.lessons],
            "drills": [said[row["exercise"]] for row in drills if _phase(row) == phase.number],
            "exercises": [said[row["exercise"]] for row in exercises if _phase(row) == phase.number],
        }
        for phase in PATH
    ]
    page = {
        "title": "Learn the job",
        "synthetic": SYNTHETIC,
        "phases": phases,
        "kinds": [(name, [each for each in all_cards() if each.kind == kind]) for kind, name in KINDS.items()],
        "terms": all_terms(),
        "projects": [said[row["exercise"]] for row in projects],
        "started": [code for code, row in said.items() if row["started"]],
        "quiz": quiz,
        "progress": progress,
        "format": version,
        "owner": owner,
        "titles": {phase.number: phase.title for phase in PATH},
        "first": {_phase(row): row["exercise"] for row in reversed(exercises)},
        "exercise_count": len(exercises),
        "lesson_count": len(lessons),
        "longest_note": LONGEST_NOTE,
    }
    return render("learn.html.j2", page)


def _phase(row: Mapping[str, Any]) -> int:
    return int(row["exercise"].partition(".")[0])


def _told(row: Mapping[str, Any], task: str) -> dict[str, Any]:
    """A row with its title, its milestone, and its task without the two."""
    code = row["exercise"]
    _, _, body = task.partition("\n> ")
    return {
        "title": title_of(code),
        "milestone": milestone_of(code),
        "task": markdown_to_html(with_terms(body.partition("\n")[2])),
        **row,
    }


def _lesson(code: str, body: str, after: str, bars: Sequence[Row]) -> dict[str, Any]:
    head, mark, rest = body.partition("## When it misleads")
    figure = still_of(figure_of(lesson_chart(code, bars), lesson_caption(code)))
    return {
        "code": code,
        "title": lesson_title(code),
        "before": markdown_to_html(head.partition("\n")[2]),
        "figure": figure,
        "after": markdown_to_html(mark + rest + after),
    }
