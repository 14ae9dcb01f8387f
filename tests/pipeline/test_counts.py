"""What the card of a pipeline's lists counts, by hand; and the trace of a user who has no candidates."""

from __future__ import annotations

import warnings

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError
from reclens.pipeline import Pipeline, PipelineWarning
from reclens.pipeline import pipeline as module
from reclens.report.pipeline.trace_words import loss_text

EVERYBODY = ["u", "v", "w", "x", "y", "z", "stranger"]


@pytest.fixture(scope="module")
def made(tiny) -> Pipeline:
    """Brings e to v; d, e to w; c, d, e to x; b, c, d to y and z; a, b, c to a stranger; nothing to u. Two go on."""
    return Pipeline(retrieve={"popular": {"k": 3}}, rank={"model": "popular", "keep": 2}).fit(tiny)


def coded(card) -> dict[str, int]:
    return {rule["code"]: rule["count"] for rule in card["rules"]}


def test_rules_of_the_lists(made) -> None:
    card = made.recommend(EVERYBODY, k=2).card
    assert coded(card) == {"unknown_users": 1, "no_candidates": 1, "no_list": 1, "short_list": 1}
    assert card["rules"][0]["facts"] == {"served_by": ["popular"]} and card["problems"] == [] and card["keep"] == 2


def test_every_stage_and_every_filter_is_counted(made) -> None:
    card = made.recommend(EVERYBODY, k=1).card
    rows = [
        {name: row[name] for name in ("stage", "label", "rows_out", "asked", "without", "short")}
        for row in card["stages"]
    ]
    assert rows == [
        {"stage": "retrieve", "label": "popular", "rows_out": 15, "asked": 3, "without": 1, "short": 2},
        {"stage": "merge", "label": "candidates", "rows_out": 15, "asked": 1, "without": 1, "short": 0},
        {"stage": "rank", "label": "popular", "rows_out": 11, "asked": 1, "without": 1, "short": 0},
    ]
    counts = {row["filter"]: row["count"] for row in card["filters"]}
    assert counts == {"seen": 16, "keep": 4, "k": 5}  # 16 pairs of history; 3 candidates of 4 users; 2 kept of 5


def test_filters_that_drop_items_are_counted(tiny) -> None:
    spec = {"retrieve": {"popular": {"k": 3}}, "rank": {"model": "popular", "keep": 2}}
    made = Pipeline(**spec, rerank=[{"kind": "available", "exclude": ["e"]}, {"kind": "seen"}]).fit(tiny)
    card = made.recommend(EVERYBODY, k=2).card
    assert [(row["filter"], row["label"], row["count"]) for row in card["filters"]][2:4] == [
        ("available", "1 available", 2),
        ("seen", "2 seen", 0),
    ]
    assert coded(card)["dropped"] == 2 and coded(card)["no_list"] == 2  # v had e alone
    assert coded(card)["short_list"] == 1  # w has d
    open_ = Pipeline(**spec, exclude_seen=False).fit(tiny).recommend(EVERYBODY, k=2).card
    assert open_["filters"][0] == {
        "filter": "seen",
        "stage": "retrieve",
        "label": "retrieve",
        "count": 0,
        "first": None,
    }


def test_candidates_that_the_ranker_cannot_score_are_counted(tiny) -> None:
    made = Pipeline(retrieve={"popular": {"k": 3}}, rank={"model": "item_knn"}).fit(tiny)
    assert coded(made.recommend(EVERYBODY, k=2).card)["unscored"] == 3  # those of the stranger


def test_batches_add_up(made, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made.recommend(EVERYBODY, k=2)
    monkeypatch.setattr(module, "_USERS_AT_A_TIME", 2)
    parts = made.recommend(EVERYBODY, k=2)
    assert parts.card == whole.card and parts.table.sort("user_id", "rank").equals(whole.table.sort("user_id", "rank"))
    assert [len(run.final) for run in made.batches(EVERYBODY, k=2)] == [1, 4, 4, 2]


def test_a_run_has_the_cards_of_its_stages(made) -> None:
    run = made.run(EVERYBODY, k=2)
    assert run.final.card == made.recommend(EVERYBODY, k=2).card
    assert run.retrieved["popular"].card["model"] == "popular" and run.ranked.card["k"] == 2
    assert run.fused.table["item_id"].to_list() == run.ranked.table["item_id"].to_list()  # popular is its own fusion


def test_fewer_places_kept_than_asked_for_are_said(made) -> None:
    with pytest.warns(PipelineWarning, match="keep = 2 is below k = 3: no list is longer than 2"):
        lists = made.recommend(EVERYBODY, k=3)
    assert lists.card["problems"] == ["keep_below_k"]
    assert coded(lists.card)["keep_below_k"] == 4  # x, y, z and the stranger have three candidates
    assert coded(lists.card)["short_list"] == 6 and lists.table["rank"].max() == 2
    with pytest.warns(PipelineWarning):
        assert made.run(["u"], k=3).final.card["problems"] == ["keep_below_k"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made.recommend(EVERYBODY, k=2).card["problems"] == []


def test_places_kept_by_default_are_never_fewer_than_asked_for() -> None:
    rows = [(user, item) for user in range(3) for item in range(130)] + [(3, 0)]
    data = Dataset(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    for rank in (None, {"model": "popular"}):
        made = Pipeline(retrieve={"popular": {"k": 129}}, rank=rank).fit(data)
        assert [made.recommend([3], k=k).card["keep"] for k in (10, 120)] == [100, 120]
        assert made.recommend([3], k=120).table.height == 120


# ------------------------------------------------------------------------------------------- a known user, nothing


def test_a_trace_of_a_user_who_has_had_everything(made) -> None:
    trace = made.trace("u")
    assert trace.candidates == 0 and trace.to_dicts() == []
    assert [(each.label, each.code, each.items) for each in trace.retrievers] == [("popular", "all_seen", 0)]
    asked = made.trace("u", ["a", "q"])
    assert {row["item_id"]: row["code"] for row in asked.to_dicts()} == {"a": "seen", "q": "not_in_catalogue"}
    with pytest.raises(UnknownNameError):
        trace["a"]


def test_a_trace_of_a_user_whom_nobody_resembles(tiny) -> None:
    alone = pl.DataFrame({"user_id": ["s"], "item_id": ["f"]})
    data = Dataset(pl.concat([tiny.interactions.select("user_id", "item_id"), alone]))
    made = Pipeline(retrieve={"item_knn": {"k": 3}}).fit(data)
    trace = made.trace("s", ["a", "f"])
    assert trace["a"]["lost"] == "retrieve" and trace["a"]["code"] == "no_candidates"
    assert loss_text(trace, trace["a"]) == "the user has no candidates: item_knn: it has a score for none of the items"
    assert trace["f"]["code"] == "seen" and trace.retrievers[0].code == "no_score"
    with pytest.raises(UnknownNameError, match="user of the pipeline"):
        made.trace("stranger")


def test_a_trace_says_which_retriever_does_not_know_the_user(tiny) -> None:
    made = Pipeline(retrieve={"item_knn": {"k": 3}, "popular": {"k": 2}}).fit(tiny)
    trace = made.trace("stranger", ["a"])
    assert trace["a"]["code"] == "recommended"
    assert [(each.code, each.candidates, each.items) for each in trace.retrievers] == [
        ("unknown_user", 0, 0),
        ("served", 2, 5),
    ]
