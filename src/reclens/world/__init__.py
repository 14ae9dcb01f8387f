"""The simulated world: users who consume recommendations, and whose true behaviour is known.

``settings`` says what a world is like, ``population`` draws one or fits it to data, ``policy`` and ``strategies`` are
what is shown, ``simulation`` lets days go by, ``truth`` compares everybody treated with nobody treated, and
``realism_result`` holds a world against the data it should be like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reclens.lazy import lazy

if TYPE_CHECKING:
    from reclens.world.arm import Arm
    from reclens.world.fitting import fit_world
    from reclens.world.marketplace import Injected, Marketplace, draw_marketplace, draw_rounds
    from reclens.world.policy import Policy
    from reclens.world.population import World, draw_world
    from reclens.world.realism_result import realism
    from reclens.world.settings import WorldSettings, load_world_settings, preset
    from reclens.world.simulation import Run, simulate
    from reclens.world.strategies import Oracle, Popular, Random, Strategy
    from reclens.world.truth import true_effect

__all__ = [
    "Arm",
    "Injected",
    "Marketplace",
    "Oracle",
    "Policy",
    "Popular",
    "Random",
    "Run",
    "Strategy",
    "World",
    "WorldSettings",
    "draw_marketplace",
    "draw_rounds",
    "draw_world",
    "fit_world",
    "load_world_settings",
    "preset",
    "realism",
    "simulate",
    "true_effect",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Arm": "arm",
        "Injected": "marketplace",
        "Marketplace": "marketplace",
        "Oracle": "strategies",
        "Policy": "policy",
        "Popular": "strategies",
        "Random": "strategies",
        "Run": "simulation",
        "Strategy": "strategies",
        "World": "population",
        "WorldSettings": "settings",
        "draw_marketplace": "marketplace",
        "draw_rounds": "marketplace",
        "draw_world": "population",
        "fit_world": "fitting",
        "load_world_settings": "settings",
        "preset": "settings",
        "realism": "realism_result",
        "simulate": "simulation",
        "true_effect": "truth",
    },
)
