"""Lessons of phase 5: checks that run every day, indexes of vectors, and a result that others can reproduce."""

from __future__ import annotations

from typing import Final

import numpy as np

from reclens.cards import Fact
from reclens.learn.exercise import Draw
from reclens.learn.lesson import Bar, Lesson, Shown
from reclens.learn.lessons.experiments import Z

__all__ = ["LESSONS"]


def _daily(draw: Draw) -> Shown:
    """Twenty indicators of healthy days under three limits, and a day that ran twice."""
    rng = draw.rng("days")
    indicators, days = 20, 30
    quiet = np.abs(rng.normal(size=(500, days, indicators)))
    alerts = {limit: float((quiet > limit).sum(axis=(1, 2)).mean()) for limit in (2, 3, 4)}
    drop = float(rng.uniform(4.5, 5.5))
    caught = {limit: float((np.abs(rng.normal(drop, 1, 2_000)) > limit).mean()) for limit in (2, 3, 4)}
    rows = rng.integers(900, 1_100, days)
    twice = int(rng.integers(days))
    facts: dict[str, Fact] = {
        "indicators": indicators,
        "days": days,
        **{f"false_{limit}": number for limit, number in alerts.items()},
        **{f"caught_{limit}": number for limit, number in caught.items()},
        "drop": drop,
        "appended": int(rows.sum() + rows[twice]),
        "replaced": int(rows.sum()),
    }
    return Shown(facts, tuple(Bar(f"limit of {limit}", number) for limit, number in alerts.items()))


def _vectors(draw: Draw) -> Shown:
    """An index that looks into the nearest cells alone, and items that no list ever holds."""
    rng = draw.rng("vectors")
    items, users, size, cells, k = 2_000, 200, 16, 40, 10
    middles = rng.normal(size=(cells, size))
    vectors = middles[rng.integers(cells, size=items)] + 0.9 * rng.normal(size=(items, size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = middles / np.linalg.norm(middles, axis=1, keepdims=True)
    cell = (vectors @ centres.T).argmax(axis=1)
    wants = middles[rng.integers(cells, size=users)] + 1.2 * rng.normal(size=(users, size))
    scores = wants @ vectors.T
    best = np.argpartition(-scores, k, axis=1)[:, :k]
    nearest = np.argsort(-(wants @ centres.T), axis=1).argsort(axis=1)
    depth = np.take_along_axis(nearest, cell[best], axis=1)
    sizes = np.bincount(cell, minlength=cells)
    facts: dict[str, Fact] = {"items": items, "users": users, "cells": cells, "k": k}
    bars: list[Bar] = []
    for many in (1, 3, 8, 20):
        recall = float((depth < many).mean())
        looked = float(((nearest < many) * sizes).sum(axis=1).mean() / items)
        facts |= {f"recall_{many}": recall, f"looked_{many}": looked}
        bars.append(Bar(f"{many} cells" if many > 1 else "1 cell", recall))
    facts["never"] = 1 - len(np.unique(best)) / items
    return Shown(facts, tuple(bars))


def _portfolio(draw: Draw) -> Shown:
    """The best of ten changes that change nothing, on the users that it was chosen by and on others."""
    rng = draw.rng("changes")
    changes, users, repeats, spread = 10, 400, 300, 0.3
    error = spread / np.sqrt(users)
    seen = rng.normal(0, error, (repeats, changes))
    sealed = rng.normal(0, error, (repeats, changes))
    best = seen.argmax(axis=1)
    rows = np.arange(repeats)
    chosen, again = seen[rows, best], sealed[rows, best]
    facts: dict[str, Fact] = {
        "changes": changes,
        "users": users,
        "repeats": repeats,
        "chosen": float(chosen.mean()),
        "again": float(again.mean()),
        "excludes": float((chosen > Z * error).mean()),
        "excludes_again": float((again > Z * error).mean()),
    }
    room = [float(Z * each.std(ddof=1) / np.sqrt(repeats)) for each in (chosen, again)]
    means = [float(each.mean()) for each in (chosen, again)]
    labels = ("where it was chosen", "on the sealed users")
    bars = tuple(Bar(name, at, at - by, at + by) for name, at, by in zip(labels, means, room, strict=True))
    return Shown(facts, bars)


LESSONS: Final = (
    Lesson(code="5.a", exercises=("5.2",), show=_daily),
    Lesson(code="5.b", exercises=("5.1",), show=_vectors),
    Lesson(code="5.c", exercises=("5.1", "5.3"), show=_portfolio),
)
