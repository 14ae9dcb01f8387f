"""Scenario: a ratio between two groups; a gap that activity hides, one that it makes, a real one, or too few users."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import numpy as np
import polars as pl

from reclens.learn.interviews.scenario import Dashboard, Scenario
from reclens.learn.lessons.experiments import Z

__all__ = ["RatioThatLooks"]

_CAUSES: Final = ("activity_hides_a_gap", "activity_makes_a_gap", "real_gap", "too_few_users")
_CHECKS: Final = {
    "activity_hides_a_gap": "within_activity",
    "activity_makes_a_gap": "within_activity",
    "real_gap": "within_activity",
    "too_few_users": "interval_of_the_gap",
}
_CURES: Final = {
    "activity_hides_a_gap": "better_lists_for_the_group",
    "activity_makes_a_gap": "better_lists_for_occasional_users",
    "real_gap": "better_lists_for_the_group",
    "too_few_users": "collect_more_before_a_claim",
}
_BASE: Final = {"active": 0.34, "occasional": 0.22}
"""Quality of the lists by activity."""
_SPREAD: Final = 0.20
_ACTIVE: Final = {
    "activity_hides_a_gap": (0.75, 0.25),
    "activity_makes_a_gap": (0.25, 0.75),
    "real_gap": (0.5, 0.5),
    "too_few_users": (0.5, 0.5),
}
"""Share of active users in the group, and in the others."""
_GAP: Final = {"activity_hides_a_gap": -0.06, "activity_makes_a_gap": 0.0, "real_gap": -0.06, "too_few_users": 0.0}


class RatioThatLooks(Scenario):
    """Someone shows the ratio of the quality of lists between a group and the others."""

    code = "i.c"
    name = "ratio_that_looks"
    choices: ClassVar = {
        "cause": _CAUSES,
        "first_check": ("within_activity", "interval_of_the_gap", "another_metric", "ages_of_the_accounts"),
        "containment": (
            "better_lists_for_the_group",
            "better_lists_for_occasional_users",
            "collect_more_before_a_claim",
            "nothing_to_do",
        ),
    }

    def dashboard(self, rng: np.random.Generator) -> Dashboard:
        """Users and the mean quality of their lists, by group and by activity."""
        cause = str(rng.choice(_CAUSES))
        region = str(rng.choice(["north", "south", "east", "west"]))
        sizes = (int(rng.integers(25, 40)) if cause == "too_few_users" else 3_000, 9_000)
        rows = []
        for at, group in enumerate((region, "others")):
            active = round(sizes[at] * _ACTIVE[cause][at])
            for activity, n in (("active", active), ("occasional", sizes[at] - active)):
                mean = _BASE[activity] + (_GAP[cause] if at == 0 else 0.0)
                seen = float(rng.normal(mean, _SPREAD / math.sqrt(n)))
                if cause == "too_few_users" and at == 0:
                    seen = mean + float(rng.choice([-0.03, 0.03]))
                rows.append((group, activity, n, seen, _SPREAD / math.sqrt(n)))
        columns = ["group", "activity", "users", "quality", "standard_error"]
        data = pl.DataFrame(rows, schema=columns, orient="row")
        whole = _gap(data)
        levels = [{"users": name, **_gap(data.filter(pl.col("activity") == name))} for name in _BASE]
        tables = {"groups": data.drop("standard_error"), "gaps": pl.DataFrame([{"users": "all", **whole}, *levels])}
        answer = {"cause": cause, "first_check": _CHECKS[cause], "containment": _CURES[cause]}
        return Dashboard(data=data, tables=tables, answer=answer, facts={"region": region, "ratio": _ratio(data)})


def _means(data: pl.DataFrame) -> tuple[float, float, float]:
    """Mean quality of the group and of the others, and the standard error of their difference."""
    means, errors = [], []
    for others in (False, True):
        mine = data.filter((pl.col("group") == "others") == others)
        share = mine["users"] / mine["users"].sum()
        means.append(float((share * mine["quality"]).sum()))
        errors.append(float(((share * mine["standard_error"]) ** 2).sum()))
    return means[0], means[1], math.sqrt(sum(errors))


def _gap(data: pl.DataFrame) -> dict[str, float]:
    mine, others, error = _means(data)
    gap = mine - others
    return {"gap": gap, "low": gap - Z * error, "high": gap + Z * error}


def _ratio(data: pl.DataFrame) -> float:
    mine, others, _ = _means(data)
    return mine / others
