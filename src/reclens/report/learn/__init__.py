"""The texts of the learning path: phases, goals, tasks, hints, and what a check found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.report.learn.path import PATH, Phase
    from reclens.report.learn.remarks import remark_sentence
    from reclens.report.learn.tasks import hint_text, task_text, title_of

__all__ = ["PATH", "Phase", "hint_text", "remark_sentence", "task_text", "title_of"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "PATH": "path",
        "Phase": "path",
        "hint_text": "tasks",
        "remark_sentence": "remarks",
        "task_text": "tasks",
        "title_of": "tasks",
    },
)
