"""How a data set or a split is shaped, as curves: how long its tails are, and when its parts happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.problems import Problem
from reclens.data.split import Split
from reclens.errors import UnknownNameError
from reclens.schema import ITEM, TIMESTAMP, USER

__all__ = ["WHOLE", "by_popularity", "over_time", "part_of", "parts_of", "split_problems", "tail_curve"]

WHOLE: Final = "whole"
"""The part that is all parts together."""

_PERIODS: Final = (("1d", "day", 100.0), ("1w", "week", 1_100.0), ("1mo", "month", 11_000.0), ("1y", "year", np.inf))
"""Step, its name, and up to how many days of data it is the one to look at: about a hundred steps."""


def parts_of(data: Dataset | Split) -> dict[str, pl.DataFrame]:
    """The rows of each part, in the order train, validation, fold-in, test; a data set is whole.

    A data set and a training part give their events, with all repeats of a pair; what is held out has one row a pair.
    """
    if isinstance(data, Dataset):
        return {WHOLE: data.events}
    parts = {"train": data.train.events, "validation": data.validation, "fold-in": data.fold_in, "test": data.test}
    return {name: table for name, table in parts.items() if table is not None}


def part_of(data: Dataset | Split, name: str = WHOLE) -> Dataset:
    """One part as a data set, with the attributes of users and items.

    Args:
        data: A data set or a split.
        name: A part of :func:`parts_of`, or ``"whole"`` for all of them.

    Raises:
        UnknownNameError: If there is no such part.
    """
    if isinstance(data, Dataset) and name == WHOLE:
        return data
    parts = parts_of(data)
    if name != WHOLE and name not in parts:
        raise UnknownNameError("part", name, [WHOLE, *parts])
    if isinstance(data, Split) and name == "train":
        return data.train
    assert isinstance(data, Split)
    rows = parts[name] if name != WHOLE else pl.concat(parts.values(), how="diagonal")
    # Whether a pair is repeated is not known of the parts together: the merged rows of one may stand in the other.
    card = data.train.card.copy()
    for entry in ("split", "duplicates"):
        card.pop(entry, None)
    return Dataset(rows, users=data.train.users, items=data.train.items, name=data.train.name, card=card)


def tail_curve(data: Dataset, *, of: Literal["items", "users"] = "items", points: int = 101) -> list[dict[str, float]]:
    """The Lorenz curve of the interactions: the share that the least popular items (least active users) have together.

    Args:
        data: The data set; only items and users with an interaction count, as in its profile.
        of: Items or users.
        points: Points of the curve, evenly spaced.

    Returns:
        Rows ``across`` (share of the items, the least popular first) and ``share`` (of the interactions), 0 to 1.

    Example:
        >>> from reclens.data.dataset import Dataset
        >>> import polars as pl
        >>> data = Dataset(pl.DataFrame({"user_id": [1, 2, 3, 4], "item_id": [7, 7, 7, 8]}))
        >>> tail_curve(data, points=3)
        [{'across': 0.0, 'share': 0.0}, {'across': 0.5, 'share': 0.25}, {'across': 1.0, 'share': 1.0}]
    """
    counts = _counts(data, of)[::-1]
    shares = np.append(0.0, np.cumsum(counts) / max(int(counts.sum()), 1))
    at = np.linspace(0, 1, points)
    curve = np.interp(at, np.linspace(0, 1, len(shares)), shares)
    return [{"across": float(x), "share": float(y)} for x, y in zip(at, curve, strict=True)]


def by_popularity(data: Dataset, *, of: Literal["items", "users"] = "items", points: int = 200) -> list[dict[str, int]]:
    """How many interactions the item (user) at each place has, the most popular first.

    Args:
        data: The data set.
        of: Items or users.
        points: Most places; evenly spaced on a logarithmic scale, where a long tail is a line.

    Returns:
        Rows ``place`` (from 1) and ``interactions``.
    """
    counts = _counts(data, of)
    if not len(counts):
        return []
    places = np.unique(np.geomspace(1, len(counts), points).round().astype(np.int64))
    return [{"place": int(place), "interactions": int(counts[place - 1])} for place in places]


def over_time(data: Dataset | Split) -> tuple[str, list[dict[str, Any]]]:
    """When the interactions of each part happened.

    Returns:
        The step (day, week, month or year: about a hundred of them span the data), and rows ``part``, ``start`` and
        ``end`` of the step (UTC), ``interactions``, their ``share`` of the part, and ``below``: how many the parts
        before have in the step. No rows where there are no times.
    """
    parts = {name: table for name, table in parts_of(data).items() if TIMESTAMP in table.columns}
    known = [pl.Series(dtype=pl.Datetime("us", "UTC")), *(table[TIMESTAMP].drop_nulls() for table in parts.values())]
    times = pl.concat([each.cast(pl.Datetime("us")) for each in known])
    first, last = times.min(), times.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return "day", []
    days = (last - first).total_seconds() / 86_400
    step, word, _ = next(each for each in _PERIODS if days <= each[2])
    rows: list[dict[str, Any]] = []
    below: dict[datetime, int] = {}
    for part, table in parts.items():
        stamps = table.select(start=pl.col(TIMESTAMP).cast(pl.Datetime("us")).dt.truncate(step)).drop_nulls()
        found = stamps.group_by("start").len("interactions").sort("start")
        found = found.with_columns(end=pl.col("start").dt.offset_by(step), share=pl.col("interactions") / stamps.height)
        for row in found.to_dicts():
            rows.append({"part": part, **row, "below": below.get(row["start"], 0)})
            below[row["start"]] = below.get(row["start"], 0) + row["interactions"]
    return word, rows


def split_problems(split: Split) -> tuple[Problem, ...]:
    """What to know of a split beside its notes: held-out rows that no model can place, users who cannot be measured."""
    learned = pl.concat(
        [table.select(USER, ITEM) for name, table in parts_of(split).items() if name in ("train", "fold-in")]
    )
    found: list[Problem] = []
    counts = split.card.get("counts", {})
    for part, table in (("validation", split.validation), ("test", split.test)):
        if table is None:
            continue
        for key, what in ((USER, "users"), (ITEM, "items")):
            cold = table.join(learned, on=key, how="anti")
            facts = {"part": part, "of": what, "n": cold[key].n_unique()}
            found.append(Problem("not_in_training", cold.height, facts))
        held = counts.get(f"{part}_pairs_in_training", 0)
        facts = {"part": part, "pairs": counts.get(f"{part}_pairs", 0), "task": split.task or "with_repeats"}
        found.append(Problem("pairs_in_training", held, facts))
    return tuple(each for each in found if each.rows)


def _counts(data: Dataset, of: Literal["items", "users"]) -> np.ndarray:
    """Interactions of each item or user, falling; int64."""
    key: Mapping[str, str] = {"items": ITEM, "users": USER}
    if of not in key:
        raise UnknownNameError("side", of, key)
    counts = data.events.group_by(key[of]).len("n")["n"]
    return counts.sort(descending=True).to_numpy().astype(np.int64)
