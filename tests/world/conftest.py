"""A small world that the tests of the room share."""

from __future__ import annotations

import pytest

from reclens.world.population import World, draw_world
from reclens.world.settings import preset


@pytest.fixture(scope="session")
def tiny() -> World:
    """300 users, 120 items."""
    return draw_world(preset("tiny"), seed=1)


@pytest.fixture(scope="session")
def still() -> World:
    """A world in which nothing changes users: what is shown and chosen is all there is."""
    return draw_world(
        preset(
            "tiny",
            drift=0.0,
            wander=0.0,
            satiation=0.0,
            repeat_cost=0.0,
            return_effect=0.0,
            births=0.0,
            newness=0.0,
            new_share=0.0,
            organic=0.0,
            click_rate=0.3,
        ),
        seed=2,
    )
