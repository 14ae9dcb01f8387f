"""A shop of the audit exercises: users, items, what users want, and the lists of a system with biases put in.

An unbiased list and the truth are two draws by one law, Plackett and Luce's, from the same tastes. So no measure that
compares the two shows anything but luck, and whatever else is seen was put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

__all__ = ["KINDS", "PLACES", "Bias", "Kind", "Shop", "gumbel", "ndcg", "shown_lists", "top_items"]

PLACES: Final = 10
"""Items in a list, and in a user's truth."""
_HISTORY: Final = 25
_GENRES: Final = 8
_HEAD: Final = 0.2
"""Share of the items that are the popular ones."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of bias.

    Attributes:
        code: Its name.
        of: ``"users"`` or ``"items"``.
        column: The attribute whose groups may be concerned.
        groups: Groups of the attribute that can be.
        strength: How strongly it is put in.
    """

    code: str
    of: str
    column: str
    groups: tuple[str, ...]
    strength: float


_SELLERS: Final = tuple(f"s{number}" for number in range(1, 7))
_REGIONS: Final = ("north", "east", "south", "west")
KINDS: Final[Mapping[str, Kind]] = {
    each.code: each
    for each in (
        Kind(code="seller_under_exposed", of="items", column="seller", groups=_SELLERS, strength=0.9),
        Kind(code="new_items_held_back", of="items", column="added", groups=("new",), strength=0.9),
        Kind(code="popular_items_pushed", of="items", column="tier", groups=("head",), strength=1.1),
        Kind(code="language_placed_low", of="items", column="language", groups=("de", "en", "fr"), strength=0.7),
        Kind(code="scores_overstate", of="items", column="source", groups=("own", "partner", "open"), strength=1.35),
        Kind(code="concentration_grows", of="items", column="week", groups=("all",), strength=0.14),
        Kind(code="group_under_served", of="users", column="gender", groups=("f", "m"), strength=0.45),
        Kind(code="group_narrow_lists", of="users", column="age", groups=("18-29", "30-49", "50+"), strength=3.0),
        Kind(
            code="group_steered_to_price",
            of="users",
            column="region",
            groups=("north", "east", "south", "west"),
            strength=2.0,
        ),
        Kind(code="group_offers_withheld", of="users", column="plan", groups=("free", "paid"), strength=0.9),
        Kind(code="group_miscalibrated", of="users", column="device", groups=("desktop", "phone"), strength=0.25),
        Kind(code="group_short_lists", of="users", column="tenure", groups=("new", "old"), strength=0.8),
    )
}
"""Code -> the kind of bias."""


@dataclass(frozen=True)
class Bias:
    """A bias that was put in: what kind, and whom it concerns."""

    kind: str
    group: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Shop:
    """Who is there, what there is, and who wants what.

    Attributes:
        users: ``user_id`` and attributes.
        items: ``item_id``, ``genre``, ``price`` and attributes.
        utility: How much a user wants an item, users by items.
        affinity: The part of it that is the genre's.
        history: What users took before, as numbers of items, users by places.
        truth: What they took afterwards.
    """

    users: pl.DataFrame
    items: pl.DataFrame
    utility: np.ndarray
    affinity: np.ndarray
    history: np.ndarray
    truth: np.ndarray

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, *, users: int = 1_200, items: int = 180, unwanted: tuple[str, float] = ("", 0.0)
    ) -> Shop:
        """Draw a shop.

        Args:
            rng: Source of random numbers.
            users: Number of users.
            items: Number of items.
            unwanted: A seller whose items are wanted less, and by how much.
        """
        quality = rng.normal(0, 0.7, items).astype(np.float32)
        table = _items(rng, quality)
        genre = table["genre"].to_numpy()
        affinity = rng.normal(0, 1.4, (users, _GENRES)).astype(np.float32)[:, genre]
        less = np.where(table["seller"].to_numpy() == unwanted[0], np.float32(unwanted[1]), np.float32(0))
        utility = quality - less + affinity + 1.2 * rng.standard_normal((users, items), dtype=np.float32)
        history = top_items(utility + gumbel(rng, utility), _HISTORY)
        counts = np.bincount(history.ravel(), minlength=items)
        head = np.argsort(-counts, kind="stable")[: int(_HEAD * items)]
        tier = np.full(items, "rest", dtype=object)
        tier[head] = "head"
        unseen = utility.copy()
        np.put_along_axis(unseen, history, -np.inf, 1)
        people = {kind.column: kind.groups for kind in KINDS.values() if kind.of == "users"}
        return cls(
            users=pl.DataFrame(
                {"user_id": np.arange(1, users + 1)}
                | {name: rng.choice(groups, users).tolist() for name, groups in people.items()}
            ),
            items=table.with_columns(pl.Series("tier", tier.tolist())),
            utility=unseen,
            affinity=affinity,
            history=history,
            truth=top_items(unseen + gumbel(rng, unseen), PLACES),
        )

    def pairs(self, items: np.ndarray, **columns: np.ndarray) -> pl.DataFrame:
        """A row a user and place: ``user_id``, ``item_id`` and more columns; a negative item is no place."""
        users = np.repeat(self.users["user_id"].to_numpy(), items.shape[1])
        frame = pl.DataFrame(
            {"user_id": users, "item_id": items.ravel() + 1} | {name: each.ravel() for name, each in columns.items()}
        )
        return frame.filter(pl.col("item_id") > 0)

    def of_user(self, column: str) -> np.ndarray:
        """An attribute of the users."""
        return self.users[column].to_numpy()

    def of_item(self, column: str) -> np.ndarray:
        """An attribute of the items."""
        return self.items[column].to_numpy()


def _items(rng: np.random.Generator, quality: np.ndarray) -> pl.DataFrame:
    """Attributes that are spread evenly over good and bad items, so that none stands for quality or another."""
    count = len(quality)
    order = np.argsort(quality)

    def spread(groups: tuple[str, ...] | list[str]) -> list[str]:
        """Each block of neighbours in quality holds every group once."""
        blocks = [rng.permutation(groups) for _ in range(-(-count // len(groups)))]
        placed = np.empty(count, dtype=object)
        placed[order] = np.concatenate(blocks)[:count]
        return placed.tolist()

    return pl.DataFrame(
        {
            "item_id": np.arange(1, count + 1),
            "genre": [int(each) for each in spread([str(number) for number in range(_GENRES)])],
            "price": np.round(np.exp(rng.normal(3, 0.6, count)), 2),
            "seller": spread(_SELLERS),
            "added": spread(["new", *["earlier"] * 4]),
            "language": spread(KINDS["language_placed_low"].groups),
            "offer": [each == "yes" for each in spread(["yes", "no", "no", "no"])],
            "source": spread(KINDS["scores_overstate"].groups),
        }
    )


def gumbel(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Gumbel's distribution, with which the largest sums are a draw without replacement (Plackett and Luce)."""
    return -np.log(np.maximum(rng.standard_exponential(like.shape, dtype=np.float32), np.float32(1e-30)))


def top_items(values: np.ndarray, count: int) -> np.ndarray:
    """The columns with the largest values of each row, largest first."""
    found = np.argpartition(-values, count, 1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, found, 1), 1)
    return np.take_along_axis(found, order, 1)


def shown_lists(shop: Shop, biases: list[Bias], rng: np.random.Generator) -> np.ndarray:
    """The lists of a system: numbers of items, users by places; -1 where a list has ended."""
    given = {each.kind: each.group for each in biases}
    utility = shop.utility.copy()
    for kind in ("seller_under_exposed", "new_items_held_back"):
        if kind in given:
            utility -= KINDS[kind].strength * (shop.of_item(KINDS[kind].column) == given[kind])
    if "popular_items_pushed" in given:
        utility += KINDS["popular_items_pushed"].strength * (shop.of_item("tier") == "head")
    _bend(utility, shop, given)
    lists = top_items(utility + gumbel(rng, utility), PLACES)
    if (group := given.get("language_placed_low")) is not None:
        last = (shop.of_item("language") == group)[lists] & (
            rng.random(lists.shape) < KINDS["language_placed_low"].strength
        )
        lists = np.take_along_axis(lists, np.argsort(last, 1, kind="stable"), 1)
    if (group := given.get("group_short_lists")) is not None:
        cut = (shop.of_user("tenure") == group) & (rng.random(len(lists)) < KINDS["group_short_lists"].strength)
        lists[cut, 6:] = -1
    return lists


def _bend(utility: np.ndarray, shop: Shop, given: Mapping[str, str]) -> None:
    """What a system does to users of one group."""
    # In the order of the kinds: they do not commute, and a set has another order in each process.
    for kind in (each.code for each in KINDS.values() if each.of == "users" and each.code in given):
        by = KINDS[kind].strength
        rows = np.flatnonzero(shop.of_user(KINDS[kind].column) == given[kind])
        held = shop.affinity[rows]
        if kind == "group_under_served":
            utility[rows] *= by
        elif kind == "group_narrow_lists":
            utility[rows] += by * (held >= held.max(1, keepdims=True) - 1e-9)
        elif kind == "group_steered_to_price":
            utility[rows] += by * np.log(shop.of_item("price") / 20)
        elif kind == "group_offers_withheld":
            utility[rows] -= by * shop.of_item("offer")
        elif kind == "group_miscalibrated":
            utility[rows] += (by - 1) * held


def ndcg(lists: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """NDCG of each list, by its definition: gain 1 for what is in the truth, divided by log2(rank + 1)."""
    hits = (lists[:, :, None] == truth[:, None, :]).any(2)
    discount = 1 / np.log2(np.arange(2, PLACES + 2))
    return hits @ discount[: lists.shape[1]] / discount[: truth.shape[1]].sum()
