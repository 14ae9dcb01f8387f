"""Lessons of phase 2: what a test says, guardrails, holdouts, and offline against online."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Final

import numpy as np

from reclens.cards import Fact
from reclens.learn.exercise import Draw
from reclens.learn.lesson import Bar, Lesson, Shown
from reclens.learn.lessons.foundations import film_shop

__all__ = ["LESSONS", "Z", "kendall", "two_sided"]

Z: Final = 1.959963984540054
"""Standard errors from the middle of a 95 % interval to its end."""
_POWER_Z: Final = 0.8416212335729143
"""Standard errors beyond that end for a power of 80 %."""


def two_sided(z: float) -> float:
    """p-value of a standard normal deviate.

    >>> round(two_sided(1.959964), 4)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))


def _tests(draw: Draw) -> Shown:
    """Tests of nothing, looked at once and daily; the size of a test; and arms that are not as planned."""
    rng = draw.rng("tests")
    tests, days = 2_000, 14
    walk = rng.normal(size=(tests, days)).cumsum(axis=1) / np.sqrt(np.arange(1, days + 1))
    once = float(np.mean(np.abs(walk[:, -1]) > Z))
    daily = float(np.mean((np.abs(walk) > Z).any(axis=1)))
    mean, spread = float(rng.uniform(1.2, 1.8)), float(rng.uniform(3, 4))
    sizes = {lift: math.ceil(2 * ((Z + _POWER_Z) * spread / (lift * mean)) ** 2) for lift in (0.01, 0.02, 0.04)}
    arms = int(rng.normal(50_000, 60)), int(rng.normal(48_600, 60))
    facts: dict[str, Fact] = {
        "tests": tests,
        "days": days,
        "once": once,
        "daily": daily,
        "mean": mean,
        "spread": spread,
        **{f"size_{100 * lift:.0f}": size for lift, size in sizes.items()},
        "old": arms[0],
        "new": arms[1],
        "arms_p": two_sided((arms[0] - arms[1]) / math.sqrt(sum(arms))),
    }
    ends = [(each, Z * math.sqrt(each * (1 - each) / tests)) for each in (once, daily)]
    labels = ("one look at the end", "a look every day")
    bars = tuple(Bar(name, at, at - room, at + room) for name, (at, room) in zip(labels, ends, strict=True))
    return Shown(facts, bars)


def _guardrails(draw: Draw) -> Shown:
    """Diversity, novelty and coverage of two recommenders, and three guardrails of a launch."""
    results = film_shop(draw.seed).results
    facts: dict[str, Fact] = {
        f"{model}_{metric}": results[model][f"{metric}@10"].overall.value
        for model in ("popular", "ease")
        for metric in ("ndcg", "diversity", "novelty", "coverage")
    }
    rng = draw.rng("launch")
    margin = 0.02
    bars: list[Bar] = []
    for name, true, error in (("diversity", -0.07, 0.008), ("novelty", 0.004, 0.004), ("latency", 0.0, 0.03)):
        seen = float(rng.normal(true, error / 2))
        low, high = seen - Z * error, seen + Z * error
        state = "holds" if low > -margin else "broken" if high < -margin else "unclear"
        facts |= {f"{name}_seen": seen, f"{name}_low": low, f"{name}_high": high, f"{name}_state": state}
        bars.append(Bar(name, seen, low, high))
    return Shown({**facts, "margin": margin}, tuple(bars))


def _holdout(draw: Draw) -> Shown:
    """A lift that is mostly novelty, over eight weeks against a holdout."""
    rng = draw.rng("weeks")
    error, lasting, first = 0.004, float(rng.uniform(0.006, 0.012)), float(rng.uniform(0.05, 0.07))
    weeks = np.arange(8)
    lifts = lasting + first * np.exp(-weeks / 1.2) + rng.normal(0, error, 8)
    late = float(lifts[4:].mean())
    room = Z * error / math.sqrt(4)
    facts: dict[str, Fact] = {
        "weeks": 8,
        "early": float(lifts[:2].mean()),
        "whole": float(lifts.mean()),
        "late": late,
        "low": late - room,
        "high": late + room,
        "true": lasting,
        "overstated": float(lifts[:2].mean()) / lasting,
    }
    bars = tuple(
        Bar(f"week {at + 1}", float(each), float(each) - Z * error, float(each) + Z * error)
        for at, each in enumerate(lifts)
    )
    return Shown(facts, bars)


def _offline(draw: Draw) -> Shown:
    """Eight models by a logged metric and by what users would have clicked, with and without weights."""
    rng = draw.rng("models")
    items, events, k = 400, 40_000, 10
    quality = rng.beta(2, 8, items)
    shown = rng.dirichlet(np.full(items, 0.3)) + 0.1 / items  # the old system showed some items far more often
    shown /= shown.sum()
    logged = rng.choice(items, events, p=shown)
    clicks = np.bincount(logged, rng.random(events) < quality[logged], minlength=items)
    blends = np.linspace(0, 1, 8)  # from what users like to what was shown
    noise = rng.normal(0, 0.15, (8, items))
    ranks = [each.argsort().argsort() / items for each in (quality, shown)]
    lists = [
        np.argsort(-((1 - at) * ranks[0] + at * ranks[1] + each))[:k] for at, each in zip(blends, noise, strict=True)
    ]
    online = np.array([quality[each].mean() for each in lists])
    offline = np.array([clicks[each].sum() / clicks.sum() for each in lists])
    weighted = np.array([(clicks[each] / (shown[each] * events)).mean() for each in lists])
    facts: dict[str, Fact] = {
        "models": 8,
        "events": events,
        "plain": kendall(offline, online),
        "weighted": kendall(weighted, online),
        "best_plain": int((online > online[offline.argmax()]).sum()) + 1,
        "best_weighted": int((online > online[weighted.argmax()]).sum()) + 1,
        "online_best": float(online.max()),
        "online_of_plain": float(online[offline.argmax()]),
    }
    bars = (Bar("hits as logged", facts["plain"]), Bar("hits weighted by how often shown", facts["weighted"]))  # type: ignore[arg-type]
    return Shown(facts, bars)


def kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Pairs in the same order, minus pairs in the other, as a share of all.

    >>> kendall(np.array([1, 2, 3]), np.array([1, 3, 2]))
    0.3333333333333333
    """
    pairs = combinations(range(len(first)), 2)
    return float(np.mean([np.sign((first[i] - first[j]) * (second[i] - second[j])) for i, j in pairs]))


LESSONS: Final = (
    Lesson(code="2.a", exercises=("2.1", "2.2", "2.4"), show=_tests),
    Lesson(code="2.b", exercises=("2.3",), show=_guardrails),
    Lesson(code="2.c", exercises=("2.1", "2.4"), show=_holdout),
    Lesson(code="2.d", exercises=("3.3",), show=_offline),
)
