"""A synthetic data set with the shape of MovieLens 100K, for demonstrations and tests that need no download.

Nobody in it exists and no film in it was made. What is like the original: the size, who the users are by age, gender
and occupation, the shares of the genres, the long tails of popularity and activity, the distribution of the ratings,
the sessions and the ties of the timestamps, and that tastes follow genres, age and gender, so that a model that learns
from co-occurrence beats one that counts. What is not: any fact about real films or people.

How it is drawn: user u picks items by the Gumbel-top-k trick (Kool, van Hoof, Welling 2019), which samples without
replacement with weights exp(utility), where ``utility = popularity + genre taste + latent taste + trend``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from reclens.cards import DatasetCard
from reclens.data.dataset import Dataset
from reclens.data.movielens_shape import (
    AGES,
    FEWEST_RATINGS,
    FIRST_SECOND,
    GENRES,
    OCCUPATIONS,
    PAIRED_GENRES,
    RATING_SHARES,
    SPAN_SECONDS,
    TASTE_PER_DECADE,
    WOMEN_SHARE,
    WOMEN_TASTE,
    YEARS,
)
from reclens.engine import chunk_ranges
from reclens.errors import ArgumentValueError
from reclens.memory import require_memory
from reclens.schema import ITEM, RATING, TIMESTAMP, TIMESTAMP_TYPE, USER

__all__ = ["synthetic_movielens"]


_CELLS: Final = 1 << 22
"""Utilities held at a time: users × items of a block, 16 MB each."""

_POPULARITY, _TASTE, _LATENT, _TREND, _FACTORS = 2.35, 0.6, 2.4, 0.5, 24
"""Standard deviations of the parts of the utility. Chosen so that the long tails and the order of the recommenders are
those of MovieLens 100K (the tests compare them)."""


@dataclass(frozen=True)
class _Parts:
    """What the utility is made of: ``wants @ offers.T + popularity``.

    Attributes:
        wants: float32, shape (n_users, n_factors).
        offers: float32, shape (n_items, n_factors).
        popularity: float32, shape (n_items,).
        quality: How well an item is rated whatever the taste, shape (n_items,).
    """

    wants: np.ndarray
    offers: np.ndarray
    popularity: np.ndarray
    quality: np.ndarray


def synthetic_movielens(
    *, n_users: int = 943, n_items: int = 1682, n_ratings: int = 100_000, rng: int | np.random.Generator | None = 0
) -> Dataset:
    """Draw a data set with the shape of MovieLens 100K.

    Every user has at least 20 ratings where the mean is 25 or more, and at least half the mean otherwise; every item
    has at least one; no pair is repeated. Some truths about taste are built in, so that segments have something to
    show: drama, war and film noir are liked more with age, romance more and action less by women.

    Args:
        n_users: Number of users; ids are 1 … n_users.
        n_items: Number of items; ids are 1 … n_items. Ids tell nothing about popularity.
        n_ratings: Number of ratings, at most n_users × n_items.
        rng: Seed or generator.

    Returns:
        A data set named ``"synthetic"``, whose card says ``{"synthetic": True}``; interactions in random order with
        ``timestamp`` and ``rating`` (1 to 5); users with ``age``, ``gender`` and ``occupation``; items with ``title``,
        ``year`` and ``genres``.

    Raises:
        UsageError: If no such data set exists: more ratings than pairs, or fewer than users or items.

    Example:
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> data
        Dataset('synthetic': 900 interactions of 50 users with 40 items)
        >>> data.items["title"][20]
        'Synthetic Movie 0021 (1991)'
    """
    _check(n_users, n_items, n_ratings)
    seed = rng if isinstance(rng, int) else None
    people, films, choices, opinions, clock, order = np.random.default_rng(rng).spawn(6)
    users, items = _users(n_users, people), _items(n_items, films)
    arrival = clock.random(n_users)
    parts = _parts(users, items, arrival, people, films)
    user, item, liking = _choose(parts, _activity(n_users, n_items, n_ratings, people), choices)
    when = _timestamps(user, arrival, clock)
    ratings = _ratings(user, liking + parts.quality[item], opinions)
    shuffled = order.permutation(n_ratings)
    interactions = pl.DataFrame(
        {
            USER: (user + 1)[shuffled],
            ITEM: (item + 1)[shuffled],
            TIMESTAMP: pl.Series(when[shuffled] * 1_000_000).cast(TIMESTAMP_TYPE),
            RATING: ratings[shuffled].astype(np.float64),
        }
    )
    card: DatasetCard = {
        "synthetic": True,
        "source": "reclens.synthetic_movielens",
        "note": "Synthetic: drawn by a generator in the shape of MovieLens 100K; no real person or film is in it.",
        "parameters": {"n_users": n_users, "n_items": n_items, "n_ratings": n_ratings, "rng": seed},
        "duplicates": "error",  # no pair is drawn twice
        "rules": [],
    }
    return Dataset(interactions, users=users, items=items, name="synthetic", card=card)


_RATING_BYTES: Final = 60
"""At most held of a rating: its codes, score, time and order."""
_PERSON_BYTES: Final = 500
"""At most held of a user or item: tastes and attributes."""


def _check(n_users: int, n_items: int, n_ratings: int) -> None:
    for name, value in (("n_users", n_users), ("n_items", n_items), ("n_ratings", n_ratings)):
        if value < 1:
            raise ArgumentValueError(name, f"is {value}, expected 1 or more.")
    if n_ratings > n_users * n_items:
        raise ArgumentValueError(
            "n_ratings",
            f"is {n_ratings:,}, but {n_users:,} users × {n_items:,} items are only {n_users * n_items:,} "
            "pairs. Ask for fewer ratings, or for more users or items.",
        )
    if n_ratings < max(n_users, n_items):
        raise ArgumentValueError(
            "n_ratings",
            f"is {n_ratings:,}, but each of {n_users:,} users and {n_items:,} items needs one. Ask for at "
            f"least {max(n_users, n_items):,}.",
        )
    require_memory(
        _RATING_BYTES * n_ratings + _PERSON_BYTES * (n_users + n_items),
        f"{n_ratings:,} synthetic ratings of {n_users:,} users with {n_items:,} items",
        advice="Ask for fewer.",
    )


def _users(n: int, rng: np.random.Generator) -> pl.DataFrame:
    age = np.interp(rng.random(n), *AGES).astype(np.int64)
    women = rng.random(n) < WOMEN_SHARE
    shares = np.tile(np.log(list(OCCUPATIONS.values())), (n, 1))
    names = list(OCCUPATIONS)
    # Most students are young, nobody retires at 30, and few have a profession at 15.
    shares[:, names.index("student")] += np.where(age < 25, 1.7, -0.15 * (age - 25))
    shares[:, names.index("retired")] += np.where(age < 50, -9.0, 0.2 * (age - 55))
    for name in ("doctor", "lawyer", "executive", "educator", "engineer", "scientist"):
        shares[age < 22, names.index(name)] -= 4.0
    chosen = (shares + rng.gumbel(size=shares.shape)).argmax(axis=1)
    return pl.DataFrame(
        {
            USER: np.arange(1, n + 1),
            "age": age,
            "gender": np.where(women, "F", "M").astype(object),
            "occupation": np.array(names, object)[chosen],
        },
        schema={USER: pl.Int64, "age": pl.Int64, "gender": pl.String, "occupation": pl.String},
    )


def _items(n: int, rng: np.random.Generator) -> pl.DataFrame:
    year = np.interp(rng.random(n), *YEARS).astype(np.int64)
    names, affinity = list(GENRES), np.zeros((len(GENRES), len(GENRES)))
    for first, second, times in PAIRED_GENRES:
        a, b = names.index(first), names.index(second)
        affinity[a, b] = affinity[b, a] = np.log(times)
    length = np.searchsorted([0.495, 0.833], rng.random(n), side="right") + 1
    log_share, chosen = np.tile(np.log(list(GENRES.values())), (n, 1)), np.zeros((n, len(names)), bool)
    for step in range(3):
        genre = (log_share + rng.gumbel(size=log_share.shape)).argmax(axis=1)
        wanted = length > step
        chosen[wanted, genre[wanted]] = True
        log_share += affinity[genre]
        log_share[np.arange(n), genre] = -np.inf
    width = max(4, len(str(n)))
    row, genre = np.nonzero(chosen)
    genres = pl.DataFrame(
        {"row": row, "genres": np.array(names, object)[genre]}, schema_overrides={"genres": pl.String}
    )
    return pl.DataFrame(
        {
            ITEM: np.arange(1, n + 1),
            "title": [f"Synthetic Movie {at:0{width}d} ({y})" for at, y in enumerate(year.tolist(), 1)],
            "year": year,
            "genres": genres.group_by("row", maintain_order=True).agg("genres")["genres"],
        }
    )


def _parts(
    users: pl.DataFrame,
    items: pl.DataFrame,
    arrival: np.ndarray,
    people: np.random.Generator,
    films: np.random.Generator,
) -> _Parts:
    n_users, n_items, names = users.height, items.height, list(GENRES)
    shift = np.array([[WOMEN_TASTE.get(name, 0.0), TASTE_PER_DECADE.get(name, 0.0)] for name in names])
    woman = (users["gender"] == "F").to_numpy() - WOMEN_SHARE
    decades = (users["age"].to_numpy() - 34.0) / 10.0
    taste = people.normal(size=(n_users, len(names))) + np.column_stack([woman, decades]) @ shift.T
    pairs = items.select(pl.int_range(pl.len()).alias("row"), pl.col("genres").cast(pl.List(pl.Enum(names))))
    pairs = pairs.explode("genres")
    genre = np.zeros((n_items, len(names)))
    genre[pairs["row"].to_numpy(), pairs["genres"].to_physical().to_numpy()] = 1.0
    genre /= np.sqrt(genre.sum(axis=1, keepdims=True))
    # Half of an item's latent vector comes from its genres: two thrillers are closer than a thriller and a musical.
    style = films.normal(size=(len(names), _FACTORS))
    latent = (genre @ style + films.normal(size=(n_items, _FACTORS))) / np.sqrt(2 * _FACTORS)
    popularity = films.normal(size=n_items)
    # New films come up while the data is collected, so that what was popular first is not what is popular last.
    trend = films.normal(size=n_items) + np.clip(items["year"].to_numpy() - 1995.5, 0, None)
    return _Parts(
        wants=np.column_stack(
            [_TASTE * taste, _LATENT * people.normal(size=(n_users, _FACTORS)), _TREND * (2 * arrival - 1)]
        ).astype(np.float32),
        offers=np.column_stack([genre, latent, trend]).astype(np.float32),
        popularity=(_POPULARITY * popularity).astype(np.float32),
        quality=0.5 * popularity + films.normal(size=n_items),
    )


def _activity(n_users: int, n_items: int, n_ratings: int, rng: np.random.Generator) -> np.ndarray:
    """How many ratings each user gives: a shifted gamma variable, cut at the top, that adds up to n_ratings."""
    mean = n_ratings / n_users
    fewest = min(FEWEST_RATINGS if mean >= 1.25 * FEWEST_RATINGS else max(1, int(mean / 2)), n_items)
    most = min(n_items, int(max(0.44 * n_items, 2 * mean, fewest + 1)))
    shape = np.maximum(rng.gamma(0.62, size=n_users), 1e-6)
    low, high = 0.0, n_items / float(shape.min())
    for _ in range(60):  # bisection on the scale: the sum grows with it
        scale = (low + high) / 2
        low, high = (scale, high) if np.clip(fewest + scale * shape, fewest, most).sum() < n_ratings else (low, scale)
    exact = np.clip(fewest + high * shape, fewest, most)
    counts = np.floor(exact).astype(np.int64)
    # The fractions that were cut go to those with the largest ones, as seats do by largest remainder.
    order = np.argsort(counts - exact, kind="stable")
    while (missing := n_ratings - int(counts.sum())) > 0:
        room = order[counts[order] < n_items][:missing]
        counts[room] += 1
    return counts


def _choose(parts: _Parts, counts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the rated items of each user; returns users (ascending), items, and the preference beyond popularity."""
    n_users, n_items = len(counts), len(parts.popularity)
    user = np.repeat(np.arange(n_users), counts)
    ends = np.cumsum(counts)
    item, liking, score = (
        np.empty(len(user), np.int64),
        np.empty(len(user), np.float32),
        np.empty(len(user), np.float32),
    )
    for block in chunk_ranges(n_users, max(1, _CELLS // n_items)):
        likes = parts.wants[block.start : block.stop] @ parts.offers.T
        # -log of an exponential is a Gumbel variable; the smallest positive float keeps log(0) away.
        scores = rng.standard_exponential(likes.shape, dtype=np.float32)
        np.maximum(scores, np.finfo(np.float32).tiny, out=scores)
        scores = likes + parts.popularity - np.log(scores, out=scores)
        for row, at in enumerate(block):
            count, rows = counts[at], slice(ends[at] - counts[at], ends[at])
            best = np.argpartition(scores[row], n_items - count)[n_items - count :]
            item[rows], liking[rows], score[rows] = best, likes[row, best], scores[row, best]
    _rate_the_unrated(parts, item, liking, score, ends - counts, ends)
    return user, item, liking


def _rate_the_unrated(
    parts: _Parts, item: np.ndarray, liking: np.ndarray, score: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> None:
    """Give each unrated item to the user with the highest preference for it, in place of that user's weakest choice."""
    chosen = np.bincount(item, minlength=len(parts.popularity))
    for missing in np.flatnonzero(chosen == 0):
        likes = parts.wants @ parts.offers[missing]
        for user in np.argsort(-likes, kind="stable"):
            rows = np.arange(int(starts[user]), int(ends[user]))
            spare = rows[chosen[item[rows]] > 1]
            if len(spare):
                weakest = spare[score[spare].argmin()]
                chosen[item[weakest]] -= 1
                chosen[missing] = 1
                item[weakest], liking[weakest], score[weakest] = missing, likes[user], np.inf
                break


def _timestamps(user: np.ndarray, arrival: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Seconds since 1970 of each row: sessions weeks apart, and within one, pages of films rated in the same second."""
    n = len(user)
    first = np.append(True, user[1:] != user[:-1])
    starts = np.flatnonzero(first)
    counts = np.diff(np.append(starts, n))
    page = np.where(rng.random(n) < 0.51, 0.0, np.ceil(rng.exponential(55.0, n)))
    # Most users never come back; the others do so up to a dozen times, whatever the number of their ratings.
    returns = rng.gamma(0.2, 9.0, len(starts))
    pause = rng.random(n) * counts[user] < returns[user]
    gap = np.where(pause, 3600 + rng.exponential(20 * 86_400, n), page)
    gap[first] = 0.0
    elapsed = np.cumsum(gap)
    elapsed -= elapsed[starts][user]
    length = elapsed[np.append(starts[1:], n) - 1]
    # Who would not be done by the end is sped up.
    squeeze = np.minimum(1.0, SPAN_SECONDS / np.maximum(length, 1.0))
    begin = arrival * np.maximum(SPAN_SECONDS - length, 0.0)
    return FIRST_SECOND + np.floor(begin[user] + elapsed * squeeze[user]).astype(np.int64)


def _ratings(user: np.ndarray, liking: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 to 5 in the shares of MovieLens 100K: the better liked, the higher; some users are stricter than others."""
    strictness = rng.normal(size=int(user.max()) + 1)
    rank = (liking + 0.7 * strictness[user] + 1.4 * rng.normal(size=len(user))).argsort().argsort()
    return np.searchsorted(np.cumsum(RATING_SHARES)[:-1] * len(user), rank, side="right") + 1
