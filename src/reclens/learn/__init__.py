"""Learn the job: exercises on data of one's own, each checked by the machine.

::

    learner = rl.learn.Learner("workspace")
    learner.start("1.1")
    learner.check("1.1").passed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.learn.exercise import (
        Draw,
        Exercise,
        Remark,
        all_drills,
        all_exercises,
        all_interviews,
        all_projects,
        exercise_of,
    )
    from reclens.learn.learner import Checked, Learner, Started
    from reclens.learn.lesson import Lesson
    from reclens.learn.lessons import all_lessons
    from reclens.learn.portfolio import Built, build_portfolio
    from reclens.learn.portfolio_verify import PortfolioVerified, verify_portfolio
    from reclens.learn.progress import Attempt, Progress
    from reclens.learn.reading import Reading, read_lesson
    from reclens.learn.standalone import build_page
    from reclens.learn.verify import Replayed, Verified, verify

__all__ = [
    "Attempt",
    "Built",
    "Checked",
    "Draw",
    "Exercise",
    "Learner",
    "Lesson",
    "PortfolioVerified",
    "Progress",
    "Reading",
    "Remark",
    "Replayed",
    "Started",
    "Verified",
    "all_drills",
    "all_exercises",
    "all_interviews",
    "all_lessons",
    "all_projects",
    "build_page",
    "build_portfolio",
    "exercise_of",
    "read_lesson",
    "verify",
    "verify_portfolio",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Attempt": "progress",
        "Built": "portfolio",
        "Checked": "learner",
        "Draw": "exercise",
        "Exercise": "exercise",
        "Learner": "learner",
        "Lesson": "lesson",
        "PortfolioVerified": "portfolio_verify",
        "Progress": "progress",
        "Reading": "reading",
        "Remark": "exercise",
        "Replayed": "verify",
        "Started": "learner",
        "Verified": "verify",
        "all_drills": "exercise",
        "all_exercises": "exercise",
        "all_interviews": "exercise",
        "all_lessons": "lessons",
        "build_page": "standalone",
        "all_projects": "exercise",
        "build_portfolio": "portfolio",
        "exercise_of": "exercise",
        "read_lesson": "reading",
        "verify": "verify",
        "verify_portfolio": "portfolio_verify",
    },
)
