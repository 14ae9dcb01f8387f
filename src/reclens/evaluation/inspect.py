"""One user and one item, looked at closely: what the user had, what each system showed, whom an item is shown to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.titles import title_column
from reclens.errors import UnknownNameError
from reclens.evaluation.results import OVERALL
from reclens.schema import ITEM, RANK, RATING, SCORE, TIMESTAMP, USER, Recommendations
from reclens.stats.estimate import Estimate
from reclens.stats.proportions import proportion
from reclens.tabular import Tabular

__all__ = ["ItemExposure", "UserView", "item_exposure", "search_items", "view_user"]


@dataclass(frozen=True, eq=False, kw_only=True)
class UserView:
    """One user.

    Attributes:
        user: The id.
        attributes: What is known of the user, and the segments.
        history: Training interactions, the newest first: ``item_id``, attributes of the items, time and rating.
        held_out: What the user went on to choose, in the same form.
        lists: System -> the user's list: ``rank, item_id``, attributes of the items, ``score?``, ``hit`` (held out).
    """

    user: Any
    attributes: Mapping[str, Any]
    history: pl.DataFrame
    held_out: pl.DataFrame
    lists: Mapping[str, pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class ItemExposure(Tabular):
    """How often one system shows one item to one segment.

    Attributes:
        system: The system.
        by: The segmentation; ``"overall"`` for all users.
        segment: The segment; ``"all"`` for all users.
        share: Share of the segment's users who could be shown the item and were, in their first k places.
        chosen: Share of the same users who had it held out.
        had: Users of the segment who are left out, because they had the item and the lists leave out what users had.
    """

    system: str
    by: str
    segment: str
    share: Estimate
    chosen: Estimate
    had: int = 0

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row = {"system": self.system, "by": self.by, "segment": self.segment, "chosen": self.chosen.value}
        row |= {"had": self.had}
        return [row | asdict(self.share)]


def search_items(data: Dataset, text: str, *, n: int = 50) -> pl.DataFrame:
    """Items whose id is the text, or whose title holds it whatever the case; the most popular first.

    Returns:
        ``item_id, title, users`` (training users), at most n rows; without titles ``title`` is null.
    """
    counts = data.interactions.group_by(ITEM).agg(pl.col(USER).n_unique().alias("users"))
    title = title_column(data.items)
    if data.items is None or title is None:
        table = counts.with_columns(pl.lit(None, pl.String).alias("title"))
    else:
        table = data.items.select(ITEM, pl.col(title).alias("title")).join(counts, on=ITEM, how="full", coalesce=True)
    wanted = text.strip().lower()
    found = table.filter(
        (pl.col(ITEM).cast(pl.String).str.to_lowercase() == wanted)
        | pl.col("title").str.to_lowercase().str.contains(wanted, literal=True).fill_null(False)
    )
    found = found.select(ITEM, "title", pl.col("users").fill_null(0))
    return found.sort(["users", ITEM], descending=[True, False]).head(n)


def view_user(
    user: Any, runs: Mapping[str, Recommendations], train: Dataset, held_out: pl.DataFrame, *, k: int = 20
) -> UserView:
    """Look at one user.

    Args:
        user: The id, as in the tables.
        runs: System -> lists.
        train: The training part.
        held_out: The held-out interactions.
        k: Places of the lists to show.

    Raises:
        UnknownNameError: If no table has the user.
    """
    attributes: dict[str, Any] = {}
    for table in (train.users, train.segments):
        rows = [] if table is None else table.filter(pl.col(USER) == user).to_dicts()
        attributes |= {name: value for row in rows for name, value in row.items() if name != USER}
    history, later = (table.filter(pl.col(USER) == user) for table in (train.interactions, held_out))
    hits = set(later[ITEM])
    lists: dict[str, pl.DataFrame] = {}
    for system, run in runs.items():
        rows = run.table.filter((pl.col(USER) == user) & (pl.col(RANK) <= k)).sort(RANK)
        rows = rows.with_columns(pl.col(ITEM).is_in(list(hits)).alias("hit"))
        lists[system] = _described(rows, train, [RANK, ITEM], [SCORE, "hit"])
    if not attributes and not history.height and not later.height and not any(map(len, lists.values())):
        raise UnknownNameError("user", str(user), map(str, train.user_vocabulary.ids.head(200)))
    if TIMESTAMP in history.columns:
        history = history.sort(TIMESTAMP, ITEM, descending=[True, False])
    past, future = (_described(table, train, [ITEM], [TIMESTAMP, RATING]) for table in (history, later))
    return UserView(user=user, attributes=attributes, history=past, held_out=future, lists=lists)


def item_exposure(
    item: Any,
    runs: Mapping[str, Recommendations],
    train: Dataset,
    held_out: pl.DataFrame,
    *,
    k: int = 10,
    by: Sequence[str] = (),
    level: float = 0.95,
) -> tuple[ItemExposure, ...]:
    """Whom each system shows an item to, of the users who could have been shown it.

    Lists that leave out what users had can never show them the item: such users are left out, and counted. Lists that
    say nothing of it are looked at: if none of them holds an item that its user had, they leave such items out.

    Args:
        item: The item.
        runs: System -> lists; shares are over users with a list.
        train: The training part, with its segments.
        held_out: The held-out interactions.
        k: Places that count as shown.
        by: Segmentations.
        level: Confidence level of the intervals (Wilson's, over users).

    Returns:
        For each system the share over all users, then by segment.
    """
    chosen = held_out.filter(pl.col(ITEM) == item)[USER].unique()
    owners = train.interactions.filter(pl.col(ITEM) == item)[USER].unique()
    found: list[ItemExposure] = []
    for system, run in runs.items():
        shown = run.table.filter((pl.col(ITEM) == item) & (pl.col(RANK) <= k))[USER].unique()
        had = pl.lit(False) if _lists_seen(run, train) else pl.col(USER).is_in(owners.implode())
        users = (
            run.table.select(USER)
            .unique()
            .with_columns(
                pl.lit(OVERALL[1]).alias(OVERALL[0]),
                pl.col(USER).is_in(shown.implode()).alias("shown"),
                pl.col(USER).is_in(chosen.implode()).alias("chosen"),
                had.alias("had"),
            )
        )
        if train.segments is not None and by:
            users = users.join(train.segments.select(USER, *by), on=USER, how="left", maintain_order="left")
        for name in (OVERALL[0], *by):
            could = ~pl.col("had")
            cells = (
                users.drop_nulls(name)
                .group_by(name)
                .agg(
                    could.sum().alias("n"),
                    *((pl.col(each) & could).sum() for each in ("shown", "chosen")),
                    pl.col("had").sum(),
                )
            )
            for row in cells.sort(name).to_dicts():
                shown_to, taken = (proportion(row[each], row["n"], level=level) for each in ("shown", "chosen"))
                found.append(
                    ItemExposure(
                        system=system, by=name, segment=str(row[name]), share=shown_to, chosen=taken, had=row["had"]
                    )
                )
    return tuple(found)


def _lists_seen(run: Recommendations, train: Dataset) -> bool:
    """Whether lists may hold items of the user's history, by their card or by their content."""
    declared = run.card.get("exclude_seen")
    if declared is not None:
        return not declared
    return run.table.select(USER, ITEM).join(train.interactions, on=[USER, ITEM], how="semi").height > 0


def _described(rows: pl.DataFrame, train: Dataset, first: list[str], last: list[str]) -> pl.DataFrame:
    """Rows with the attributes of their items in between."""
    kept = rows.select(*first, *(name for name in last if name in rows.columns))
    if train.items is None:
        return kept
    title = title_column(train.items)
    attributes = [name for name in train.items.columns if name != ITEM and name not in kept.columns]
    attributes.sort(key=lambda name: name != title)
    joined = kept.join(train.items.select(ITEM, *attributes), on=ITEM, how="left", maintain_order="left")
    return joined.select(*first, *attributes, *(name for name in last if name in kept.columns))
