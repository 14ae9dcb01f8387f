"""Shared parts of all splits: hash-based random numbers, ties in time, cold users, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
import polars as pl

from reclens.cards import AppliedRule, Fact, Note, SplitCard
from reclens.data.dataset import Dataset
from reclens.data.filters import with_card
from reclens.data.read.duplicates import merge_repeats
from reclens.data.rules import note, rule
from reclens.data.split.result import TASKS, Split, Task, _hashes, check_leaks, split_held
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.schema import ITEM, TIMESTAMP, TIMESTAMP_TYPE, USER, stable_hash

__all__ = [
    "ColdUsers",
    "check_shares",
    "check_task",
    "check_times",
    "draw_units",
    "make_split",
    "part_of_events",
    "part_size",
    "random_order",
    "seed_of",
]

ColdUsers = Literal["drop", "keep"]
"""What becomes of held-out rows of users without training data."""
_KINDS: Final = ("user", "item")
_MANY: Final = 0.01
"""From which share of held-out pairs that training holds on a note says so."""


def check_task(task: str) -> None:
    """Check the name of a task.

    Raises:
        UnknownNameError: If there is no such task; it lists the tasks.
    """
    if task not in TASKS:
        raise UnknownNameError("task", task, TASKS)


def seed_of(rng: int | np.random.Generator | None) -> int:
    """The seed as an integer, to be stated in the card."""
    if isinstance(rng, int | np.integer):
        return int(rng)
    return int(np.random.default_rng(rng).integers(2**32))


def random_order(seed: int, *ids: pl.Series) -> pl.Series:
    """Random number per row, a hash of (seed, ids): independent of the position of the row and the order of the ids.

    A hash needs no state, so neither the order of the rows nor other rows change it.
    """
    text = pl.select(pl.format("|".join(["{}"] * (len(ids) + 1)), pl.lit(str(seed)), *ids)).to_series()
    return pl.Series("lot", stable_hash(text))


def draw_units(data: Dataset, seed: int, task: Task) -> pl.DataFrame:
    """Units of a random split, ``row, user_id, item_id, lot``: pairs if only new items count, else events.

    If only new items count, all events of a pair go to one part. If repeats count, each event has its own random
    number; the events of a pair are distinguished by their order in time.
    """
    events = data.events
    rows = events.select(USER, ITEM).with_row_index("row")
    if data.is_merged:
        return rows.with_columns(random_order(seed, rows[USER], rows[ITEM]))
    if task == "new_items":
        rows = rows.unique([USER, ITEM], keep="first", maintain_order=True)
        return rows.with_columns(random_order(seed, rows[USER], rows[ITEM]))
    if TIMESTAMP in events.columns:
        rows = rows.with_columns(events[TIMESTAMP]).sort(TIMESTAMP, maintain_order=True).drop(TIMESTAMP)
    rows = rows.with_columns(nth=pl.int_range(pl.len()).over(USER, ITEM))
    first, again = rows.filter(pl.col("nth") == 0), rows.filter(pl.col("nth") > 0)
    first = first.with_columns(random_order(seed, first[USER], first[ITEM]))
    again = again.with_columns(random_order(seed, again[USER], again[ITEM], again["nth"]))
    return pl.concat([first, again]).drop("nth").sort("row")


def part_of_events(data: Dataset, units: pl.DataFrame, task: Task) -> pl.Series:
    """Part of each event, from the ``part`` of its unit; 0 for units without a part."""
    if data.is_merged or task == "with_repeats":
        part = np.zeros(data.events.height, np.int8)
        part[units["row"].to_numpy()] = units["part"].to_numpy()
        return pl.Series("part", part)
    pairs = units.select(USER, ITEM, pl.col("part").cast(pl.Int8))
    found = data.events.select(USER, ITEM).join(pairs, on=[USER, ITEM], how="left", maintain_order="left")
    return found["part"].fill_null(0)


def check_shares(**shares: float) -> None:
    """Check that shares are valid and leave training data.

    Raises:
        UsageError: If one is not in (0, 1), or they add up to 1 or more.
    """
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ArgumentValueError(name, f"is {share}, expected a share between 0 and 1, such as 0.2.")
    if sum(shares.values()) >= 1:
        raise UsageError(f"{' and '.join(shares)} add up to {sum(shares.values()):g}, and leave nothing to learn from.")


def part_size(n: np.ndarray, share: float) -> np.ndarray:
    """A share of n rows, rounded down, but one at least, as RecBole and the splits of Mult-VAE do."""
    # The little that is added keeps a product such as 0.29 × 100 from falling just short of 29.
    return np.maximum(np.floor(n * share + 1e-9), 1).astype(np.int64)


def check_times(data: Dataset, method: str) -> pl.Series:
    """The timestamps; an error if one is missing."""
    if not data.has_timestamps:
        raise DataError(
            f"{method} needs to know when each interaction happened",
            source=data.name,
            column=TIMESTAMP,
            fix=Advice(
                "name_times",
                (Setting("columns", {TIMESTAMP: "date"}),),
                "Name the column when reading, for example {columns}; or split at random.",
            ),
        )
    times = data.events[TIMESTAMP]
    if not isinstance(times.dtype, pl.Datetime) or times.dtype.time_zone is None:
        raise DataError(
            f"timestamps are {times.dtype}, expected {TIMESTAMP_TYPE}",
            source=data.name,
            column=TIMESTAMP,
            fix="Bring the table in by reclens.read, which turns seconds, milliseconds and text into times.",
        )
    if times.null_count():
        raise DataError(
            f"{times.null_count():,} timestamps are missing",
            source=data.name,
            column=TIMESTAMP,
            row=int(times.is_null().arg_max() or 0) + 1,
            fix="Drop those rows first.",
        )
    return times


def make_split(
    data: Dataset,
    parts: Mapping[str, pl.Series],
    *,
    task: Task,
    cold_users: ColdUsers,
    card: SplitCard,
) -> Split:
    """Cut the log, merge repeats within each part, treat cold users and known pairs, write the card, check for leaks.

    Args:
        data: The data set.
        parts: Boolean series of the events of each part: train, test, and optionally validation and fold_in.
        task: Whether held-out pairs that an earlier part has are dropped.
        cold_users: Whether held-out rows of users without training data are dropped.
        card: Entries of the method for the card.
    """
    check_task(task)
    if cold_users not in ("drop", "keep"):
        raise ArgumentValueError("cold_users", f"is {cold_users!r}, expected 'drop' or 'keep'")
    if data.log is None and not data.is_merged:
        data = replace(data, log=data.interactions)  # made by hand: whether a pair is repeated is not known
    train, tables = _cut(data, parts)
    found = _Found()
    for name in ("validation", "test"):
        if name in tables:
            known = tables.get("fold_in", train.interactions)[USER].unique()
            _settle_cold(name, tables, known, cold_users, found)
            earlier = [] if data.is_merged else [tables[each] for each in _EARLIER[name] if each in tables]
            _settle_held(name, tables, earlier, task, found)
            if not tables[name].height:
                raise DataError(
                    _nothing_left(name, found.counts),
                    source=data.name,
                    fix=Advice(
                        "hold_out_more",
                        (Setting("cold_users", "keep"), Setting("task", "with_repeats")),
                        "Hold out more, cut at another moment, or say {cold_users} or {task}.",
                    ),
                )
            unseen = tables[name].join(train.interactions.select(ITEM).unique(), on=ITEM, how="anti")
            found.counts.update(
                {f"{name}_cold_items": unseen[ITEM].n_unique(), f"{name}_cold_item_rows": unseen.height}
            )
    sizes: dict[str, int] = {} if train.log is None else {"train_events": train.log.height}
    for name, table in tables.items():
        sizes |= {f"{name}_rows": table.height} | {f"{name}_{what}s": table[f"{what}_id"].n_unique() for what in _KINDS}
    # One dictionary serves as the card of the split and inside that of its training part: it is filled last, because
    # it states the hashes of the parts.
    full = SplitCard()
    train = with_card(train, duplicates=data.card.get("duplicates") or "last", split=full)
    split = Split(
        train=train, test=tables["test"], card=full, validation=tables.get("validation"), fold_in=tables.get("fold_in")
    )
    full.update(card)
    full.update(
        {
            "task": task,
            "notes": [*card.get("notes", []), *found.notes],
            "counts": sizes | found.counts,
            "rules": found.rules,
            "hashes": _hashes(split),
        }
    )
    check_leaks(split)
    return split


@dataclass(frozen=True)
class _Found:
    """Counts of the held-out parts, for the card."""

    counts: dict[str, int] = field(default_factory=dict)
    rules: list[AppliedRule] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def _cut(data: Dataset, parts: Mapping[str, pl.Series]) -> tuple[Dataset, dict[str, pl.DataFrame]]:
    """The training part, and the rows of every part with repeats merged within it."""
    train = data.with_events(data.events.filter(parts["train"]))
    if not train.interactions.height:
        raise DataError("no row is left to learn from", source=data.name, fix="Hold out less.")
    tables = {"train": train.interactions}
    for name in parts:
        if name != "train":
            events = data.events.filter(parts[name])
            how = data.card.get("duplicates") or "last"
            tables[name] = events if data.is_merged else merge_repeats(events, how)
    return train, tables


_EARLIER: Final = {"validation": ("train",), "test": ("train", "validation", "fold_in")}
"""What is known before each held-out part, and may hold its pairs."""


def _nothing_left(name: str, counts: Mapping[str, int]) -> str:
    rows, pairs = counts[f"{name}_cold_user_rows"], counts[f"{name}_pairs_in_training"]
    why = [f"{rows:,} were of users without training data"] if rows else []
    why += [f"{pairs:,} were pairs that training holds"] if pairs else []
    return f"no {name} row is left" + (": " + ", ".join(why) if why else "")


def _settle_held(
    name: str, tables: dict[str, pl.DataFrame], earlier: list[pl.DataFrame], task: Task, found: _Found
) -> None:
    """Count the held-out pairs that an earlier part has, and drop them if only new items count."""
    table = tables[name]
    new, held = split_held(table, earlier) if earlier else (table, table.clear())
    found.counts.update({f"{name}_pairs": table.height, f"{name}_pairs_in_training": held.height})
    if task == "new_items":
        tables[name] = new
    if not held.height:
        return
    share = held.height / table.height
    lost = table[USER].n_unique() - new[USER].n_unique()
    about: dict[str, Fact] = {"part": name, "task": task, "share": share}
    found.rules.append(rule("pairs_in_training", held.height, **about, of=table.height, users_without_other=lost))
    if share > _MANY:
        found.notes.append(note("repeats_in_held_out", **about))


def _settle_cold(
    name: str, tables: dict[str, pl.DataFrame], known: pl.Series, cold_users: ColdUsers, found: _Found
) -> None:
    """Drop or keep the rows of users without training data, and count them."""
    table = tables[name]
    is_known = table.select(pl.col(USER).is_in(known.implode())).to_series()
    cold = table.filter(~is_known)
    if cold.height:
        users = cold[USER].n_unique()
        found.rules.append(rule("cold_user_rows", cold.height, part=name, cold_users=cold_users, users=users))
    if cold_users == "drop":
        tables[name] = table.filter(is_known)
    found.counts.update({f"{name}_cold_users": cold[USER].n_unique(), f"{name}_cold_user_rows": cold.height})
