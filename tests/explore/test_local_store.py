"""The embedded store: the contract, its files, and an index that says how well it finds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.errors import DataError, NameTakenError, UsageError, WorkspaceError
from reclens.explore import local_store as module
from reclens.explore.approximate import ApproximateIndex, measure_recall, recalls, sample_queries
from reclens.explore.exact import top_k
from reclens.explore.local_store import LocalStore
from reclens.explore.vectors import unit_vectors
from reclens.protocols import StoreCard, VectorStore, adapter
from reclens.testing import check_store

CARD = StoreCard(model="m", revision="1", dimension=4, attributes={"n": "number"})


def test_the_embedded_store_keeps_the_contract(tmp_path) -> None:
    check_store(lambda: adapter(f"local:{tmp_path / 'store'}", VectorStore))


def test_it_keeps_it_while_it_merges_all_the_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_PIECES", 1)
    check_store(lambda: LocalStore(tmp_path / "store"))


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 12), min_size=1, max_size=5)), max_size=10))
@settings(max_examples=10)
def test_any_writes_leave_what_a_dict_would(tmp_path_factory, writes) -> None:
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIECES", 3)
        store, kept = LocalStore(folder), {}
        store.create(CARD)
        for turn, (deletes, numbers) in enumerate(writes):
            ids = [f"i{n}" for n in sorted(numbers)]
            if deletes:
                store.delete(ids)
                kept = {one: value for one, value in kept.items() if one not in ids}
                continue
            vectors = np.eye(4, dtype=np.float32)[np.array(sorted(numbers)) % 4] + turn / 100
            store.upsert(ids, vectors, pl.DataFrame({"n": [turn] * len(ids)}))
            kept |= {one: (turn, vector) for one, vector in zip(ids, unit_vectors(vectors), strict=True)}
        for each in (store, LocalStore(folder)):
            assert sorted(one for page in each.list_ids() for one in page) == sorted(kept) and each.count() == len(kept)
            found = each.fetch(sorted(kept))
            assert found.attributes["n"].to_list() == [kept[one][0] for one in sorted(kept)]
            assert not kept or np.array_equal(found.vectors, [kept[one][1] for one in sorted(kept)])
            for turn in range(len(writes))[-2:]:
                lists, _ = each.query(np.ones((1, 4)), 20, where={"n": turn})
                assert sorted(lists[0]) == sorted(one for one, (at, _) in kept.items() if at == turn)


def test_a_killed_writer_leaves_the_store_as_it_was(tmp_path) -> None:
    store = LocalStore(tmp_path)
    store.create(CARD)
    store.upsert(["a"], np.eye(4)[:1])
    code = (
        "import sys, os, signal, numpy as np\n"
        "from reclens.explore import segments\n"
        "from reclens.explore.local_store import LocalStore\n"
        f"segments.SegmentFiles.put = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"LocalStore({str(tmp_path)!r}).upsert(['b'], np.eye(4)[1:2])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ})
    assert done.returncode == -signal.SIGKILL and (tmp_path / "segment-000001").is_dir()
    assert LocalStore(tmp_path).count() == 1
    store.upsert(["c"], np.eye(4)[2:3])
    assert sorted(LocalStore(tmp_path).query(np.ones((1, 4)), 9)[0][0]) == ["a", "c"]


def test_one_process_writes_at_a_time(tmp_path) -> None:
    store = LocalStore(tmp_path)
    store.create(CARD)
    with store._files.writing(), pytest.raises(NameTakenError, match="being written by another process"):
        LocalStore(tmp_path).upsert(["a"], np.eye(4)[:1])


def test_broken_files_are_noticed(tmp_path) -> None:
    store = LocalStore(tmp_path / "s")
    store.create(CARD)
    store.upsert(["a", "b"], np.eye(4)[:2])
    vectors = tmp_path / "s" / "segment-000000" / "vectors.npy"
    whole = vectors.read_bytes()
    for content in (b"", whole[:-8]):
        vectors.write_bytes(content)
        with pytest.raises(DataError, match="Make the store again"):
            LocalStore(tmp_path / "s")
    np.save(vectors, np.eye(3, dtype=np.float32))
    with pytest.raises(DataError, match=r"shape \(3, 3\), expected float32 of \(2, 4\)"):
        LocalStore(tmp_path / "s")
    (tmp_path / "s" / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json"):
        LocalStore(tmp_path / "s")
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="is a file"):
        LocalStore(tmp_path / "file")
    with pytest.raises(UsageError, match="Expected local:FOLDER"):
        adapter("local:")


# ----------------------------------------------------------------------------------------------- the approximate index


@pytest.fixture(scope="module")
def clustered() -> np.ndarray:
    """6,000 vectors around 60 centres: lists differ, as they do in catalogues."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((60, 24))
    return unit_vectors((centres[rng.integers(0, 60, 6000)] + 0.6 * rng.standard_normal((6000, 24))).astype(np.float32))


@pytest.fixture(scope="module")
def indexed(clustered, tmp_path_factory) -> LocalStore:
    """A store of these with an index: the limit of exact search is lowered."""
    pytest.importorskip("faiss", reason="faiss-cpu is not installed: pip install 'reclens[explore]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "EXACT_UP_TO", 500)
        store = LocalStore(tmp_path_factory.mktemp("index"))
        store.create(replace(CARD, dimension=24))
        store.upsert([f"i{n}" for n in range(6000)], clustered, pl.DataFrame({"n": np.arange(6000) % 100}))
        plan = store.build_index(target=0.9)
        assert plan is not None and plan.rows == 6000 and 1 <= plan.probes < plan.lists
        yield store


def test_the_index_reaches_the_recall_that_it_states(indexed, clustered) -> None:
    queries = sample_queries(clustered, 800, seed=99)  # of another seed than those that chose
    lists, cosines = indexed.query(queries, 10)
    rows = np.array([[int(each[1:]) for each in one] for one in lists])
    measured = measure_recall(rows, top_k(queries, clustered, 10)[0])
    stated = LocalStore(indexed.folder).describe()
    plan = stated.details["index"]
    assert not stated.exact and plan["recall"]["low"] - 0.03 < measured.value < plan["recall"]["high"] + 0.03
    assert 0.88 < measured.value < 1
    assert np.sum(clustered[rows] * queries[:, None], axis=2) == pytest.approx(cosines, abs=1e-5)
    fewer = ApproximateIndex.build(clustered, target=0.6).plan
    assert fewer.probes < plan["probes"] and fewer.recall.value < plan["recall"]["value"]


@pytest.mark.parametrize("share", [3, 10, 30, 90])
def test_a_filter_thins_nothing_and_finds_the_nearest(indexed, clustered, share) -> None:
    """3 % is searched exactly; more by the index, with more lists."""
    queries = sample_queries(clustered, 200, seed=5)
    lists, _ = indexed.query(queries, 10, where={"n": {"lt": share}})
    kept = np.arange(6000) % 100 < share
    keep = np.flatnonzero(kept)
    truth = keep[top_k(queries, clustered[keep], 10)[0]]
    assert all(len(each) == 10 for each in lists)
    found = measure_recall(np.array([[int(each[1:]) for each in one] for one in lists]), truth)
    stated = indexed.describe().details["index"]["recall"]["value"]  # of all rows, with fewer lists
    assert found.value == 1 if share == 3 else found.value > stated - 0.01
    # The index alone, without exact search where it finds fewer than ten.
    alone, _ = indexed._opened_index().search(queries, 10, keep=kept)
    assert measure_recall(alone, truth).value > stated - 0.01


def test_a_query_far_from_the_lists_it_probes_still_gets_k(indexed, clustered) -> None:
    lists, cosines = indexed.query(-clustered[:5], 600, where={"n": {"lt": 10}})
    assert all(len(each) == 600 for each in lists) and not np.isnan(cosines).any()
    lists, _ = indexed.query(clustered[:3], 3000)
    assert all(len(set(each)) == 3000 for each in lists)


def test_what_is_written_after_the_index_is_found(indexed, clustered, tmp_path, monkeypatch) -> None:
    shutil.copytree(indexed.folder, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    new = unit_vectors(-clustered[:3])
    store.upsert(["new0", "new1", "i2"], new, pl.DataFrame({"n": [7.0, 7.0, 7.0]}))
    assert [each[0] for each in store.query(new, 1)[0]] == ["new0", "new1", "i2"]
    best = store.query(clustered[5:6], 1)[0][0]
    store.delete(best)
    assert best != store.query(clustered[5:6], 1)[0][0] and store.count() == 6001
    monkeypatch.setattr(module, "_PIECES", 2)
    store.upsert(["late"], new[:1] * 2, None)  # merges what came after the index, which stays
    assert store.describe().details["segments"] == 2 and store.describe().details["index"]
    assert store.count() == 6002 and not store.fetch(best).ids
    assert set(store.query(new[:1], 2)[0][0]) == {"new0", "late"}
    store.build_index(target=0.5)
    assert store.describe().details["segments"] == 1 and store.count() == 6002


def test_recall_is_counted_by_hand() -> None:
    truth = np.array([[1, 2, 3], [4, 5, -1], [-1, -1, -1]])
    found = np.array([[3, 9, 1], [5, 4, -1], [-1, -1, -1]])
    assert recalls(found, truth)[:2].tolist() == [2 / 3, 1] and np.isnan(recalls(found, truth)[2])
    assert measure_recall(found, truth).value == pytest.approx(5 / 6)
    with pytest.raises(UsageError, match="the target recall is 0"):
        ApproximateIndex.build(np.eye(3, dtype=np.float32), target=0)
