"""An existing split: its parts are used as they are, and checked first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Note
from reclens.data.dataset import Dataset
from reclens.data.near_ids import explain_mismatch
from reclens.data.read.clean import Cleaner
from reclens.data.read.ids import same_kind
from reclens.data.read.options import leave_out
from reclens.data.rules import note
from reclens.data.split.build import ColdUsers, make_split
from reclens.data.split.result import Split, Task
from reclens.errors import Setting, UnmatchedIdsError, UsageError
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["given", "read_part", "with_layout", "with_movielens"]

_MOVIELENS_PART: Final = re.compile(r"u[1-5ab]\.(base|test)")
_LAYOUT: Final = {"user_id": 0, "item_id": 1, "rating": 2, "timestamp": 3}


def given(
    train: Any,
    test: Any,
    *,
    validation: Any = None,
    users: Any = None,
    items: Any = None,
    name: str | None = None,
    task: Task = "new_items",
    cold_users: ColdUsers = "keep",
    **how: Any,
) -> Split:
    """Load an existing split from files of training and test data, such as those of a paper.

    The parts are not changed by a split rule. The card states that they were given, and counts pairs in both parts,
    test users and items without training data, and test rows that precede training. If only new items count, test pairs
    that are also in training are dropped and counted, as in every other split; ``task="with_repeats"`` keeps them.

    Args:
        train: The training part: a data set, or any source of :func:`reclens.read`. ``u1.base`` … ``u5.base`` of
            MovieLens 100K and RecBole's ``NAME.train.inter`` are read by their layouts.
        test: The test part.
        validation: The part for tuning, or None.
        users: Attributes of users: any source.
        items: Attributes of items.
        name: Name of the data; by default that of the training part.
        task: As for :func:`by_time`.
        cold_users: ``"keep"`` keeps test users without training data, ``"drop"`` drops them; both count them.
        **how: Arguments of :func:`reclens.read` for the parts: ``columns``, ``duplicates``, ``bad_rows``, ``delimiter``
            and others.

    Returns:
        The split; ``card["counts"]`` has the numbers and ``card["notes"]`` the warnings.

    Raises:
        DataError: If a part cannot be read, or no row of the test is left.
        UnmatchedIdsError: If no item of a part is in the training part; it names the likely cause.
        UsageError: If attributes are given twice.

    Example:
        >>> rows = {"user": [1, 1, 2, 2], "item": ["a", "b", "a", "c"], "timestamp": [1, 4, 2, 3]}
        >>> split = given(rows, {"user": [1, 2, 3], "item": ["c", "b", "a"], "timestamp": [3, 5, 6]})
        >>> split
        Split('data' given: train 4, test 3)
        >>> split.card["counts"]["test_cold_users"], split.card["counts"]["test_rows_before_training"]
        (1, 1)
    """
    base = read_part(train, users=users, items=items, **how)
    parts = {"train": base, "validation": None if validation is None else read_part(validation, **how)}
    parts["test"] = read_part(test, **how)
    there = {part: data for part, data in parts.items() if data is not None}
    cleaner = Cleaner("the split")
    tables = _of_one_kind({part: data.events for part, data in there.items()}, cleaner)
    counts: dict[str, int] = {}
    notes: list[Note] = []
    for part in [part for part in tables if part != "train"]:
        _look_for_strangers(tables["train"], tables[part], part, notes)
        if TIMESTAMP in tables["train"].columns and TIMESTAMP in tables[part].columns:
            _look_at_times(tables["train"], tables[part], part, counts, notes)
    columns = tables["train"].columns
    log = pl.concat(
        [table.select(each for each in columns if each in table.columns) for table in tables.values()],
        how="diagonal_relaxed",
    ).select(columns)
    owner = np.repeat(np.arange(len(tables)), [table.height for table in tables.values()])
    masks = {part: pl.Series(owner == at) for at, part in enumerate(tables)}
    rules = [*base.card.get("rules", []), *cleaner.rules]
    whole = Dataset(
        log,
        users=_with_ids_of(log, base.users, USER),
        items=_with_ids_of(log, base.items, ITEM),
        name=name or base.name,
        card={**base.card, "duplicates": base.card.get("duplicates") or "last", "rules": rules},
        log=log,
    )
    made = make_split(
        whole,
        masks,
        task=task,
        cold_users=cold_users,
        card={
            "method": "given",
            "parameters": {"cold_users": cold_users},
            "ties": {"rule": "unknown"},
            "seed": None,
            "sources": {part: data.card.get("source", data.name) for part, data in there.items()},
            "columns_missing": {
                part: [each for each in columns if each not in table.columns]
                for part, table in tables.items()
                if set(columns) - set(table.columns)
            },
            "notes": notes,
        },
    )
    made.card.get("counts", {}).update(counts)
    return made


def read_part(source: Any, *, users: Any = None, items: Any = None, **how: Any) -> Dataset:
    """Read one part of an existing split: a data set as it is, any other source by its layout.

    Raises:
        DataError: If it cannot be read.
        UsageError: If attributes are given together with a data set.
    """
    if isinstance(source, Dataset):
        if users is not None or items is not None:
            raise UsageError(
                "train is a data set, which has attributes of its own",
                advice=leave_out(Setting("users"), Setting("items")),
            )
        return source
    path = Path(source) if isinstance(source, str | Path) else None
    if path is not None and path.suffix == ".inter" and users is None and items is None:
        from reclens.data.read.recbole import read_recbole

        return read_recbole(path, **how)
    from reclens.data.read.tables import read

    if path is None:
        return read(source, users=users, items=items, **how)
    data = read(path, users=users, items=items, **with_layout(path, how))
    return data if users is not None or items is not None else with_movielens(data, path)


def with_layout(path: str | Path, how: Mapping[str, Any]) -> dict[str, Any]:
    """How a file is read, with the layout of MovieLens 100K's ready-made parts where it is one and nothing is said."""
    if not _MOVIELENS_PART.fullmatch(Path(path).name) or "columns" in how:
        return dict(how)
    return {"columns": _LAYOUT, "delimiter": "\t", **how}


def with_movielens(data: Dataset, path: str | Path) -> Dataset:
    """Add users and items from the MovieLens folder of the file, if it is a split file of such a folder."""
    folder, name = Path(path).parent, Path(path).name
    there = all((folder / each).is_file() for each in ("u.data", "u.item", "u.user"))
    if not there or not _MOVIELENS_PART.fullmatch(name):
        return data
    from reclens.data.read.movielens import read_movielens

    whole = read_movielens(folder)
    return replace(data, users=whole.users, items=whole.items)


def _of_one_kind(tables: Mapping[str, pl.DataFrame], cleaner: Cleaner) -> dict[str, pl.DataFrame]:
    """Give all parts the same id type: text if any part has text ids."""
    found = dict(tables)
    for key in (USER, ITEM):
        kinds = {table[key].dtype for table in found.values()}
        if len(kinds) > 1:
            empty = pl.Series(key, [], pl.String)
            found = {
                part: table.with_columns(same_kind(table[key], empty, cleaner, column=key)[0])
                for part, table in found.items()
            }
    return found


def _look_for_strangers(train: pl.DataFrame, table: pl.DataFrame, part: str, notes: list[Note]) -> None:
    """Raise if the parts share no item (different catalogues or spellings), and note unknown users and items."""
    cold = table.join(train, on=ITEM, how="anti")
    if cold.height == table.height:
        near = explain_mismatch(table[ITEM], train[ITEM], crossed=train[USER])
        sides = f"the {part} part", "the training part"
        shown = " and ".join(
            f"{', '.join(map(repr, ids))} in {side}" for side, ids in zip(sides, near.examples, strict=True)
        )
        raise UnmatchedIdsError(
            f"no item of {sides[0]} is in {sides[1]}: {shown}",
            column=ITEM,
            sides=sides,
            cause=near.cause,
            examples=near.examples,
            mended=near.mended,
            of=near.of,
            fix="Give parts of one split, with the same ids, and name their columns alike.",
        )
    if cold.height:
        notes.append(note("items_not_in_training", part=part, items=cold[ITEM].n_unique(), rows=cold.height))
    strangers = table.join(train, on=USER, how="anti")
    if strangers.height:
        users = strangers[USER].n_unique()
        notes.append(note("users_not_in_training", part=part, users=users, rows=strangers.height))


def _look_at_times(
    train: pl.DataFrame, table: pl.DataFrame, part: str, counts: dict[str, int], notes: list[Note]
) -> None:
    """Count the rows of a part that precede training rows, and add a note."""
    latest = train.group_by(USER).agg(pl.col(TIMESTAMP).max().alias("latest"))
    own = table.join(latest, on=USER).filter(pl.col(TIMESTAMP) < pl.col("latest")).height
    early = table.filter(pl.col(TIMESTAMP) < train[TIMESTAMP].max()).height
    counts |= {f"{part}_rows_before_training": own, f"{part}_rows_before_last_training": early}
    if own:
        notes.append(note("rows_before_training", part=part, rows=own, of=table.height))
    if early > own:
        notes.append(note("rows_before_last_training", part=part, rows=early, of=table.height))


def _with_ids_of(log: pl.DataFrame, attributes: pl.DataFrame | None, key: str) -> pl.DataFrame | None:
    return None if attributes is None else attributes.with_columns(pl.col(key).cast(log[key].dtype))
