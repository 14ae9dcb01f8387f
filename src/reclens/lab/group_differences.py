"""Effects of a simulated experiment by group of users."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from reclens.errors import UsageError
from reclens.lab.simulation import Simulation, ab_difference
from reclens.stats.difference import Difference

__all__ = ["group_differences"]


def group_differences(
    found: Simulation, *, by: str = "cohort", metric: str = "clicks"
) -> dict[tuple[str, str], Difference]:
    """The A/B estimate of each arm in each group of users, with simultaneous intervals (Bonferroni).

    Args:
        found: The simulated experiment.
        by: An attribute of its users.
        metric: One of ``reclens.world.truth.METRICS``.

    Returns:
        (arm, group) -> difference; groups without two units in each arm, or without the metric in control, are left
        out.
    """
    control, *arms = found.run.arms
    groups = sorted(found.run.users[by].drop_nulls().unique().to_list())
    cells = {
        (arm, str(group)): replace(found.run, users=found.run.users.filter(found.run.users[by] == group))
        for arm in arms
        for group in groups
    }
    made: dict[tuple[str, str], Difference] = {}
    for (arm, group), run in cells.items():
        level = 1 - (1 - found.settings.level) / len(cells)
        with suppress(UsageError):
            made[arm, group] = ab_difference(run, arm, control, metric, level=level)
    return {key: each for key, each in made.items() if each.relative.value == each.relative.value}
