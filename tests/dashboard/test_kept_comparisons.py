"""Comparisons are kept in the workspace, and made before the first reader comes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import streamlit as st

from reclens.dashboard import kept_comparisons, serve, store
from reclens.dashboard.kept_comparisons import kept_comparison
from reclens.evaluation import Comparison, compare
from reclens.workspace import Workspace

RUNS = ("small-ease", "small-item_knn", "small-popular")


@pytest.fixture
def place(workspace: Workspace, tmp_path: Path):
    """A workspace of its own, before and after which nothing is remembered."""
    st.cache_resource.clear()
    copy = Workspace(tmp_path / "workspace")
    for name in RUNS:
        copy.save(workspace.load("evaluation", name), name)
    yield copy
    st.cache_resource.clear()


def refuse(*_: object, **__: object) -> Comparison:
    raise AssertionError("compared again")


def compared(place: Workspace, baseline: str = "small-popular") -> Comparison:
    metrics = ["ndcg@10", "ndcg@5"]
    return store.compared(place, RUNS, baseline=baseline, correction="holm", metrics=metrics, by=["taste"])


def test_a_comparison_is_made_once_for_a_workspace(place: Workspace, monkeypatch) -> None:
    results = {name: place.load("evaluation", name) for name in RUNS}
    by_hand = compare(results, baseline="small-popular", metrics=["ndcg@10", "ndcg@5"], by=["taste"])
    first = compared(place)
    assert repr(first.differences) == repr(by_hand.differences)
    st.cache_resource.clear()  # as after a new start
    with monkeypatch.context() as patch:
        patch.setattr(store, "compare", refuse)
        again = compared(place)
        assert repr(again.differences) == repr(by_hand.differences) and again.card == by_hand.card
        with pytest.raises(AssertionError, match="compared again"):
            compared(place, baseline="small-ease")
        place.save(results["small-ease"], "small-ease", overwrite=True)
        with pytest.raises(AssertionError, match="compared again"):
            compared(place)
        monkeypatch.setattr(kept_comparisons, "_code", lambda: ["of another version"])
    assert repr(compared(place).differences) == repr(by_hand.differences)


def test_what_cannot_be_read_or_written_is_made_again(place: Workspace, monkeypatch) -> None:
    first = compared(place)
    home = place.folder / ".cache" / "comparison"
    (kept,) = home.iterdir()
    (kept / "differences.parquet").write_bytes(b"no table")
    st.cache_resource.clear()
    assert repr(compared(place).differences) == repr(first.differences)
    shutil.rmtree(home)
    home.parent.rmdir()
    home.parent.write_text("a file, where the folder should be")
    st.cache_resource.clear()
    assert repr(compared(place).differences) == repr(first.differences)
    assert [each.name for each in place.list()] == sorted(RUNS, reverse=True), "no artefact"


def test_the_oldest_are_removed(place: Workspace, monkeypatch) -> None:
    monkeypatch.setattr(kept_comparisons, "_MOST", 2)
    made = compared(place)
    for key in range(4):
        kept_comparison(place.folder, key, lambda: made)
    assert len(list((place.folder / ".cache" / "comparison").iterdir())) == 2
    assert kept_comparison(place.folder, 3, refuse).card == made.card


def test_what_home_opens_with_is_made_before_the_first_reader_comes(
    place: Workspace, open_page, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(serve, "_PATIENCE", 0.0)
    monkeypatch.setattr(serve, "_QUIET", 0.0)
    serve.warm_up(str(place.folder))
    assert not caplog.records, "it runs outside of a page, and Streamlit would say so many times"
    monkeypatch.setattr(store, "compare", refuse)
    assert "Use small-ease" in "".join(each.proto.body for each in open_page("home", folder=place.folder).get("html"))
    serve.warm_up(str(place.folder / "nothing here"))


def test_what_makes_a_comparison_is_loaded_first_where_none_is_kept(tmp_path: Path, monkeypatch) -> None:
    loaded: list[str] = []
    load = serve.importlib.import_module
    monkeypatch.setattr(serve.importlib, "import_module", lambda name: loaded.append(name) or load(name))
    monkeypatch.setattr(serve.gc, "freeze", lambda: loaded.append("frozen"))

    def heavy() -> set[str]:
        loaded.clear()
        serve.prepare(str(tmp_path))
        assert "pandas" in loaded and loaded[-1] == "frozen", "what is loaded is not looked through at each page drawn"
        return {"numba", "scipy.optimize"} & set(loaded)

    assert not heavy(), "an empty workspace has nothing to compare"
    (tmp_path / "evaluation").mkdir()
    assert heavy() == {"numba", "scipy.optimize"}
    (tmp_path / ".cache" / "comparison" / "one").mkdir(parents=True)
    assert not heavy()


def test_the_server_answers_when_the_pages_are_loaded(monkeypatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(serve, "prepare", lambda folder: order.append(f"pages of {folder}"))
    monkeypatch.setattr(serve, "warm_up", lambda folder: order.append(f"scene of {folder}"))
    monkeypatch.setattr(serve, "add_headers", lambda: order.append("headers"))
    monkeypatch.setattr("streamlit.web.cli.main", lambda **_: order.append("listen"))
    monkeypatch.setattr("sys.argv", ["serve", "run", "app.py", "--", "--workspace", "here"])
    serve.main()
    assert order.index("pages of here") < order.index("listen") and order.index("headers") < order.index("listen")
    for _ in range(100):
        if "scene of here" in order:
            break
        time.sleep(0.01)
    assert "scene of here" in order
