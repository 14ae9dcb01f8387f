"""Lessons of phase 3: crossings of features, retrieval before ranking, embeddings and attention."""

from __future__ import annotations

from typing import Final

import numpy as np

from reclens.cards import Fact
from reclens.learn.exercise import Draw
from reclens.learn.lesson import Bar, Lesson, Shown

__all__ = ["LESSONS"]


def _area(scores: np.ndarray, clicked: np.ndarray) -> float:
    """Area under the ROC curve: how often a clicked example has the higher score."""
    ranks = scores.argsort().argsort() + 1.0
    n = clicked.sum()
    return float((ranks[clicked].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))


def _crossings(draw: Draw) -> Shown:
    """Clicks that depend on two features together, fitted with and without their product."""
    rng = draw.rng("clicks")
    n = 6_000
    evening, short = rng.integers(2, size=(2, n))
    noise = rng.normal(size=(n, 4))
    chance = np.where(evening == short, 0.10, 0.35)  # long films in the evening, short ones by day
    clicked = rng.random(n) < chance
    wide = np.column_stack([np.ones(n), evening, short, noise])
    crossed = np.column_stack([wide, evening * short])
    half = n // 2
    areas: dict[str, float] = {}
    for name, features in (("wide", wide), ("crossed", crossed)):
        weights = np.linalg.lstsq(features[:half], clicked[:half].astype(float), rcond=None)[0]
        scores = features[half:] @ weights + 1e-9 * rng.random(n - half)  # ties are broken by chance
        areas[name] = _area(scores, clicked[half:])
    facts: dict[str, Fact] = {
        "examples": n,
        **{f"{name}_area": area for name, area in areas.items()},
        **{
            f"{when}_{length}": float(clicked[(evening == at) & (short == is_short)].mean())
            for when, at in (("day", 0), ("evening", 1))
            for length, is_short in (("long", 0), ("short", 1))
        },
    }
    return Shown(facts, (Bar("without the crossing", areas["wide"]), Bar("with the crossing", areas["crossed"])))


def _stages(draw: Draw) -> Shown:
    """What a retriever lets through, and what in-batch negatives do to popular items."""
    rng = draw.rng("stages")
    users, items, k = 200, 1_000, 10
    want = rng.normal(size=(users, 16)) @ rng.normal(size=(16, items)) / 4
    cheap = want + rng.normal(0, 0.8, want.shape)
    best = np.argpartition(-want, k, axis=1)[:, :k]
    order = np.argsort(-cheap, axis=1).argsort(axis=1)
    recalls = {many: float((np.take_along_axis(order, best, axis=1) < many).mean()) for many in (20, 50, 100, 300)}
    # A softmax over a batch whose negatives are the items of other clicks learns log(p(item | user) ÷ q(item)).
    popularity = rng.normal(0, 1.2, items)
    utility = want + popularity
    clicks = np.exp(utility)
    clicks /= clicks.sum(axis=1, keepdims=True)
    sampled = clicks.mean(axis=0)
    popular = np.argsort(-sampled)[: items // 10]

    def share(scores: np.ndarray) -> float:
        return float(np.isin(np.argpartition(-scores, k, axis=1)[:, :k], popular).mean())

    learned = np.log(clicks) - np.log(sampled)
    facts: dict[str, Fact] = {
        "users": users,
        "items": items,
        "k": k,
        **{f"recall_{many}": recall for many, recall in recalls.items()},
        "scored_100": 100 / items,
        "true_popular": share(utility),
        "uncorrected_popular": share(learned),
        "corrected_popular": share(learned + np.log(sampled)),
    }
    return Shown(facts, tuple(Bar(f"{many} candidates", recall) for many, recall in recalls.items()))


def _attention(draw: Draw) -> Shown:
    """Attention with and without scaling and mask, and what the length of an item's vector means."""
    rng = draw.rng("sequence")
    size, length, times = 64, 10, 300
    query, keys = rng.normal(size=(times, 1, size)), rng.normal(size=(times, length, size))
    raw = (query * keys).sum(axis=2)
    weights = {name: _softmax(raw / scale) for name, scale in (("raw", 1.0), ("scaled", np.sqrt(size)))}
    largest = {name: float(each.max(axis=1).mean()) for name, each in weights.items()}
    at = length // 2
    future = float(weights["scaled"][:, at:].sum(axis=1).mean())
    popularity = np.exp(rng.normal(0, 1, 120))
    tastes, traits = rng.normal(size=(400, 4)), rng.normal(size=(4, 120))
    chance = popularity * np.exp(0.5 * tastes @ traits)
    chance = np.minimum(chance / chance.sum(axis=1, keepdims=True) * 15, 1)
    matrix = (rng.random(chance.shape) < chance).astype(float)
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    norms = np.sqrt((values[-8:] * vectors[:, -8:] ** 2).sum(axis=1))  # of the best eight factors
    norm = float(np.corrcoef(norms.argsort().argsort(), matrix.sum(axis=0).argsort().argsort())[0, 1])
    facts: dict[str, Fact] = {
        "size": size,
        "length": length,
        "raw": largest["raw"],
        "scaled": largest["scaled"],
        "even": 1 / length,
        "seen": at,
        "future": future,
        "norm": norm,
    }
    bars = (Bar("not scaled", largest["raw"]), Bar("scaled", largest["scaled"]), Bar("all equal", 1 / length))
    return Shown(facts, bars)


def _softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


LESSONS: Final = (
    Lesson(code="3.a", exercises=("3.3",), show=_crossings),
    Lesson(code="3.b", exercises=("3.1", "3.2"), show=_stages),
    Lesson(code="3.c", exercises=("3.3",), show=_attention),
)
