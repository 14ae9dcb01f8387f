"""How often the interval of the true effect holds it: in a world that stands still, and in three that learn.

In the learning worlds strategies learn from the clicks of all, so that an early click changes what is shown for weeks:
``learning`` and ``rare`` learn what is popular, where nothing is known before and one strategy explores (in ``rare``
120 users for four days: most lives find nothing); ``models`` has item-kNN against popularity. Of each world 600 pairs
are lived once. A run draws its pairs from these, and the truth is their mean, so that its error does not enter.
Student's interval, and one from the users of a single pair, as it was made before, are simulated beside.

    python benchmarks/rates_truth.py --seeds 1000:3000
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

import numpy as np
from rates import Cell, main

from reclens.lab.model_strategy import ModelStrategy
from reclens.stats.estimate import Estimate
from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import World, draw_world
from reclens.world.settings import preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Oracle, Popular, Random
from reclens.world.truth import learning, lift_over_pairs

PAIRS = 600
FIRST = 10_000_000
"""Seeds of the pairs begin here."""
LEARNING = {
    "users": 300,
    "items": 150,
    "history": 0.0,
    "organic": 0.0,
    "births": 0.0,
    "newness": 0.0,
    "taste_spread": 0.3,
    "appeal_spread": 1.5,
    "click_rate": 0.2,
    "repeat_cost": 0.0,
    "satiation": 0.0,
    "return_effect": 0.0,
    "new_share": 0.0,
    "light_visits": 0.8,
    "heavy_visits": 0.8,
}


@cache
def setting(name: str) -> tuple[World, Arm, Arm, int, int]:
    """World, treatment, control, days and days from one training to the next."""
    if name == "still":
        world = draw_world(preset("tiny", click_rate=0.2), seed=1)
        return world, Arm(name="t", strategy=Oracle(world)), Arm(name="c", strategy=Random()), 7, 0
    if name == "models":
        world = draw_world(preset("tiny"), seed=1)
        knn = ModelStrategy("item_knn", {"neighbors": 20}, world=world, threads=1)
        return world, Arm(name="t", strategy=knn), Arm(name="c", strategy=Popular()), 14, 3
    users, epsilon, days, more = (300, 0.1, 7, {}) if name == "learning" else (120, 0.2, 4, {"return_effect": 2.0})
    world = draw_world(preset("tiny", **LEARNING | {"users": users} | more), seed=3)
    rules = {"k": 5, "pool": 150, "leave_out": False}
    explores = Policy(kind="epsilon", epsilon=epsilon, **rules)  # type: ignore[arg-type]
    return (
        world,
        Arm(name="t", strategy=Popular(), policy=explores),
        Arm(name="c", strategy=Popular(), policy=Policy(**rules)),
        days,
        1,
    )  # type: ignore[arg-type]


@cache
def lives(name: str) -> np.ndarray:
    """Expected clicks a user under control and treatment, and the error of the lift over users; shape (pairs, 3)."""
    world, treatment, control, days, retrain = setting(name)
    found: list[tuple[float, float, float]] = []
    for seed in range(FIRST, FIRST + PAIRS):
        c, t = (
            simulate(world, [arm], days=days, retrain=retrain, seed=seed).users["expected_clicks"].to_numpy()
            for arm in (control, treatment)
        )
        linear = t - t.mean() / c.mean() * c
        found.append((float(c.mean()), float(t.mean()), float(linear.std(ddof=1) / c.mean() / np.sqrt(len(c)))))
    return np.array(found)


def covers(name: str, replicates: int, seed: int) -> Mapping[str, float]:
    """Whether the interval over pairs holds the truth, Student's, and that over the users of the first pair."""
    _, treatment, control, days, retrain = setting(name)
    known = lives(name)
    c, t, error = known[np.random.default_rng([seed, replicates]).integers(0, PAIRS, replicates)].T
    true = known[:, 1].mean() / known[:, 0].mean() - 1
    learned = learning([control, treatment], days=days, retrain=retrain)
    found, student = (lift_over_pairs(c, t, learned=each) for each in (learned, False))
    return {
        "holds the truth": _holds(found, true),
        "Student's": _holds(student, true),
        "over the users of one pair": float(abs(t[0] / c[0] - 1 - true) <= 1.96 * error[0]),
        "half-width": (_end(found.high) - _end(found.low)) / 2,
    }


def _holds(found: Estimate, true: float) -> float:
    return float(_end(found.low) <= true <= _end(found.high))


def _end(value: float | None) -> float:
    assert value is not None
    return value


CELLS = [
    Cell(f"{name} world, {replicates} replicates", partial(covers, name, replicates), {"holds the truth": 0.95})
    for name in ("still", "learning", "rare", "models")
    for replicates in (2, 3, 4, 5, 6, 8, 12, 16)
]

if __name__ == "__main__":
    main("truth", CELLS, about="Intervals of the true lift, over pairs of lives drawn from 600 of each world.")
