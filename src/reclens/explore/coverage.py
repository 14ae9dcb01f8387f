"""Compare what lists show with what users want, region by region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.errors import DataError
from reclens.explore.space import EmbeddingSpace
from reclens.schema import ITEM, USER
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = [
    "Coverage",
    "CoverageCurve",
    "RegionCoverage",
    "Suspect",
    "SuspectCode",
    "coverage_curve",
    "measure_coverage",
    "suspects_of",
]

SuspectCode = Literal["not_in_index", "filtered_out", "cold_items", "missing_text", "price", "unpopular"]
"""What a blind spot may come from: items that the index does not hold, that are in reach of a user by their vectors and
left out all the same, without training interactions, without text, of another price than the rest, of fewer training
interactions than the rest."""

_RATIO: Final = 0.5
"""A region is a blind spot where it is shown at most half as much as it is wanted."""
_EXAMPLES: Final = 5
_MARKED: Final = 0.2
"""Difference of shares, and of the chance that one value is above another from a half, from which a suspect counts."""


@dataclass(frozen=True)
class Suspect:
    """A difference between the items of a region and the others.

    Attributes:
        code: Code of the difference.
        here: Share of the region's items, or their median.
        elsewhere: The same of the other items.
        strength: Strength of the difference, 0 … 1.
    """

    code: SuspectCode
    here: float
    elsewhere: float
    strength: float


@dataclass(frozen=True, kw_only=True)
class RegionCoverage:
    """Supply, exposure and demand of one region.

    Attributes:
        region: Its number.
        name: Its label.
        items: Items in it.
        shown_items: Those that are in a list.
        shown: Share of all places in lists that it takes.
        wanted: Share of all held-out interactions that are with its items; NaN without a truth.
        gap: ``wanted`` - ``shown``, with an interval over users that holds for all regions at once.
        unshown: Share of all held-out interactions that are with items of this region that are in no list at all.
        blind: Whether the region is a blind spot: wanted more than shown beyond chance, and shown at most half as much.
        examples: The most wanted items of it that are in no list.
        suspects: Possible causes, the strongest first.
    """

    region: int
    name: str
    items: int
    shown_items: int
    shown: float
    wanted: float
    gap: Estimate
    unshown: float
    blind: bool
    examples: tuple[Any, ...] = ()
    suspects: tuple[Suspect, ...] = ()

    def numbers(self) -> dict[str, Any]:
        """What lists make of the region, as a row."""
        return {
            "shown_items": self.shown_items,
            "shown": self.shown,
            "wanted": self.wanted,
            "gap": self.gap.value,
            "gap_low": self.gap.low,
            "gap_high": self.gap.high,
            "unshown": self.unshown,
            "blind": self.blind,
        }


@dataclass(frozen=True, kw_only=True)
class CoverageCurve(Tabular):
    """Number of different items in the lists of n users, with an extrapolation to more users.

    Attributes:
        users: Numbers of users.
        items: Different items in the lists of that many users, on average over all choices of them.
        once: Items in the list of exactly one user.
        twice: Items in the lists of exactly two.
        expected: Items that would be shown with ever more users of this kind, at least (Chao's estimate); never more
            than there are.
        shown: Number of shown items.
        catalogue: Number of items.
    """

    users: tuple[int, ...]
    items: tuple[float, ...]
    once: int
    twice: int
    expected: float
    shown: int
    catalogue: int

    @property
    def too_few_queries(self) -> float:
        """Share of the items that are in no list which more users of this kind would be shown, at least."""
        unseen = self.catalogue - self.shown
        return (self.expected - self.shown) / unseen if unseen else 0.0

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per number of users."""
        return [{"users": n, "items": found} for n, found in zip(self.users, self.items, strict=True)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Coverage(Tabular):
    """What is shown and wanted, region by region.

    Attributes:
        regions: One a region, blind spots first by what is wanted of them and unshown, then the others likewise.
        exposures: Lists that each item is in, shape (n,).
        wants: Held-out interactions with each item, shape (n,).
        curve: Items by numbers of users.
        users: Users with a list.
        outside: Rows of the lists with items that the space does not hold.
        level: Confidence level, of all regions at once.
    """

    regions: tuple[RegionCoverage, ...]
    exposures: np.ndarray
    wants: np.ndarray
    curve: CoverageCurve
    users: int
    outside: int
    level: float

    @property
    def shown(self) -> np.ndarray:
        """Whether each item is in a list, shape (n,)."""
        return self.exposures > 0

    @property
    def blind_spots(self) -> list[RegionCoverage]:
        """The regions that are blind spots, by the demand that is not shown."""
        return [each for each in self.regions if each.blind]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per region."""
        return [asdict(each) for each in self.regions]


def coverage_curve(exposures: np.ndarray, users: int, *, points: int = 20) -> CoverageCurve:
    """Items in the lists of n of the users, and how many more would be found with ever more of them.

    With few users many items are in no list by chance. The curve shows whether coverage still rises.

    Args:
        exposures: Users that each item is shown to, shape (n,).
        users: Users with a list.
        points: Points of the curve.

    Example:
        >>> curve = coverage_curve(np.array([2, 1, 1, 0, 0, 0]), 2)
        >>> curve.users, curve.items, curve.expected
        ((1, 2), (2.0, 3.0), 4.0)

    References:
        Hurlbert (1971), The nonconcept of species diversity, for the curve; Chao (1987), Estimating the population size
        for capture-recapture data with unequal catchability, for the number of items unseen.
    """
    from scipy.special import gammaln

    shown = exposures[exposures > 0].astype(np.float64)
    at = np.unique(np.linspace(1, users, min(points, users)).round().astype(int)) if users else np.zeros(0, int)
    # An item is missing from m of the users with chance C(users - count, m) / C(users, m).
    rest = users - shown[:, None]
    with np.errstate(invalid="ignore"):
        missed = np.exp(gammaln(rest + 1) - gammaln(rest - at + 1) + gammaln(users - at + 1) - gammaln(users + 1))
    missed = np.where(at > rest, 0.0, missed)
    once, twice = int((shown == 1).sum()), int((shown == 2).sum())
    scale = (users - 1) / users if users else 0.0
    more = scale * (once**2 / (2 * twice) if twice else once * (once - 1) / 2)
    items = tuple(round(float(each), 6) for each in (1 - missed).sum(axis=0))
    return CoverageCurve(
        users=tuple(at.tolist()),
        items=items,
        once=once,
        twice=twice,
        expected=float(min(len(shown) + more, len(exposures))),
        shown=len(shown),
        catalogue=len(exposures),
    )


def measure_coverage(
    space: EmbeddingSpace,
    regions: np.ndarray,
    lists: pl.DataFrame,
    truth: pl.DataFrame | None = None,
    *,
    names: Sequence[str] | None = None,
    level: float = 0.95,
) -> Coverage:
    """Compare the exposure of each region with its demand.

    Intervals are over users, whose lists and held-out interactions vary together: the delta method on the difference of
    two ratios of sums, widened so that the intervals of all regions hold at once (Bonferroni).

    Args:
        space: The items.
        regions: Number of the region of each item, shape (n,); -1 for none.
        lists: ``user_id, item_id`` of what each user is shown.
        truth: ``user_id, item_id`` of held-out interactions; None if unknown.
        names: Label of each region.
        level: Confidence level.

    Raises:
        DataError: If no row of the lists is about an item of the space.
    """
    shown = _rows_of(space, lists)
    if not len(shown[1]):
        raise DataError(
            "no item of the lists is in the space", column=ITEM, fix="See that both have the same kind of ids."
        )
    wanted = _rows_of(space, truth) if truth is not None else (pl.Series([], dtype=shown[0].dtype), shown[1][:0], 0)
    exposures = np.bincount(shown[1], minlength=len(space))
    wants = np.bincount(wanted[1], minlength=len(space))
    count = int(regions.max(initial=-1)) + 1
    unseen_wants = np.where(exposures == 0, wants, 0)
    gaps = _gaps(regions, count, shown[:2], wanted[:2], level)
    found = []
    for region in range(count):
        mine = np.flatnonzero(regions == region)
        share = float(exposures[mine].sum() / exposures.sum())
        want = float(wants[mine].sum() / wants.sum()) if wants.any() else float("nan")
        gap = gaps[region]
        order = mine[np.lexsort((mine, -unseen_wants[mine]))]
        found.append(
            RegionCoverage(
                region=region,
                name=names[region] if names else str(region),
                items=len(mine),
                shown_items=int((exposures[mine] > 0).sum()),
                shown=share,
                wanted=want,
                gap=gap,
                unshown=float(unseen_wants[mine].sum() / wants.sum()) if wants.any() else float("nan"),
                blind=gap.low is not None and gap.low > 0 and share <= _RATIO * want,
                examples=tuple(space.ids[int(row)] for row in order[:_EXAMPLES] if unseen_wants[row]),
            )
        )
    found.sort(key=lambda each: (not each.blind, -np.nan_to_num(each.unshown), -np.nan_to_num(each.gap.value)))
    users = lists[USER].n_unique()
    return Coverage(
        regions=tuple(found),
        exposures=exposures,
        wants=wants,
        curve=coverage_curve(exposures, users),
        users=users,
        outside=shown[2],
        level=level,
    )


def _rows_of(space: EmbeddingSpace, table: pl.DataFrame) -> tuple[pl.Series, np.ndarray, int]:
    """Users and rows of a table's items, and how many rows are about items that the space does not hold."""
    rows = space.rows(table[ITEM])
    known = rows >= 0
    return table[USER].filter(pl.Series(known)), rows[known], int((~known).sum())


def _gaps(
    regions: np.ndarray,
    count: int,
    shown: tuple[pl.Series, np.ndarray],
    wanted: tuple[pl.Series, np.ndarray],
    level: float,
) -> list[Estimate]:
    """Share wanted less share shown, by region, with simultaneous intervals over users."""
    from scipy.special import ndtri

    # Ids that are numbers in one table and text in the other are the same ids as text.
    alike = shown[0].dtype == wanted[0].dtype
    users = pl.concat([each if alike else each.cast(pl.String) for each in (shown[0], wanted[0])])
    codes = users.rank("dense").to_numpy().astype(np.int64) - 1 if len(users) else np.zeros(0, np.int64)
    n = int(codes.max(initial=-1)) + 1
    tables = []
    for rows, own in ((shown[1], codes[: len(shown[1])]), (wanted[1], codes[len(shown[1]) :])):
        region = regions[rows]
        inside = region >= 0
        cells = np.bincount(own[inside] * count + region[inside], minlength=n * count).reshape(n, count)
        tables.append((cells.astype(np.float64), np.bincount(own, minlength=n).astype(np.float64)))
    if not len(wanted[1]):
        return [Estimate(float("nan"), low=None, high=None, n=0, level=level, note="no_value")] * count
    (a, all_a), (b, all_b) = tables
    value = b.sum(axis=0) / all_b.sum() - a.sum(axis=0) / all_a.sum()
    # The delta method on the two ratios, a term a user.
    terms = (b - all_b[:, None] * b.sum(axis=0) / all_b.sum()) / all_b.sum()
    terms -= (a - all_a[:, None] * a.sum(axis=0) / all_a.sum()) / all_a.sum()
    error = np.sqrt((terms**2).sum(axis=0) * n / max(n - 1, 1))
    width = float(ndtri(1 - (1 - level) / (2 * max(count, 1))))
    both = int(((all_a > 0) & (all_b > 0)).sum())
    if both < 2:
        return [Estimate(float(each), low=None, high=None, n=both, level=level, note="one_unit") for each in value]
    return [
        Estimate(float(v), low=float(v - width * e), high=float(v + width * e), n=both, level=level)
        for v, e in zip(value, error, strict=True)
    ]


def suspects_of(
    here: np.ndarray,
    elsewhere: np.ndarray,
    *,
    held: np.ndarray | None = None,
    left_out: tuple[np.ndarray, np.ndarray] | None = None,
    popularity: np.ndarray | None = None,
    texts: pl.Series | None = None,
    price: np.ndarray | None = None,
) -> tuple[Suspect, ...]:
    """Differences of the items of a blind spot from the others, the strongest first.

    Args:
        here: Rows of its items.
        elsewhere: Rows of the others.
        held: Whether the index holds each item.
        left_out: Rows of the items that are in no list, and whether each is in reach of a user by its vector: a filter
            keeps it out. Only such items are compared.
        popularity: Training interactions of each item.
        texts: Text of each item.
        price: Price of each item, NaN if it has none.
    """
    found: list[Suspect] = []
    shares: dict[SuspectCode, np.ndarray | None] = {
        "not_in_index": None if held is None else ~held,
        "cold_items": None if popularity is None else popularity == 0,
        "missing_text": None if texts is None else _without_text(texts),
    }
    for code, marks in shares.items():
        if marks is not None and len(here) and len(elsewhere):
            mine, theirs = float(marks[here].mean()), float(marks[elsewhere].mean())
            found.append(Suspect(code, mine, theirs, max(mine - theirs, 0.0)))
    if left_out is not None:
        rows, marks = left_out
        mine, theirs = (marks[np.isin(rows, each)] for each in (here, elsewhere))
        if len(mine) and len(theirs):
            share, other = float(mine.mean()), float(theirs.mean())
            found.append(Suspect("filtered_out", share, other, max(share - other, 0.0)))
    values: Mapping[SuspectCode, np.ndarray | None] = {"unpopular": popularity, "price": price}
    for code, value in values.items():
        if value is None:
            continue
        mine, theirs = (value[rows][np.isfinite(value[rows].astype(np.float64))] for rows in (here, elsewhere))
        if len(mine) and len(theirs):
            above = _superiority(mine, theirs)
            strength = max(1 - 2 * above, 0.0) if code == "unpopular" else abs(2 * above - 1)
            found.append(Suspect(code, float(np.median(mine)), float(np.median(theirs)), strength))
    kept = [each for each in found if each.strength >= _MARKED]
    return tuple(sorted(kept, key=lambda each: -each.strength))


def _without_text(texts: pl.Series) -> np.ndarray:
    return texts.cast(pl.String).fill_null("").str.strip_chars().str.len_chars().to_numpy() == 0


def _superiority(first: np.ndarray, second: np.ndarray) -> float:
    """Chance that a value of the first is above one of the second, ties by half (Vargha and Delaney 2000)."""
    ordered = np.sort(second)
    below = np.searchsorted(ordered, first, "left") + np.searchsorted(ordered, first, "right")
    return float(below.mean() / (2 * len(ordered)))
