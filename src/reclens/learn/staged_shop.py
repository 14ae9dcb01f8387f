"""A shop served by four stages, small enough to run again in a moment, and what each stage reports of a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.learn.exercise import Draw

__all__ = [
    "CLOSED",
    "HEALTHY",
    "KNOWN_FEATURES",
    "LEAKS",
    "NEW",
    "REGIONS",
    "Day",
    "StagedShop",
    "make_staged_shop",
    "serve",
]

REGIONS: Final = ("north", "east", "south", "west")
CLOSED: Final = "airport"
"""A region where nobody lives any more."""
LEAKS: Final = ("dwell_today", "basket_today", "shares_today")
"""Features that are complete in the log, and hardly begun when a list is made."""
KNOWN_FEATURES: Final = ("taste", "quality", "popularity", "freshness", "price_fit", "position_yesterday", *LEAKS)
"""What a ranker can be given."""
NEW: Final = 30
"""An item younger than so many days is new."""

HEALTHY: Final[Mapping[str, Any]] = {
    "retrieval.regions": [*REGIONS, CLOSED],
    "retrieval.k": 60,
    "filter.min_age_days": 0,
    "ranker.features": ["taste", "quality", "popularity"],
    "reranker.diversity": 0.1,
}
"""The pipeline of last month: key -> value."""

_USERS: Final = 280
_ITEMS: Final = 260
_CATEGORIES: Final = 8
_LENGTH: Final = 10
_UNSEEN: Final = 11
"""Yesterday's position of an item that was not shown."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StagedShop:
    """Users and items of a learner.

    Attributes:
        region: Of each user, as a number.
        home: Of each item; -1 where it is sold everywhere.
        category: Of each item.
        age: Of each item, in days.
        chance: Chance that a user likes an item, users × items; 0 where it is not sold.
        quality: What the shop knows of each item's quality.
        popularity: Of each item: half quality, half luck.
    """

    region: np.ndarray
    home: np.ndarray
    category: np.ndarray
    age: np.ndarray
    chance: np.ndarray
    quality: np.ndarray
    popularity: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Day:
    """What a pipeline did on a day.

    Attributes:
        hits: Items of each user's list that the user is expected to like.
        report: Columns ``stage``, ``measure``, ``segment``, ``value``, ``standard_error``.
    """

    hits: np.ndarray
    report: pl.DataFrame


@lru_cache(maxsize=8)
def make_staged_shop(draw: Draw) -> StagedShop:
    """The shop of a learner."""
    rng = draw.rng("shop")
    category = rng.integers(_CATEGORIES, size=_ITEMS)
    kind = 1.1 * rng.normal(size=(_CATEGORIES, 4))[category] + 0.5 * rng.normal(size=(_ITEMS, 4))
    taste = rng.normal(size=(_USERS, 4))
    region = rng.integers(len(REGIONS), size=_USERS)
    home = np.where(rng.random(_ITEMS) < 0.95, rng.integers(len(REGIONS), size=_ITEMS), -1)
    age = np.where(rng.random(_ITEMS) < 0.35, rng.integers(5, NEW - 2, _ITEMS), rng.integers(NEW + 10, 900, _ITEMS))
    worth = rng.normal(0, 0.8, _ITEMS) + 0.7 * (age < NEW)
    chance = 1 / (1 + np.exp(2.2 - 0.7 * taste @ kind.T - worth))
    chance *= (home[None] == -1) | (home[None] == region[:, None])
    return StagedShop(
        region=region,
        home=home,
        category=category,
        age=age,
        chance=chance,
        quality=worth + rng.normal(0, 0.4, _ITEMS),
        popularity=0.5 * worth + rng.normal(0, 0.8, _ITEMS),
    )


def serve(shop: StagedShop, config: Mapping[str, Any], draw: Draw, name: str) -> Day:
    """Run a pipeline for a day.

    Args:
        shop: The shop.
        config: Key -> value, with the keys of :data:`HEALTHY`.
        draw: Where the day is drawn from.
        name: Of the day: two pipelines that serve the same day meet the same luck.
    """
    rng = draw.rng(f"day {name}")
    likes = rng.random(shop.chance.shape) < shop.chance
    affinity = np.log(shop.chance + 1e-3) + rng.normal(0, 0.5, shop.chance.shape)
    yesterday = _yesterday(shop, rng)
    found = _retrieved(shop, config, affinity)
    kept = found & (shop.age >= config["filter.min_age_days"])[None]
    features = _features(shop, affinity, yesterday, rng, config["ranker.features"])
    weights, offline = _trained(shop, features, yesterday, rng, config["ranker.features"])
    scores = np.where(kept, sum(weights[name] * values for name, values in features.items()), -np.inf)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :_LENGTH]
    final = _reranked(shop, scores, config["reranker.diversity"])
    rows = np.arange(_USERS)[:, None]
    hits = shop.chance[rows, final].sum(axis=1)
    measures = {
        ("retrieval", "recall"): _share(likes & found, likes),
        ("filter", "share_removed"): _share(found & ~kept, found),
        ("ranker", "auc_in_log"): offline,
        ("ranker", "auc_when_served"): _auc(scores, likes, kept),
        ("ranker", "overlap_with_yesterday"): (yesterday[rows, ranked] < _UNSEEN).mean(axis=1),
        ("reranker", "categories_per_list"): np.array(
            [len(set(shop.category[each].tolist())) for each in final], float
        ),
        ("reranker", "places_changed"): 1 - (ranked[:, :, None] == final[:, None]).any(axis=2).mean(axis=1),
        ("list", "clicks"): likes[rows, final].sum(axis=1).astype(float),
    }
    report = [row for (stage, measure), values in measures.items() for row in _by_region(shop, stage, measure, values)]
    for segment, items in (("new items", shop.age < NEW), ("old items", shop.age >= NEW)):
        report.append(_row("filter", "share_removed", segment, _share((found & ~kept)[:, items], found[:, items])))
        report.append(_row("list", "share_of_list", segment, items[final].mean(axis=1)))
    columns = ["stage", "measure", "segment", "value", "standard_error"]
    return Day(hits=hits, report=pl.DataFrame(report, schema=columns, orient="row"))


def _yesterday(shop: StagedShop, rng: np.random.Generator) -> np.ndarray:
    """Positions of yesterday's lists, which an old ranker made: users × items."""
    liked = np.where(shop.chance > 0, shop.popularity[None] + rng.normal(0, 1, shop.chance.shape), -np.inf)
    position = np.full(shop.chance.shape, _UNSEEN)
    np.put_along_axis(position, np.argsort(-liked, axis=1)[:, :_LENGTH], np.arange(1, _LENGTH + 1)[None], axis=1)
    return position


def _retrieved(shop: StagedShop, config: Mapping[str, Any], affinity: np.ndarray) -> np.ndarray:
    """Whether each item is among the k candidates of each user."""
    indexed = [at for at, name in enumerate(REGIONS) if name in config["retrieval.regions"]]
    sold = (shop.chance > 0) & np.isin(shop.home, [-1, *indexed])[None]
    order = np.argsort(-np.where(sold, affinity, -np.inf), axis=1)[:, : int(config["retrieval.k"])]
    found = np.zeros_like(sold)
    np.put_along_axis(found, order, values=True, axis=1)
    return found & sold


Features = dict[str, np.ndarray]


def _features(
    shop: StagedShop, affinity: np.ndarray, yesterday: np.ndarray, rng: np.random.Generator, names: list[str]
) -> Features:
    """What the ranker is given when a list is made; of a day that has hardly begun it knows next to nothing."""
    wide = np.ones(shop.chance.shape)
    known: Features = {
        "taste": affinity + rng.normal(0, 0.3, wide.shape),
        "quality": wide * shop.quality,
        "popularity": wide * shop.popularity,
        "freshness": wide * -np.log(shop.age),
        "price_fit": rng.normal(size=wide.shape),
        "position_yesterday": yesterday.astype(float),
    }
    return {name: known[name] if name in known else rng.normal(0, 0.5, wide.shape) for name in names}


def _trained(
    shop: StagedShop, features: Features, yesterday: np.ndarray, rng: np.random.Generator, names: list[str]
) -> tuple[dict[str, float], np.ndarray]:
    """Weights by least squares on the clicks of yesterday's lists, and each user's AUC in that log."""
    shown = yesterday < _UNSEEN
    seen = rng.random(shown.shape) < 1 / np.log2(1 + yesterday) ** 1.5  # who scrolls down so far
    clicks = shown & seen & (rng.random(shown.shape) < shop.chance**0.5)
    log = dict(features)
    for name in names:
        if name in LEAKS:
            log[name] = clicks + rng.normal(0, 0.1, clicks.shape)
    columns = np.column_stack([np.ones(int(shown.sum())), *(log[name][shown] for name in names)])
    solved, *_ = np.linalg.lstsq(columns, clicks[shown].astype(float), rcond=None)
    weights = dict(zip(names, solved[1:].tolist(), strict=True))
    scores = sum(weights[name] * log[name] for name in names)
    return weights, _auc(np.asarray(scores), clicks, shown)


def _reranked(shop: StagedShop, scores: np.ndarray, diversity: float) -> np.ndarray:
    """Place by place, less ``diversity`` standard deviations for each item of the category that is there already."""
    inside = np.isfinite(scores)
    spread = np.array([each[ok].std() if ok.any() else 1.0 for each, ok in zip(scores, inside, strict=True)])
    left = scores / np.where(spread > 0, spread, 1.0)[:, None]
    chosen = np.empty((_USERS, _LENGTH), dtype=np.int64)
    rows = np.arange(_USERS)
    for place in range(_LENGTH):
        best = np.argmax(left, axis=1)
        chosen[:, place] = best
        left[rows, best] = -np.inf
        left -= diversity * (shop.category[None] == shop.category[best][:, None])
    return chosen


def _auc(scores: np.ndarray, wanted: np.ndarray, among: np.ndarray) -> np.ndarray:
    """AUC of each user: the share of pairs of a wanted and another item that are in order; nan without such a pair."""
    order = np.argsort(np.where(among, scores, -np.inf), axis=1, kind="stable").argsort(axis=1)
    count = among.sum(axis=1)
    rank = order - (scores.shape[1] - count)[:, None] + 1  # 1 is the lowest of those that are ranked
    good = wanted & among
    n = good.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((rank * good).sum(axis=1) - n * (n + 1) / 2) / (n * (count - n))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return part.sum(axis=1) / whole.sum(axis=1)


Row = tuple[str, str, str, float, float]


def _by_region(shop: StagedShop, stage: str, measure: str, values: np.ndarray) -> Iterator[Row]:
    yield _row(stage, measure, "all", values)
    for at, name in enumerate(REGIONS):
        yield _row(stage, measure, name, values[shop.region == at])


def _row(stage: str, measure: str, segment: str, values: np.ndarray) -> Row:
    known = values[np.isfinite(values)]
    return stage, measure, segment, float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))
