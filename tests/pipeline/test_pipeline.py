"""Stages put together: candidates, ranks, lists, traces, and what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.data.manifest import write_manifest
from reclens.errors import DataError, NotFittedError, UnknownNameError, UsageError
from reclens.models import EASE, ItemKNN, Popular
from reclens.pipeline import Pipeline
from reclens.report.data.artefact_words import artefact_summary
from reclens.report.pipeline.trace_words import loss_text
from reclens.workspace import Workspace


def test_candidates_are_the_union_of_the_retrievers(pipeline, parts) -> None:
    run = pipeline.run(parts.test_users, k=5)
    knn = ItemKNN().fit(parts.train).recommend(parts.test_users, k=30).table
    popular = Popular().fit(parts.train).recommend(parts.test_users, k=20).table
    union = pl.concat([knn, popular]).select("user_id", "item_id").unique()
    assert (
        run.candidates.select("user_id", "item_id").sort("user_id", "item_id").equals(union.sort("user_id", "item_id"))
    )
    both = run.candidates.join(knn, on=["user_id", "item_id"], how="left")
    both = both.join(popular, on=["user_id", "item_id"], how="left", suffix="_popular")
    assert both["rank:item_knn"].equals(both["rank"], null_equal=True)
    fused = (1 / (60 + both["rank"])).fill_null(0) + (1 / (60 + both["rank_popular"])).fill_null(0)
    assert (fused - both["fused"]).abs().max() < 1e-12  # type: ignore[operator]


def test_the_ranker_orders_the_candidates_and_keeps_the_best(pipeline, parts) -> None:
    run = pipeline.run(parts.test_users, k=5)
    whole = EASE(l2=50.0).fit(parts.train).recommend(parts.test_users, k=120).table
    expected = whole.join(run.candidates, on=["user_id", "item_id"], how="semi", maintain_order="left")
    expected = expected.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id")).filter(pl.col("rank") <= 25)
    found = run.ranked.table.sort("user_id", "rank").select("user_id", "item_id")
    assert found.equals(expected.sort("user_id", "rank").select("user_id", "item_id"))


def test_every_stage_keeps_its_lists(pipeline, parts) -> None:
    run = pipeline.run(parts.test_users, k=5)
    assert list(run.retrieved) == ["item_knn", "popular"] and list(run.reranked) == ["1 mmr", "2 xquad"]
    last = run.reranked["2 xquad"].table.filter(pl.col("rank") <= 5)
    assert run.final.table.equals(last)
    assert run.final.table.group_by("user_id").len()["len"].to_list() == [5] * len(parts.test_users)
    for _, lists in run.lists():
        by_user = lists.table.sort("user_id", "rank").group_by("user_id", maintain_order=True).agg("rank")
        assert all(ranks == list(range(1, len(ranks) + 1)) for ranks in by_user["rank"].to_list())
    assert [step.rows_in for step in run.steps[1:]][-2:] == [run.steps[-3].rows_out, run.steps[-2].rows_out]


def test_recommend_gives_the_final_lists(pipeline, parts) -> None:
    whole = pipeline.run(k=5).final.table.sort("user_id", "rank")
    assert pipeline.recommend(k=5, threads=1).table.sort("user_id", "rank").equals(whole)
    some = parts.test_users[3:6]
    alone = pipeline.recommend(some, k=5).table.sort("user_id", "rank")
    assert alone.equals(whole.filter(pl.col("user_id").is_in(some.implode())))


def test_without_a_ranker_the_order_is_reciprocal_rank_fusion(parts) -> None:
    run = Pipeline(retrieve={"item_knn": {"k": 10}, "popular": {"k": 10}}).fit(parts.train).run(k=4)
    best = run.candidates.group_by("user_id", maintain_order=True).head(4)
    assert run.final.table["item_id"].to_list() == best["item_id"].to_list()


def test_strangers_get_what_serves_anybody_and_only_that(pipeline) -> None:
    run = pipeline.run([10**6], k=5)
    assert run.retrieved["item_knn"].table.height == 0 and len(run.retrieved["popular"]) == 20
    assert run.final.table.height == 5


def test_a_retriever_that_is_the_ranker_is_fitted_once(parts) -> None:
    made = Pipeline(retrieve={"ease": {"k": 20, "l2": 50.0}}, rank={"model": "ease", "l2": 50.0}).fit(parts.train)
    assert made.ranker_ is made.retrievers_["ease"]


def test_seen_items_come_back_only_when_they_may(parts) -> None:
    spec = {"retrieve": {"popular": {"k": 60}}, "exclude_seen": False}
    history = parts.train.interactions
    open_ = Pipeline(**spec).fit(parts.train).run(k=10).final.table
    assert open_.join(history, on=["user_id", "item_id"], how="semi").height
    closed = Pipeline(**spec, rerank=[{"kind": "seen"}]).fit(parts.train).run(k=10).final.table
    assert not closed.join(history, on=["user_id", "item_id"], how="semi").height


def test_save_and_load(pipeline, parts, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.save(pipeline, "shop")
    again = place.load("pipeline", "shop")
    assert again == pipeline
    assert again.recommend(k=5).table.equals(pipeline.recommend(k=5).table)
    assert artefact_summary(place.list("pipeline")[0]) == "item_knn → popular → ease → mmr → xquad"
    files = [path for path in (tmp_path / "pipeline").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".npz", ".parquet", ".json"}
    (tmp_path / "pipeline" / "shop" / "rank" / "arrays.npz").unlink()
    with pytest.raises(DataError, match=r"not a whole pipeline .*is missing"):
        place.load("pipeline", "shop")


def test_a_header_cannot_reach_outside_its_folder(pipeline, tmp_path: Path) -> None:
    pipeline.save(tmp_path)
    header = tmp_path / "pipeline.json"
    header.write_text(header.read_text().replace('"popular"', '"../../popular"'))
    with pytest.raises(DataError, match="its hash differs"):
        Pipeline.load(tmp_path)
    write_manifest(tmp_path)
    with pytest.raises(DataError, match="use letters, digits"):
        Pipeline.load(tmp_path)


# ------------------------------------------------------------------------------------------------------------- traces


def test_a_trace_names_the_stage_that_lost_an_item(tiny) -> None:
    made = Pipeline(retrieve={"popular": {"k": 3}}, rank={"model": "popular", "keep": 2}).fit(tiny)
    trace = made.trace("z", ["a", "b", "c", "d", "e", "q"], k=1)
    assert trace["b"]["lost"] is None and loss_text(trace, trace["b"]) == "recommended at place 1"
    assert trace["c"]["lost"] == "rank" and loss_text(trace, trace["c"]).startswith("ranked at place 2")
    assert trace["d"]["lost"] == "rank" and "ranked below the 2 places that are kept" in loss_text(trace, trace["d"])
    assert trace["e"]["lost"] == "retrieve" and "popular has it at place 4 of its list" in loss_text(trace, trace["e"])
    assert trace["a"]["lost"] == "retrieve" and loss_text(trace, trace["a"]) == "the user has it already"
    assert trace["q"]["lost"] == "catalogue"
    with pytest.raises(UnknownNameError, match="item of the trace"):
        trace["zz"]


def test_a_trace_names_the_re_ranker_that_moved_an_item(tiny) -> None:
    items = pl.DataFrame({"item_id": list("abcde"), "genres": [["x"], ["x"], ["x"], ["y"], ["y"]]})
    data = Dataset(tiny.interactions, items=items)
    made = Pipeline(retrieve={"popular": {"k": 4}}, rerank=[{"kind": "mmr", "weight": 0.9}]).fit(data)
    trace = made.trace("z", k=2)
    assert trace.table["item_id"].to_list()[:2] == ["b", "d"]
    assert trace["c"]["lost"] == "1 mmr" and loss_text(trace, trace["c"]).startswith("moved from place 2 to 3")
    assert trace["e"]["lost"] == "rank"


# ------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ({"retrieve": {}}, UsageError, "needs a retriever"),
        ({"retrieve": {"ease": {}}}, UsageError, "has no k"),
        ({"retrieve": {"ease": {"k": 0}}}, UsageError, "k of the retriever 'ease' is 0"),
        ({"retrieve": {"eese": {"k": 5}}}, UnknownNameError, "Did you mean 'ease'"),
        ({"retrieve": {"ease": {"k": 5, "l2x": 1}}}, UnknownNameError, "Did you mean 'l2'"),
        ({"retrieve": {"../ease": {"k": 5}}}, UsageError, "use letters, digits"),
        # A label names a folder of the saved pipeline.
        ({"retrieve": {"con": {"model": "ease", "k": 5}}}, UsageError, "retriever 'con'.*no name of a device"),
        ({"retrieve": {"ease": {"k": 5}, "EASE": {"model": "ease", "k": 5}}}, UsageError, "there is 'ease', which"),
        ({"retrieve": {"ease": {"k": 5}}, "rank": {"l2": 3.0}}, UsageError, "the ranker has no model"),
        ({"retrieve": {"ease": {"k": 5}}, "rank": "item_knn"}, UsageError, r"Write rank=\{'model': 'item_knn'\}"),
        ({"retrieve": {"ease": {"k": 5}}, "rank": Popular()}, UsageError, r"Write rank=\{'model': 'popular'\}"),
        ({"retrieve": "ease"}, UsageError, r"Write retrieve=\{'ease': \{'k': 200\}\}"),
        ({"retrieve": {"ease": 30}}, UsageError, r"Write retrieve=\{'ease': \{'k': 30\}\}"),
        ({"retrieve": {3: {"k": 30}}}, UsageError, "the label of a retriever is an int"),
        ({"retrieve": {"ease": {"k": 5}}, "rerank": "mmr"}, UsageError, r"Write rerank=\[\{'kind': 'mmr'\}\]"),
        ({"retrieve": {"ease": {"k": 5}}, "rerank": ["xquad"]}, UsageError, r"Write rerank=\[\{'kind': 'xquad'\}\]"),
        ({"retrieve": {"ease": {"k": 5}}, "rerank": {"kind": "mmr"}}, UsageError, "rerank is a dict"),
        ({"retrieve": {"ease": {"k": 5}}, "rank": {"model": "easy"}}, UnknownNameError, "Did you mean 'ease'"),
        (
            {"retrieve": {"ease": {"k": 5}}, "rank": {"model": "ease", "keep": 1.5}},
            UsageError,
            "keep of the ranker",
        ),
        ({"retrieve": {"ease": {"k": 5}}, "rerank": [{"kind": "mrm"}]}, UnknownNameError, "Did you mean 'mmr'"),
        (
            {"retrieve": {"ease": {"k": 5}}, "rank": {"model": "boosted", "tree": 3}},
            UnknownNameError,
            "Did you mean 'trees'",
        ),
    ],
)
def test_wrong_specs_are_explained(parts, spec: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        Pipeline(**spec).fit(parts.train)


def test_asked_before_it_was_fitted() -> None:
    made = Pipeline(retrieve={"ease": {"k": 5}})
    with pytest.raises(NotFittedError):
        made.recommend()
    with pytest.raises(NotFittedError):
        made.save("nowhere")


def test_k_and_unknown_users(pipeline, parts) -> None:
    with pytest.raises(UsageError, match="k is 0"):
        pipeline.recommend(k=0)
    knn = Pipeline(retrieve={"item_knn": {"k": 5}}).fit(parts.train)
    with pytest.raises(UnknownNameError, match="user of the pipeline"):
        knn.trace(10**6)


def test_eight_lines_of_toml(parts, tmp_path: Path) -> None:
    text = """name = "shop"
retrieve.item_knn = { k = 30 }
retrieve.popular = { k = 20 }
rank = { model = "ease", l2 = 50.0, keep = 25 }
[[rerank]]
kind = "mmr"
weight = 0.4
"""
    assert len(text.splitlines()) <= 8
    file = tmp_path / "shop.toml"
    file.write_text(text)
    made = Pipeline.from_toml(file).fit(parts.train)
    assert [step.label for step in made.run(k=3).steps] == ["item_knn", "popular", "candidates", "ease", "1 mmr"]
    file.write_text(text.replace("name =", "nmae ="))
    with pytest.raises(UsageError, match=r"has no key 'nmae'. Did you mean 'name'"):
        Pipeline.from_toml(file)
    file.write_text("rank = { model = 'ease' }")
    with pytest.raises(UsageError, match="retrieve is missing"):
        Pipeline.from_toml(file)
    file.write_text(text.replace("mmr", "mrm"))
    with pytest.raises(UsageError, match=r"shop.toml: unknown re-ranker 'mrm'. Did you mean 'mmr'"):
        Pipeline.from_toml(file)
