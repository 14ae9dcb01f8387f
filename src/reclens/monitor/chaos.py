"""Fault injection: clean simulated logs with injected faults of known kind, size and location.

A day is a realistic log of impressions: requests of users on surfaces, answered by one of two models with a list
of items, and clicks that depend on the position and the user's taste. Every number is drawn from a stream
of the seed and the day, so that a day with a fault differs from the clean day by the fault alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.errors import UnknownNameError

__all__ = ["KINDS", "STRENGTHS", "ChaosWorld", "Fault", "Kind", "Strength", "inject"]

Strength = Literal["weak", "medium", "strong"]
STRENGTHS: Final[Mapping[str, tuple[float, float]]] = {"weak": (3, 0.02), "medium": (6, 0.1), "strong": (12, 0.4)}
"""Strength -> standard deviations of the metric on its slice, and share of rows of a data fault."""

_ITEMS, _USERS, _LENGTH = 2_000, 5_000, 10
_CTR: Final = 0.05
_CONVERSION: Final = 0.1
_SURFACES: Final = {"home": 0.5, "search": 0.3, "item": 0.2}
_MODELS: Final = {"v1": 0.6, "v2": 0.4}
_SEGMENTS: Final = {"new": 0.25, "light": 0.25, "regular": 0.3, "heavy": 0.2}
_RETRIEVERS: Final = {"collaborative": 0.6, "content": 0.25, "popular": 0.15}
_RAMP: Final = 14
"""Days over which a slow drift reaches its size."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: Its name.
        sized_by: ``noise``: standard deviations of a metric; ``rows``: share of rows.
        dimension: Dimension of the affected slice; empty for the whole log.
        slice: The slice.
        days: Duration in days.
    """

    name: str
    sized_by: Literal["noise", "rows"]
    dimension: str = ""
    slice: str = ""
    days: int = 3


KINDS: Final[Mapping[str, Kind]] = {
    each.name: each
    for each in (
        Kind(name="popularity_collapse", sized_by="noise"),
        Kind(name="stuck_cache", sized_by="rows"),
        Kind(name="stale_model", sized_by="noise", dimension="model_version", slice="v2"),
        Kind(name="null_feature", sized_by="rows"),
        Kind(name="position_off_by_one", sized_by="rows"),
        Kind(name="duplicated_events", sized_by="rows"),
        Kind(name="late_partition", sized_by="rows"),
        Kind(name="bot_traffic", sized_by="rows"),
        Kind(name="cold_start_failure", sized_by="noise", dimension="segment", slice="new"),
        Kind(name="slice_down", sized_by="noise", dimension="surface", slice="search"),
        Kind(name="slow_drift", sized_by="noise", days=21),
        Kind(name="embedding_swap", sized_by="rows"),
        Kind(name="timezone_shift", sized_by="rows"),
        Kind(name="price_in_cents", sized_by="rows"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault in a log.

    Attributes:
        kind: Its kind, of :data:`KINDS`.
        strength: Size of the fault.
        start: First day.
    """

    kind: str
    strength: Strength
    start: date

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("kind of fault", self.kind, KINDS)

    @property
    def end(self) -> date:
        """Last day."""
        return self.start + timedelta(days=KINDS[self.kind].days - 1)


@dataclass(frozen=True)
class ChaosWorld:
    """Clean simulated logs.

    Args:
        seed: Seed of users, items and days.
        impressions: Impressions of an average day.
    """

    seed: int
    impressions: int = 20_000

    @cached_property
    def items(self) -> pl.DataFrame:
        """``item_id, category, released, price, weight``: the catalogue; ``weight`` is how often an item is shown."""
        rng = np.random.default_rng([self.seed, 1])
        weight = 1 / np.arange(10, _ITEMS + 10) ** 0.9
        return pl.DataFrame(
            {
                "item_id": np.arange(_ITEMS),
                "category": rng.integers(0, 12, _ITEMS),
                "price": np.round(rng.lognormal(3, 0.6, _ITEMS), 2),
                "weight": weight / weight.sum(),
            }
        )

    @cached_property
    def users(self) -> pl.DataFrame:
        """``user_id, segment``."""
        rng = np.random.default_rng([self.seed, 2])
        return pl.DataFrame({"user_id": np.arange(_USERS), "segment": _drawn(rng, _SEGMENTS, _USERS)})

    def day(self, day: date) -> pl.DataFrame:
        """The clean log of a day: one row per impression, with the ``segment`` of the user."""
        rng = np.random.default_rng([self.seed, 3, day.toordinal()])
        # Traffic and clicks follow a weekly pattern with small daily variation.
        week = 1 + 0.12 * np.sin(2 * np.pi * day.weekday() / 7)
        requests = int(rng.poisson(self.impressions / _LENGTH * week * np.exp(rng.normal(0, 0.01))))
        likes = (1 + 0.08 * np.cos(2 * np.pi * day.weekday() / 7)) * np.exp(rng.normal(0, 0.005))
        users = rng.integers(0, _USERS, requests)
        surface, model = _drawn(rng, _SURFACES, requests), _drawn(rng, _MODELS, requests)
        segment = self.users["segment"].to_numpy()[users]
        seconds = np.sort(_hours(rng, requests)) * 3600
        items = _lists(rng, self.items["weight"].to_numpy(), requests)
        repeat = {"request_id": np.arange(requests), "user_id": users, "surface": surface, "model_version": model}
        columns = {name: np.repeat(values, _LENGTH) for name, values in repeat.items()}
        rows = requests * _LENGTH
        position = np.tile(np.arange(1, _LENGTH + 1), requests)
        affinity = rng.lognormal(-0.08, 0.4, rows)
        by_surface = np.select([surface == "search"], [1.3], 0.87)
        by_segment = np.select([segment == "new", segment == "heavy"], [0.8, 1.2], 1.0)
        fall = position**-0.5 / np.mean(np.arange(1, _LENGTH + 1) ** -0.5)
        chance = np.clip(_CTR * likes * fall * affinity * np.repeat(by_surface * by_segment, _LENGTH), 0, 0.9)
        clicked = rng.random(rows) < chance
        start = datetime(day.year, day.month, day.day)
        at = np.datetime64(start, "ms") + (np.repeat(seconds, _LENGTH) * 1000).astype("timedelta64[ms]")
        late = np.where(rng.random(rows) < 0.01, rng.uniform(3600, 9000, rows), rng.exponential(20, rows))
        price = self.items["price"].to_numpy()[items.ravel()]
        return pl.DataFrame(
            {
                "timestamp": at,
                **columns,
                "item_id": items.ravel(),
                "position": position,
                "clicked": clicked,
                "converted": clicked & (rng.random(rows) < _CONVERSION),
                "score": np.clip(chance / likes * np.exp(rng.normal(0, 0.1, rows)), 0, 1),
                "received_at": at + (late * 1000).astype("timedelta64[ms]"),
                "latency_ms": np.repeat(rng.lognormal(4, 0.4, requests), _LENGTH),
                "retriever": _drawn(rng, _RETRIEVERS, rows),
                "feature.price": np.where(rng.random(rows) < 0.01, np.nan, price),
                "segment": np.repeat(segment, _LENGTH),
            }
        ).with_columns(pl.col("feature.price").fill_nan(None))

    def with_fault(self, day: date, fault: Fault, *, clean: pl.DataFrame | None = None) -> pl.DataFrame:
        """The log of a day with a fault in it; the clean one before the fault starts and after its end.

        Args:
            day: The day.
            fault: The fault.
            clean: The result of :meth:`day`, if already computed.
        """
        log = self.day(day) if clean is None else clean
        if not fault.start <= day <= fault.end:
            return log
        rng = np.random.default_rng([self.seed, 4, list(KINDS).index(fault.kind), day.toordinal()])
        return inject(log, fault, day, rng=rng)


def inject(log: pl.DataFrame, fault: Fault, day: date, *, rng: np.random.Generator) -> pl.DataFrame:
    """Inject a fault into the log of one day.

    Args:
        log: Columns of :meth:`ChaosWorld.day`, of a simulated or a real log.
        fault: The fault.
        day: The day of the log: a slow drift grows by it.
        rng: Chooses the rows.
    """
    noise, share = STRENGTHS[fault.strength]
    kind = KINDS[fault.kind]
    if kind.sized_by == "rows":
        return _BY_ROWS[fault.kind](log, share, rng)
    if fault.kind == "popularity_collapse":
        return _popularity(log, noise, rng)
    grown = min(((day - fault.start).days + 1) / _RAMP, 1.0) if fault.kind == "slow_drift" else 1.0
    inside = pl.lit(True) if not kind.dimension else pl.col(kind.dimension) == kind.slice
    return _fewer_clicks(log, inside, noise * grown, rng)


def _fewer_clicks(log: pl.DataFrame, inside: pl.Expr, noise: float, rng: np.random.Generator) -> pl.DataFrame:
    """Remove clicks from a slice by a number of standard deviations of its CTR."""
    own = log.filter(inside)
    rate = float(own["clicked"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    if not len(own) or not 0 < rate < 1:
        return log
    lost = min(noise * np.sqrt((1 - rate) / (rate * len(own))), 1.0)
    taken = inside & pl.Series(rng.random(len(log)) < lost)
    return log.with_columns(clicked=pl.col("clicked") & ~taken, converted=pl.col("converted") & ~taken)


def _popularity(log: pl.DataFrame, noise: float, rng: np.random.Generator) -> pl.DataFrame:
    """Show the most shown items more often: their share of rows rises by a number of standard deviations."""
    counts = log.group_by("item_id").len().sort("len", "item_id", descending=True)
    top = counts.head(max(1, len(counts) // 100))
    share = float(top["len"].sum()) / len(log)
    replaced = noise * np.sqrt(share * (1 - share) / len(log)) / (1 - share)
    chosen = rng.random(len(log)) < replaced
    items = np.where(chosen, rng.choice(top["item_id"].to_numpy(), len(log)), log["item_id"].to_numpy())
    return log.with_columns(item_id=pl.Series(items))


def _stuck_cache(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Every request that the cache serves gets the same list."""
    items = log["item_id"].unique().sort().to_numpy()
    stuck = rng.choice(items, _LENGTH, replace=False)
    places = np.clip(log["position"].to_numpy() - 1, 0, _LENGTH - 1)
    chosen = pl.Series(_requests(log, share, rng))
    return log.with_columns(item_id=pl.when(chosen).then(pl.Series(stuck[places])).otherwise("item_id"))


def _null_feature(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    lost = pl.Series(rng.random(len(log)) < share)
    return log.with_columns(pl.when(~lost).then("feature.price").alias("feature.price"))


def _off_by_one(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    return log.with_columns(position=pl.col("position") + pl.Series(_requests(log, share, rng)).cast(pl.Int64))


def _duplicated(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    return pl.concat([log, log.filter(pl.Series(rng.random(len(log)) < share))]).sort("timestamp")


def _late(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    late = pl.Series(rng.random(len(log)) < share)
    hours = pl.Series(rng.uniform(2, 9, len(log)) * 3600_000).cast(pl.Int64).cast(pl.Duration("ms"))
    return log.with_columns(
        received_at=pl.when(late).then(pl.col("timestamp") + hours).otherwise("received_at").cast(pl.Datetime("ms"))
    )


def _bots(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Additional requests of five users that never click."""
    chosen = log.filter(pl.Series(_requests(log, share, rng)))
    bots = pl.Series(_USERS + rng.integers(0, 5, len(chosen)))
    offset = log["request_id"].cast(pl.Int64).max()
    added = chosen.with_columns(
        user_id=bots.cast(log.schema["user_id"]),
        request_id=pl.col("request_id") + (offset if isinstance(offset, int) else 0) + 1,
        clicked=pl.lit(False),
        converted=pl.lit(False),
        segment=pl.lit("new"),
    )
    return pl.concat([log, added]).sort("timestamp")


def _embedding_swap(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Vectors of another version: their dot products with user vectors are small, and lists are nearly random."""
    chosen = pl.Series(_requests(log, share, rng))
    kept = pl.Series(rng.random(len(log)) < 0.5)
    score = pl.col("score") * pl.Series(rng.uniform(0.1, 0.5, len(log)))
    return log.with_columns(
        score=pl.when(chosen).then(score).otherwise("score"),
        clicked=pl.col("clicked") & (~chosen | kept),
        converted=pl.col("converted") & (~chosen | kept),
    )


def _timezone(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Times of a zone 5 hours ahead; times past midnight wrap to the beginning of the day."""
    chosen = pl.Series(_requests(log, share, rng))
    start = pl.col("timestamp").dt.truncate("1d")
    moved = start + pl.duration(
        milliseconds=((pl.col("timestamp") - start).dt.total_milliseconds() + 5 * 3600_000) % 86_400_000
    )
    delay = pl.col("received_at") - pl.col("timestamp")
    at = pl.when(chosen).then(moved).otherwise("timestamp").cast(pl.Datetime("ms"))
    return log.with_columns(timestamp=at, received_at=(at + delay).cast(pl.Datetime("ms"))).sort("timestamp")


def _cents(log: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    chosen = pl.Series(rng.random(len(log)) < share)
    price = pl.col("feature.price")
    return log.with_columns(pl.when(chosen).then(price * 100).otherwise(price).alias("feature.price"))


_BY_ROWS: Final[Mapping[str, Callable[[pl.DataFrame, float, np.random.Generator], pl.DataFrame]]] = {
    "stuck_cache": _stuck_cache,
    "null_feature": _null_feature,
    "position_off_by_one": _off_by_one,
    "duplicated_events": _duplicated,
    "late_partition": _late,
    "bot_traffic": _bots,
    "embedding_swap": _embedding_swap,
    "timezone_shift": _timezone,
    "price_in_cents": _cents,
}


def _requests(log: pl.DataFrame, share: float, rng: np.random.Generator) -> np.ndarray:
    """Boolean mask of the rows of a share of the requests."""
    names = log["request_id"].unique(maintain_order=True)
    chosen = names.filter(pl.Series(rng.random(len(names)) < share))
    return log["request_id"].is_in(chosen.implode()).to_numpy()


def _drawn(rng: np.random.Generator, shares: Mapping[str, float], n: int) -> np.ndarray:
    return np.array(list(shares))[np.searchsorted(np.cumsum(list(shares.values()))[:-1], rng.random(n), side="right")]


def _hours(rng: np.random.Generator, n: int) -> np.ndarray:
    """Hours of the day of requests: few at night, most in the evening."""
    weight = 1 + 0.8 * np.sin((np.arange(24) - 12) / 24 * 2 * np.pi) + 0.5 * np.exp(-((np.arange(24) - 20) ** 2) / 8)
    return rng.choice(24, n, p=weight / weight.sum()) + rng.random(n)


def _lists(rng: np.random.Generator, weight: np.ndarray, n: int) -> np.ndarray:
    """Lists of distinct items, drawn by weight; duplicates within a list are drawn again."""
    ends = np.cumsum(weight)
    ends /= ends[-1]
    found = np.searchsorted(ends, rng.random((n, _LENGTH)), side="right")
    for _ in range(50):
        order = np.argsort(found, axis=1, kind="stable")
        ordered = np.take_along_axis(found, order, 1)
        again = np.zeros(found.shape, bool)
        np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], 1)
        if not again.any():
            break
        found[again] = np.searchsorted(ends, rng.random(int(again.sum())), side="right")
    return found
