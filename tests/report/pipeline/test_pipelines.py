"""The report on a pipeline and its diagrams: what they say is what was measured, and names are only ever text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from reclens.data import segments, split
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import UsageError
from reclens.pipeline import Pipeline
from reclens.pipeline.latency import measure_latency
from reclens.pipeline.stage_losses import evaluate_stages
from reclens.report._toolkit.format import format_number
from reclens.report.pipeline.diagram import pipeline_mermaid, pipeline_svg
from reclens.report.pipeline.report import (
    build_pipeline_report,
    latency_table,
    loss_table,
    retriever_table,
    stage_table,
)

STEPS = [
    {"stage": "retrieve", "label": "item_knn", "users": 10, "rows_in": 1_682, "rows_out": 2_000, "seconds": 0.005},
    {"stage": "retrieve", "label": "popular", "users": 10, "rows_in": 1_682, "rows_out": 45, "seconds": 20.0},
    {"stage": "merge", "label": "candidates", "users": 10, "rows_in": 2_045, "rows_out": 2_020, "seconds": 0.2},
    {"stage": "rank", "label": "ease", "users": 10, "rows_in": 2_020, "rows_out": 1_000, "seconds": 1.234},
    {"stage": "rerank", "label": "1 mmr", "users": 10, "rows_in": 1_000, "rows_out": 1_000, "seconds": 0.01},
]


@pytest.fixture(scope="module")
def measured():
    made = split.last_n(synthetic_movielens(n_users=120, n_items=90, n_ratings=4_000, rng=3), n=4)
    train = made.train.with_segments(activity=segments.quantiles("n_interactions", ["light", "heavy"]))
    retrieve = {"item_knn": {"k": 25}, "popular": {"k": 15}}
    pipeline = Pipeline(retrieve=retrieve, rank={"model": "ease", "l2": 50.0}, rerank=[{"kind": "mmr"}]).fit(train)
    found = evaluate_stages(pipeline.run(made.test_users), made.test, train=train, by=["activity"])
    return found, measure_latency(pipeline, made.test_users, n=8)


def test_counts_and_times_stand_on_the_arrows() -> None:
    text = pipeline_mermaid(STEPS, k=10)
    assert text.startswith("flowchart TB\n")
    for arrow in (
        'users -->|"1,682 items"| retrieve0',
        'retrieve0 -->|"200 a user · 0.5 ms"| candidates',
        'retrieve1 -->|"4.5 a user · 2.0 s"| candidates',
        'candidates -->|"202 a user · 20 ms"| stage3',
        'stage3 -->|"100 a user · 123 ms"| stage4',
        'stage4 -->|"100 a user · 1 ms"| shown',
    ):
        assert arrow in text


def test_the_svg_is_xml_with_every_stage_inside_its_frame() -> None:
    root = ElementTree.fromstring(pipeline_svg(STEPS, k=10, title="Shop"))
    spaces = {"s": "http://www.w3.org/2000/svg"}
    words = ["".join(each.itertext()) for each in root.iterfind(".//s:text", spaces)]
    assert {"10 users", "item_knn", "popular", "candidates", "rank: ease", "rerank: 1 mmr", "the first 10"} <= set(
        words
    )
    assert "202 a user · 20 ms" in words
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    boxes = root.findall(".//s:g/s:rect", spaces)
    assert len(boxes) == 7
    for box in boxes:
        assert float(box.attrib["x"]) >= 0 and float(box.attrib["x"]) + float(box.attrib["width"]) <= width
        assert float(box.attrib["y"]) >= 0 and float(box.attrib["y"]) + float(box.attrib["height"]) <= height


def test_names_are_text() -> None:
    attack = '"]; click x "javascript:alert(1)" <script>alert(1)</script>'
    steps = [{**STEPS[0], "label": attack}, *STEPS[1:]]
    mermaid = pipeline_mermaid(steps, k=10)
    line = next(each for each in mermaid.splitlines() if each.lstrip().startswith("retrieve0["))
    assert re.fullmatch(r'  retrieve0\["[^"\]<>]*"\]', line)
    svg = pipeline_svg(steps, k=10)
    assert "<script" not in svg
    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("text")]
    assert attack in texts


def test_nothing_to_draw() -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        pipeline_svg([], k=10)


def test_tables_hold_the_numbers_of_the_result(measured) -> None:
    found, latency = measured
    table = loss_table(found, metric="ndcg@10")
    assert [row[0] for row in table.rows] == ["retrieve", "rank", "1 mmr"]
    ranking = found.loss("rank", "ndcg@10")
    assert table.rows[1][1:3] == (format_number(ranking.before), format_number(ranking.after))
    assert format_number(ranking.loss.low, signed=True) in table.rows[1][3]
    assert len(loss_table(found, metric="ndcg@10", by=None).rows) == 9  # three stages, all users and two segments
    assert [row[0] for row in stage_table(found).rows] == ["perfect", "retrieval ceiling", "ranked", "1 mmr"]
    assert [row[0] for row in retriever_table(found).rows] == ["item_knn", "popular", "candidates"]
    assert latency_table(latency).rows[-1][0] == "whole request"


def test_the_verdict_says_where_most_is_lost(measured) -> None:
    found, latency = measured
    page = build_pipeline_report(found, latency=latency)
    overall = [each for each in found.losses if each.metric == "ndcg@10" and each.by == "overall"]
    worst = max(overall, key=lambda each: each.loss.value)
    named = {"retrieve": "retrieval", "rank": "ranking"}.get(worst.stage, worst.stage)
    assert f"Most is lost at {named}: {format_number(worst.loss.value)}" in page.html
    assert f"the final lists reach {format_number(overall[-1].after)} of the 1.000" in page.html
    assert page.title == "Pipeline pipeline (synthetic data)" and "Time to serve one user" in page.html


@pytest.mark.browser
def test_it_reads_on_paper_and_on_a_phone(paper, measured) -> None:
    found, latency = measured
    first = paper(build_pipeline_report(found, latency=latency), "pipeline")
    for said in ("Who loses", "Cost", "How sure", "whole request: median"):
        assert said in first, f"page 1 does not say {said}"
