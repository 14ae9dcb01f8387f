"""What a data set looks like: its size, its long tails, who and what is cold, its times and ratings, its problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.concentration import gini
from reclens.data.dataset import Dataset
from reclens.data.problems import Problem, attribute_problems, number_problems, time_problems
from reclens.engine import LocalEngine
from reclens.errors import DataError
from reclens.schema import ITEM, RATING, TIMESTAMP, USER
from reclens.tabular import Tabular

__all__ = ["Profile", "Tail", "profile"]

_QUANTILES: Final = {"min": 0.0, "10 %": 0.1, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "90 %": 0.9, "max": 1.0}
_FEW: Final = 5
_HEAD: Final = 0.2
_MOST: Final = 0.8
_RATINGS_SHOWN: Final = 20


@dataclass(frozen=True, kw_only=True)
class Tail:
    """How the interactions are spread over the users, or over the items.

    Attributes:
        n: How many have an interaction.
        gini: Gini coefficient of the interactions over those: 0 when all have equally many, near 1 when one has all.
        head_share: Share of the interactions that the most active (most popular) fifth has, rounded up to whole ones.
        n_for_80: The fewest that together have 80 % of the interactions.
        mean: Interactions each.
        quantiles: min, 10 %, 25 %, median, 75 %, 90 % and max of the interactions each (linear between two values).
        under_5: How many have fewer than 5 interactions; most methods know next to nothing about them.
        cold: How many have attributes but no interaction; None without a table of attributes.
        without_attributes: How many have interactions but no attributes; None without a table of attributes.
    """

    n: int
    gini: float
    head_share: float
    n_for_80: int
    mean: float
    quantiles: Mapping[str, float]
    under_5: int
    cold: int | None
    without_attributes: int | None


@dataclass(frozen=True, kw_only=True)
class Profile(Tabular):
    """The profile of a data set.

    Attributes:
        name: The name of the data set.
        synthetic: Whether it was drawn and not observed.
        n_interactions: Events: the rows of the log, with all repeats of a pair.
        n_users: Users with an interaction.
        n_items: Items with an interaction.
        density: Distinct (user, item) pairs ÷ (users × items).
        first: The first timestamp; None where there are none.
        last: The last timestamp.
        span_days: From the first to the last, in days.
        users: How the interactions are spread over users.
        items: How they are spread over items.
        duplicates: Rows that repeat the (user, item) pair of another one.
        tied_rows: Rows whose user has another one at the same moment.
        users_tied_at_the_end: Users whose last two rows have the same timestamp: what came last is unknown there, and
            leave-one-out depends on a rule.
        ratings: Rating (or interval of ratings, where there are more than 20 different ones) -> rows; None without.
        mean_rating: Mean of the finite ratings.
        problems: What to know of, with row counts; empty is good.
        rules: What was done to the data on its way here, from its card.
        columns_not_used: Columns of the file that hold nothing RecLens uses, from its card.
    """

    name: str
    synthetic: bool
    n_interactions: int
    n_users: int
    n_items: int
    density: float
    first: datetime | None
    last: datetime | None
    span_days: float | None
    users: Tail
    items: Tail
    duplicates: int
    tied_rows: int | None
    users_tied_at_the_end: int | None
    ratings: Mapping[str, int] | None
    mean_rating: float | None
    problems: tuple[Problem, ...]
    rules: tuple[AppliedRule, ...]
    columns_not_used: tuple[str, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a measure: ``section``, ``measure``, ``value`` and ``facts`` of problems and rules."""
        rows: list[dict[str, Any]] = []

        def add(section: str, measure: str, value: Any, facts: Mapping[str, Any] | None = None) -> None:
            if value is not None:
                value = value.isoformat() if isinstance(value, datetime) else value
                told = ", ".join(f"{name}={fact}" for name, fact in (facts or {}).items())
                rows.append({"section": section, "measure": measure, "value": value, "facts": told})

        add("size", "name", self.name, {"synthetic": True} if self.synthetic else None)
        add("size", "interactions", self.n_interactions)
        add("size", "users", self.n_users)
        add("size", "items", self.n_items)
        add("size", "density", self.density)
        add("size", "repeated pairs", self.duplicates)
        for column in self.columns_not_used:
            add("columns", "not used", column)
        add("time", "first", self.first)
        add("time", "last", self.last)
        add("time", "days", self.span_days)
        add("time", "rows at one moment", self.tied_rows)
        add("time", "users tied at the end", self.users_tied_at_the_end)
        for section, tail in (("users", self.users), ("items", self.items)):
            add(section, "Gini", tail.gini)
            add(section, "head share", tail.head_share)
            add(section, "number for 80 %", tail.n_for_80)
            add(section, "mean", tail.mean)
            for quantile, value in tail.quantiles.items():
                add(section, quantile, value)
            add(section, "under 5", tail.under_5)
            add(section, "cold", tail.cold)
            add(section, "without attributes", tail.without_attributes)
        add("ratings", "mean", self.mean_rating)
        for rating, count in (self.ratings or {}).items():
            add("ratings", rating, count)
        for problem in self.problems:
            add("problems", problem.code, problem.rows, problem.facts)
        for rule in self.rules:
            add("rules applied", rule["code"], rule["count"], rule["facts"])
        return rows


def profile(data: Dataset) -> Profile:
    """Describe a data set.

    Args:
        data: The data set.

    Raises:
        DataError: If it has no interactions.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> found = profile(synthetic_movielens())
        >>> found.n_interactions, round(found.density, 3), round(found.items.gini, 2), found.users.quantiles["median"]
        (100000, 0.063, 0.62, 65.0)
        >>> [(problem.code, problem.rows) for problem in found.problems]
        [('ties_at_the_end', 457)]
    """
    table = data.events
    if not table.height:
        raise DataError("there are no interactions", source=data.name, fix="Check the file, and the filters before.")
    merged = data.card.get("duplicates") is not None
    pairs = data.interactions.height if merged else table.select(USER, ITEM).n_unique()
    side_by_side = LocalEngine()
    codes = dict(side_by_side.map(lambda key: (key, _codes(data, key)), (USER, ITEM)))
    n_users, n_items = len(data.user_vocabulary), len(data.item_vocabulary)
    steps: list[Callable[[], Any]] = [
        lambda: _times(data, codes[USER]),
        lambda: _tail(codes[USER], data.user_vocabulary.ids, data.users, USER),
        lambda: _tail(codes[ITEM], data.item_vocabulary.ids, data.items, ITEM),
        lambda: _ratings(data),
        lambda: number_problems(table),
    ]
    times, users, items, (ratings, mean_rating), numbers = side_by_side.map(lambda step: step(), steps)
    duplicates = table.height - pairs
    problems = [
        Problem("repeated_pairs", duplicates),
        *time_problems(table, times, n_users),
        *numbers,
        *attribute_problems(data, {"users": users.without_attributes, "items": items.without_attributes}),
    ]
    return Profile(
        name=data.name,
        synthetic=bool(data.card.get("synthetic")),
        n_interactions=table.height,
        n_users=n_users,
        n_items=n_items,
        density=pairs / (n_users * n_items),
        users=users,
        items=items,
        duplicates=duplicates,
        ratings=ratings,
        mean_rating=mean_rating,
        problems=tuple(problem for problem in problems if problem.rows),
        rules=tuple(data.card.get("rules", ())),
        columns_not_used=tuple(data.card.get("columns_not_used", ())),
        **times,
    )


def _tail(codes: np.ndarray, ids: pl.Series, attributes: pl.DataFrame | None, key: str) -> Tail:
    counts = np.sort(np.bincount(codes, minlength=len(ids)))
    n, total = len(counts), int(counts.sum())
    quantiles = np.quantile(counts, list(_QUANTILES.values())).tolist()
    falling = np.cumsum(counts[::-1])
    head = int(np.ceil(_HEAD * n - 1e-9))
    described = attributes[key].unique() if attributes is not None else None
    return Tail(
        n=n,
        gini=float(gini(counts)),
        head_share=float(falling[head - 1] / total),
        n_for_80=int(np.searchsorted(falling, _MOST * total - 1e-9)) + 1,
        mean=total / n,
        quantiles=MappingProxyType(dict(zip(_QUANTILES, quantiles, strict=True))),
        under_5=int((counts < _FEW).sum()),
        cold=None if described is None else len(described) - int(described.is_in(ids.implode()).sum()),
        without_attributes=None if described is None else n - int(ids.is_in(described.implode()).sum()),
    )


def _codes(data: Dataset, key: str) -> np.ndarray:
    """The code of the user, or of the item, of each event."""
    known = data.user_vocabulary if key == USER else data.item_vocabulary
    return known.encode(data.events[key])


def _times(data: Dataset, users: np.ndarray) -> dict[str, Any]:
    """The measures of time; None each where there are no times."""
    table = data.events
    if not data.has_timestamps or table[TIMESTAMP].null_count() == table.height:
        return dict.fromkeys(("first", "last", "span_days", "tied_rows", "users_tied_at_the_end"))
    if not isinstance(table.schema[TIMESTAMP], pl.Datetime):
        raise DataError(
            f"timestamps are {table.schema[TIMESTAMP]}, expected Datetime",
            source=data.name,
            column=TIMESTAMP,
            fix="Bring the table in by reclens.read, which turns seconds, milliseconds and text into times.",
        )
    known = table[TIMESTAMP]
    if known.null_count():
        users, known = users[known.is_not_null().to_numpy()], known.drop_nulls()
    first, last = known.min(), known.max()
    assert isinstance(first, datetime) and isinstance(last, datetime)
    tied_rows, tied_users = _ties(users, known.to_physical().to_numpy())
    return {
        "first": first,
        "last": last,
        "span_days": (last - first).total_seconds() / 86_400,
        "tied_rows": tied_rows,
        "users_tied_at_the_end": tied_users,
    }


def _ties(users: np.ndarray, times: np.ndarray) -> tuple[int, int]:
    """Rows whose user has another one at the same time, and users whose last two rows have one time.

    Args:
        users: Codes of users, shape (rows,).
        times: Times as integers, int64, shape (rows,).
    """
    times = times - times.min()
    seconds = times // 1_000_000
    room = seconds * 1_000_000  # of what is as long as the log there is no more than needed
    times = seconds if (room == times).all() else times  # user and time then fit into one integer
    span = int(times.max()) + 1
    if int(users.max() + 1) * span < 2**63:
        np.multiply(users, span, out=room, dtype=np.int64)
        room += times
        key = pl.Series(room).sort().to_numpy()
        rows = np.bincount(users)
        ends = np.cumsum(rows)[rows > 0]
        alike = key[1:] == key[:-1]
    else:
        order = np.lexsort((times, users))
        user, time = users[order], times[order]
        ends = np.append(np.flatnonzero(user[1:] != user[:-1]) + 1, len(user))
        alike = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
    tied = np.zeros(len(users), bool)
    tied[1:] |= alike
    last = int(tied[ends - 1].sum())  # a last row that is like the one before it
    tied[:-1] |= alike
    return int(tied.sum()), last


def _ratings(data: Dataset) -> tuple[Mapping[str, int] | None, float | None]:
    """Rows of each rating, and the mean of the finite ones; None each where there are none."""
    if not data.has_ratings:
        return None, None
    ratings = data.events[RATING].cast(pl.Float64).fill_nan(None).drop_nulls()
    finite = ratings.filter(ratings.is_finite())
    counts = MappingProxyType(_rating_counts(ratings)) if len(ratings) else None
    return counts, float(finite.to_numpy().mean()) if len(finite) else None


def _rating_counts(ratings: pl.Series) -> dict[str, int]:
    told = ratings.alias("value").value_counts(name="rows").sort("value")
    values, counts = told["value"].to_numpy(), told["rows"].to_numpy()
    if len(values) <= _RATINGS_SHOWN:
        return {f"{value:g}": int(count) for value, count in zip(values, counts, strict=True)}
    finite = ratings.filter(ratings.is_finite()).to_numpy()
    counts, edges = np.histogram(finite, bins=10)
    shown = {f"{edges[at]:.4g} to {edges[at + 1]:.4g}": int(count) for at, count in enumerate(counts)}
    return shown | ({"infinite": len(ratings) - len(finite)} if len(finite) < len(ratings) else {})
