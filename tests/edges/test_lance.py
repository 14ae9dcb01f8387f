"""LanceDB, the library itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, UsageError
from reclens.protocols import StoreCard, VectorStore, adapter
from reclens.testing import check_store

lancedb = pytest.importorskip("lancedb", reason="lancedb is not installed: pip install 'reclens[lance]'")


def test_the_contract_holds(tmp_path) -> None:
    check_store(lambda: adapter(f"lance:{tmp_path}#films", VectorStore))


def test_odd_names_and_values_are_no_sql(tmp_path) -> None:
    store = adapter(f"lance:{tmp_path}")
    store.create(StoreCard(model="m", revision="1", dimension=2, attributes={'it\'s "odd" -- name': "text"}))
    store.upsert(["a'; --", "b"], np.eye(2), pl.DataFrame({'it\'s "odd" -- name': ["x' OR '1'='1", "y"]}))
    assert store.query(np.eye(2), 2, where={'it\'s "odd" -- name': "x' OR '1'='1"})[0] == [["a'; --"]] * 2
    store.delete(["b' OR 'a'='a"])
    assert store.count() == 2
    with pytest.raises(UsageError, match="rename it"):
        adapter(f"lance:{tmp_path}#other").create(
            StoreCard(model="m", revision="1", dimension=2, attributes={"a`b": "text"})
        )


def test_a_table_that_is_not_ours_is_left_alone(tmp_path) -> None:
    lancedb.connect(tmp_path).create_table("vectors", [{"id": "a"}])
    with pytest.raises(DataError, match="its card cannot be read"):
        adapter(f"lance:{tmp_path}").count()
    with pytest.raises(UsageError, match="Expected lance:FOLDER"):
        adapter("lance:")
