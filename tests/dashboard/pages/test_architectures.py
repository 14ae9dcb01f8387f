"""Classic and deep models side by side, training curves, and attention for one user, where PyTorch is not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from tests.helpers.untrained_deep import without_training

from reclens.data.synthetic import synthetic_movielens
from reclens.job.run import run_job
from reclens.models import SASRec
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A classic and a deep model, whose vectors are drawn, measured alike."""
    folder = tmp_path_factory.mktemp("deep")
    synthetic_movielens(n_users=40, n_items=30, n_ratings=800, rng=3).interactions.write_parquet(folder / "r.parquet")
    job = {
        "name": "both",
        "data": {"path": str(folder / "r.parquet")},
        "split": {"n": 3},
        "models": {"ease": {"l2": 50.0}, "sasrec": {"factors": 4, "blocks": 2, "max_length": 8}},
        "segments": {"activity": {"quantiles": ["light", "heavy"]}},
        "evaluate": {"metrics": ["ndcg@10", "novelty@10"], "replicates": 200},
    }
    place = Workspace(folder / "workspace")
    with pytest.MonkeyPatch.context() as patch:
        without_training(patch)
        run_job(job, workspace=place)
    return place


def shown(app: AppTest) -> str:
    return "\n".join([str(each.value) for kind in (app.markdown, app.caption, app.info) for each in kind])


def test_the_sides_and_the_training(both: Workspace, open_page: Callable[..., AppTest]) -> None:
    app = open_page("architectures", folder=both.folder)
    text = shown(app).replace("\\", "")
    assert "Deep: both-sasrec. Classic: both-ease." in text and "ndcg@10: not shown to differ (" in text
    frames = [each.value for each in app.dataframe]
    sides = next(each for each in frames if "kind" in each.columns)
    assert dict(zip(sides["system"], sides["kind"], strict=True)) == {"both-ease": "classic", "both-sasrec": "deep"}
    segments = next(each for each in frames if "verdict" in each.columns)
    assert {"all users", "activity: heavy", "activity: light"} == set(segments["users"])
    training = open_page("architectures", folder=both.folder, view="Training")
    (row,) = [each.value for each in training.dataframe]
    assert row["model"].to_list() == ["both-sasrec"] and row["epoch kept"].to_list() == ["2"]


def test_a_workspace_without_deep_models_says_how_to_make_one(open_page: Callable[..., AppTest]) -> None:
    assert "no run is of a deep model" in shown(open_page("architectures")).replace("\\", "")
    assert "No deep model yet" in shown(open_page("architectures", view="Training")).replace("\\", "")


def test_which_past_items_spoke(
    both: Workspace, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = both.load("split", "both").test_users[0]
    asked = {"folder": both.folder, "user": str(user), "runs": "both-sasrec"}
    monkeypatch.setitem(sys.modules, "torch", None)
    without = shown(open_page("users", **asked)).replace("\\", "")
    assert "reclens[deep]" in without, "what needs PyTorch names the extra; the lists are there"
    # What the network says comes from PyTorch, which draws none of it.
    weights = pl.DataFrame({"block": [1, 1], "item_id": [3, 5], "place": [2, 1], "weight": [0.2, 0.8]})
    from reclens.models._core.explanation import Explanation

    why = Explanation(user=user, item=3, score=1.0, kind="item", reasons=((5, 0.6),), rest=0.4)
    monkeypatch.setattr(SASRec, "attention", lambda self, user: weights)
    monkeypatch.setattr(SASRec, "explain", lambda self, user, item, n: why)
    app = open_page("users", **asked)
    rows = next(each.value for each in app.dataframe if "events ago" in each.value.columns)
    assert rows["block 1"].to_list() == [0.8, 0.2] and "Which past items spoke?" in [
        each.value for each in app.subheader
    ]
