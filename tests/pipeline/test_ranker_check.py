"""The ranker against plain fusion of the same candidates: who is better, by how much, and where that is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.errors import UsageError
from reclens.evaluation import evaluate
from reclens.pipeline import Pipeline
from reclens.pipeline.ranker_check import judged_metrics
from reclens.pipeline.stage_losses import evaluate_stages
from reclens.report import build_report
from reclens.report.evaluation.findings import finding_text, findings
from reclens.report.pipeline.report import build_pipeline_report, ranker_in_words, ranker_table
from reclens.report.pipeline.words import ranker_problems
from reclens.workspace import Workspace


def measured(by_activity, retriever: dict, rank: dict | None, **more):
    train, test, users = by_activity
    made = Pipeline(retrieve=retriever, rank=rank, name="shop", **more).fit(train)
    return evaluate_stages(made.run(users), test, train=train, by=["activity"])


@pytest.fixture(scope="module")
def losing(by_activity):
    """Lots against the order of EASE."""
    return measured(by_activity, {"ease": {"k": 40, "l2": 50.0}}, {"model": "random"}, rerank=[{"kind": "mmr"}])


def test_the_gain_is_the_paired_difference_of_the_two_orders(by_activity, losing) -> None:
    """By the users' own values and Student's t over users."""
    train, test, users = by_activity
    run = Pipeline(retrieve={"ease": {"k": 40, "l2": 50.0}}, rank={"model": "random"}).fit(train).run(users)
    orders = {
        "ranked": run.ranked.table,
        "fusion": run.candidates.select("user_id", "item_id").with_columns(
            rank=pl.int_range(1, pl.len() + 1).over("user_id")
        ),
    }
    ours, plain = (
        evaluate(orders[name], test, train=train, metrics=["ndcg@10"]).per_user.sort("user_id")["ndcg@10"].to_numpy()
        for name in ("ranked", "fusion")
    )
    row = next(each for each in losing.gains if (each.metric, each.by) == ("ndcg@10", "overall"))
    assert row.gain.value == pytest.approx((ours - plain).mean())
    assert (row.ranked, row.fusion) == (pytest.approx(ours.mean()), pytest.approx(plain.mean()))
    half = 1.976 * (ours - plain).std(ddof=1) / np.sqrt(len(ours))
    assert row.gain.high - row.gain.low == pytest.approx(2 * half, rel=0.12)
    assert row.gain.n == len(users) and row.verdict == "worse" and row.ranker == "random"
    assert len(losing.gains) == 6  # two metrics, all users and two segments


def test_a_ranker_that_wins_and_one_that_changes_nothing(by_activity) -> None:
    winning = measured(by_activity, {"random": {"k": 60}}, {"model": "ease", "l2": 50.0})
    assert [each.verdict for each in winning.gains if each.by == "overall"] == ["better", "better"]
    assert ranker_problems(winning.final.card) == [] and "beats plain fusion" in ranker_in_words(winning)[0]
    same = measured(by_activity, {"ease": {"k": 30, "l2": 50.0}}, {"model": "ease", "l2": 50.0})
    assert {(each.gain.value, each.verdict) for each in same.gains} == {(0.0, "undecided")}
    assert "shows no difference" in ranker_in_words(same)[0]


def test_without_a_ranker_there_is_nothing_to_hold_against_the_fusion(by_activity) -> None:
    plain = measured(by_activity, {"ease": {"k": 30, "l2": 50.0}}, None)
    assert plain.gains == () and plain.final.card["ranker"] == [] and ranker_in_words(plain) == []


def test_both_orders_are_cut_at_keep(by_activity) -> None:
    cut = Pipeline(retrieve={"ease": {"k": 30}}, rank={"model": "random", "keep": 12}).fit(by_activity[0])
    final, ranked, fused = cut.recommend_with_fusion(by_activity[2], k=10)
    assert cut.run(by_activity[2]).fused.table["rank"].max() == 12 and final.table.equals(ranked.table)
    assert fused.table["rank"].max() == 10 and fused.table.equals(
        cut.run(by_activity[2]).fused.table.filter(pl.col("rank") <= 10)
    )


def test_a_report_says_when_the_ranker_loses(losing) -> None:
    page = build_pipeline_report(losing).html
    assert "The ranker random loses to plain fusion of the same candidates by ndcg@10" in page
    assert "Is the ranker worth its place?" in page and "What went in and out" in page
    assert "It loses among activity light, activity heavy" in page
    assert [row[4] for row in ranker_table(losing).rows] == ["loses", "loses"]
    assert "the ranker random loses to plain fusion" in build_report({"shop": losing.final}).html


def test_the_dashboard_says_when_the_ranker_loses(losing, tmp_path: Path) -> None:
    """Its home page shows what ``findings`` has of the evaluations that are kept."""
    place = Workspace(tmp_path)
    place.save(losing.final, "shop")
    found = [each for each in findings({"shop": place.load("evaluation", "shop")}) if each.kind == "caution"]
    assert [(each.code, each.about) for each in found] == [("ranker_loses", ("shop",))]
    text = finding_text(found[0])
    assert text.startswith("the ranker random loses to plain fusion") and text.endswith("recall@10")


def test_what_a_ranker_can_be_judged_by(by_activity) -> None:
    assert judged_metrics(["novelty@10", "ndcg@10", "coverage@10", "diversity@5"]) == ["ndcg@10"]
    train, test, users = by_activity
    run = Pipeline(retrieve={"popular": {"k": 30}}).fit(train).run(users)
    with pytest.raises(UsageError, match="of diversity@10 nothing can be lost"):
        evaluate_stages(run, test, train=train, metrics=["diversity@10"])


def test_commands_and_jobs_say_when_the_ranker_loses(
    by_activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from reclens.cli.app import app

    monkeypatch.chdir(tmp_path)
    by_activity[0].interactions.write_parquet("events.parquet")
    Path("job.toml").write_text("""name = "shop"
[data]
path = "events.parquet"
[segments]
[models.popular]
[pipelines.staged]
retrieve.ease = { k = 30, l2 = 50.0 }
rank = { model = "random", keep = 5 }
[evaluate]
metrics = ["ndcg@10", "novelty@10"]
k = 10
""")
    ran = CliRunner().invoke(app, ["run", "job.toml"])
    assert ran.exit_code == 0, ran.output
    assert "staged: the ranker random loses to plain fusion of the same candidates: ndcg@10" in ran.stderr
    assert "staged: keep = 5 is below k = 10: no list is longer than 5" in ran.stderr
    card = Workspace("workspace").load("evaluation", "shop-staged").card
    assert [(row["metric"], row["verdict"]) for row in card["ranker"]] == [("ndcg@10", "worse")]
    call = [
        "pipeline",
        "evaluate",
        "shop-staged",
        "--split",
        "shop",
        "--requests",
        "2",
        "-k",
        "5",
        "--keep",
        "measured",
    ]
    found = CliRunner().invoke(app, [*call, "-f", "json"])
    assert found.exit_code == 0, found.output
    assert "The ranker random loses to plain fusion of the same candidates by ndcg@5" in found.stderr
    assert Workspace("workspace").load("evaluation", "measured").card["ranker"][0]["verdict"] == "worse"
    assert {row["stage"] for row in json.loads(found.stdout)["rows"]} == {"retrieve", "rank"}
