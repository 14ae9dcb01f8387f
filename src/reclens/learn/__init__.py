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
    from reclens.learn.exercise import Draw, Exercise, Remark, all_drills, all_exercises, all_projects, exercise_of
    from reclens.learn.learner import Checked, Learner, Started
    from reclens.learn.portfolio import Built, build_portfolio
    from reclens.learn.portfolio_verify import PortfolioVerified, verify_portfolio
    from reclens.learn.progress import Attempt, Progress
    from reclens.learn.verify import Replayed, Verified, verify

__all__ = [
    "Attempt",
    "Built",
    "Checked",
    "Draw",
    "Exercise",
    "Learner",
    "PortfolioVerified",
    "Progress",
    "Remark",
    "Replayed",
    "Started",
    "Verified",
    "all_drills",
    "all_exercises",
    "all_projects",
    "build_portfolio",
    "exercise_of",
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
        "PortfolioVerified": "portfolio_verify",
        "Progress": "progress",
        "Remark": "exercise",
        "Replayed": "verify",
        "Started": "learner",
        "Verified": "verify",
        "all_drills": "exercise",
        "all_exercises": "exercise",
        "all_projects": "exercise",
        "build_portfolio": "portfolio",
        "exercise_of": "exercise",
        "verify": "verify",
        "verify_portfolio": "portfolio_verify",
    },
)
