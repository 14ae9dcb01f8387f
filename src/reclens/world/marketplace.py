"""A synthetic marketplace whose lists have a bias of known kind and strength: what an audit is tested on.

Everything that a household is shown, buys later and bought before is drawn from the same distribution, so that without
injected bias no group of products or households is treated differently in expectation. Each bias then changes one
probability, and its strength is exact in expectation:

- Exposure: each place of a list goes to the partner seller with probability strength × π, where π is the seller's share
  of what is bought (its merit).
- Gap: each household buys ten things, and each shown product is among them with probability p, so that the expected
  NDCG@10 is p; p is lower for households with a low income.
- Position: place j is looked at with probability j^-η, and what is looked at is clicked as it is relevant.
- Loop: the odds that a place goes to a head product are multiplied by the slope from round to round.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import numpy as np
import polars as pl

from reclens.cards import InjectedCard
from reclens.data.dataset import Dataset
from reclens.errors import ArgumentValueError, UsageError
from reclens.schema import CLICKED, ITEM, POSITION, RANK, TIMESTAMP, TIMESTAMP_TYPE, USER, Recommendations
from reclens.tabular import Tabular

__all__ = ["Injected", "Marketplace", "draw_marketplace", "draw_rounds"]

LIST: Final = 10
"""Places of a list, and things that each household buys later."""
_HIT: Final = 0.3
"""Probability that a shown product is bought later; the expected NDCG@10 without a gap."""
_PARTNER: Final = 0.3
_DEPARTMENTS: Final = ("grocery", "produce", "bakery", "drinks", "household", "beauty", "garden", "toys")
_BRANDS: Final = ("national", "private", "premium")
_AGES: Final = ("19-34", "35-54", "55+")
_INCOMES: Final = ("low", "middle", "high")
_REQUESTS: Final = 20
_HEAD: Final = 0.2
_START: Final = datetime(2026, 1, 5, tzinfo=UTC)
_DAY: Final = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Injected(Tabular):
    """The bias that a marketplace has.

    Attributes:
        exposure: Share of exposure of the products of ``seller = "partner"`` ÷ their share of what is bought.
        ndcg_gap: Expected NDCG@10 of households with another income minus that of ``income = "low"``.
        examination: Exponent η of the impression log: place j is looked at with probability j^-η.
        slope: Factor on the odds that a place goes to a head product, from round to round.
    """

    exposure: float = 1.0
    ndcg_gap: float = 0.0
    examination: float = 0.7
    slope: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.exposure <= 1:
            raise ArgumentValueError(
                "exposure", f"is {self.exposure}, expected a factor above 0 and at most 1 such as 0.75"
            )
        if not 0 <= self.ndcg_gap < _HIT:
            raise ArgumentValueError("ndcg_gap", f"is {self.ndcg_gap}, expected 0 or more and below {_HIT}")
        if not 0 <= self.examination < np.inf:
            raise ArgumentValueError(
                "examination", f"is {self.examination}, expected an exponent of 0 or more such as 0.7"
            )
        if not 0 < self.slope < np.inf:
            raise ArgumentValueError("slope", f"is {self.slope}, expected a factor above 0 such as 1.3")

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Marketplace:
    """What an audit takes, and the truth about it.

    Attributes:
        train: What was bought before, with ``users`` (``age, income, size``) and ``items`` (``department, brand,
            seller, price``).
        lists: Ten products a household.
        truth: Ten things that each household bought later: ``user_id, item_id, timestamp``.
        log: Impressions of two rankers, drawn at random for each request: ``user_id, item_id, position, ranker,
            clicked``.
        injected: The bias.
    """

    train: Dataset
    lists: Recommendations
    truth: pl.DataFrame
    log: pl.DataFrame
    injected: Injected

    @property
    def data(self) -> Dataset:
        """Everything that was bought, before and later; to be split by time."""
        rows = pl.concat([self.train.interactions, self.truth.select(self.train.interactions.columns)])
        return Dataset(rows, users=self.train.users, items=self.train.items, name=self.train.name, card=self.train.card)


def draw_marketplace(
    *, users: int = 2_000, items: int = 500, injected: Injected | None = None, seed: int = 0
) -> Marketplace:
    """Draw a marketplace with a known bias.

    Args:
        users: Households, at least 10.
        items: Products, at least 200.
        injected: The bias; none without, and examination with exponent 0.7.
        seed: Seed of everything that is drawn.

    Raises:
        UsageError: If there are too few households or products.

    Example:
        >>> market = draw_marketplace(users=200, injected=Injected(exposure=0.5))
        >>> market.lists.table.height, market.truth.height, market.train
        (2000, 2000, Dataset('marketplace': 5,479 interactions of 200 users with 485 items))
    """
    if users < 10 or items < 200:
        raise UsageError(f"there are {users} households and {items} products, expected at least 10 and 200.")
    injected = injected or Injected()
    rng = np.random.default_rng([seed, 31])
    households, products = _households(users, rng), _products(items, rng)
    department = products["department"].to_physical().to_numpy()
    taste = rng.normal(size=(users, len(_DEPARTMENTS)))
    appeal = rng.normal(size=items) + taste[:, department]
    hit = _HIT - injected.ndcg_gap * (households["income"] == "low").to_numpy()
    partner = products["seller"].to_numpy() == "partner"
    bought = np.minimum(5 + rng.poisson(10 + 5 * households["size"].to_numpy()), items // 8)
    shown, later, before = _draw(appeal, partner, hit, bought, injected.exposure, rng)
    train = Dataset(
        _rows(before, -rng.integers(1, 90 * _DAY, int(bought.sum()))).sort(TIMESTAMP, USER, ITEM),
        users=households,
        items=products.with_columns(pl.col("department").cast(pl.String)),
        name="marketplace",
        card={"synthetic": True, "seed": seed, "injected": cast("InjectedCard", asdict(injected))},
    )
    lists = pl.DataFrame({USER: np.repeat(np.arange(users), LIST), ITEM: shown.ravel()}).with_columns(
        pl.Series(RANK, np.tile(np.arange(1, LIST + 1), users))
    )
    truth = _rows((np.repeat(np.arange(users), LIST), later.ravel()), rng.integers(0, 14 * _DAY, users * LIST))
    return Marketplace(
        train=train,
        lists=Recommendations(lists, "marketplace", {}),
        truth=truth,
        log=_impressions(shown, injected.examination, rng),
        injected=injected,
    )


def draw_rounds(market: Marketplace, *, rounds: int = 6, seed: int = 0) -> pl.DataFrame:
    """Lists of several rounds of a feedback loop with the injected slope on head products.

    Head products are the fifth of the catalogue that is bought most in the training data. In round r the odds that a
    place goes to one are those of what is bought × slope^r.

    Args:
        market: Its training data and its injected slope.
        rounds: How many, from round 0.
        seed: Seed of the draws.

    Returns:
        ``round, user_id, item_id, rank``.
    """
    rng = np.random.default_rng([seed, 32])
    catalogue = market.train.items
    assert catalogue is not None
    counts = catalogue.join(market.train.interactions.group_by(ITEM).len(), on=ITEM, how="left")["len"].fill_null(0)
    number = counts.to_numpy()
    head = np.zeros(len(number), bool)
    head[np.argsort(-number, kind="stable")[: round(_HEAD * len(number))]] = True
    users = market.lists.table[USER].unique(maintain_order=True).to_numpy()
    odds = number[head].sum() / number[~head].sum()
    found = []
    for at in range(rounds):
        chance = odds * market.injected.slope**at
        in_head = rng.random((len(users), LIST)) < chance / (1 + chance)
        places = np.empty(in_head.shape, np.int64)
        for group in (True, False):
            _place(places, in_head == group, np.log(number + 0.5), np.flatnonzero(head == group), rng)
        table = pl.DataFrame({USER: np.repeat(users, LIST), ITEM: catalogue[ITEM].to_numpy()[places.ravel()]})
        found.append(table.select(pl.lit(at).alias("round"), USER, ITEM, pl.int_range(1, pl.len() + 1).over(USER)))
    return pl.concat(found).rename({"literal": RANK})


def _households(n: int, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame(
        {
            USER: np.arange(n),
            "age": rng.choice(_AGES, n, p=(0.3, 0.4, 0.3)),
            "income": rng.choice(_INCOMES, n, p=(0.3, 0.4, 0.3)),
            "size": 1 + rng.binomial(4, 0.35, n),
        }
    )


def _products(n: int, rng: np.random.Generator) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ITEM: np.arange(n),
            "department": pl.Series(_DEPARTMENTS, dtype=pl.Enum(_DEPARTMENTS)).gather(np.arange(n) % len(_DEPARTMENTS)),
            "brand": rng.choice(_BRANDS, n, p=(0.5, 0.35, 0.15)),
            "seller": np.where(rng.permutation(n) < round(_PARTNER * n), "partner", "own"),
            "price": np.round(np.exp(rng.normal(1.2, 0.6, n)), 2),
        }
    )


def _draw(
    appeal: np.ndarray,
    partner: np.ndarray,
    hit: np.ndarray,
    bought: np.ndarray,
    exposure: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Lists and later purchases, shape (users, LIST) each, and earlier purchases as users and items.

    The seller of each slot is drawn first. Of the later purchases that were not shown, π (1 - p s) ÷ (1 - p) are of
    the partner, so that π of all are, whatever the strength s. Slots of one seller then share one sample of its
    products in random order: lists, later and earlier purchases have the same popularity.
    """
    users, most = len(hit), int(bought.max())
    width = 2 * LIST + most
    chance = np.full((users, width), _PARTNER)
    chance[:, :LIST] = exposure * _PARTNER
    chance[:, LIST : 2 * LIST] = (_PARTNER * (1 - hit * exposure) / (1 - hit))[:, None]
    of_partner = rng.random((users, width)) < chance
    hits = rng.random((users, LIST)) < hit[:, None]
    used = np.ones((users, width), bool)
    used[:, LIST : 2 * LIST] = ~hits  # what was shown and bought needs no product of its own
    used[:, 2 * LIST :] = np.arange(most) < bought[:, None]
    places = np.full((users, width), -1)
    for seller in (True, False):
        _place(places, used & (of_partner == seller), appeal, np.flatnonzero(partner == seller), rng)
    shown, later = places[:, :LIST], np.where(hits, places[:, :LIST], places[:, LIST : 2 * LIST])
    rows, columns = np.nonzero(used[:, 2 * LIST :])
    return shown, later, (rows, places[rows, 2 * LIST + columns])


def _place(
    places: np.ndarray, slots: np.ndarray, appeal: np.ndarray, items: np.ndarray, rng: np.random.Generator
) -> None:
    """Fill slots with items of a pool in proportion to exp(appeal), none twice a user, in random order.

    The Gumbel-max trick draws without replacement (Kool, van Hoof, Welling 2019).
    """
    needed = slots.sum(axis=1)
    if needed.max() > len(items):
        raise UsageError(f"{needed.max()} products of a group of {len(items)} are needed: draw more products.")
    keys = appeal[..., items] + rng.gumbel(size=(len(slots), len(items)))
    most = int(needed.max())
    best = np.argpartition(-keys, max(most - 1, 0), axis=1)[:, :most]
    order = np.take_along_axis(best, np.argsort(-np.take_along_axis(keys, best, axis=1), axis=1), axis=1)
    # A random order of the first ones that are needed: early slots get no more popular items than late ones.
    mixed = np.where(np.arange(order.shape[1]) < needed[:, None], rng.random(order.shape), 2.0)
    order = np.take_along_axis(order, np.argsort(mixed, axis=1), axis=1)
    rows, columns = np.nonzero(slots)
    at = (np.cumsum(slots, axis=1) - 1)[rows, columns]
    places[rows, columns] = items[order[rows, at]]


def _impressions(shown: np.ndarray, exponent: float, rng: np.random.Generator) -> pl.DataFrame:
    """Clicks on the lists' products in the orders of two rankers that see relevance with errors of their own."""
    users = len(shown)
    relevance = rng.uniform(0.1, 0.7, (users, LIST))
    orders = np.stack([np.argsort(-(relevance + rng.normal(0, 0.2, relevance.shape)), axis=1) for _ in range(2)])
    ranker = rng.integers(0, 2, (users, _REQUESTS))
    order = orders[ranker, np.arange(users)[:, None]]  # (users, requests, places)
    user = np.broadcast_to(np.arange(users)[:, None, None], order.shape)
    looked = np.arange(1.0, LIST + 1) ** -exponent
    clicked = rng.random(order.shape) < relevance[user, order] * looked
    return pl.DataFrame(
        {
            USER: user.ravel(),
            ITEM: shown[user, order].ravel(),
            POSITION: np.broadcast_to(np.arange(1, LIST + 1), order.shape).ravel(),
            "ranker": pl.Series(["a", "b"]).gather(np.repeat(ranker.ravel(), LIST)),
            CLICKED: clicked.ravel().astype(np.int8),
        }
    )


def _rows(pairs: tuple[np.ndarray, np.ndarray], micro: np.ndarray) -> pl.DataFrame:
    times = pl.Series(micro + round(_START.timestamp() * 1e6)).cast(TIMESTAMP_TYPE)
    return pl.DataFrame({USER: pairs[0], ITEM: pairs[1], TIMESTAMP: times})
