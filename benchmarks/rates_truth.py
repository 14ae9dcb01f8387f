"""How often the interval of the true effect holds it: in a world that stands still, and in one that learns.

The truth of a world is the mean over 400 pairs of lives of seeds that no interval uses. In the learning world two
strategies learn what is popular from the clicks of all, and one of them explores, so that an early click changes what
is shown for weeks; in the still world nothing is learned. An interval from the users of a single pair, as it was made
before, is simulated beside.

    python benchmarks/rates_truth.py --seeds 1000:3000
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

import numpy as np
from rates import Cell, main

from reclens.world.policy import Policy
from reclens.world.population import World, draw_world
from reclens.world.settings import preset
from reclens.world.simulate import Arm, simulate
from reclens.world.strategies import Oracle, Popular, Random
from reclens.world.truth import lift_over_pairs

PAIRS = 400
FIRST = 10_000_000
"""Seeds of the truth begin here."""
LEARNING = {
    "users": 300, "items": 150, "history": 0.0, "organic": 0.0, "births": 0.0, "newness": 0.0, "taste_spread": 0.3,
    "appeal_spread": 1.5, "click_rate": 0.2, "repeat_cost": 0.0, "satiation": 0.0, "return_effect": 0.0,
    "new_share": 0.0, "light_visits": 0.8, "heavy_visits": 0.8,
}  # fmt: skip


@cache
def setting(name: str) -> tuple[World, Arm, Arm, int, int]:
    """World, treatment, control, days and days from one training to the next."""
    if name == "still":
        world = draw_world(preset("tiny", click_rate=0.2), seed=1)
        return world, Arm(name="t", strategy=Oracle(world)), Arm(name="c", strategy=Random()), 7, 0
    world = draw_world(preset("tiny", **LEARNING), seed=3)
    rules = {"k": 5, "pool": 150, "leave_out": False}
    explores = Policy(kind="epsilon", epsilon=0.1, **rules)  # type: ignore[arg-type]
    return (world, Arm(name="t", strategy=Popular(), policy=explores),
            Arm(name="c", strategy=Popular(), policy=Policy(**rules)), 7, 1)  # type: ignore[arg-type]  # fmt: skip


def pair(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Expected clicks of each user under control and treatment, with the luck of a seed."""
    world, treatment, control, days, retrain = setting(name)
    lives = [simulate(world, [arm], days=days, retrain=retrain, seed=seed) for arm in (control, treatment)]
    return lives[0].users["expected_clicks"].to_numpy(), lives[1].users["expected_clicks"].to_numpy()


@cache
def truth(name: str) -> float:
    """The lift over many pairs of lives."""
    sums = np.array([[side.sum() for side in pair(name, FIRST + at)] for at in range(PAIRS)])
    return float(sums[:, 1].sum() / sums[:, 0].sum() - 1)


def covers(name: str, replicates: int, seed: int) -> Mapping[str, float]:
    """Whether the interval over pairs holds the truth, and that over the users of the first pair."""
    pairs = [pair(name, seed * 100 + at) for at in range(replicates)]
    means = np.array([[side.mean() for side in each] for each in pairs])
    found, true = lift_over_pairs(means[:, 0], means[:, 1]), truth(name)
    control, treated = pairs[0]
    ratio = treated.mean() / control.mean()
    error = (treated - ratio * control).std(ddof=1) / control.mean() / np.sqrt(len(control))
    assert found.low is not None and found.high is not None
    return {"holds the truth": float(found.low <= true <= found.high),
            "over the users of one pair": float(abs(ratio - 1 - true) <= 1.96 * error),
            "half-width": (found.high - found.low) / 2}  # fmt: skip


CELLS = [
    Cell(f"{name} world, {replicates} replicates", partial(covers, name, replicates), {"holds the truth": 0.95})
    for name in ("still", "learning") for replicates in (2, 4, 8)
]  # fmt: skip

if __name__ == "__main__":
    main("truth", CELLS, about="Intervals of the true lift, against the mean over 400 pairs of lives.")
