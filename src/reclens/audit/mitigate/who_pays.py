"""Who pays for a mitigation: groups of users, groups of items, and the popular and unpopular items within each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from reclens.audit.item_groups import ItemGroups
from reclens.audit.measure import AuditMeasures
from reclens.errors import UsageError
from reclens.schema import ITEM
from reclens.stats.estimate import Estimate
from reclens.stats.replicated import Replicated
from reclens.tabular import Tabular
from reclens.vocabulary import Vocabulary

__all__ = ["WITHIN", "Change", "Payer", "Side", "changes", "columns_of", "within_groups"]

Side = Literal["users", "items", "items_within"]
"""``users``: accuracy for a group of users. ``items``: share of exposure of a group of items. ``items_within``: share
of exposure of the head, middle or tail within a group of items."""

Change = Literal["gains", "loses", "undecided"]
"""Whether the whole interval of the change lies above 0, below 0, or neither."""

WITHIN: Final = "(within)"
"""The attribute that crosses the groups of items with tiers of popularity."""
_BETWEEN: Final = " / "


@dataclass(frozen=True, kw_only=True)
class Payer(Tabular):
    """What a mitigation changes for one group.

    Attributes:
        side: Groups of what.
        by: What it is a group of: a segmentation of users, or an attribute of items.
        group: The group; ``"small / tail"`` for the tail within the group small.
        before: Accuracy, or share of the exposure, without the mitigation.
        change: What the mitigation adds to it.
        code: Whether the group gains or loses.
    """

    side: Side
    by: str
    group: str
    before: float
    change: Estimate
    code: Change

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        about = {"side": self.side, "by": self.by, "group": self.group, "before": self.before}
        return [{**about, **columns_of("change", self.change), "n": self.change.n, "code": self.code}]


def columns_of(name: str, estimate: Estimate) -> dict[str, float | None]:
    """A number and the ends of its interval, as columns of a table."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def changes(before: AuditMeasures, after: AuditMeasures, *, metric: str, level: float = 0.95) -> tuple[Payer, ...]:
    """What each group of users and items has more or less of than before.

    Args:
        before: The lists as they were.
        after: The lists of the mitigation, for the same users with the same seed.
        metric: The accuracy of the groups of users.
        level: Confidence level.

    Raises:
        UsageError: If the two are not of the same users and replicates.
    """
    if not before.context.users.ids.equals(after.context.users.ids) or before.cells != after.cells:
        raise UsageError("the lists before and after are of other users, or were grouped in other ways.")
    found: list[Payer] = []
    for by, group in before.cells:
        old, new = (each.mean(metric, (by, group)) for each in (before, after))
        found.append(_payer("users", by, group, old, new, before.n((by, group), metric), level))
    for attribute, groups in before.groups.items():
        side: Side = "items_within" if attribute == WITHIN else "items"
        old, new = (each.by_group("exposure", attribute) for each in (before, after))
        for at, label in enumerate(groups.labels):
            shares = old[at] / old.sum(), new[at] / new.sum()
            found.append(_payer(side, attribute, label, *shares, before.n(), level))
    return tuple(found)


def _payer(side: Side, by: str, group: str, before: Replicated, after: Replicated, n: int, level: float) -> Payer:
    change = (after - before).estimate(n=n, level=level)
    code: Change = "undecided"
    if change.low is not None and change.high is not None and (change.low > 0 or change.high < 0):
        code = "gains" if change.low > 0 else "loses"
    return Payer(side=side, by=by, group=group, before=float(before.value), change=change, code=code)


def within_groups(groups: ItemGroups, tiers: ItemGroups, items: Vocabulary) -> pl.DataFrame:
    """A table of items whose column ``(within)`` has the labels of a group, each with the item's tier.

    Args:
        groups: The groups.
        tiers: Head, middle and tail.
        items: The items that both are made for.
    """
    counts = groups.indptr[1:] - groups.indptr[:-1]
    codes = pl.int_range(len(counts), eager=True).to_numpy().repeat(counts)
    tier = [tiers.labels[tiers.groups[tiers.indptr[code]]] for code in codes]
    names = [groups.labels[group] + _BETWEEN + own for group, own in zip(groups.groups, tier, strict=True)]
    pairs = pl.DataFrame({ITEM: items.decode(codes), WITHIN: names}, schema_overrides={WITHIN: pl.String})
    return pairs.group_by(ITEM, maintain_order=True).agg(pl.col(WITHIN))
