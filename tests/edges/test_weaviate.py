"""Weaviate's own client against a double on loopback, by HTTP and gRPC.

With the environment variables RECLENS_TEST_WEAVIATE_URL, and RECLENS_TEST_WEAVIATE_API_KEY where there are keys, the
contract runs against a server.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
import uuid
import warnings

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, MissingExtraError, StoreError, UsageError
from reclens.protocols import StoreCard, VectorStore, adapter
from reclens.testing import check_store

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what the client is made of
    pytest.importorskip("weaviate", reason="weaviate-client is not installed: pip install 'reclens[weaviate]'")

KEY = "wv_double_S3CRET"
CARD = StoreCard(model="m", revision="1", dimension=4, attributes={"odd name-é": "text", "year": "number"})


@pytest.fixture(scope="module")
def running(doubles):
    made = doubles("weaviate_double").WeaviateDouble(KEY)
    yield made
    made.close()


@pytest.fixture
def double(running, monkeypatch):
    running.classes.clear()
    running.failing.clear()
    monkeypatch.setenv("WEAVIATE_URL", running.url)
    monkeypatch.setenv("WEAVIATE_GRPC", f"127.0.0.1:{running.port}")
    monkeypatch.setenv("WEAVIATE_API_KEY", KEY)
    real = time.sleep
    monkeypatch.setattr("reclens.edges._services.time.sleep", lambda seconds: real(min(seconds, 0.02)))
    return running


def test_the_contract_holds(double) -> None:
    check_store(lambda: adapter("weaviate:Films", VectorStore))
    assert ("POST", "/v1/schema") in double.seen


@pytest.mark.skipif("RECLENS_TEST_WEAVIATE_URL" not in os.environ, reason="RECLENS_TEST_WEAVIATE_URL is not set")
def test_the_contract_holds_on_a_server(monkeypatch) -> None:
    monkeypatch.setenv("WEAVIATE_URL", os.environ["RECLENS_TEST_WEAVIATE_URL"])
    monkeypatch.setenv("WEAVIATE_API_KEY", os.environ.get("RECLENS_TEST_WEAVIATE_API_KEY", ""))
    name = f"Reclens{uuid.uuid4().hex[:12]}"
    check_store(lambda: adapter(f"weaviate:{name}", VectorStore), exact=False)


def test_names_and_batches(double) -> None:
    store = adapter("weaviate:Films", VectorStore)
    store.create(CARD)
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"odd name-é": ["a", "b"] * 600, "year": np.arange(1200)})
    store.upsert([f"i{n}" for n in range(1200)], rng.standard_normal((1200, 4)), table)
    assert store.count() == 1200 and len({one for page in store.list_ids() for one in page}) == 1200
    lists, _ = store.query(np.eye(4), 5, where={"odd name-é": "a", "year": {"lt": 10}})
    assert all(len(each) == 5 and {int(one[1:]) for one in each} == {0, 2, 4, 6, 8} for each in lists)
    for wrong in ("films", "", "Films/x"):
        with pytest.raises(UsageError, match="is no collection of Weaviate"):
            adapter(f"weaviate:{wrong}")
    with pytest.raises(UsageError, match="Weaviate gives at most 10,000"):
        store.query(np.eye(4), 20_000)


def test_a_collection_that_is_not_ours_is_left_alone(double) -> None:
    double.classes["Other"] = {"class": "Other", "description": "of somebody else"}
    with pytest.raises(DataError, match="its card cannot be read"):
        adapter("weaviate:Other", VectorStore).count()


def test_a_wrong_key_stands_nowhere(double, monkeypatch, caplog) -> None:
    secret = "wv_wrong_S3CRET"
    monkeypatch.setenv("WEAVIATE_API_KEY", secret)
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreError, match="Check the key") as wrong:
        adapter("weaviate:Films", VectorStore).count()
    assert wrong.value.code == "wrong_key" and wrong.value.__suppress_context__
    assert secret not in "".join([str(wrong.value), repr(wrong.value), caplog.text])


@pytest.mark.parametrize(
    ("name", "code"), [("UNAVAILABLE", "down"), ("RESOURCE_EXHAUSTED", "rate_limited"), ("DEADLINE_EXCEEDED", "slow")]
)
def test_what_passes_is_tried_again_and_what_stays_is_said(double, name, code) -> None:
    import grpc

    store = adapter("weaviate:Films", VectorStore)
    store.create(CARD)
    double.failing[:] = [grpc.StatusCode[name]]
    assert store.count() == 0
    double.failing[:] = [grpc.StatusCode[name]] * 60
    with pytest.raises(StoreError) as failed:
        store.count()
    assert failed.value.code == code and KEY not in str(failed.value)


def test_a_server_that_is_down(monkeypatch, double) -> None:
    monkeypatch.setenv("WEAVIATE_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="See whether it runs") as down:
        adapter("weaviate:Films", VectorStore).count()
    assert down.value.code == "down"
    monkeypatch.delenv("WEAVIATE_URL")
    with pytest.raises(UsageError, match="Set WEAVIATE_URL"):
        adapter("weaviate:Films")


def test_without_the_library_the_extra_is_named(monkeypatch, double) -> None:
    monkeypatch.setitem(sys.modules, "weaviate", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'reclens[weaviate]'")):
        adapter("weaviate:Films")
