"""The contents of the cards of worlds and of their runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

__all__ = ["ArmCard", "PolicyCard", "RunCard", "WorldCard", "WorldSettingsCard"]


class WorldSettingsCard(TypedDict):
    """:class:`reclens.world.WorldSettings`, field -> value as JSON has it."""

    users: int
    items: int
    factors: int
    topics: int
    taste_spread: float
    appeal_spread: float
    demographic: float
    new_share: float
    heavy_share: float
    arrivals: int
    new_visits: float
    light_visits: float
    heavy_visits: float
    visit_spread: float
    weekday: Sequence[float]
    return_effect: float
    memory: float
    more: float
    most_lists: int
    examination: float
    examination_spread: float
    click_rate: float
    none_spread: float
    satiation: float
    recovery: float
    repeat_cost: float
    drift: float
    wander: float
    births: float
    birth_days: int
    newness: float
    newness_days: float
    novelty: float
    novelty_days: float
    primacy: float
    primacy_days: float
    organic: float
    browse: int
    history: float
    history_spread: float
    history_days: int
    conversion: float
    latency: float
    late_share: float
    start: str


class WorldCard(TypedDict, total=False):
    """The origin of a world.

    Attributes:
        kind: Whether it was drawn or fitted to data.
        seed: Seed of the random numbers.
        data: Name of the data that it was fitted to.
        hash: Fingerprint of that data.
        scale: Factor of the utilities.
        resampled: Whether its users were drawn from those of the data.
        settings: ``WorldSettings``, as JSON keeps them.
    """

    kind: Literal["drawn", "fitted"]
    seed: int
    data: str
    hash: str
    scale: float
    resampled: bool
    settings: WorldSettingsCard


class PolicyCard(TypedDict):
    """A :class:`~reclens.world.policy.Policy`, field -> value."""

    kind: Literal["greedy", "epsilon", "softmax"]
    k: int
    pool: int
    epsilon: float
    sharpness: float
    leave_out: bool


class ArmCard(TypedDict):
    """An arm of a run.

    Attributes:
        name: Its name.
        strategy: Name of the strategy.
        policy: ``Policy``, field -> value.
        share: Its share of the users, against the shares of the other arms.
        changed: Whether it is new to the users.
    """

    name: str
    strategy: str
    policy: PolicyCard
    share: float
    changed: bool


class RunCard(TypedDict):
    """Record of a simulation run.

    Attributes:
        synthetic: True: a simulation made the log.
        world: Card of the world.
        days: Number of simulated days.
        training: Training data of the strategies: ``shared``, ``diverted`` or ``separate``.
        retrain: Days between trainings; 0 trains once.
        clusters: Number of assigned clusters; None if users were assigned.
        seed: Seed of the random numbers.
        arms: The arms.
        versions: Versions of RecLens and its numerical dependencies; only in the folder of the logs.
    """

    synthetic: Literal[True]
    world: WorldCard
    days: int
    training: Literal["shared", "diverted", "separate"]
    retrain: int
    clusters: int | None
    seed: int
    arms: list[ArmCard]
    versions: NotRequired[dict[str, str]]
