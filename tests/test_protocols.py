"""Adapters are found by their scheme; each protocol can be met by a small class."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens import edges
from reclens.errors import MissingExtraError, UnknownNameError, UsageError
from reclens.protocols import Gate, GateCheck, Notifier, Tracker, VectorStore, adapter, schemes

SHELF = '''"""A vector store in memory."""

import numpy as np

from reclens.protocols import StoredVectors


class Shelf:
    def __init__(self, name):
        self.name, self.rows = name, {}

    def upsert(self, ids, vectors, attributes=None):
        self.rows |= {id: row / np.linalg.norm(row) for id, row in zip(ids, vectors, strict=True)}

    def create(self, card):
        self.card = card

    def query(self, vectors, k, *, where=None):
        names, table = list(self.rows), np.array(list(self.rows.values()))
        cosines = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ table.T
        order = np.argsort(-cosines, axis=1)[:, :k]
        return [[names[i] for i in row] for row in order], np.take_along_axis(cosines, order, axis=1)

    def delete(self, ids):
        for id in ids:
            self.rows.pop(id, None)

    def count(self):
        return len(self.rows)

    def fetch(self, ids):
        return StoredVectors([i for i in ids if i in self.rows], np.array([self.rows[i] for i in ids]), None)

    def list_ids(self):
        yield list(self.rows)

    def describe(self):
        return None


def connect(rest):
    return Shelf(rest)
'''
LACKING = '''"""An adapter whose library is not installed."""

from reclens.engine import need


def connect(rest):
    return need("no_such_library", extra="lacking").Client(rest)
'''


@pytest.fixture
def more_edges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two adapters and two other modules in a folder that the package ``reclens.edges`` is extended by."""
    broken = "raise AssertionError('imported')\n"
    files = {"two_shelves": SHELF, "lacking": LACKING, "_private": SHELF, "broken": broken}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(edges, "__path__", [*edges.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield
    for name in files:
        sys.modules.pop(f"reclens.edges.{name}", None)


def test_an_adapter_is_found_by_its_scheme(more_edges) -> None:
    store = adapter("two-shelves:top:left", VectorStore)
    assert store.name == "top:left"  # what follows the first colon is the adapter's own
    store.upsert(["a", "b"], np.array([[2.0, 0.0], [1.0, 1.0]], dtype=np.float32))
    ids, cosines = store.query(np.array([[3.0, 0.0]], dtype=np.float32), 2)
    assert ids == [["a", "b"]] and cosines[0] == pytest.approx([1.0, 0.5**0.5])
    store.delete(["a", "nobody"])
    assert store.count() == 1
    assert adapter("Two-Shelves:").name == ""


def test_schemes_are_listed_without_an_import(more_edges) -> None:
    before = set(sys.modules)
    assert {"lacking", "two_shelves"} <= set(schemes())
    assert not {"_private", "broken", "tableau", "looker"} & set(schemes())
    assert not {name for name in set(sys.modules) - before if name.startswith("reclens.edges.")}


def test_what_cannot_be_found_is_refused_with_a_way_out(more_edges) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown adapter 'two_shelfs'\. Did you mean 'two_shelves'"):
        adapter("two_shelfs:x")
    for other in ("_private:x", "broken:x", "tableau:x", "../store:x", "os.path:x"):
        with pytest.raises(UsageError):
            adapter(other)
    for bare in ("two_shelves", "", ":x", "1st:x"):
        with pytest.raises(UsageError, match="has no scheme"):
            adapter(bare)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[lacking\]'"):
        adapter("lacking:x")
    with pytest.raises(UsageError, match="'two_shelves:x' is no Notifier: two_shelves makes a Shelf"):
        adapter("two_shelves:x", Notifier)


class Everything:
    """A tracker, a notifier and a gate in one."""

    def start(self, name: str, settings: Mapping[str, Any]) -> None: ...

    def log(self, values: Mapping[str, float], *, step: int | None = None) -> None: ...

    def attach(self, path: Path) -> None: ...

    def finish(self, status: str) -> None: ...

    def send(self, title: str, text: str, *, severity="info", **more) -> None: ...

    def check(self, table: pl.DataFrame, *, name: str) -> Sequence[GateCheck]:
        null = table["user_id"].null_count()
        state = "failed" if null else "passed"
        return [GateCheck(code="not_null", state=state, column="user_id", failed_rows=null, rows=table.height)]


def test_protocols_are_met_by_shape_alone() -> None:
    made = Everything()
    assert isinstance(made, Tracker) and isinstance(made, Notifier) and isinstance(made, Gate)
    assert not isinstance(made, VectorStore)
    (check,) = made.check(pl.DataFrame({"user_id": [1, None]}), name="interactions")
    assert (check.state, check.failed_rows, check.rows) == ("failed", 1, 2)
