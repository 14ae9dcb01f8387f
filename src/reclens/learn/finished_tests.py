"""Three A/B tests that are over: one whose assignment broke, one that novelty won, and one whose effect lasts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.learn.exercise import Draw

__all__ = ["DAYS", "START", "FinishedTest", "Kind", "Lift", "finished_tests", "lift_of", "plan_text"]

Kind = Literal["broken", "novelty", "lasting"]
"""What a test is: its arms lost users unequally; its effect fades; its effect stays."""

DAYS: Final = 28
START: Final = "2026-01-05"
_USERS: Final = 5_000
_WEEK: Final = 7
_FADES: Final = 2.5
_TRIES: Final = 200
_Z: Final = 1.959963984540054


@dataclass(frozen=True)
class Lift:
    """Relative difference of two means, with its 95 % interval by the delta method.

    Attributes:
        value: Mean of treatment ÷ mean of control − 1.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @property
    def z(self) -> float:
        """Standard errors away from 0."""
        return self.value / ((self.high - self.low) / (2 * _Z))


@dataclass(frozen=True, eq=False, kw_only=True)
class FinishedTest:
    """A test and its log.

    Attributes:
        kind: What it is.
        log: A row a user and day: ``timestamp``, ``user_id``, ``variant``, ``clicks``.
        units: Arm -> users seen.
        means: Arm -> clicks per user.
        lift: Over all days.
        late: Over the days from a user's eighth on, of users who came then.
    """

    kind: Kind
    log: pl.DataFrame
    units: Mapping[str, int]
    means: Mapping[str, float]
    lift: Lift
    late: Lift

    @property
    def imbalance(self) -> float:
        """Standard errors between the sizes of the arms."""
        old, new = self.units["old"], self.units["new"]
        return (new - old) / math.sqrt(new + old)

    @property
    def clear(self) -> bool:
        """Whether the log shows what the test is, to whoever looks."""
        if not self.lift.z > 3 or (abs(self.imbalance) > 2 and self.kind != "broken"):
            return False
        if self.kind == "broken":
            return self.imbalance < -5
        return abs(self.late.z) < 1 if self.kind == "novelty" else self.late.z > 4


def lift_of(control: np.ndarray, treated: np.ndarray) -> Lift:
    """The lift of the mean.

    >>> lift_of(np.array([1.0, 3.0]), np.array([3.0, 3.0])).value
    0.5
    """
    base, other = float(control.mean()), float(treated.mean())
    ratio = other / base
    errors = [float(each.var(ddof=1)) / len(each) for each in (control, treated)]
    half = _Z * math.sqrt(errors[1] + ratio**2 * errors[0]) / base
    return Lift(ratio - 1, ratio - 1 - half, ratio - 1 + half)


@lru_cache(maxsize=8)
def finished_tests(draw: Draw) -> Mapping[str, FinishedTest]:
    """The three tests of a learner, by their names, in an order of its own."""
    rng = draw.rng("tests")
    kinds: tuple[Kind, ...] = ("broken", "novelty", "lasting")
    order = rng.permutation(len(kinds))
    return {f"test_{number}": _clear_one(kinds[each], rng) for number, each in enumerate(order, 1)}


def plan_text(name: str) -> str:
    """The plan that a test was run by."""
    return (
        f'name = "{name}"\nhypothesis = "The new list raises clicks per user for good."\nunit = "user_id"\n'
        f'days = {DAYS}\nstart = {START}\n\n[arms]\nold = 0.5\nnew = 0.5\n\n[[metrics]]\nname = "clicks per user"\n'
        'value = "clicks"\neffect = 0.15\n'
    )


def _clear_one(kind: Kind, rng: np.random.Generator) -> FinishedTest:
    for _ in range(_TRIES):
        made = _one(kind, rng)
        if made.clear:
            return made
    raise RuntimeError("no draw of those tried shows what it is")


def _one(kind: Kind, rng: np.random.Generator) -> FinishedTest:
    treated = rng.random(_USERS) < 0.5
    chance = np.clip(rng.uniform(0.1, 0.14) * np.exp(0.7 * rng.normal(size=_USERS)), 0, 0.9)
    rate = rng.uniform(1.5, 3) * np.exp(0.5 * rng.normal(size=_USERS))
    came = rng.random((_USERS, DAYS)) < chance[:, None]
    if kind == "broken":  # the new list crashes old devices, whose users come rarely
        light = np.argsort(np.argsort(chance)) < 0.5 * _USERS
        came &= ~(treated & light & (rng.random(_USERS) < rng.uniform(0.3, 0.4)))[:, None]
    user, day = np.nonzero(came)
    age = day - came.argmax(axis=1)[user]
    bump = rng.uniform(0.8, 1.1) * np.exp(-age / _FADES) * (age < _WEEK)
    lift = {"broken": 0.0, "novelty": bump, "lasting": rng.uniform(0.18, 0.26)}[kind]
    clicks = rng.poisson(rate[user] * (1 + lift * treated[user]))
    return _summed(kind, treated, came, (user, day, age, clicks))


def _summed(kind: Kind, treated: np.ndarray, came: np.ndarray, log: tuple[np.ndarray, ...]) -> FinishedTest:
    user, day, age, clicks = log
    seen = came.any(axis=1)
    total = np.bincount(user, clicks, len(treated))
    after = age >= _WEEK
    late, again = (
        np.bincount(user[after], clicks[after], len(treated)),
        np.bincount(user[after], minlength=len(treated)),
    )
    arms = {"old": seen & ~treated, "new": seen & treated}
    rows = pl.DataFrame(
        {"user_id": user + 1, "variant": np.where(treated[user], "new", "old"), "clicks": clicks, "day": day}
    )
    start = pl.lit(START).str.to_datetime()
    return FinishedTest(
        kind=kind,
        log=rows.select((start + pl.duration(days="day", hours=12)).alias("timestamp"), pl.exclude("day")),
        units={name: int(arm.sum()) for name, arm in arms.items()},
        means={name: float(total[arm].mean()) for name, arm in arms.items()},
        lift=lift_of(total[arms["old"]], total[arms["new"]]),
        late=lift_of(*(late[arm & (again > 0)] for arm in arms.values())),
    )
