"""An arm of a simulated experiment: a strategy, and its share of the users."""

from __future__ import annotations

from dataclasses import dataclass, field

from reclens.world.policy import Policy
from reclens.world.strategies import Strategy

__all__ = ["Arm"]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of an experiment.

    Attributes:
        name: What it is called: the variant of the log.
        strategy: The interface of a recommender in the world.
        policy: How lists are made of that.
        share: Share of the users, against the shares of the other arms.
        changed: Whether it is new to the users: novelty and primacy act in it.
    """

    name: str
    strategy: Strategy
    policy: Policy = field(default_factory=Policy)
    share: float = 1.0
    changed: bool = False
