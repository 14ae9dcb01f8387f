"""Exercise 3.1: the requests by hand, the diagram that the product draws, the right answer, and wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.learn.exercise import Draw
from reclens.learn.exercises import wire_it
from reclens.learn.exercises.wire_it import WireIt

EXERCISE = WireIt()
DRAW = Draw(4 << 64, EXERCISE.code)
WRONG = {
    "no fallback": "pipeline_short_list",
    "no content": "pipeline_short_list",
    "too shallow": "pipeline_short_list",
    "keep of ten": "pipeline_short_list",
    "sold out": "pipeline_illegal_items",
    "over budget": "over_budget",
    "filter alone": "no_reranker",
    "diagram in another order": "diagram_differs",
    "diagram without a retriever": "diagram_differs",
}


@pytest.mark.parametrize("seed", range(3))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged, tmp_path: Path) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    assert set(EXERCISE.wrong) == set(WRONG)
    for name, write in list(EXERCISE.wrong.items())[seed::3]:
        assert {each.code for each in judged(EXERCISE, draw, write)} == {WRONG[name]}, name


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("pipeline")
    EXERCISE.solve(DRAW, place)
    return {file: (place / file).read_text() for file in EXERCISE.files}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("retrieve.content", "retrieve.vectors", "model_not_allowed"),
        ('model = "ease"', 'model = "boosted"', "model_not_allowed"),
        ("k = 15", "k = 0", "no_pipeline"),
        ("weight = 0.3", "wieght = 0.3", "no_pipeline"),
        ('rank = { model = "ease", l2 = 50.0, keep = 80 }', "", "no_ranker"),
        ('rank = { model = "ease", l2 = 50.0, keep = 80 }', 'rank = "ease"', "no_stages"),
        ('kind = "mmr"', 'kind = "nosuch"', "no_pipeline"),
        ('kind = "mmr"', 'kind = ["mmr"]', "no_pipeline"),
    ],
)
def test_what_is_no_pipeline_is_named(answer: dict[str, str], old: str, new: str, code: str) -> None:
    assert old in answer["pipeline.toml"]
    changed = {**answer, "pipeline.toml": answer["pipeline.toml"].replace(old, new)}
    assert code in [each.code for each in EXERCISE.judge(changed, DRAW)]


def test_one_retriever_and_no_diagram_are_named(answer: dict[str, str]) -> None:
    alone = 'retrieve.popular = { k = 40 }\nrank = { model = "ease" }\nrerank = [{ kind = "mmr" }]'
    assert [each.code for each in EXERCISE.judge({**answer, "pipeline.toml": alone}, DRAW)] == ["too_few_retrievers"]
    number = alone.replace('[{ kind = "mmr" }]', "5")
    assert [each.code for each in EXERCISE.judge({**answer, "pipeline.toml": number}, DRAW)] == ["no_stages"]
    empty = {**answer, "diagram.mmd": "flowchart TB\n"}
    assert [each.code for each in EXERCISE.judge(empty, DRAW)] == ["no_diagram"]


def test_the_diagram_that_the_product_draws_is_what_ran(answer: dict[str, str]) -> None:
    import tomllib

    from reclens.report.pipeline.diagram import pipeline_mermaid

    shop = wire_it._shop(DRAW)
    pipeline = wire_it._pipeline(tomllib.loads(answer["pipeline.toml"])).fit(wire_it._dataset(shop))
    drawn = pipeline_mermaid(pipeline.run(k=10).to_dicts(), k=10)
    assert list(wire_it._compared(drawn, wire_it._edges_that_ran(pipeline, shop.heavy))) == []
    assert wire_it._edges_that_ran(pipeline, shop.heavy) == {
        *(("request", each) for each in ("item_knn", "content", "popular")),
        *((each, "candidates") for each in ("item_knn", "content", "popular")),
        ("candidates", "rank: ease"),
        ("rank: ease", "rerank: 1 available"),
        ("rerank: 1 available", "rerank: 2 mmr"),
        ("rerank: 2 mmr", "list"),
    }


def test_a_list_by_hand() -> None:
    request = wire_it._Request(kind="region", user=1, illegal=frozenset({5}), options={})
    codes = {
        (): ["pipeline_short_list"],
        tuple(range(10, 20)): [],
        (5, *range(10, 19)): ["pipeline_illegal_items"],  # excluded
        (7, *range(10, 19)): ["pipeline_illegal_items"],  # sold out
        (10, *range(10, 19)): ["pipeline_illegal_items"],  # twice
        (5, 7, 10, 10): ["pipeline_short_list", "pipeline_illegal_items"],
    }
    for shown, expected in codes.items():
        remarks = list(wire_it._faults(request, list(shown), {7}))
        assert [each.code for each in remarks] == expected
    assert remarks[1].facts["seen"] == 3


def test_the_requests_are_what_they_are_called() -> None:
    shop = wire_it._shop(DRAW)
    found = {each.kind: each for each in wire_it._requests(shop, ["a", "b"], DRAW.hidden()[0])}
    assert list(found) == ["new_user", "new_items", "region", "empty_history", "heavy_user", "retriever_down"]
    known = set(shop.interactions["user_id"].to_list())
    assert found["new_user"].user not in known and found["heavy_user"].user == shop.heavy
    assert len(shop.had(shop.heavy)) == 104  # 65 % of 160
    new = shop.ids() - found["new_items"].illegal
    assert len(new) == 24 and not new & set(shop.interactions["item_id"].to_list()) and not new & shop.sold_out
    best = shop.interactions["item_id"].value_counts(sort=True)["item_id"].to_list()
    assert len(set(best[:30]) & shop.sold_out) > 3 * len(set(best[-30:]) & shop.sold_out)
