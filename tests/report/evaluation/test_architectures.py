"""Classic and deep models side by side, training curves, attention: what is drawn and said of them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from tests.helpers.untrained_deep import CURVES, without_training

from reclens.data.synthetic import synthetic_movielens
from reclens.evaluation import Evaluation
from reclens.job.run import JobResult, run_job
from reclens.report import build_report
from reclens.report.evaluation import architectures, training


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> JobResult:
    """A job of a classic, a deep (untrained) and an impersonal model."""
    folder = tmp_path_factory.mktemp("architectures")
    synthetic_movielens(n_users=60, n_items=50, n_ratings=1_500, rng=3).interactions.write_parquet(folder / "r.parquet")
    job = {
        "name": "both",
        "data": {"path": str(folder / "r.parquet")},
        "split": {"n": 3},
        "models": {"popular": {}, "ease": {"l2": 50.0}, "sasrec": {"factors": 4, "blocks": 1, "max_length": 8}},
        "segments": {"activity": {"quantiles": ["light", "heavy"]}},
        "evaluate": {"metrics": ["ndcg@10", "novelty@10", "arp@10", "coverage@10"], "replicates": 200},
    }
    with pytest.MonkeyPatch.context() as patch:
        without_training(patch)
        return run_job(job, workspace=folder / "workspace")


@pytest.fixture(scope="module")
def results(done: JobResult) -> Mapping[str, Evaluation]:
    return done.results


def test_kinds_and_sides_and_costs(results: Mapping[str, Evaluation]) -> None:
    kinds = {"popular": "not personal", "ease": "classic", "sasrec": "deep"}
    assert architectures.kinds_of(results) == kinds
    assert architectures.sides_of(results) == ["ndcg@10", "novelty@10", "arp@10"], "of users, one of each family"
    table = architectures.architecture_table(results, metrics=["ndcg@10"])
    assert table.columns == ("system", "kind", "training, CPU s", "1,000 requests, CPU s", "ndcg@10")
    assert {row[0]: row[1] for row in table.rows} == kinds and table.rows[-1][0] == "sasrec", "its vectors are drawn"
    cost = results["ease"].card["lists"]["cost"]
    record = next(row for row in table.records if row["system"] == "ease")
    assert record["list_cpu_seconds"] == pytest.approx(1_000 * cost["list_cpu_seconds"] / 60)
    assert record["fit_cpu_seconds"] == cost["fit_cpu_seconds"] > 0


def test_the_report_holds_deep_against_classic(done: JobResult) -> None:
    found = architectures.deep_against_classic(done.results, metrics=["ndcg@10"], by=["activity"])
    paired = done.results["sasrec"].per_user["ndcg@10"] - done.results["ease"].per_user["ndcg@10"]
    assert found[0].difference.value == pytest.approx(paired.mean()) and found[0].difference.high < 0
    said = architectures.architecture_text(found, done.results)
    assert said[0] == "Deep: sasrec. Classic: ease." and "lower with the deep models" in said[1]
    page = done.report.read_text(encoding="utf-8")
    assert "Architecture trade-offs" in page and said[1].split("(")[0] in page
    classic = {name: each for name, each in done.results.items() if name != "sasrec"}
    assert "Architecture trade-offs" not in build_report(classic).html
    assert "no run is of a deep model" in architectures.architecture_text([], classic)[0]


def test_curves_mark_the_epoch_that_is_kept() -> None:
    trainings = {"one": (pl.DataFrame({"epoch": [1, 2, 3], **CURVES}), 2)}
    rows = training.curve_rows(trainings, "ndcg@10")
    assert [(row["epoch"], row["value"], row["kept"]) for row in rows] == [
        (1, 0.1, False),
        (2, 0.3, True),
        (3, 0.2, False),
    ]
    both = training.curve_rows({**trainings, "two": trainings["one"]}, "loss")
    assert [row["value"] for row in both] == [1.0, 2 / 3, 0.5] * 2, "several losses: shares of the first epoch's"
    assert [row["value"] for row in training.curve_rows(trainings, "loss")] == CURVES["loss"]
    assert training.curve_rows(trainings, "auc") == [] and training.curve_chart([], column="auc") is None
    assert training.curve_chart(rows, column="ndcg@10").to_dict()["layer"][0]["mark"]["type"] == "line"
    (row,) = training.training_table(trainings).records
    assert (row["epochs"], row["best_epoch"], row["loss"], row["value"], row["seconds"]) == (3, 2, 2.0, 0.3, 4.0)
    plain = {"one": (pl.DataFrame({"epoch": [1], "loss": [2.0], "seconds": [1.0]}), 1)}
    assert training.training_table(plain).records[0]["metric"] is None


def test_attention_is_shown_event_by_event() -> None:
    weights = pl.DataFrame(
        {"block": [1, 1, 2, 2], "item_id": [7, 9, 7, 9], "place": [2, 1, 2, 1], "weight": [0.25, 0.75, 0.5, 0.5]}
    )
    assert training.attention_rows(weights, lambda item: f"film {item}") == [
        {"events ago": 1, "item": "film 9", "block 1": 0.75, "block 2": 0.5},
        {"events ago": 2, "item": "film 7", "block 1": 0.25, "block 2": 0.5},
    ]
