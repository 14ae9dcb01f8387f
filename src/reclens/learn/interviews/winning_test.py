"""Scenario: an A/B test that won; by novelty, by what lasts, by lost users, or by one robot."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import numpy as np
import polars as pl

from reclens.learn.interviews.scenario import Dashboard, Scenario
from reclens.learn.lessons.experiments import Z, two_sided

__all__ = ["WinningTest"]

_CAUSES: Final = ("novelty", "lasting_effect", "lost_users", "one_robot")
_CHECKS: Final = {
    "novelty": "lift_by_week",
    "lasting_effect": "lift_by_week",
    "lost_users": "sizes_of_the_arms",
    "one_robot": "largest_users",
}
_CURES: Final = {
    "novelty": "do_not_ship",
    "lasting_effect": "ship_with_a_holdout",
    "lost_users": "mend_the_assignment_and_repeat",
    "one_robot": "remove_robots_and_read_again",
}
_USERS: Final = 40_000
_WEEKS: Final = 4
_MEAN, _SPREAD = 2.0, 3.0
"""Clicks of a user in a week."""


class WinningTest(Scenario):
    """Clicks per user are up, and the interval lies above zero. Is the change to be shipped?"""

    code = "i.b"
    name = "winning_test"
    choices: ClassVar = {
        "cause": _CAUSES,
        "first_check": ("lift_by_week", "sizes_of_the_arms", "largest_users", "another_metric"),
        "containment": tuple(sorted(_CURES.values())),
    }

    def dashboard(self, rng: np.random.Generator) -> Dashboard:
        """Four weeks of two arms: users, clicks per user, and the clicks of the largest user."""
        cause = str(rng.choice(_CAUSES))
        users = [int(rng.normal(_USERS, 80)) for _ in range(2)]
        if cause == "lost_users":
            users[1] -= int(rng.uniform(1_800, 2_400))
        lifts = {
            "novelty": np.array([0.10, 0.035, 0.0, 0.0]),
            "lasting_effect": np.full(_WEEKS, 0.04),
            "lost_users": np.full(_WEEKS, 0.045),  # users who click little were lost
            "one_robot": np.zeros(_WEEKS),
        }[cause]
        robot = rng.integers(3_000, 3_600, _WEEKS) if cause == "one_robot" else np.zeros(_WEEKS, int)
        rows = []
        for week in range(_WEEKS):
            for arm, n in enumerate(users):
                mean = _MEAN * (1 + arm * lifts[week])
                clicks = round(n * float(rng.normal(mean, _SPREAD / math.sqrt(n))))
                largest = int(rng.integers(45, 70))
                rows.append((week + 1, ("old", "new")[arm], n, clicks + arm * int(robot[week]), largest))
                if arm and cause == "one_robot":
                    rows[-1] = (*rows[-1][:4], int(robot[week]))
        data = pl.DataFrame(rows, schema=["week", "arm", "users", "clicks", "largest_user"], orient="row")
        return Dashboard(data=data, tables=_tables(data), answer=_answer(cause), facts=_facts(data))


def _answer(cause: str) -> dict[str, str]:
    return {"cause": cause, "first_check": _CHECKS[cause], "containment": _CURES[cause]}


def _lift(data: pl.DataFrame) -> tuple[float, float]:
    """The relative difference of the mean clicks of a user, and half of its 95 % interval."""
    by_arm = {row["arm"]: row for row in data.group_by("arm").agg(pl.sum("clicks"), pl.mean("users")).to_dicts()}
    means = [by_arm[arm]["clicks"] / by_arm[arm]["users"] for arm in ("old", "new")]
    weeks = data["week"].n_unique()
    error = _SPREAD * math.sqrt(weeks) * math.sqrt(sum(1 / by_arm[arm]["users"] for arm in by_arm))
    return means[1] / means[0] - 1, Z * error / means[0]


def _tables(data: pl.DataFrame) -> dict[str, pl.DataFrame]:
    weeks = []
    for week in range(1, _WEEKS + 1):
        lift, room = _lift(data.filter(pl.col("week") == week))
        weeks.append({"week": str(week), "lift": lift, "low": lift - room, "high": lift + room})
    sizes = data.filter(pl.col("week") == 1)
    n = dict(zip(sizes["arm"], sizes["users"], strict=True))
    p = two_sided((n["new"] - n["old"]) / math.sqrt(n["new"] + n["old"]))
    arms = data.group_by("arm", maintain_order=True).agg(
        pl.col("users").max(), pl.col("clicks").sum(), pl.col("largest_user").max()
    )
    return {"weeks": pl.DataFrame(weeks), "arms": arms.with_columns(p_of_the_sizes=pl.lit(p))}


def _facts(data: pl.DataFrame) -> dict[str, float]:
    lift, room = _lift(data)
    return {"lift": lift, "low": lift - room, "high": lift + room}
