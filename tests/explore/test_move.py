"""Moving a space: whole, resumed after a kill, and refused where the sides differ."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import reclens.explore.transfer as module
from reclens.errors import DataError, IncomparableError, NotFittedError
from reclens.explore import EmbeddingSpace, LocalStore
from reclens.explore.transfer import move
from reclens.explore.vector_files import read_vectors
from reclens.workspace import Workspace


@pytest.fixture
def space() -> EmbeddingSpace:
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "item_id": np.arange(300),
            "year": rng.integers(1990, 2020, 300),
            "genres": [[], ["Drama"], None] * 100,
            "vector": rng.standard_normal((300, 6)).tolist(),
        }
    )
    return read_vectors(table, model="by_hand")


def test_a_space_moves_and_a_second_move_writes_nothing(space, tmp_path) -> None:
    first, second = LocalStore(tmp_path / "a"), LocalStore(tmp_path / "b")
    steps: list[tuple[str, int, int]] = []
    done = move(space, first, progress=lambda *step: steps.append(step))
    assert (done.vectors, done.written, done.already, done.compared) == (300, 300, 0, 300)
    assert steps[-1] == ("move", 300, 300)
    assert move(space, first).written == 0 and move(space, first, again=True).written == 300
    assert move(first, second).written == 300  # from a store to a store
    found = second.fetch(["7", "299"])
    assert found.vectors == pytest.approx(space.unit[[7, 299]], abs=1e-6)
    assert found.attributes["year"].to_list() == space.attributes["year"][[7, 299]].to_list()
    assert second.describe().card == first.describe().card and second.describe().card.id_type == "integer"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_move_goes_on_and_ends_equal(space, tmp_path, number) -> None:
    Workspace(tmp_path / "ws").save(space, "films")
    code = (
        "import os, signal\n"
        "import reclens.explore.transfer as module\n"
        "from reclens.explore import LocalStore\n"
        "from reclens.workspace import Workspace\n"
        "module._BATCH = 50\n"
        f"kill = lambda what, done, total: os.kill(os.getpid(), {int(number)}) if done >= 100 else None\n"
        f"module.move(Workspace({str(tmp_path / 'ws')!r}).load('space', 'films'), LocalStore({str(tmp_path / 's')!r}), "
        "progress=kill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)
    assert killed.returncode in (-number, 128 + number)
    assert LocalStore(tmp_path / "s").count() == 100
    done = move(space, LocalStore(tmp_path / "s"))
    assert (done.already, done.written, done.vectors, done.compared) == (100, 200, 300, 300)


def test_what_differs_at_the_end_is_noticed(space, tmp_path) -> None:
    store = LocalStore(tmp_path)
    move(space, store)
    store.upsert(["7"], -space.unit[7:8], None)
    with pytest.raises(DataError, match=r"1 of 300 vectors .* such as '7'.*again=True"):
        move(space, store)
    changed = store.fetch(["8"])
    store.upsert(
        ["7", "8"], space.unit[7:9], pl.concat([changed.attributes, changed.attributes]).with_columns(year=1.0)
    )
    with pytest.raises(DataError, match="2 of 300"):
        move(space, store)
    assert move(space, store, again=True).written == 300


def test_targets_that_do_not_fit_are_left_alone(space, tmp_path) -> None:
    store = LocalStore(tmp_path / "a")
    move(space, store)
    with pytest.raises(IncomparableError, match=r"the target holds 100 ids that the source does not have \(200, 201"):
        move(space.take(np.arange(200)), store)
    other = read_vectors(space.vectors[:3], ids=[1, 2, 3], model="another")
    with pytest.raises(IncomparableError, match="model 'by_hand' and not 'another'"):
        move(other, store)
    with pytest.raises(NotFittedError, match="holds no store yet"):
        move(LocalStore(tmp_path / "none"), store)
    assert store.count() == 300


def test_a_store_that_loses_what_it_is_given_is_noticed(space, tmp_path, monkeypatch) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr(module, "_BATCH", 100)
    real = store.upsert
    monkeypatch.setattr(store, "upsert", lambda ids, *rest: None if "150" in ids else real(ids, *rest))
    with pytest.raises(DataError, match="the target holds 200 vectors, and the source 300"):
        move(space, store)
    monkeypatch.undo()
    assert move(space, LocalStore(tmp_path)).written == 100
