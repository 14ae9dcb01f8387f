"""Arms that learn from each other: the sign can be wrong, and separate data mends it."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import UnknownNameError, UsageError
from reclens.lab.interference_study import interference
from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import draw_world
from reclens.world.settings import preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Popular

UNKNOWN = {
    "users": 400,
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
"""A world in which nobody knows yet what is good."""


def exploring_against_not(seed: int):
    world = draw_world(preset("tiny", **UNKNOWN), seed=seed)
    rules = {"k": 5, "pool": 150, "leave_out": False}
    treatment = Arm(name="explores", strategy=Popular(), policy=Policy(kind="epsilon", epsilon=0.1, **rules))
    return world, treatment, Arm(name="greedy", strategy=Popular(), policy=Policy(**rules))


def test_shared_training_hides_what_exploration_is_worth() -> None:
    found = interference(
        exploring_against_not, designs=("shared", "diverted"), seeds=6, days=14, retrain=1, replicates=2
    )
    shared, diverted = found["shared"], found["diverted"]
    assert shared.truth.value > 0, "who explores finds what everybody likes"
    assert shared.bias.value < -0.3 * shared.truth.value, "the greedy arm harvests it"
    assert abs(diverted.bias.value) < abs(shared.bias.value) / 2
    assert shared.wrong_sign.value > diverted.wrong_sign.value
    for each in (shared, diverted):  # the summary is of the effects that it lists
        values = np.array([row[each.design] for row in found.effects])
        truths = np.array([row["truth"] for row in found.effects])
        assert each.bias.value == pytest.approx((values - truths).mean())
        assert each.wrong_sign.value == pytest.approx((np.sign(values) != np.sign(truths.mean())).mean())
    assert [row["design"] for row in found.to_dicts()] == ["shared", "diverted"]


def test_a_strategy_against_itself_is_not_bent() -> None:
    def same(seed: int):
        world, _, control = exploring_against_not(seed)
        return world, Arm(name="b", strategy=Popular(), policy=control.policy), control

    found = interference(same, designs={"mine": {"training": "shared"}}, seeds=3, days=3, replicates=2)
    assert all(row["truth"] == 0 for row in found.effects)
    assert found["mine"].bias.low <= 0 <= found["mine"].bias.high


def test_the_truth_of_a_world_is_the_mean_over_replicates_with_luck_of_their_own() -> None:
    found = interference(exploring_against_not, designs=("diverted",), seeds=2, days=2, retrain=1, replicates=3, seed=4)
    for at, row in enumerate(found.effects):
        world, *arms = exploring_against_not(4 + at)
        lives = [
            [
                simulate(world, [arm], days=2, retrain=1, seed=6 + 3 * at + each).users["expected_clicks"].mean()
                for arm in arms
            ]
            for each in range(3)
        ]
        treated, control = np.mean(lives, axis=0)
        assert row["truth"] == pytest.approx(treated - control)


def test_wrong_use_says_so() -> None:
    with pytest.raises(UsageError, match="two or more"):
        interference(exploring_against_not, seeds=1)
    with pytest.raises(UnknownNameError, match="diverted"):
        interference(exploring_against_not, designs=("divertd",))
    with pytest.raises(UnknownNameError, match="clicks"):
        interference(exploring_against_not, metric="clics")
