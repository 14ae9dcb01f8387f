"""Lessons of phase 1: kinds of recommenders, accuracy metrics, and the matrix behind both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.evaluation import compare, evaluate
from reclens.learn.exercise import Draw
from reclens.learn.lesson import Bar, Lesson, Shown
from reclens.stats.estimate import Estimate

__all__ = ["LESSONS", "FilmShop", "bar_of", "film_shop"]

_NEW: Final = 12
"""Films of the catalogue that nobody has rated yet."""
_OLD: Final = 1980
_HELD: Final = 5
"""Films of each user that are held out."""
_ACCURACY: Final = ("precision", "recall", "ndcg", "map", "mrr")
_BEYOND: Final = ("diversity@10", "novelty@10", "coverage@10")


@dataclass(frozen=True, eq=False)
class FilmShop:
    """The lists of popularity and of EASE in a shop of films, evaluated.

    Attributes:
        users: Users with a list.
        results: Model -> its evaluation; ``backwards`` holds the lists of EASE read from the end.
    """

    users: int
    results: dict[str, Any]


def bar_of(label: str, found: Estimate) -> Bar:
    """A bar of an estimate with its interval."""
    return Bar(label, found.value, found.low, found.high)


@lru_cache(maxsize=2)
def film_shop(seed: int) -> FilmShop:
    """What several lessons look at: users of a film shop, some films of each held out."""
    from reclens.data.split import last_n
    from reclens.data.synthetic import synthetic_movielens
    from reclens.models import EASE, Popular

    data = synthetic_movielens(n_users=200, n_items=120, n_ratings=6_000, rng=Draw(seed, "lessons").rng("shop"))
    split = last_n(data, n=_HELD)
    lists = {
        model.name: model.fit(split.train).recommend(split.test_users, k=10).table
        for model in (Popular(), EASE(l2=100))
    }
    lists["backwards"] = lists["ease"].with_columns(rank=11 - pl.col("rank"), score=-pl.col("score"))
    metrics = [*(f"{name}@10" for name in _ACCURACY), *_BEYOND]
    results = {
        name: evaluate(each, split.test, train=split.train, metrics=metrics, replicates=200)
        for name, each in lists.items()
    }
    return FilmShop(len(split.test_users), results)


def _kinds(draw: Draw) -> Shown:
    """Four recommenders on a shop that has some films which nobody has rated yet."""
    from reclens.data.split import last_n
    from reclens.data.synthetic import synthetic_movielens
    from reclens.models import Content, ItemKNN, Popular, WeightedHybrid

    rng = draw.rng("shop")
    data = synthetic_movielens(n_users=150, n_items=100, n_ratings=4_000, rng=rng)
    films = data.items
    assert films is not None
    new = rng.choice(films["item_id"].to_numpy(), _NEW, replace=False)
    split = last_n(data, n=5)
    is_new = pl.col("item_id").is_in(new.tolist())
    train = replace(split.train, interactions=split.train.interactions.filter(~is_new))
    models = {
        "popular": Popular(),
        "item_knn": ItemKNN(),
        "content": Content(features=["genres"]),
        "hybrid": WeightedHybrid(models={"item_knn": {}, "content": {"features": ["genres"]}}),
    }
    facts: dict[str, Fact] = {"films": films.height, "new": _NEW}
    bars: list[Bar] = []
    for name, model in models.items():
        lists = model.fit(train).recommend(split.test_users, k=10).table
        found = evaluate(lists, split.test, train=train, metrics=["ndcg@10"], replicates=200)["ndcg@10"].overall
        facts[f"{name}_ndcg"] = found.value
        facts[f"{name}_new"] = lists.filter(is_new).height / lists.height
        bars.append(bar_of(name, found))
    genre = str(films["genres"].explode().mode().sort()[0])
    fits = films.filter(pl.col("genres").list.contains(genre) & (pl.col("year") < _OLD))
    return Shown({**facts, "genre": genre, "year": _OLD, "fits": fits.height}, tuple(bars))


def _metrics(draw: Draw) -> Shown:
    """Popularity against EASE, and EASE read from the end."""
    shop = film_shop(draw.seed)
    facts: dict[str, Fact] = {"users": shop.users, "relevant": _HELD}
    for name, result in shop.results.items():
        for metric in _ACCURACY:
            facts[f"{name}_{metric}"] = result[f"{metric}@10"].overall.value
    verdict = compare({"popular": shop.results["popular"], "ease": shop.results["ease"]}, baseline="popular")
    row = verdict.to_frame().row(by_predicate=(pl.col("by") == "overall") & (pl.col("metric") == "ndcg@10"), named=True)
    low, high = float(row["low"]), float(row["high"])
    facts |= {"difference": float(row["difference"]), "low": low, "high": high}
    facts["told_apart"] = "above" if low > 0 else "below" if high < 0 else "around"
    bars = [bar_of(name, result["ndcg@10"].overall) for name, result in shop.results.items()]
    return Shown({**facts, "ceiling": _HELD / 10}, tuple(bars))


def _matrix(draw: Draw) -> Shown:
    """A log with events that were sent twice and with robots, and what both do to the matrix."""
    rng = draw.rng("log")
    people, robots, items, events = 300, 3, 200, 6_000
    liked = rng.dirichlet(np.full(items, 0.3))
    users = np.append(rng.integers(people, size=events), people + rng.integers(robots, size=events // 4))
    which = np.append(rng.choice(items, events, p=liked), rng.choice(items, events // 4))
    bought = np.bincount(which[:events], minlength=items)
    known = np.flatnonzero(bought)
    target = int(known[np.argsort(bought[known])[len(known) // 2]])  # of middling popularity: the robots push it
    which[events : events + events // 8] = target
    again = rng.choice(len(users), events // 10, replace=False)
    log = pl.DataFrame(
        {"event": [*range(len(users)), *again], "user": [*users, *users[again]], "item": [*which, *which[again]]}
    )
    clean = log.unique("event").filter(pl.col("user") < people)

    def place(frame: pl.DataFrame) -> int:
        counts = frame.group_by("item").len()
        return 1 + counts.filter(pl.col("len") > pl.col("len").filter(pl.col("item") == target)).height

    cells, raw = clean.unique(["user", "item"]).height, log.unique(["user", "item"]).height
    facts: dict[str, Fact] = {
        "events": log.height,
        "twice": 1 - log["event"].n_unique() / log.height,
        "robots": log.filter(pl.col("user") >= people).height / log.height,
        "raw_cells": raw,
        "cells": cells,
        "users": clean["user"].n_unique(),
        "items": clean["item"].n_unique(),
        "density": cells / (clean["user"].n_unique() * clean["item"].n_unique()),
        "pushed_place": place(log),
        "clean_place": place(clean),
    }
    bars = (
        Bar("events in the log", log.height),
        Bar("events once", log["event"].n_unique()),
        Bar("events of people", clean.height),
        Bar("cells of the matrix", cells),
    )
    return Shown(facts, bars)


LESSONS: Final = (
    Lesson(code="1.a", exercises=("1.1",), show=_kinds),
    Lesson(code="1.b", exercises=("1.3",), show=_metrics),
    Lesson(code="1.c", exercises=("1.2",), show=_matrix),
)
