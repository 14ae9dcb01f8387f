"""A split, and the check for leakage of its test part into the training part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import polars as pl

from reclens.cards import SplitCard
from reclens.data.dataset import Dataset
from reclens.errors import Advice, DataError, LeakError, Setting
from reclens.schema import ITEM, TIMESTAMP, USER, fingerprint

__all__ = ["TASKS", "Split", "Task", "check_leaks", "split_held", "task_of"]

Task = Literal["new_items", "with_repeats"]
"""What the held-out rows ask for: items that are new to the user, or whatever they took, also again."""
TASKS: Final = ("new_items", "with_repeats")


def task_of(card: Mapping[str, Any] | None) -> Task | None:
    """The task of a split by its card; None without one.

    Cards of older versions, in which no pair could be in two parts, have no task.
    """
    return None if not card else card.get("task", "new_items")


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """A data set split into a training and a test part: ``train, test = split``.

    Iterating gives the training part and the test part only; :attr:`validation` and :attr:`fold_in` are attributes.

    Attributes:
        train: The training part, with the attributes of users and items; ``train.card["split"]`` is the card below.
            Compute segments from it: ``split.train.with_segments(…)``.
        test: The held-out interactions, with all columns of the data.
        card: What was done: ``method``, ``task``, ``parameters``, ``rule`` in words, ``ties``, ``seed``, ``cut``,
            ``counts``, ``rules`` with their counts, ``hashes`` of the parts, ``notes`` with warnings.
        validation: Interactions for validation, taken from the training side; or None.
        fold_in: Strong generalisation only: the interactions of each test user that a model fitted on ``train``
            receives before it recommends; otherwise None.
    """

    train: Dataset
    test: pl.DataFrame
    card: SplitCard = field(default_factory=SplitCard)
    validation: pl.DataFrame | None = None
    fold_in: pl.DataFrame | None = None

    def __iter__(self) -> Iterator[Any]:
        """Train and test, always these two: ``train, test = split``."""
        return iter((self.train, self.test))

    def __repr__(self) -> str:
        counts = {"train": self.train.interactions, "validation": self.validation, "fold-in": self.fold_in}
        parts = [f"{name} {table.height:,}" for name, table in counts.items() if table is not None]
        return (
            f"Split('{self.train.name}' {self.card.get('method', '')}: {', '.join(parts)}, test {self.test.height:,})"
        )

    @property
    def task(self) -> Task:
        """``"new_items"``: no test pair is in training; ``"with_repeats"``: repeated items are relevant."""
        return task_of(self.card) or "new_items"

    @property
    def exclude_seen(self) -> bool:
        """Filter of seen items for the task: ``model.recommend(…, exclude_seen=split.exclude_seen)``.

        If only new items count, a seen item is never a hit; if repeats count, seen items are the most likely hits.
        """
        return self.task == "new_items"

    @property
    def test_users(self) -> pl.Series:
        """Users to recommend to: those with a test row and with training data (or a fold-in)."""
        return _known_users(self, self.test)

    @property
    def validation_users(self) -> pl.Series:
        """The users of the training part that have a validation row."""
        return _known_users(self, self.validation if self.validation is not None else self.test.clear())

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables to save, by name. With :meth:`header` they define the split."""
        train = self.train
        found = {
            "train": train.interactions,
            "train_log": train.log,
            "test": self.test,
            "validation": self.validation,
            "fold_in": self.fold_in,
            "users": train.users,
            "items": train.items,
            "segments": train.segments,
        }
        return {name: table for name, table in found.items() if table is not None}

    def header(self) -> dict[str, Any]:
        """The metadata of the tables, as JSON values."""
        data = {key: value for key, value in self.train.card.items() if key != "split"}
        return {"name": self.train.name, "card": dict(self.card), "data": data}

    @staticmethod
    def from_tables(tables: Mapping[str, pl.DataFrame], header: Mapping[str, Any]) -> Split:
        """Restore a split from its tables and its header.

        Raises:
            DataError: If a table is missing, or does not match the card.
            LeakError: If test data reached the training side.

        Example:
            >>> from reclens.data.split import random
            >>> from reclens.data.synthetic import synthetic_movielens
            >>> split = random(synthetic_movielens(n_users=50, n_items=40, n_ratings=900))
            >>> Split.from_tables(split.tables(), split.header())
            Split('synthetic' random: train 740, test 160)
        """
        for name in ("train", "test"):
            if name not in tables:
                raise DataError(f"a split needs the tables train and test; '{name}' is missing", fix="Split again.")
        card: Any = dict(header["card"])
        data: Any = {**header["data"], "split": card}
        train = Dataset(
            tables["train"],
            users=tables.get("users"),
            items=tables.get("items"),
            name=header["name"],
            card=data,
            segments=tables.get("segments"),
            log=tables.get("train_log"),
        )
        split = Split(
            train=train,
            test=tables["test"],
            card=card,
            validation=tables.get("validation"),
            fold_in=tables.get("fold_in"),
        )
        found, wanted = _hashes(split), card.get("hashes", {})
        for part, value in found.items():
            if part in wanted and wanted[part] != value:
                raise DataError(
                    f"the table has the hash {value}, but its card says {wanted[part]}", source=part, fix="Split again."
                )
        check_leaks(split)
        return split


def check_leaks(split: Split) -> None:
    """Raise an error if the test part of a split leaked into the training side.

    Every split function calls this on its result. It checks that, in a split by time, no training event is at or after
    the cut and no test row before it; that, in a split by the last interactions of each user, no held-out row precedes
    a training row of the user; that, in a split by user, no test user is in the training part; and that, for the task
    of new items, no (user, item) pair is in two parts. ``card["counts"]`` has the test pairs that were also in training
    at the cut, ``test_pairs_in_training``, of ``test_pairs``.

    Raises:
        LeakError: Naming the parts, the number of rows and the first of them.
    """
    learned = split.train.events
    if split.task == "new_items":
        parts = {"training": learned, "validation": split.validation, "fold-in": split.fold_in}
        for name, table in parts.items():
            if table is not None:
                _no_shared_pair(name, table, "test", split.test)
        if split.validation is not None:
            _no_shared_pair("training", learned, "validation", split.validation)
    if split.fold_in is not None:
        _no_shared_user(learned, pl.concat([split.fold_in, split.test]))
    method = split.card.get("method")
    if method in ("by_time", "rolling"):
        _nothing_crosses(split, "test", split.card.get("cut"))
        if split.validation is not None:
            _nothing_crosses(split, "validation", split.card.get("validation_cut"))
    if method == "last_n" and TIMESTAMP in split.test.columns:
        _each_user_in_order("training", learned, "test", split.test)
        if split.validation is not None:
            _each_user_in_order("training", learned, "validation", split.validation)
            _each_user_in_order("validation", split.validation, "test", split.test)


def _known_users(split: Split, held_out: pl.DataFrame) -> pl.Series:
    tables = [split.train.interactions] + ([split.fold_in] if split.fold_in is not None else [])
    known = pl.concat([table.select(USER) for table in tables]).unique()
    return held_out.select(USER).unique().join(known, on=USER, how="semi")[USER].sort()


def _hashes(split: Split) -> dict[str, str]:
    tables = {"test": split.test, "validation": split.validation, "fold_in": split.fold_in}
    hashes = {"train": split.train.fingerprint}
    if split.train.log is not None:
        tables["train_log"] = split.train.log
    return hashes | {name: fingerprint(table) for name, table in tables.items() if table is not None}


def split_held(table: pl.DataFrame, earlier: Sequence[pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of pairs that no earlier part has, and rows of pairs that one has."""
    held = table.select(USER, ITEM, row=pl.int_range(pl.len()))
    held = pl.concat([held.join(part, on=[USER, ITEM], how="semi") for part in earlier])["row"]
    known = table.select(pl.int_range(pl.len()).is_in(held.implode())).to_series()
    return table.filter(~known), table.filter(known)


_SPLIT_AGAIN: Final = Advice(
    "split_again",
    (Setting("task", "new_items"), Setting("task", "with_repeats")),
    "Split again: {0} leaves such pairs out of the test part, {1} counts them as relevant.",
)


def _first(table: pl.DataFrame) -> str:
    row = table.select(USER, ITEM).sort(USER, ITEM).row(0)
    return f"user {row[0]!r} with item {row[1]!r}"


def _no_shared_pair(one: str, left: pl.DataFrame, other: str, right: pl.DataFrame) -> None:
    shared = right.select(USER, ITEM).join(left.select(USER, ITEM), on=[USER, ITEM], how="semi")
    if shared.height:
        raise LeakError(
            f"{shared.height:,} rows of the {other} part are (user, item) pairs that also stand in the {one} part, "
            f"first {_first(shared)}. Where only new items count, each pair may stand in one part",
            advice=_SPLIT_AGAIN,
        )


def _no_shared_user(train: pl.DataFrame, strangers: pl.DataFrame) -> None:
    shared = strangers.select(USER).unique().join(train.select(USER), on=USER, how="semi")[USER].sort()
    if len(shared):
        raise LeakError(
            f"{len(shared):,} test users also stand in the training part, first {shared[0]!r}. In a split by user the "
            "model must not have seen them; tell it about them by the fold-in."
        )


def _nothing_crosses(split: Split, part: str, cut: str | None) -> None:
    """Check that held-out rows are at or after the cut, and training rows before it."""
    if cut is None:
        raise DataError("the card of this split by time has no cut", source=part, fix="Split again.")
    moment = datetime.fromisoformat(cut)
    held_out = split.test if part == "test" else split.validation
    assert held_out is not None
    early = held_out.filter(pl.col(TIMESTAMP) < moment)
    if early.height:
        raise LeakError(
            f"{early.height:,} rows of the {part} part precede the cut {cut}, first {_first(early)}. A split by time "
            "holds out what happened from the cut on, and nothing else."
        )
    earlier = {"training": split.train.events}
    if part == "test" and split.validation is not None:
        earlier["validation"] = split.validation
    for name, table in earlier.items():
        late = table.filter(pl.col(TIMESTAMP) >= moment)
        if late.height:
            raise LeakError(
                f"{late.height:,} rows of the {name} part lie at or after the cut {cut} of the {part} part, first "
                f"{_first(late)}. A model must not learn from the time that it is tested on."
            )


def _each_user_in_order(one: str, left: pl.DataFrame, other: str, right: pl.DataFrame) -> None:
    latest = left.group_by(USER).agg(pl.col(TIMESTAMP).max().alias("latest"))
    early = right.join(latest, on=USER).filter(pl.col(TIMESTAMP) < pl.col("latest"))
    if early.height:
        raise LeakError(
            f"{early.height:,} rows of the {other} part precede a row of the same user in the {one} part, first "
            f"{_first(early)}. Hold out the last interactions of each user."
        )
