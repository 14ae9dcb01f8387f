"""Lessons of phase 4: kinds of bias, exposure and parity, and calibration."""

from __future__ import annotations

from typing import Final

import numpy as np

from reclens.cards import Fact
from reclens.learn.exercise import Draw
from reclens.learn.lesson import Bar, Lesson, Shown

__all__ = ["LESSONS", "gini"]

_PLACES: Final = np.arange(1, 11)


def gini(counts: np.ndarray) -> float:
    """Inequality of counts: 0 if all are equal, near 1 if one has everything.

    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 1]))
    (0.0, 0.75)
    """
    ordered = np.sort(counts)
    n = len(ordered)
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * ordered.sum()) - (n + 1) / n)


def _kinds(draw: Draw) -> Shown:
    """Clicks by place for items that are all as good, and a recommender that learns from its own lists."""
    rng = draw.rng("bias")
    shows, relevance = 8_000, 0.3
    looked = 1 / np.log2(_PLACES + 1)
    clicks = rng.binomial(shows, relevance * looked)
    ctr = clicks / shows
    weighted = ctr / looked
    items, rounds = 100, 12
    counts = np.full(items, 5.0)
    ginis: list[float] = []
    for _ in range(rounds):
        chance = counts**1.5 / (counts**1.5).sum()  # what was clicked more is shown still more
        shown = rng.multinomial(1_000, chance)
        counts += rng.binomial(shown, relevance)
        ginis.append(gini(shown))
    facts: dict[str, Fact] = {
        "first": float(ctr[0]),
        "tenth": float(ctr[-1]),
        "weighted_first": float(weighted[0]),
        "weighted_tenth": float(weighted[-1]),
        "relevance": relevance,
        "items": items,
        "rounds": rounds,
        "gini_first": ginis[0],
        "gini_last": ginis[-1],
        "top_share": float(np.sort(counts)[-items // 10 :].sum() / counts.sum()),
    }
    bars = tuple(Bar(f"place {at}", float(each)) for at, each in zip(_PLACES, ctr, strict=True))
    return Shown(facts, bars)


def _exposure(draw: Draw) -> Shown:
    """Two groups of sellers that are almost as good, and two groups of users of whom one is more active."""
    rng = draw.rng("exposure")
    large = np.sort(rng.uniform(0.75, 0.80, 5))[::-1]
    small = np.sort(rng.uniform(0.70, 0.74, 5))[::-1]
    looked = 1 / np.log2(_PLACES + 1)
    share = float(looked[5:].sum() / looked.sum())
    merit = float(small.sum() / (small.sum() + large.sum()))
    users = 4_000
    women = rng.random(users) < 0.5
    active = rng.random(users) < np.where(women, 0.7, 0.3)
    quality = np.where(active, 0.50, 0.30) - np.where(women, 0.08, 0.0) + rng.normal(0, 0.1, users)
    gaps = {
        name: float(quality[women & mine].mean() - quality[~women & mine].mean())
        for name, mine in (("all", np.ones(users, bool)), ("active", active), ("rare", ~active))
    }
    facts: dict[str, Fact] = {
        "small": float(small.mean()),
        "large": float(large.mean()),
        "difference": float(1 - small.mean() / large.mean()),
        "share": share,
        "merit": merit,
        "ratio": share / merit,
        "active_women": float(active[women].mean()),
        "active_men": float(active[~women].mean()),
        **{f"gap_{name}": gap for name, gap in gaps.items()},
    }
    labels = {"all": "all users", "active": "active users", "rare": "occasional users"}
    return Shown(facts, tuple(Bar(labels[name], gap) for name, gap in gaps.items()))


def _divergence(history: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of the genres of a list from those of a history, smoothed as by Steck (2018)."""
    mixed = 0.9 * shown + 0.1 * history
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(history > 0, history * np.log(history / mixed), 0.0)
    return terms.sum(axis=-1)


def _calibration(draw: Draw) -> Shown:
    """Lists by score alone, and lists that keep the genres of the history in mind."""
    rng = draw.rng("calibration")
    users, items, k = 120, 60, 10
    genre = rng.integers(3, size=items)
    kinds = np.eye(3)[genre]
    history = rng.dirichlet([6, 3, 1], users)
    score = 4 * history[:, genre] + rng.normal(0, 0.5, (users, items))
    truth = np.argsort(-(np.log(history[:, genre]) + rng.gumbel(size=(users, items))), axis=1)[:, :5]
    outcomes: dict[str, tuple[float, float, float]] = {}
    for name, weight in (("score", 0.0), ("calibrated", 0.9)):
        lists = np.array([_greedy(score[at], history[at], kinds, weight, k) for at in range(users)])
        shown = kinds[lists].mean(axis=1)
        hits = (lists[:, :, None] == truth[:, None, :]).any(axis=2).mean()
        outcomes[name] = float(_divergence(history, shown).mean()), float(hits), float(shown[:, 2].mean())
    facts: dict[str, Fact] = {"users": users, "wanted": float(history[:, 2].mean())}
    for name, (divergence, hits, third) in outcomes.items():
        facts |= {f"{name}_divergence": divergence, f"{name}_precision": hits, f"{name}_third": third}
    bars = (Bar("by score", outcomes["score"][0]), Bar("calibrated", outcomes["calibrated"][0]))
    return Shown(facts, bars)


def _greedy(score: np.ndarray, history: np.ndarray, kinds: np.ndarray, weight: float, k: int) -> list[int]:
    """The items that raise (1 - weight) × score - weight × divergence most, one after the other."""
    chosen: list[int] = []
    held = np.zeros(kinds.shape[1])
    for _ in range(k):
        divergence = _divergence(history, (held + kinds) / (len(chosen) + 1))
        gain = (1 - weight) * score / score.max() - weight * divergence
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        held = held + kinds[chosen[-1]]
    return chosen


LESSONS: Final = (
    Lesson(code="4.a", exercises=("4.1",), show=_kinds),
    Lesson(code="4.b", exercises=("4.1", "4.2", "4.3"), show=_exposure),
    Lesson(code="4.c", exercises=("4.3",), show=_calibration),
)
