"""Every command by itself, good and bad."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

LISTS = "user_id,item_id,rank\n1,7,1\n1,8,2\n2,8,1\n"
TRUTH = "user_id,item_id\n1,8\n2,9\n"
TRAIN = "user_id,item_id\n1,9\n2,7\n3,8\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, text in (("lists", LISTS), ("truth", TRUTH), ("train", TRAIN)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_lists_of_any_system_are_measured(run, files: Path) -> None:
    said = run(
        "evaluate",
        "lists.csv",
        "--truth",
        "truth.csv",
        "--train",
        "train.csv",
        "-m",
        "mrr@10",
        "-m",
        "coverage@10",
        "--format",
        "json",
        "--html",
        "report.html",
        cwd=files,
    )
    rows = {row["metric"]: row["value"] for row in json.loads(said.stdout)["rows"]}
    assert rows == {"mrr@10": 0.25, "coverage@10": pytest.approx(2 / 3)}
    assert "<h1>Offline evaluation</h1>" in (files / "report.html").read_text()


@pytest.mark.parametrize(("form", "first"), [("csv", "system,metric,"), ("md", "| system |"), ("table", "lists")])
def test_tables_come_in_every_form(run, files: Path, form: str, first: str) -> None:
    run("evaluate", "lists.csv", "-t", "truth.csv", "-m", "ndcg@5", "--format", form, "--out", "out.txt", cwd=files)
    text = (files / "out.txt").read_text()
    assert text.startswith(first)
    if form == "csv":
        assert [row["metric"] for row in csv.DictReader(io.StringIO(text))] == ["ndcg@5"]


def test_the_steps_one_by_one(run, tmp_path: Path) -> None:
    run("data", "split", "--name", "s", "--method", "random", cwd=tmp_path)
    for model in ("popular", "item_knn"):
        run("fit", model, "--split", "s", cwd=tmp_path)
        run("recommend", model, "-k", "10", "--keep", f"lists-{model}", cwd=tmp_path)
        run("evaluate", f"lists-{model}", "--split", "s", "-m", "ndcg@10", "--keep", model, cwd=tmp_path)
    said = run("compare", "popular", "item_knn", "--baseline", "popular", "--keep", "c", cwd=tmp_path)
    assert "item_knn is better than popular" in said.stderr
    run("compare", "item_knn", "popular", "--fail-on-loss", cwd=tmp_path, status=1)
    run("report", "popular", "item_knn", "--baseline", "popular", "--out", "r.html", cwd=tmp_path)
    assert "item_knn is better than popular" in (tmp_path / "r.html").read_text()
    why = run("recommend", "item_knn", "--user", "1", "-k", "3", "--explain", "--format", "json", cwd=tmp_path)
    rows = json.loads(why.stdout)["rows"]
    assert len(rows) == 3 and all("close to what the user has" in row["why"] for row in rows)


def test_strangers_are_told_from_their_fold_in(run, tmp_path: Path) -> None:
    run("data", "split", "--name", "s", "--method", "by_user", cwd=tmp_path)
    for model in ("popular", "ease"):
        run("fit", model, "--split", "s", cwd=tmp_path)
        run("recommend", model, "--split", "s", "--keep", f"lists-{model}", cwd=tmp_path)
        run("evaluate", f"lists-{model}", "--split", "s", "-m", "ndcg@10", "--keep", model, cwd=tmp_path)
    said = run("compare", "popular", "ease", "--baseline", "popular", cwd=tmp_path)
    assert "ease is better than popular" in said.stderr and "n = 188;" in said.stderr  # a fifth of 943, rounded down


def test_hyper_parameters(run, tmp_path: Path) -> None:
    run("fit", "ease", "-p", "l2=50", "--name", "e50", cwd=tmp_path)
    assert '"l2": 50.0' in (tmp_path / "workspace" / "model" / "e50" / "header.json").read_text()
    assert "Did you mean 'l2'" in run("fit", "ease", "-p", "l=5", cwd=tmp_path, status=2).stderr
    assert "expected a number" in run("fit", "ease", "-p", "l2=many", cwd=tmp_path, status=2).stderr
    assert "expected a whole number" in run("fit", "item_knn", "-p", "neighbors=1.5", cwd=tmp_path, status=2).stderr


def test_hyper_parameters_from_a_file(run, tmp_path: Path) -> None:
    config, header = tmp_path / "mine.toml", tmp_path / "workspace" / "model" / "knn50" / "header.json"
    config.write_text('model = "item_knn"\nneighbors = 50\nweighting = "bm25"\n')
    run("fit", "--config", config, "--name", "knn50", "-p", "weighting=tf_idf", cwd=tmp_path)
    kept = json.loads(header.read_text())
    assert kept["model"] == "item_knn" and kept["parameters"]["neighbors"] == 50
    assert kept["parameters"]["weighting"] == "tf_idf", "an option wins over the file"
    assert "describes a 'item_knn'" in run("fit", "ease", "--config", config, cwd=tmp_path, status=2).stderr
    config.write_text("neighbours = 50\n")
    assert "Did you mean 'neighbors'" in run("fit", "item_knn", "--config", config, cwd=tmp_path, status=2).stderr
    assert "names no model" in run("fit", "--config", config, cwd=tmp_path, status=2).stderr
    config.write_text("model = \n")
    assert "it is not TOML" in run("fit", "--config", config, cwd=tmp_path, status=2).stderr
    assert "cannot be read" in run("fit", "--config", "none.toml", cwd=tmp_path, status=2).stderr
    assert "no model is named" in run("fit", cwd=tmp_path, status=2).stderr


HYBRID = """
model = "switching_hybrid"
min_history = { popular = 0, both = 30 }
[models.popular]
[models.both]
model = "weighted_hybrid"
weights = { ease = 0.7, content = 0.3 }
[models.both.models.ease]
l2 = 500
[models.both.models.content]
"""


def test_a_hybrid_from_a_file_from_options_and_in_a_job(run, tmp_path: Path) -> None:
    (tmp_path / "hybrid.toml").write_text(HYBRID)
    run("fit", "--config", "hybrid.toml", cwd=tmp_path)
    inner = tmp_path / "workspace" / "model" / "switching_hybrid" / "both" / "ease" / "header.json"
    assert json.loads(inner.read_text())["parameters"] == {"l2": 500.0}
    said = run("recommend", "switching_hybrid", "-k", "3", "--keep", "lists", cwd=tmp_path).stderr
    counts = [int(n) for n in re.findall(r"users served by \w+: (\d+)", said)]
    assert len(counts) == 2 and sum(counts) == 943 and min(counts) > 0
    given = ["-p", "models={ease={}, popular={}}", "-p", "weights={ease=3, popular=1}", "--name", "w"]
    run("fit", "weighted_hybrid", *given, cwd=tmp_path)
    why = run("recommend", "w", "--user", "1", "-k", "2", "--explain", "-f", "json", cwd=tmp_path).stdout
    assert all("is put forward by ease" in row["why"] for row in json.loads(why)["rows"])
    assert "weights = {}" in run("models", "show", "weighted_hybrid", cwd=tmp_path).stdout
    wrong = HYBRID.replace("l2", "l3")
    (tmp_path / "wrong.toml").write_text(wrong)
    assert "hyper-parameter of ease 'l3'" in run("fit", "--config", "wrong.toml", cwd=tmp_path, status=2).stderr
    section = HYBRID.replace("[models.", "[models.mine.models.")
    job = f'name = "j"\n[evaluate]\nmetrics = ["ndcg@10"]\nreplicates = 100\n[models.popular]\n[models.mine]\n{section}'
    (tmp_path / "job.toml").write_text(job)
    rows = json.loads(run("run", "job.toml", "--format", "json", cwd=tmp_path).stdout)["rows"]
    values = {row["system"]: row["value"] for row in rows if row["segment"] == "all"}
    assert list(values) == ["mine", "popular"] and values["mine"] > values["popular"], "the best comes first"


def test_a_job_may_hold_one_model_twice(run, tmp_path: Path) -> None:
    job = '[models.popular]\n[models.narrow]\nmodel = "item_knn"\nneighbors = 5\n[models.wide]\nmodel = "item_knn"\n'
    (tmp_path / "job.toml").write_text(f'name = "j"\n[evaluate]\nmetrics = ["ndcg@10"]\nreplicates = 100\n{job}')
    rows = json.loads(run("run", "job.toml", "--format", "json", cwd=tmp_path).stdout)["rows"]
    values = {row["system"]: row["value"] for row in rows if row["segment"] == "all"}
    assert set(values) == {"popular", "narrow", "wide"} and values["narrow"] != values["wide"]
    assert list(values) == sorted(values, key=lambda name: -values[name]), "the best comes first"
    (tmp_path / "job.toml").write_text('[models.wide]\nmodel = "item_kn"\n')
    assert "Did you mean 'item_knn'" in run("run", "job.toml", cwd=tmp_path, status=2).stderr


def test_the_workspace_can_be_looked_at_and_undone(run, demo) -> None:
    folder, _ = demo
    assert "demo-ease" in run("workspace", "list", "evaluation", cwd=folder).stdout
    assert '"model": "ease"' in run("workspace", "show", "run", "demo-ease", cwd=folder).stdout
    run("workspace", "remove", "run", "demo-ease", cwd=folder)
    assert "Did you mean" in run("workspace", "show", "run", "demo-ease", cwd=folder, status=2).stderr
    run("workspace", "restore", "run", "demo-ease", cwd=folder)
    assert "evaluation_demo_ease_per_user" in run("workspace", "sql", cwd=folder).stdout
    said = run("workspace", "sql", "SELECT count(*) AS n FROM run_demo_ease_lists", "-f", "csv", cwd=folder)
    assert said.stdout == "n\n18860\n"
    assert "one SELECT" in run("workspace", "sql", "DROP VIEW x", cwd=folder, status=2).stderr


def test_data_commands(run, tmp_path: Path) -> None:
    rows = json.loads(run("data", "info", "--format", "json", cwd=tmp_path).stdout)["rows"]
    assert {row["measure"]: row["value"] for row in rows}["interactions"] == 100_000
    assert "item_popularity" in run("data", "sql", cwd=tmp_path).stdout
    assert "SELECT" in run("data", "sql", "item_popularity", cwd=tmp_path).stdout
    run("data", "split", "--name", "s", cwd=tmp_path)
    table = tmp_path / "workspace" / "split" / "s" / "train.parquet"
    said = run("data", "sql", "item_popularity", "--data", table, "--format", "csv", cwd=tmp_path)
    assert said.stdout.startswith("item_id,")
    run("data", "convert", table, "recbole", cwd=tmp_path)
    assert any((tmp_path / "recbole").rglob("*.inter"))
    run("data", "convert", table, "copy.csv", cwd=tmp_path)
    assert (tmp_path / "copy.csv").read_text().startswith("user_id,item_id,")


def test_lists_of_names(run, tmp_path: Path) -> None:
    assert "ndcg@k" in run("metrics", "list", cwd=tmp_path).stdout
    assert "Formula: ndcg@k" in run("metrics", "show", "ndcg", cwd=tmp_path).stdout
    assert "lenskit" in run("metrics", "conventions", cwd=tmp_path).stdout
    assert "Steck 2019" in run("models", "list", cwd=tmp_path).stdout
    assert "l2 = by the data: 5 × interactions per user" in run("models", "show", "ease", cwd=tmp_path).stdout
    assert "compiled loops" in run("doctor", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "lists.csv"], "pass --truth FILE"),
        (["evaluate", "nowhere.csv", "-t", "truth.csv"], "nowhere.csv"),
        (["evaluate", "lists.csv", "-t", "truth.csv", "-m", "ncdg@10"], "Did you mean 'ndcg'"),
        (["evaluate", "lists.csv", "-t", "truth.csv", "-c", "user_id"], "expected name=value"),
        (["compare", "a", "b"], "unknown evaluation"),
        (["fit", "eas"], "Did you mean 'ease'"),
        (["metrics", "show", "recal"], "Did you mean 'recall'"),
        (["data", "info", "nowhere.zip"], "nowhere.zip"),
        (["data", "split", "--method", "rnadom"], "Did you mean 'random'"),
        (["data", "fetch", "ml-2m"], "Did you mean"),
        (["fit", "popular", "--data", "truth.csv", "--workspace", "truth.csv"], "is a file, not a workspace"),
    ],
)
def test_wrong_use_is_one_clear_message(run, files: Path, arguments: list[str], says: str) -> None:
    said = run(*arguments, cwd=files, status=2)
    assert says in said.stderr and "Traceback" not in said.stderr


def test_ratings_are_predicted_and_measured(run, tmp_path: Path) -> None:
    run("data", "split", "--name", "s", "--method", "random", cwd=tmp_path)
    run("fit", "item_knn", "--split", "s", "-p", "feedback=explicit", "-p", "neighbors=20", cwd=tmp_path)
    said = run("predict", "item_knn", "--split", "s", "-f", "csv", "-o", "predictions.csv", cwd=tmp_path).stderr
    table = pl.read_csv(tmp_path / "predictions.csv")
    assert table.columns == ["user_id", "item_id", "rating", "prediction", "neighbors", "fallback"]
    few = table.filter(pl.col("fallback") == "few_neighbors").height
    assert (f"few_neighbors: {few:,} of {table.height:,} pairs" in said) == bool(few)
    measured = run(
        "evaluate-predictions",
        "predictions.csv",
        "--split",
        "s",
        "--by",
        "gender",
        "-m",
        "rmse",
        "-f",
        "json",
        cwd=tmp_path,
    ).stdout
    rows = json.loads(measured)["rows"]
    error = table["prediction"] - table["rating"]
    assert rows[0]["system"] == "predictions" and len(rows) > 2
    assert rows[0]["value"] == pytest.approx((error**2).mean() ** 0.5)
    # The same from the pairs of a file.
    table.select("user_id", "item_id").head(50).write_csv(tmp_path / "pairs.csv")
    again = run("predict", "item_knn", "--pairs", "pairs.csv", "-f", "csv", cwd=tmp_path).stdout
    assert pl.read_csv(again.encode())["prediction"].to_list() == pytest.approx(table["prediction"][:50].to_list())
    assert "one of them" in run("predict", "item_knn", cwd=tmp_path, status=2).stderr


def test_every_command_has_help_and_an_unknown_one_status_2(run, tmp_path: Path) -> None:
    for command in (
        "demo",
        "run",
        "evaluate",
        "compare",
        "report",
        "fit",
        "recommend",
        "predict",
        "evaluate-predictions",
        "doctor",
        "data info",
        "data split",
        "data fetch",
        "data sql",
        "data convert",
        "models list",
        "metrics list",
        "workspace list",
        "workspace sql",
        "experiment plan",
        "experiment size",
        "experiment assign",
        "experiment check",
    ):
        assert "Usage:" in run(*command.split(), "--help", cwd=tmp_path).stdout
    run("evalate", cwd=tmp_path, status=2)
    assert run("--version", cwd=tmp_path).stdout.startswith("reclens 0.")


def test_a_reader_that_goes_away_is_no_error(demo) -> None:
    folder, _ = demo
    command = (
        f"{sys.executable} -m reclens workspace sql 'SELECT * FROM run_demo_ease_lists' --limit 20000 -f csv | head -1"
    )
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    said = [line for line in found.stderr.splitlines() if not line.startswith("  ")]
    assert found.stdout.startswith("user_id,")
    assert said == ["synthetic data: nobody in it exists, and no item in it was made"], "nothing but that and progress"
