"""How often coverage, Gini and effective items of arms treated alike differ, by rows shown for each item.

    python benchmarks/rates_arm_level.py --seeds 1000:3000

``SIMULATED_COVERAGE`` in ``reclens.experiment.aggregate.arm_level`` holds the least coverage of each number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from rates import Cell, main

from reclens.experiment.aggregate.arm_level import ARM_STATISTICS, ArmCounts, compare_arm_statistics

ITEMS, SHOWN = 400, 4
ROWS = (0.3, 1, 3, 10, 30)
POLICIES = {"even": (0.0, 0.0), "moderate, with tastes": (0.7, 1.0), "steep, with tastes": (1.3, 0.5)}


def lists(rng: np.random.Generator, users: int, policy: str) -> np.ndarray:
    """Items of each user, all different: popularity (rank + 1) ** -slope times the tastes of 20 groups of users."""
    slope, taste = POLICIES[policy]
    appeal = -slope * np.log1p(np.arange(ITEMS)) + np.random.default_rng(1).normal(0, taste, (20, ITEMS))
    seen = appeal[rng.integers(0, 20, users)] + rng.gumbel(size=(users, ITEMS))
    return np.argpartition(-seen, SHOWN - 1, axis=1)[:, :SHOWN]


def alike(rows: float, policy: str, ratio: int, seed: int) -> Mapping[str, float]:
    """One A/A test; the control has ``ratio`` times the users of the treatment."""
    rng = np.random.default_rng(seed)
    users = round(rows * ITEMS / SHOWN)
    arms = []
    for times in (ratio, 1):
        n = users * times
        shown = lists(rng, n, policy).ravel()
        keys = rng.integers(0, 2**63, n).astype(np.uint64)
        arms.append(ArmCounts.of(np.repeat(np.arange(n), SHOWN), shown, keys, n_items=ITEMS, share=1 / times))
    found: dict[str, float] = {}
    for name in ARM_STATISTICS:
        made = compare_arm_statistics(arms[0], arms[1], name)
        found[f"{name} covered"] = made.p_value > 0.05 if made.testable else float("nan")
    return found


def cells() -> list[Cell]:
    promised = {f"{name} covered": 0.95 for name in ARM_STATISTICS}
    found = [
        Cell(f"{rows:g} rows an item, {policy}", partial(alike, rows, policy, 1), promised)
        for rows in ROWS
        for policy in POLICIES
    ]
    return found + [
        Cell(
            f"{rows:g} rows an item, moderate, with tastes, 80/20",
            partial(alike, rows, "moderate, with tastes", 4),
            promised,
        )
        for rows in ROWS[:-1]
    ]


if __name__ == "__main__":
    main(
        "arm_level",
        cells(),
        about="Tests of coverage, Gini and effective items between arms of one policy, "
        f"{ITEMS} items, {SHOWN} shown to a user. Rows for each item are those of the smaller arm.",
    )
