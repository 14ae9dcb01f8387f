"""The contract kit for vector stores: what every one has to keep, whatever is behind it.

::

    from reclens.testing.stores import check_store
    check_store(lambda: MyStore("an address that nothing is at"))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from reclens.errors import DataError, IncomparableError, NotFittedError, UnknownNameError, UsageError
from reclens.protocols import StoreCard, VectorStore

__all__ = ["check_store"]

_CARD = StoreCard(
    model="contract",
    revision="1",
    dimension=8,
    id_type="text",
    attributes={"language": "text", "year": "number", "adult": "boolean", "genres": "texts"},
)
_IDS = [f"ид-{n} 🎬/{chr(97 + n % 26)}" for n in range(300)]


def check_store(connect: Callable[[], VectorStore], *, exact: bool = True) -> None:
    """Raise AssertionError unless a store keeps the contract; it is left empty.

    Args:
        connect: Connects to one and the same place, at which there is no store yet.
        exact: Whether a query has to find the nearest ones for certain.
    """
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((300, 8)).astype(np.float32) * rng.uniform(0.5, 3, (300, 1)).astype(np.float32)
    table = pl.DataFrame(
        {
            "language": [("en", "fr", "日本語", None, "it's; DROP TABLE x --")[n % 5] for n in range(300)],
            "year": [None if n % 7 == 0 else 1980.0 + n % 40 for n in range(300)],
            "adult": [None if n % 11 == 0 else n % 3 == 0 for n in range(300)],
            "genres": [[[], ["Drama"], ["Drama", "Action"], ["Sci-Fi"]][n % 4] for n in range(300)],
        }
    )
    store = connect()
    assert isinstance(store, VectorStore), "a method of the protocol is missing"
    assert store.count() == 0 and store.describe().card is None, "there is something at the place already"
    _raises(NotFittedError, lambda: store.upsert(_IDS[:1], vectors[:1]), "written before it was created")
    store.create(_CARD)
    store.create(_CARD)  # seeing that it is there is no error
    assert store.count() == 0 and store.query(vectors[:2], 3)[0] == [[], []], "an empty store answers with no ids"
    _check_refusals(store, vectors, table)
    store.upsert(_IDS[:120], vectors[:120], table[:120])
    store.upsert(_IDS[120:], vectors[120:], table[120:])
    again = connect()  # from here on as another process sees it
    _check_contents(again, vectors, table)
    _check_queries(again, vectors, table, exact=exact)
    _check_changes(store, again, vectors, table)
    for other in (replace(_CARD, model="other"), replace(_CARD, revision="2"), replace(_CARD, dimension=9)):
        _raises(IncomparableError, lambda other=other: again.create(other), "a store of another model is taken")
    assert again.count() == 290, "a refused card changes the store"
    again.delete(_IDS)
    assert again.count() == 0 and again.query(vectors[:1], 3)[0] == [[]], "deleted ids are found"


def _check_refusals(store: VectorStore, vectors: np.ndarray, table: pl.DataFrame) -> None:
    broken = vectors[:2].copy()
    broken[1] = np.nan
    wrong = [
        (_IDS[:2], broken, table[:2], "a vector that is not finite"),
        (_IDS[:2], np.zeros((2, 8), np.float32), table[:2], "a vector of 0"),
        (_IDS[:2], vectors[:2, :5], table[:2], "a vector of another dimension"),
        ([_IDS[0], _IDS[0]], vectors[:2], table[:2], "an id that repeats"),
        (["a", ""], vectors[:2], table[:2], "an empty id"),
        (_IDS[:3], vectors[:2], table[:2], "more ids than vectors"),
        (_IDS[:2], vectors[:2], table[:1], "fewer rows of attributes"),
        (_IDS[:2], vectors[:2], table[:2].with_columns(year=pl.lit("1990")), "text where a number stands"),
    ]
    for ids, rows, attributes, what in wrong:
        _raises(DataError, lambda row=(ids, rows, attributes): store.upsert(*row), what)
    assert store.count() == 0, "something is written by a call that is refused"
    _raises(UnknownNameError, lambda: store.query(vectors[:1], 1, where={"langauge": "en"}), "an unknown attribute")
    for where in ({"year": "1990"}, {"language": 3}, {"adult": 1}, {"language": {"gte": "a"}}, {"year": []}):
        _raises(UsageError, lambda where=where: store.query(vectors[:1], 1, where=where), f"the filter {where}")
    _raises(UsageError, lambda: store.query(vectors[:1], 0), "k of 0")
    _raises(DataError, lambda: store.query(vectors[:1, :5], 1), "a query of another dimension")


def _check_contents(store: VectorStore, vectors: np.ndarray, table: pl.DataFrame) -> None:
    assert store.count() == 300
    listed = [each for page in store.list_ids() for each in page]
    assert sorted(listed) == sorted(_IDS), "list_ids gives each id once"
    found = store.fetch([_IDS[250], "nobody", _IDS[3]])
    assert found.ids == [_IDS[250], _IDS[3]], "fetch keeps the order, and leaves out what is not there"
    wanted = vectors[[250, 3]] / np.linalg.norm(vectors[[250, 3]], axis=1, keepdims=True)
    assert np.abs(found.vectors - wanted).max() < 1e-5, "vectors come back at length 1"
    got, expected = (frame.select(sorted(_CARD.attributes)).rows() for frame in (found.attributes, table[[250, 3]]))
    empty_is_none = [tuple(None if value == [] else value for value in row) for row in got]
    expected = [tuple(None if value == [] else value for value in row) for row in expected]
    assert empty_is_none == expected, "attributes come back as they were"
    assert store.fetch([]).ids == [] and store.fetch(["nobody"]).vectors.shape == (0, 8)
    about = store.describe()
    assert about.card == _CARD and about.count == 300 and about.backend and about.version


def _check_queries(store: VectorStore, vectors: np.ndarray, table: pl.DataFrame, *, exact: bool) -> None:
    queries = np.random.default_rng(8).standard_normal((20, 8)).astype(np.float32)
    filters = [
        (None, pl.lit(True)),
        ({"language": "en"}, pl.col("language") == "en"),
        ({"language": "it's; DROP TABLE x --"}, pl.col("language") == "it's; DROP TABLE x --"),
        ({"language": ["fr", "日本語"]}, pl.col("language").is_in(["fr", "日本語"])),
        ({"year": {"gte": 1990, "lt": 2000}}, (pl.col("year") >= 1990) & (pl.col("year") < 2000)),
        ({"year": {"gt": 1990, "lte": 2000}}, (pl.col("year") > 1990) & (pl.col("year") <= 2000)),
        ({"year": 1995}, pl.col("year") == 1995),
        ({"year": [1995, 1996]}, pl.col("year").is_in([1995.0, 1996.0])),
        ({"adult": False}, ~pl.col("adult")),
        ({"genres": "Drama"}, pl.col("genres").list.contains("Drama")),
        (
            {"genres": ["Action", "Sci-Fi"]},
            pl.col("genres").list.contains("Action") | pl.col("genres").list.contains("Sci-Fi"),
        ),
        (
            {"genres": "Drama", "adult": True, "year": {"gte": 2000}},
            pl.col("genres").list.contains("Drama") & pl.col("adult") & (pl.col("year") >= 2000),
        ),
        ({"language": "nothing has it"}, pl.lit(False)),
    ]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ unit.T
    for where, expression in filters:
        keep = table.select(pl.repeat(True, pl.len()) & expression.fill_null(False)).to_series().to_numpy()
        lists, found = store.query(queries, 10, where=where)
        there = min(10, int(keep.sum()))
        assert found.shape == (20, 10) and found.dtype == np.float32, "cosines of every query, filled up to k"
        assert all(len(each) == there for each in lists), f"{where}: a filter thins the lists: {[*map(len, lists)]}"
        assert np.isnan(found[:, there:]).all() and not np.isnan(found[:, :there]).any()
        rows = np.array([[_IDS.index(each) for each in one] for one in lists], int).reshape(20, there)
        assert keep[rows].all(), f"{where}: an item that does not match is found"
        assert np.abs(np.take_along_axis(cosines, rows, 1) - found[:, :there]).max(initial=0) < 1e-4, "cosines"
        assert (np.diff(found[:, :there], axis=1) <= 1e-6).all(), "the nearest come first"
        best = -np.sort(-np.where(keep, cosines, -2), axis=1)[:, :there]
        assert not exact or np.abs(best - found[:, :there]).max(initial=0) < 1e-4, f"{where}: not the nearest ones"


def _check_changes(store: VectorStore, again: VectorStore, vectors: np.ndarray, table: pl.DataFrame) -> None:
    store.upsert(_IDS[:1], -vectors[:1], table[1:2])  # replaced, with its attributes
    assert store.count() == 300 and store.query(-vectors[:1], 1)[0] == [[_IDS[0]]]
    row = store.fetch(_IDS[:1]).attributes.to_dicts()[0]
    assert row["language"] == "fr" and row["year"] == 1981, "the attributes are replaced too"
    store.upsert(_IDS[:1], vectors[:1], None)
    bare = store.fetch(_IDS[:1]).attributes.to_dicts()[0]
    assert not any(bare.values()), "attributes that are not given are missing"
    assert _IDS[0] not in store.query(vectors[:1], 300, where={"language": ["en", "fr"]})[0][0]
    store.delete([*_IDS[10:20], "nobody"])
    assert store.count() == 290 and store.fetch(_IDS[10:12]).ids == []
    assert not set(store.query(vectors[10:11], 290)[0][0]) & set(_IDS[10:20]), "deleted ids are found"
    assert again.count() == 290, "another connection sees the change"
    store.upsert([], np.zeros((0, 8), np.float32))
    store.delete([])


def _raises(error: type[Exception], call: Callable[[], object], what: str) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{what} is not refused by {error.__name__}")
