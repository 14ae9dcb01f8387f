"""A shop whose users come by the day: a weekly cycle, heavy users, and a change that is clicked because it is new."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.learn.exercise import Draw

__all__ = ["BLOCK", "WEEK", "Shop", "Twin", "make_shop", "novelty", "past_launch"]

WEEK: Final = 7
BLOCK: Final = 28
"""Days in which the habits of a user stay the same; then they drift."""
Twin = Literal["null", "true", "harm"]
"""What the change does for good: nothing, what it promises, or it drives users away."""

_USERS: Final = 8_000
_DRIFT: Final = 0.9
"""Correlation of a user's habits from one block of days to the next."""
_WEEKEND: Final = 1.7
"""Visits on a Saturday or Sunday, against other days."""
_FADES: Final = 2.0
"""Days after which the novelty has fallen to 1/e; after the first week it is gone."""

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class Shop:
    """A shop, with the habits of its users in the two blocks of the past.

    Attributes:
        draw: What it was drawn from.
        effect: What the change adds to clicks for good, as a share.
        bump: What novelty adds on the first day, as a share.
        harm: Share of visits that a harmful change loses.
        chance: Log of a user's chance to come on a working day, a row a block.
        rate: Log of the clicks a visit, a row a block.
    """

    draw: Draw
    effect: float
    bump: float
    harm: float
    chance: np.ndarray
    rate: np.ndarray

    @property
    def users(self) -> int:
        """How many users it has."""
        return _USERS

    def history(self) -> pl.DataFrame:
        """Eight weeks: a row a user and day, from a Monday; ``visits`` is 0 where the user did not come."""
        days = [_day_counts(self, block) for block in range(2)]
        visits, clicks = (np.hstack([day[part] for day in days]) for part in range(2))
        came = visits > 0
        came[:, 0] = True  # one row at least, so that nobody is forgotten who never came
        user, day = np.nonzero(came)
        return pl.DataFrame(
            {"user_id": user + 1, "day": day + 1, "visits": visits[user, day], "clicks": clicks[user, day]}
        )

    def month(self, draw: Draw, twin: Twin, days: int) -> tuple[Columns, Columns]:
        """Columns that the log of a test gives, a value a user: without the change, and with it.

        Args:
            draw: A hidden draw: another month.
            twin: What the change does.
            days: Length of the test.
        """
        return _month(self.draw, draw, twin, days)


def novelty(bump: float) -> np.ndarray:
    """What novelty adds on each day since the first exposure, as a share."""
    days = np.arange(BLOCK)
    return bump * np.exp(-days / _FADES) * (days < WEEK)


@lru_cache(maxsize=8)
def make_shop(draw: Draw) -> Shop:
    """The shop of a learner."""
    rng = draw.rng("shop")
    spread = np.array([[rng.uniform(0.9, 1.0)], [rng.uniform(0.5, 0.7)]])
    middle = np.array([[math.log(rng.uniform(0.04, 0.06))], [math.log(rng.uniform(1.5, 2.5))]])
    first = rng.normal(size=(2, _USERS))
    second = _drifted(first, rng)
    habits = middle[:, None] + spread[:, None] * np.stack([first, second], axis=1)
    return Shop(
        draw=draw,
        effect=round(rng.uniform(0.11, 0.14), 3),
        bump=rng.uniform(1.0, 1.4),
        harm=0.25,
        chance=habits[0],
        rate=habits[1],
    )


def past_launch(draw: Draw) -> pl.DataFrame:
    """The effect of another launch on clicks by day since a user first saw it, in %, with its standard error."""
    rng = draw.rng("past launch")
    days = np.arange(1, BLOCK + 1)
    error = rng.uniform(1.5, 2.5)
    lasting = rng.uniform(3, 6)
    seen = lasting + 100 * novelty(rng.uniform(0.8, 1.2)) + rng.normal(0, error, BLOCK)
    return pl.DataFrame({"day": days, "effect": np.round(seen, 2), "standard_error": np.full(BLOCK, round(error, 2))})


def _drifted(habits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _DRIFT * habits + math.sqrt(1 - _DRIFT**2) * rng.normal(size=habits.shape)


def _weekly() -> np.ndarray:
    return np.where(np.arange(BLOCK) % WEEK >= 5, _WEEKEND, 1.0)


def _days(chance: np.ndarray, rate: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Visits and clicks of a block: a row a user, a column a day."""
    visits = rng.random((_USERS, BLOCK)) < np.minimum(0.95, np.exp(chance)[:, None] * _weekly())
    clicks = np.zeros(visits.shape, dtype=np.int64)
    users, _ = np.nonzero(visits)
    clicks[visits] = rng.poisson(np.exp(rate)[users])
    return visits.astype(np.int64), clicks


def _day_counts(shop: Shop, block: int) -> tuple[np.ndarray, np.ndarray]:
    return _days(shop.chance[block], shop.rate[block], shop.draw.rng(f"days {block}"))


@lru_cache(maxsize=2)
def _before(shop: Draw) -> dict[str, np.ndarray]:
    visits, clicks = _day_counts(make_shop(shop), 1)
    return {"clicks_before": clicks.sum(axis=1).astype(float), "visits_before": visits.sum(axis=1).astype(float)}


@lru_cache(maxsize=12)
def _month(origin: Draw, draw: Draw, twin: Twin, days: int) -> tuple[Columns, Columns]:
    """Both outcomes of each user differ by what the change adds alone: so the effect is the same in each run."""
    shop = make_shop(origin)
    rng = draw.rng("month")
    chance, rate = (_next_block(each, rng) for each in (shop.chance, shop.rate))
    visits, clicks = _days(chance, rate, rng)
    lift = novelty(shop.bump) + (_lasting(shop.effect) if twin == "true" else 0.0)
    added = np.zeros_like(clicks)
    users, day = np.nonzero(visits)
    added[users, day] = rng.poisson(np.exp(rate)[users] * lift[day])
    changed, clicked = visits, clicks + added
    if twin == "harm":
        kept = rng.random(visits.shape) >= shop.harm
        changed, clicked = visits * kept, clicked * kept
    before = _before(origin)
    return _columns(visits, clicks, days, before), _columns(changed, clicked, days, before)


def _next_block(habits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The habits after those of the second block."""
    middle, spread = habits.mean(), habits[1].std()
    return middle + spread * _drifted((habits[1] - habits[1].mean()) / spread, rng)


def _lasting(effect: float) -> np.ndarray:
    """The effect by day: twice as large on working days as on the weekend, and as promised over a whole week."""
    weight = _weekly()
    raw = np.where(weight > 1, 0.5, 1.0)
    return effect * raw * weight[:WEEK].sum() / (raw * weight)[:WEEK].sum()


def _columns(visits: np.ndarray, clicks: np.ndarray, days: int, before: Columns) -> Columns:
    sums = {
        f"{name}{ending}": counts[:, first:days].sum(axis=1).astype(float)
        for name, counts in (("clicks", clicks), ("visits", visits))
        for ending, first in (("", 0), ("_after_week_1", WEEK))
    }
    return {**sums, **before}
