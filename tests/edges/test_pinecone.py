"""Pinecone's own client against a double on loopback, whose answers follow the version of the API that it asks for.

`make test` runs this with the newest client and `make test-stores` with those of two older APIs. With the environment
variables RECLENS_TEST_PINECONE_API_KEY and RECLENS_TEST_PINECONE_INDEX the contract runs against the service itself.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
import uuid
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, MissingExtraError, StoreError, UsageError
from reclens.explore.transfer import move
from reclens.explore.vector_files import read_vectors
from reclens.protocols import StoreCard, VectorStore, adapter
from reclens.testing import check_store

client = pytest.importorskip("pinecone", reason="pinecone is not installed: pip install 'reclens[pinecone]'")

KEY = "pcsk_double_S3CRET"
CARD = StoreCard(model="m", revision="1", dimension=4, attributes={"year": "number"})


@pytest.fixture
def double(monkeypatch, doubles):
    made = doubles("pinecone_double").PineconeDouble(KEY)
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", made.url)
    real = time.sleep
    monkeypatch.setattr("reclens.edges._services.time.sleep", lambda seconds: real(min(seconds, 0.02)))
    yield made
    made.close()


@pytest.fixture
def store(double):
    made = adapter("pinecone:films/tests", VectorStore)
    made.create(CARD)
    return made


def test_the_contract_holds(double) -> None:
    check_store(lambda: adapter("pinecone:films", VectorStore))
    major = int(client.__version__.split(".")[0])
    spoken = {version for _, _, version, _ in double.seen}
    assert spoken == {{7: "2025-04", 8: "2025-10", 9: "2025-10", 10: "2026-07"}[major]}


@pytest.mark.skipif("RECLENS_TEST_PINECONE_INDEX" not in os.environ, reason="RECLENS_TEST_PINECONE_INDEX is not set")
def test_the_contract_holds_on_the_service(monkeypatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", os.environ["RECLENS_TEST_PINECONE_API_KEY"])
    place = f"pinecone:{os.environ['RECLENS_TEST_PINECONE_INDEX']}/t{uuid.uuid4().hex[:12]}"
    check_store(lambda: adapter(place, VectorStore), exact=False)


def test_batches_keep_the_limits_and_namespaces_apart(double) -> None:
    store = adapter("pinecone:films/a", VectorStore)
    store.create(StoreCard(model="m", revision="1", dimension=384))
    vectors = np.random.default_rng(0).standard_normal((600, 384)).astype(np.float32)
    store.upsert([f"i{n}" for n in range(600)], vectors)
    sizes = [size for method, path, _, size in double.seen if path.endswith("upsert")][1:]
    assert len(sizes) > 2 and max(sizes) < 2_000_000
    other = adapter("pinecone:films/b", VectorStore)
    other.create(StoreCard(model="m", revision="2", dimension=384))
    assert (store.count(), other.count()) == (600, 0)
    assert len(store.fetch([f"i{n}" for n in range(250)]).ids) == 250
    with pytest.raises(DataError, match="has 384 dimensions, and the vectors 4"):
        adapter("pinecone:films/c", VectorStore).create(CARD)


def test_a_killed_move_goes_on(double) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {"item_id": np.arange(300), "year": 1990.0 + np.arange(300), "v": rng.random((300, 4)).tolist()}
    )
    space = read_vectors(table, model="m")
    store = adapter("pinecone:films/moved", VectorStore)
    double_upsert, calls = store.upsert, []

    def dies(ids, *rest):
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        double_upsert(ids, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reclens.explore.transfer._BATCH", 100)
        patch.setattr(store, "upsert", dies)
        with pytest.raises(KeyboardInterrupt):
            move(space, store)
    done = move(space, adapter("pinecone:films/moved", VectorStore))
    assert (done.already, done.written, done.vectors, done.compared) == (100, 200, 300, 300)


@pytest.mark.parametrize(("statuses", "passes"), [([429] * 2, True), ([503], True), ([429] * 60, False)])
def test_too_many_requests_are_tried_again(store, double, statuses, passes) -> None:
    double.failing = list(statuses)
    if passes:
        assert store.count() == 0
        return
    with pytest.raises(StoreError, match="Wait, and run the same again") as limited:
        store.count()
    assert limited.value.code == "rate_limited"


@pytest.mark.parametrize(("status", "code"), [(504, "slow"), (402, "quota"), (500, "down"), (400, "refused")])
def test_what_stays_is_said_by_its_code(store, double, status, code) -> None:
    double.failing = [status] * 60
    with pytest.raises(StoreError) as failed:
        store.upsert(["a"], np.eye(4)[:1], pl.DataFrame({"year": [1.0]}))
    if status == 504 and version("pinecone").startswith("7."):
        code = "down"  # that client tries again by itself, and then tells no status
    assert failed.value.code == code and KEY not in str(failed.value)
    double.failing = []
    assert store.count() == 0  # nothing half written


def test_a_wrong_key_stands_nowhere(double, monkeypatch, caplog) -> None:
    secret = "pcsk_wrong_S3CRET"
    monkeypatch.setenv("PINECONE_API_KEY", secret)
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreError, match="Check the key") as wrong:
        adapter("pinecone:films", VectorStore).count()
    assert wrong.value.code == "wrong_key"
    told = "".join([str(wrong.value), repr(wrong.value), str(wrong.value.__cause__), caplog.text])
    assert secret not in told and wrong.value.__suppress_context__
    assert KEY not in str(asdict(CARD))
    monkeypatch.delenv("PINECONE_API_KEY")
    with pytest.raises(UsageError, match="Set the environment variable PINECONE_API_KEY"):
        adapter("pinecone:films")


def test_no_key_in_what_is_kept_or_described(store, double) -> None:
    store.upsert(["a"], np.eye(4)[:1], pl.DataFrame({"year": [1.0]}))
    assert KEY not in repr(store.describe()) and KEY not in repr(double.log)


def test_a_service_that_is_down(monkeypatch, double, doubles) -> None:
    gone = doubles("pinecone_double").PineconeDouble(KEY)
    gone.close()
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", gone.url)
    with pytest.raises(StoreError, match="See whether it runs") as down:
        adapter("pinecone:films", VectorStore).count()
    assert down.value.code == "down"


def test_the_limits_of_the_starter_plan_are_checked_before_the_upload(store, double, monkeypatch) -> None:
    monkeypatch.setattr("reclens.edges.pinecone._STARTER_BYTES", 10_000)
    before = len(double.log)
    with pytest.raises(StoreError, match=r"the starter plan allows 10,000\. Nothing was written") as full:
        store.upsert([f"i{n}" for n in range(300)], np.ones((300, 4)))
    assert full.value.code == "quota" and len(double.log) == before
    monkeypatch.setenv("PINECONE_PLAN", "standard")
    store.upsert([f"i{n}" for n in range(300)], np.ones((300, 4)))
    with pytest.raises(DataError, match="longer than the 512 characters"):
        store.upsert(["é" * 200], np.ones((1, 4)))
    for name in "bcde":
        adapter(f"pinecone:{name}", VectorStore).create(CARD)
    with pytest.raises(StoreError, match="Make room, or change the plan") as many:
        adapter("pinecone:f", VectorStore).create(CARD)
    assert many.value.code == "quota"


def test_attributes_that_are_too_large_are_refused_before_the_upload(double) -> None:
    store = adapter("pinecone:films/big", VectorStore)
    store.create(StoreCard(model="m", revision="1", dimension=4, attributes={"plot": "text"}))
    before = len(double.log)
    with pytest.raises(DataError, match=r"the attributes of 'b' take 50,\d+ bytes, and Pinecone takes 40,000"):
        store.upsert(["a", "b"], np.eye(4)[:2], pl.DataFrame({"plot": ["x", "y" * 50_000]}))
    assert len(double.log) == before
    with pytest.raises(UsageError, match=r"k is 20,000, and Pinecone gives at most 10,000"):
        store.query(np.eye(4), 20_000)


def test_without_the_library_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pinecone", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'reclens[pinecone]'")):
        adapter("pinecone:films")
