"""Segmentations of users, for ``data.with_segments(age=segments.bins("age", [25, 45]))``.

Each function returns a segmenter: a callable that takes a data set and gives each user a label, computed from that data
set alone. Pass the training part, so that test data does not affect the groups. Labels are in display order. Users with
a missing attribute have a null label.

========================  =======================================================================
``bins``                  a numeric column at fixed edges: ages below 25, 25 to 44, 45 and above
``quantiles``             groups of equal size: light, medium and heavy users
``top_value``             the value with the largest share of a profile: favourite genre
``mainstreamness``        share of interactions with the most popular items
``column``                any attribute as it is
``product``               two of these crossed: age × gender
``usual``                 the default segmentations of reports
========================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from reclens.data.bands import in_order
from reclens.data.dataset import Dataset, Segmenter
from reclens.errors import Advice, ArgumentValueError, UnknownNameError, UsageError
from reclens.schema import ITEM, USER

__all__ = ["bins", "column", "mainstreamness", "product", "quantiles", "top_value", "usual"]

_ACTIVITY = "n_interactions"
_LABEL = "label"


def bins(name: str, edges: Sequence[float], *, labels: Sequence[str] | None = None) -> Segmenter:
    """Bin a numeric column at fixed edges; each edge belongs to the group above it.

    Args:
        name: A numeric column of the users, or ``"n_interactions"``.
        edges: Edges of the groups, ascending.
        labels: Names of the groups, one more than edges; by default ``"<25"``, ``"25-44"``, ``"45+"`` for whole numbers
            and ``"<2.5"``, ``"2.5 to <4"``, ``"4+"`` for others.

    Raises:
        UsageError: If the edges do not ascend, the labels do not fit, or (when it is called) the column is no number.
        UnknownNameError: When it is called, if there is no such column.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> bins("age", [25, 45])(data)["label"].value_counts().sort("label").rows()
        [('<25', 12), ('25-44', 27), ('45+', 11)]
    """
    cuts = [float(edge) for edge in edges]
    if not cuts or not np.isfinite(cuts).all() or any(low >= high for low, high in pairwise(cuts)):
        raise ArgumentValueError("edges", f"are {list(edges)}, expected numbers that ascend, such as [25, 45].")
    if labels is not None:
        _check_labels(labels, len(cuts) + 1)

    def segment(data: Dataset) -> pl.DataFrame:
        table = _numbers(data, name)
        whole = table["value"].dtype.is_integer() and all(cut.is_integer() for cut in cuts)
        names = list(labels) if labels is not None else _bin_labels(cuts, whole)
        values = table["value"].cast(pl.Float64).fill_nan(None)
        codes = np.searchsorted(cuts, values.fill_null(0.0).to_numpy(), side="right")
        return _labelled(table[USER], codes, names, missing=values.is_null())

    return segment


def quantiles(name: str, labels: Sequence[str]) -> Segmenter:
    """Bin a numeric column into groups of equal size, as far as ties allow.

    With m labels a user is in group ``floor(m · share of the users whose value is smaller than theirs)``, so equal
    values are always in the same group. If many users share one value (for example, half of them have a single
    interaction), edges coincide: all of those users are in the lower group, and a group within the tie is empty.

    The shares are over the users with an interaction; the others are binned by the same edges, except for
    ``"n_interactions"``, where their label is null.

    Args:
        name: A numeric column of the users, or ``"n_interactions"``.
        labels: The names of the groups, lowest first.

    Raises:
        UsageError: If there are fewer than two labels, two are equal, or (when it is called) the column is no number.
        UnknownNameError: When it is called, if there is no such column.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> segmenter = quantiles("n_interactions", ["light", "medium", "heavy"])
        >>> segmenter(data)["label"].value_counts().sort("label").rows()
        [('light', 21), ('medium', 13), ('heavy', 16)]
    """
    _check_labels(labels)

    def segment(data: Dataset) -> pl.DataFrame:
        table = _numbers(data, name)
        values = table["value"].cast(pl.Float64).fill_nan(None)
        active = table[USER].is_in(data.user_vocabulary.ids.implode()) & values.is_not_null()
        codes = _quantile_codes(values.fill_null(0.0).to_numpy(), values.filter(active).to_numpy(), len(labels))
        return _labelled(table[USER], codes, labels, missing=values.is_null())

    return segment


def top_value(name: str) -> Segmenter:
    """The value with the largest share of each user's profile, such as their favourite genre.

    Each interaction has a weight of 1, divided equally over the values of the item (a third to each of three genres);
    items without a value are ignored. Ties go to the value that is more frequent over all interactions, then to the
    first in alphabetical order; groups are in this order too. Shares are compared to nine decimals, so rounding does
    not break ties.

    Args:
        name: A column of the items: a list such as genres, or a single value.

    Raises:
        UnknownNameError: When it is called, if there is no such column.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> top_value("genres")(data)["label"].value_counts().sort("label").rows()
        [('Comedy', 29), ('Drama', 18), ('Romance', 1), ('Sci-Fi', 1), ('Musical', 1)]
    """

    def segment(data: Dataset) -> pl.DataFrame:
        weights = _value_weights(data, name)
        shares = (
            data.events.select(USER, ITEM).join(weights, on=ITEM).group_by(USER, "value").agg(pl.col("weight").sum())
        )
        total = (
            shares.group_by("value")
            .agg(pl.col("weight").sum().round(9))
            .sort("weight", "value", descending=[True, False])
        )
        order = total.select("value", pl.int_range(pl.len()).alias("place"))
        top = (
            shares.with_columns(pl.col("weight").round(9))
            .join(order, on="value")
            .sort(USER, "weight", "place", descending=[False, True, False])
            .unique(USER, keep="first", maintain_order=True)
        )
        placed = data.user_vocabulary.ids.alias(USER).to_frame().join(top, on=USER, how="left", maintain_order="left")
        return placed.select(USER, pl.col("value").cast(pl.Enum(order["value"])).alias(_LABEL))

    return segment


def mainstreamness(
    labels: Sequence[str] = ("niche", "balanced", "mainstream"), *, head_share: float = 0.2
) -> Segmenter:
    """Group users by the share of their interactions with the most popular items, in groups of equal size.

    The head is the most popular ``head_share`` of the items, rounded up, and items tied with the last of them. A user's
    value is the share of their interactions with items of the head; the groups are those of :func:`quantiles`.

    Args:
        labels: Names of the groups, from the lowest share of the head to the highest.
        head_share: Share of the items in the head, in (0, 1).

    Raises:
        UsageError: If the share is not in (0, 1), there are fewer than two labels, or two are equal.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> mainstreamness()(data)["label"].value_counts().sort("label").rows()
        [('niche', 18), ('balanced', 16), ('mainstream', 16)]

    References:
        Abdollahpouri, Mansoury, Burke, Mobasher (2019), The unfairness of popularity bias in recommendation, whose
        groups are niche, diverse and blockbuster users.
    """
    if not 0 < head_share < 1:
        raise ArgumentValueError(
            "head_share", f"is {head_share}, expected a share of the items between 0 and 1, such as 0.2"
        )
    _check_labels(labels)

    def segment(data: Dataset) -> pl.DataFrame:
        popularity = data.events.group_by(ITEM).len("count").sort("count", descending=True)
        last = int(np.ceil(head_share * popularity.height - 1e-9)) - 1
        head = popularity.filter(pl.col("count") >= popularity["count"][last]) if popularity.height else popularity
        shares = (
            data.events.select(USER, pl.col(ITEM).is_in(head[ITEM].implode()).alias("in_head"))
            .group_by(USER)
            .agg(pl.col("in_head").mean().alias("value"))
            .sort(USER)
        )
        values = shares["value"].to_numpy()
        return _labelled(shares[USER], _quantile_codes(values, values, len(labels)), labels)

    return segment


def column(name: str, *, order: Sequence[str] | None = None) -> Segmenter:
    """Use an attribute of the users as it is; numbers and ranges are in their order, text in alphabetical order.

    Args:
        name: A column of the users.
        order: Labels in display order; labels that it leaves out follow.

    Raises:
        UnknownNameError: When it is called, if there is no such column, or no user has a label of ``order``.
        UsageError: If ``order`` has a label twice.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> column("gender")(data)["label"].value_counts().sort("label").rows()
        [('F', 12), ('M', 38)]
    """
    if order is not None:
        _check_labels(order, several=False)

    def segment(data: Dataset) -> pl.DataFrame:
        table = _attribute(data, name)
        values = table["value"]
        if isinstance(values.dtype, pl.Enum) and order is None:
            return table.rename({"value": _LABEL})
        if values.dtype.is_nested():
            raise UsageError(
                f"'{name}' is {values.dtype}: users have one label each. Use a column with one value a user."
            )
        known = values.drop_nulls().unique().sort().cast(pl.String).unique(maintain_order=True).to_list()
        if not values.dtype.is_numeric() and not isinstance(values.dtype, pl.Enum):
            known = in_order(known)
        for label in order or ():
            if label not in known:
                raise UnknownNameError(f"label of {name} in order", label, known)
        known = [*(order or ()), *(label for label in known if label not in (order or ()))]
        return table.select(USER, pl.col("value").cast(pl.String).cast(pl.Enum(known)).alias(_LABEL))

    return segment


def product(first: Segmenter | str, second: Segmenter | str, *, sep: str = " × ") -> Segmenter:
    """Cross two segmentations: every pair of their labels is a group.

    Args:
        first: A segmenter, or the name of a column of the users.
        second: Another segmenter or column.
        sep: Separator of the two labels.

    Raises:
        UsageError: When it is called, if two pairs would have the same label.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
        >>> product(bins("age", [30]), "gender")(data)["label"].value_counts().sort("label").rows()
        [('<30 × F', 2), ('<30 × M', 19), ('30+ × F', 10), ('30+ × M', 19)]
    """
    one, two = (column(part) if isinstance(part, str) else part for part in (first, second))

    def segment(data: Dataset) -> pl.DataFrame:
        left, right = _as_enum(one(data)), _as_enum(two(data))
        rows, columns = _categories(left), _categories(right)
        names = [f"{row}{sep}{other}" for row in rows for other in columns]
        if len(set(names)) < len(names):
            raise UsageError(f"two pairs of labels read alike when joined by {sep!r}. Choose another sep.")
        both = left.join(right, on=USER, suffix="_2", maintain_order="left")
        label = pl.format("{}" + sep.replace("{", "{{").replace("}", "}}") + "{}", _LABEL, f"{_LABEL}_2")
        return both.select(USER, label.cast(pl.Enum(names)).alias(_LABEL))

    return segment


def _check_labels(labels: Sequence[str], wanted: int | None = None, *, several: bool = True) -> None:
    if (several and len(labels) < 2) or len(set(labels)) < len(labels):
        raise ArgumentValueError(
            "labels", f"are {list(labels)}, expected {'two or more ' if several else ''}different names."
        )
    if wanted is not None and len(labels) != wanted:
        raise UsageError(f"there are {len(labels)} labels, expected {wanted}: one more than there are edges.")


def _attribute(data: Dataset, name: str) -> pl.DataFrame:
    """``user_id, value`` of the attribute, or of the number of interactions."""
    if name == _ACTIVITY and (data.users is None or _ACTIVITY not in data.users.columns):
        return data.events.group_by(USER).agg(pl.len().cast(pl.Int64).alias("value")).sort(USER)
    known = [known for known in data.users.columns if known != USER] if data.users is not None else []
    if data.users is None or name not in known:
        raise UnknownNameError("user attribute", name, [*known, _ACTIVITY])
    return data.users.select(USER, pl.col(name).alias("value"))


def _numbers(data: Dataset, name: str) -> pl.DataFrame:
    table = _attribute(data, name)
    if not table["value"].dtype.is_numeric():
        raise UsageError(
            f"'{name}' is {table['value'].dtype}, expected numbers to cut",
            advice=Advice("values_as_they_are", text="For its values as they are use rl.segments.column."),
        )
    return table


def _bin_labels(cuts: list[float], whole: bool) -> list[str]:
    def between(low: float, high: float) -> str:
        if not whole:
            return f"{low:g} to <{high:g}"
        return f"{low:.0f}" if high == low + 1 else f"{low:.0f}-{high - 1:.0f}"

    show = "{:.0f}" if whole else "{:g}"
    return [
        f"<{show.format(cuts[0])}",
        *(between(low, high) for low, high in pairwise(cuts)),
        f"{show.format(cuts[-1])}+",
    ]


def _quantile_codes(values: np.ndarray, among: np.ndarray, n_groups: int) -> np.ndarray:
    """``floor(n_groups · share of among that is smaller)``, in whole numbers so that no rounding decides."""
    smaller = np.searchsorted(np.sort(among), values, side="left")
    return np.minimum(smaller * n_groups // max(len(among), 1), n_groups - 1)


def _labelled(
    users: pl.Series, codes: np.ndarray, labels: Sequence[str], *, missing: pl.Series | None = None
) -> pl.DataFrame:
    names = pl.Series(_LABEL, list(labels), dtype=pl.Enum(list(labels)))
    found = pl.DataFrame({USER: users, _LABEL: names.gather(codes)})
    if missing is None or not missing.any():
        return found
    return found.with_columns(pl.when(~missing).then(pl.col(_LABEL)))


def usual(data: Dataset) -> dict[str, Segmenter]:
    """The default segmentations: age, favourite genre and activity, if the data has them.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> list(usual(synthetic_movielens(n_users=50, n_items=40, n_ratings=900)))
        ['age', 'favourite genre', 'activity']
    """
    found: dict[str, Segmenter] = {}
    if data.users is not None and "age" in data.users.columns and data.users["age"].dtype.is_numeric():
        found["age"] = bins("age", [25, 45])
    if data.items is not None and isinstance(data.items.schema.get("genres"), pl.List):
        found["favourite genre"] = top_value("genres")
    return found | {"activity": quantiles(_ACTIVITY, ["light", "medium", "heavy"])}


def _value_weights(data: Dataset, name: str) -> pl.DataFrame:
    """``item_id, value, weight``: the weight of each value in an interaction with the item."""
    known = [known for known in data.items.columns if known != ITEM] if data.items is not None else []
    if data.items is None or name not in known:
        raise UnknownNameError("item attribute", name, known)
    values = pl.col(name) if isinstance(data.items.schema[name], pl.List) else pl.concat_list(name)
    values = values.cast(pl.List(pl.String)).list.drop_nulls().list.unique()
    table = data.items.select(ITEM, values.alias("value")).filter(pl.col("value").list.len() > 0)
    return table.with_columns(weight=1.0 / pl.col("value").list.len()).explode("value")


def _as_enum(table: pl.DataFrame) -> pl.DataFrame:
    """The segmenter's table with its label column named label, as an Enum."""
    label = table[table.columns[-1]]
    if not isinstance(label.dtype, pl.Enum):
        label = label.cast(pl.String)
        label = label.cast(pl.Enum(label.drop_nulls().unique().sort()))
    return table.select(USER, label.alias(_LABEL))


def _categories(table: pl.DataFrame) -> list[str]:
    dtype = table.schema[_LABEL]
    assert isinstance(dtype, pl.Enum)
    return dtype.categories.to_list()
