"""The initial state of a world: users with tastes and habits, items with appeal, and the history."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, cast

import numpy as np
import polars as pl

from reclens.engine import LocalEngine, chunk_ranges
from reclens.memory import require_memory
from reclens.schema import ITEM, USER, stable_hash
from reclens.world._draws import mix
from reclens.world._kernels import KNOBS, MOODS, TRAITS, UNBORN
from reclens.world._tastes import remember
from reclens.world.cards import WorldCard, WorldSettingsCard
from reclens.world.settings import WorldSettings

__all__ = ["COHORTS", "World", "build_world", "draw_world", "organic_table"]

COHORTS: Final = ("light", "heavy", "new")
_AGES: Final = ("18-24", "25-34", "35-49", "50+")
_GENDERS: Final = ("female", "male")
_TABLE: Final = 1 << 16
_CHUNK: Final = 4_096
_LIST: Final = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """Users and items before the first day. Immutable; a simulation changes copies.

    Attributes:
        settings: What the world is like.
        users: ``user_id, cohort, age, gender`` or the attributes of the data it was fitted to; by code.
        items: ``item_id, topic, born`` and the attributes of the data; by code.
        tastes: float32, shape (users, d).
        vectors: Of the items, float32, shape (items, d); taste · vector is the personal utility in logits.
        appeal: Common utility of the items, float32, shape (items,), in logits.
        topics: Topic of each item, int32.
        born: First day of each item, int32; at or below 0: it was there before.
        traits: See ``reclens.world._kernels.TRAITS``; float32, shape (users, 5).
        consumed: One bit an item, uint64, shape (users, words).
        history: What was consumed before: codes of users and items, and days (below 0); int32, shape (rows,) each.
        card: Where it came from.
    """

    settings: WorldSettings
    users: pl.DataFrame
    items: pl.DataFrame
    tastes: np.ndarray
    vectors: np.ndarray
    appeal: np.ndarray
    topics: np.ndarray
    born: np.ndarray
    traits: np.ndarray
    consumed: np.ndarray
    history: tuple[np.ndarray, np.ndarray, np.ndarray]
    card: WorldCard = field(default_factory=WorldCard)

    def __repr__(self) -> str:
        n_users, n_items, rows = self.users.height, self.items.height, len(self.history[0])
        return f"World({n_users:,} users, {n_items:,} items, {rows:,} interactions before the first day)"

    @property
    def keys(self) -> np.ndarray:
        """A stable key of each user, from their id; uint64."""
        return stable_hash(self.users[USER])

    def appeal_on(self, day: int) -> np.ndarray:
        """The appeal of each item on a day: newness falls with age, and who is not born has none; float32."""
        age = day - self.born
        newness = self.settings.newness * np.exp(-np.maximum(age, 0) / self.settings.newness_days)
        return np.where(age >= 0, self.appeal + newness, UNBORN).astype(np.float32)

    def knobs(self, day: int) -> np.ndarray:
        """Settings of a day as the kernel takes them, in the order of ``KNOBS``; float64."""
        s = self.settings
        weekday = s.weekday[(s.start.weekday() + day) % 7]
        values = (
            weekday,
            s.return_effect,
            s.click_rate,
            s.memory,
            s.more,
            s.satiation,
            s.recovery,
            s.repeat_cost,
            s.drift,
            s.wander,
            s.novelty,
            s.novelty_days,
            s.primacy,
            s.primacy_days,
            s.organic,
        )
        assert len(values) == len(KNOBS)
        return np.array(values)

    def moods(self) -> np.ndarray:
        """The initial moods of all users; float32, in the order of ``MOODS``."""
        moods = np.zeros((self.users.height, len(MOODS)), np.float32)
        moods[:, 0], moods[:, 2] = self.settings.click_rate, -1
        return moods


def draw_world(settings: WorldSettings, *, seed: int = 0) -> World:
    """Draw a world: tastes in a mixture by age and gender, items around the centres of their topics.

    Args:
        settings: What it is like.
        seed: Seed of everything that is drawn.

    Example:
        >>> from reclens.world.settings import preset
        >>> draw_world(preset("tiny"))
        World(300 users, 120 items, 2,725 interactions before the first day)
    """
    rng = np.random.default_rng([seed, 1])
    d, n = settings.factors, settings.users
    centres = rng.normal(size=(settings.topics, d))
    topics = rng.integers(0, settings.topics, settings.items)
    vectors = centres[topics] + 0.7 * rng.normal(size=(settings.items, d))
    age, gender = rng.choice(len(_AGES), n, p=(0.2, 0.3, 0.3, 0.2)), rng.integers(0, 2, n)
    tastes = rng.normal(size=(n, d))
    tastes += settings.demographic * (rng.normal(size=(len(_AGES), d))[age] + rng.normal(size=(2, d))[gender])
    born = -rng.integers(0, 2_000, settings.items)
    later = rng.random(settings.items) < settings.births
    later[rng.integers(settings.items)] = False  # somebody has to be there on the first day
    born[later] = rng.integers(1, settings.birth_days + 1, int(later.sum()))
    users = pl.DataFrame(
        {USER: np.arange(n), "age": pl.Series(_AGES).gather(age), "gender": pl.Series(_GENDERS).gather(gender)}
    )
    items = pl.DataFrame({ITEM: np.arange(settings.items)})
    vectors -= vectors.mean(axis=0)
    appeal = settings.appeal_spread * rng.normal(size=settings.items)
    return build_world(
        settings,
        users=users,
        items=items,
        tastes=tastes,
        vectors=vectors,
        appeal=appeal,
        topics=topics,
        born=born,
        seed=seed,
        card={"kind": "drawn", "seed": seed},
    )


def build_world(
    settings: WorldSettings,
    *,
    users: pl.DataFrame,
    items: pl.DataFrame,
    tastes: np.ndarray,
    vectors: np.ndarray,
    appeal: np.ndarray,
    topics: np.ndarray,
    born: np.ndarray,
    seed: int,
    card: WorldCard,
    activity: np.ndarray | None = None,
    scale: float | None = None,
) -> World:
    """Build a world: draw cohorts and habits, scale the utilities, and simulate the history.

    Args:
        settings: Settings of the world.
        users: ``user_id`` and attributes.
        items: ``item_id`` and attributes.
        tastes: Shape (users, d).
        vectors: Shape (items, d).
        appeal: Shape (items,).
        topics: Shape (items,).
        born: Shape (items,).
        seed: Seed of the random numbers.
        card: Origin of the world.
        activity: Interactions of each user before the first day, shape (users,); drawn without.
        scale: Factor of the vectors; by default utilities are scaled to ``taste_spread``.
    """
    rng = np.random.default_rng([seed, 2])
    n = users.height
    if scale is None:
        # Σ (u·v)² over all pairs, from two small matrices.
        spread = float(np.sqrt(np.sum((tastes.T @ tastes) * (vectors.T @ vectors)) / (len(tastes) * len(vectors))))
        scale = settings.taste_spread / max(spread, 1e-12)
    tastes, vectors = np.ascontiguousarray(tastes, np.float32), np.ascontiguousarray(scale * vectors, np.float32)
    if activity is None:
        activity = _draw_activity(settings, rng)
    cohort = _draw_cohorts(settings, activity, rng)
    traits = np.zeros((n, len(TRAITS)), np.float32)
    rate = np.array([settings.light_visits, settings.heavy_visits, settings.new_visits])[cohort]
    traits[:, 0] = np.log(rate / (1 - rate)) + settings.visit_spread * rng.normal(size=n)
    traits[:, 2] = settings.examination * np.exp(settings.examination_spread * rng.normal(size=n))
    traits[:, 3] = np.linalg.norm(tastes, axis=1)
    traits[:, 4] = np.where(cohort == 2, rng.integers(1, settings.arrivals + 1, n), -(10**6))
    activity = np.where(cohort == 2, 0, activity)
    users = users.with_columns(pl.Series("cohort", COHORTS).gather(cohort))
    items = items.with_columns(pl.Series("topic", topics, pl.Int32), pl.Series("born", born, pl.Int32))
    words = (items.height + 63) // 64
    require_memory(
        8 * n * words,
        f"what {n:,} users consumed of {items.height:,} items, a bit each",
        advice="Simulate fewer users or items.",
    )
    nothing = np.zeros(0, np.int32)
    world = World(
        settings=settings,
        users=users,
        items=items,
        tastes=tastes,
        vectors=vectors,
        appeal=appeal.astype(np.float32),
        topics=topics.astype(np.int32),
        born=born.astype(np.int32),
        traits=traits,
        consumed=np.zeros((n, words), np.uint64),
        history=(nothing, nothing, nothing),
        card={**card, "settings": cast("WorldSettingsCard", settings.model_dump(mode="json"))},
    )
    _set_nothing(world, rng)
    history = _live_before(world, activity, seed=seed)
    return replace(world, history=history)


def organic_table(appeal: np.ndarray) -> np.ndarray:
    """65,536 items in proportion to exp(appeal): a table to draw from by 16 random bits; int32.

    Unborn items have no entry; every item whose share is above half an entry has one.
    """
    weight = np.exp(np.float64(appeal) - appeal.max())
    edges = np.rint(np.cumsum(weight) / weight.sum() * _TABLE).astype(np.int64)
    return np.repeat(np.arange(len(appeal), dtype=np.int32), np.diff(edges, prepend=0))


def _draw_activity(settings: WorldSettings, rng: np.random.Generator) -> np.ndarray:
    spread = settings.history_spread
    mean = settings.history * np.exp(spread * rng.normal(size=settings.users) - spread**2 / 2)
    return np.minimum(rng.poisson(mean), settings.items // 2)


def _draw_cohorts(settings: WorldSettings, activity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0 light, 1 heavy, 2 new: new users at random, heavy ones the most active of the others."""
    n = len(activity)
    cohort = np.zeros(n, np.int64)
    cohort[rng.random(n) < settings.new_share] = 2
    old = np.flatnonzero(cohort == 0)
    many = min(round(settings.heavy_share * n), len(old))
    busy = old[np.lexsort((rng.random(len(old)), -activity[old]))]
    cohort[busy[:many]] = 1
    return cohort


def _set_nothing(world: World, rng: np.random.Generator) -> None:
    """Find the utility of the outside option that gives lists of ten popular items the click rate of the settings."""
    settings, n = world.settings, world.users.height
    offset = settings.none_spread * rng.normal(size=n)
    some = rng.choice(n, min(n, 2_000), replace=False)
    table = organic_table(world.appeal_on(0))
    lists = table[rng.integers(0, _TABLE, (len(some), _LIST))]
    utility = world.appeal[lists] + np.einsum("ud,ukd->uk", world.tastes[some], world.vectors[lists])
    seen = np.arange(1, _LIST + 1) ** -world.traits[some, 2][:, None].astype(np.float64)
    stops = seen - np.append(seen[:, 1:], np.zeros((len(some), 1)), axis=1)
    total = np.cumsum(np.exp(utility.astype(np.float64)), axis=1)
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        nothing = np.exp(middle + offset[some])[:, None]
        rate = float((stops * total / (nothing + total)).sum(axis=1).mean())
        low, high = (middle, high) if rate > settings.click_rate else (low, middle)
    world.traits[:, 1] = low + offset


def _live_before(world: World, activity: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The organic history of each user before the first day; marks items as consumed."""
    ends = np.concatenate([[0], np.cumsum(activity)]).astype(np.int64)
    found = np.full(int(ends[-1]), -1, np.int32)
    table, keys = organic_table(world.appeal_on(0)), world.keys
    state = mix(np.uint64(seed % 2**64), np.uint64(11))

    def task(part: range) -> None:
        remember(
            part.start,
            part.stop,
            np.uint64(state),
            keys,
            ends,
            table,
            world.settings.browse,
            world.vectors,
            world.tastes,
            world.consumed,
            found,
        )

    for _ in LocalEngine().map(task, chunk_ranges(len(keys), _CHUNK)):
        pass
    users = np.repeat(np.arange(len(keys), dtype=np.int32), activity)
    place = np.arange(len(found)) - np.repeat(ends[:-1], activity)
    share = (place + 0.5) / np.maximum(np.repeat(activity, activity), 1)
    days = (np.floor(share * world.settings.history_days) - world.settings.history_days).astype(np.int32)
    kept = found >= 0
    return users[kept], found[kept], days[kept]
