"""Items as sparse feature vectors: tf-idf of attributes and texts, and given vectors.

Each column of the items table gives a block of the vector:

============  =====================================================  ==================================================
kind          column                                                 features
============  =====================================================  ==================================================
``list``      several values, such as genres                         one a value, tf-idf
``category``  one value, such as a brand; true or false              one a value, tf-idf
``text``      words, such as a title                                 one a word, tf-idf
``number``    numbers, dates                                         one a range that holds equally many items, tf-idf
``vector``    ``List(Float)`` or ``Array`` of one length             one a dimension, as given
============  =====================================================  ==================================================

``auto`` infers the kind from the type of the column; text is a ``category`` if values repeat (at most half as many
distinct values as values), and a ``text`` otherwise. tf is the count, or 1 + ln(count); idf is ln((1 + items) ÷ (1 +
items with it)) + 1, as in scikit-learn. Each block is normalised to length 1 and multiplied by √(weight of its column ÷
sum of the weights): the product of two items is the weighted mean of the cosines of their columns, independent of the
number of words. A missing column contributes 0. (The whole vector is not normalised: that would favour items with few
known columns.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from reclens.data.dataset import UserItemMatrix
from reclens.engine import Progress
from reclens.errors import Advice, ArgumentValueError, DataError, Setting, UnknownNameError, UsageError
from reclens.models._content.words import ENGLISH, words_of
from reclens.schema import ITEM, Vocabulary

__all__ = ["KINDS", "FeatureOptions", "FeatureTable", "check_stop_words", "is_identifier", "item_features"]

KINDS: Final = ("auto", "list", "category", "text", "number", "vector")
_ROWS_A_CHUNK: Final = 20_000
_IDENTIFIER: Final = re.compile(r"(^|_)id$|[a-z]Id$")
Cells = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows (int64), columns (int64) and values (float64) of a sparse matrix, without duplicates."""


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """How columns become features; see :class:`reclens.models.Content` for what each means."""

    features: Mapping[str, str]
    weights: Mapping[str, float]
    bins: int
    min_items: int
    sublinear: bool
    stop_words: frozenset[str]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Feature vectors of items.

    Attributes:
        vectors: Items × features; a row has length 1, less where columns are missing, or is empty.
        names: ``"column: value"`` of each feature.
        kinds: Kind of each column that was used.
        absent: Number of items in the catalogue that are not in the items table.
    """

    vectors: UserItemMatrix
    names: list[str]
    kinds: dict[str, str]
    absent: int


def item_features(
    items: pl.DataFrame, catalogue: Vocabulary, options: FeatureOptions, progress: Progress
) -> FeatureTable:
    """Compute the feature vectors of the items of a catalogue.

    Args:
        items: ``item_id, …attributes``; the first row of an item is used.
        catalogue: The items, in the order of the rows.
        options: How columns become features.
        progress: Called as columns are done.

    Raises:
        UnknownNameError: If a column does not exist.
        UsageError: If a column cannot be of the kind that is asked for, or no feature comes out.
        DataError: If vectors differ in length or are not finite.
    """
    kinds = _chosen(items, options.features)
    for column in options.weights:
        if column not in kinds:
            raise UnknownNameError("column in weights", column, kinds)
    rows = catalogue.encode(items[ITEM].cast(catalogue.ids.dtype))
    table = items.with_columns(pl.Series("row", rows, pl.Int64)).filter(pl.col("row") >= 0).unique("row", keep="first")
    table = table.sort("row")
    total = sum(options.weights.get(column, 1.0) for column in kinds)
    found: list[Cells] = []
    names: list[str] = []
    for done, (column, kind) in enumerate(kinds.items()):
        progress(f"fit content: {column}", done, len(kinds))
        values = table[column]
        if kind == "vector":
            cells, own = _given(values, column, table["row"].to_numpy())
        else:
            cells, own = _tf_idf(values, kind, table["row"].to_numpy(), len(catalogue), options)
        scale = np.sqrt(options.weights.get(column, 1.0) / total)
        at, feature, value = _of_length_one(cells, len(catalogue))
        found.append((at, feature + len(names), value * scale))
        names += [f"{column}: {name}" for name in own]
    if not names:
        raise UsageError(
            f"the items have no feature in {', '.join(kinds) or 'any column'}: each value is missing, or stands in "
            f"fewer than {options.min_items} items",
            advice=Advice(
                "other_features",
                (Setting("features", of="model"), Setting("min_items", of="model")),
                "Name other columns by {features}, or lower {min_items}.",
            ),
        )
    at, feature, value = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(at * len(names) + feature)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=len(catalogue)))]).astype(np.int64)
    vectors = UserItemMatrix(indptr, feature[order].astype(np.int32), value[order].astype(np.float32), len(names))
    return FeatureTable(vectors, names, kinds, len(catalogue) - table.height)


def _chosen(items: pl.DataFrame, features: Mapping[str, str]) -> dict[str, str]:
    """The kind of each column that is used."""
    attributes = [name for name in items.columns if name != ITEM]
    kinds: dict[str, str] = {}
    for column, asked in (features or dict.fromkeys(attributes, "auto")).items():
        if column not in attributes:
            raise UnknownNameError("item attribute", column, attributes)
        if not features and is_identifier(column):
            continue  # identifiers of other things do not describe the item
        able = _possible(items[column])
        if asked == "auto" and not able:
            if features:
                raise UsageError(f"the item attribute '{column}' is {items[column].dtype}: no feature comes from that.")
            continue
        if asked != "auto" and asked not in able:
            able_text = f"expected {' or '.join(able)}" if able else "no feature comes from that"
            raise UsageError(f"the item attribute '{column}' is {items[column].dtype}, not a '{asked}': {able_text}.")
        kinds[column] = able[0] if asked == "auto" else asked
    return kinds


def _possible(values: pl.Series) -> list[str]:
    """Kinds that fit the type of a column, the default first."""
    dtype = values.dtype
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        if inner.is_float() or (isinstance(dtype, pl.Array) and inner.is_numeric()):
            return ["vector"]
        text = inner == pl.String or isinstance(inner, pl.Categorical | pl.Enum) or inner.is_integer()
        return ["list"] if text else []
    if dtype == pl.String:
        distinct, filled = values.drop_nulls().n_unique(), len(values) - values.null_count()
        return ["category", "text"] if 2 * distinct <= filled else ["text", "category"]
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return ["category", "text"]
    if dtype == pl.Boolean:
        return ["category"]
    if dtype.is_integer():
        return ["number", "category"]
    return ["number"] if dtype.is_numeric() or dtype == pl.Date or isinstance(dtype, pl.Datetime) else []


def _tf_idf(
    values: pl.Series, kind: str, rows: np.ndarray, n_items: int, options: FeatureOptions
) -> tuple[Cells, Iterable[str]]:
    """tf-idf of a column as cells, and the names of its features."""
    at, feature, count, known = _counted(values, kind, rows, options)
    holders = np.bincount(feature, minlength=len(known))
    keep = np.flatnonzero(holders >= options.min_items)
    # Features are sorted by name, or by range.
    keep = keep if kind == "number" else keep[np.argsort(np.array([known[each] for each in keep], object))]
    place = np.full(len(known), -1, np.int64)
    place[keep] = np.arange(len(keep))
    used = place[feature] >= 0
    at, feature, count = at[used], place[feature[used]], count[used]
    idf = np.log((1 + n_items) / (1 + holders[keep])) + 1
    tf = 1 + np.log(count) if options.sublinear else count
    return (at, feature, tf * idf[feature]), [known[each] for each in keep]


def _counted(
    values: pl.Series, kind: str, rows: np.ndarray, options: FeatureOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Row, feature and count of each cell, and the features in order of first occurrence."""
    if kind == "number":
        return _binned(values, rows, options.bins)
    known: dict[str, int] = {}
    parts: list[Cells] = []
    for start, lists in _lists(values, kind):
        chunk = pl.DataFrame({"row": rows[start : start + len(lists)], "value": lists})
        chunk = chunk.explode("value") if kind != "category" else chunk
        chunk = chunk.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
        if kind == "text" and options.stop_words:
            chunk = chunk.filter(~pl.col("value").is_in(list(options.stop_words)))
        cells = chunk.group_by("row", "value").len()
        words = cells["value"].unique()
        for word in words:
            known.setdefault(word, len(known))
        codes = words.to_frame().with_columns(pl.Series("code", [known[word] for word in words], pl.Int64))
        cells = cells.join(codes, on="value")
        parts.append((cells["row"].to_numpy(), cells["code"].to_numpy(), cells["len"].to_numpy().astype(np.float64)))
    at, feature, count = (np.concatenate(part) for part in zip(*parts, strict=True))
    return at, feature, count, list(known)


def _lists(values: pl.Series, kind: str) -> Iterator[tuple[int, pl.Series]]:
    """Values of each item, in blocks of rows because the words of all texts may not fit into memory."""
    for start in range(0, max(len(values), 1), _ROWS_A_CHUNK):
        part = values.slice(start, _ROWS_A_CHUNK)
        if kind == "list":
            yield start, part.cast(pl.List(pl.String))
        elif kind == "text":
            yield start, words_of(part)
        else:
            yield start, part.cast(pl.String)


def _binned(values: pl.Series, rows: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Bin numbers at their quantiles; a bin is named by its smallest and largest number."""
    temporal = values.dtype.is_temporal()
    if temporal:
        values = values.dt.date()
    numbers = (values.to_physical() if temporal else values).cast(pl.Float64).fill_null(np.nan).to_numpy()
    there = np.isfinite(numbers)
    at, known = rows[there], numbers[there]
    if not len(known):
        return at, np.zeros(0, np.int64), np.zeros(0), []
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf"))
    bin_of = np.searchsorted(edges, known, side="left")
    used, bin_of = np.unique(bin_of, return_inverse=True)
    shown = values.cast(pl.String).filter(pl.Series(there)).to_numpy() if temporal else [f"{x:.6g}" for x in known]
    names: list[str] = []
    for each in range(len(used)):
        mine = np.flatnonzero(bin_of == each)
        low, high = shown[mine[np.argmin(known[mine])]], shown[mine[np.argmax(known[mine])]]
        names.append(str(low) if low == high else f"{low} to {high}")
    return at, bin_of.astype(np.int64), np.ones(len(at)), names


def _given(values: pl.Series, column: str, rows: np.ndarray) -> tuple[Cells, list[str]]:
    """Cells of given vectors; a missing vector has none.

    Raises:
        DataError: If they differ in length or have values that are not finite.
    """
    lists = values.cast(pl.List(pl.Float64))
    lengths = lists.list.len().fill_null(0).to_numpy()
    there = lengths > 0
    size = int(lengths.max()) if len(lengths) else 0
    other = np.flatnonzero(there & (lengths != size))
    if len(other):
        raise DataError(
            f"the vectors have {size} numbers and {lengths[other[0]]}, expected one length",
            source="items",
            column=column,
            fix="Leave out what comes from another model.",
        )
    numbers = lists.filter(pl.Series(there)).explode().fill_null(np.nan).to_numpy().reshape(-1, size or 1)
    if not np.isfinite(numbers).all():
        raise DataError(
            "a vector holds what is no finite number",
            source="items",
            column=column,
            fix="Make the whole vector null where it is not known.",
        )
    at, feature = np.nonzero(numbers)
    return (rows[there][at], feature.astype(np.int64), numbers[at, feature]), [str(each) for each in range(size)]


def _of_length_one(cells: Cells, n_rows: int) -> Cells:
    """Normalise each row to Euclidean length 1."""
    at, feature, value = cells
    lengths = np.sqrt(np.bincount(at, value**2, n_rows))
    return at, feature, value / lengths[at]


def is_identifier(column: str) -> bool:
    """Whether the name of a column is that of an identifier, such as ``parent_id`` or ``tmdbId``."""
    return bool(_IDENTIFIER.search(column))


def check_stop_words(stop_words: object) -> frozenset[str]:
    """Stop words from ``None``, ``"english"`` or a list of words.

    Raises:
        UsageError: If they are something else.
    """
    if stop_words is None:
        return frozenset()
    if stop_words == "english":
        return ENGLISH
    if isinstance(stop_words, str) or not isinstance(stop_words, Iterable):
        raise ArgumentValueError(
            "stop_words", f"is {stop_words!r}, expected None, 'english' or a list of words", of="model"
        )
    return frozenset(str(word).lower() for word in stop_words)
