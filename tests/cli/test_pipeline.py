"""``reclens pipeline`` as a process."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

TOML = """name = "shop"
retrieve.item_knn = { k = 60 }
retrieve.popular = { k = 20 }
rank = { model = "ease", l2 = 100.0, keep = 50 }
[[rerank]]
kind = "mmr"
"""


def rows_of(found: subprocess.CompletedProcess[str]) -> list[dict]:
    return json.loads(found.stdout)["rows"]


@pytest.fixture(scope="module")
def shop(run, demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")  # other tests count what the demo leaves
    shutil.copytree(demo[0], folder, dirs_exist_ok=True)
    (folder / "shop.toml").write_text(TOML)
    assert "kept in" in run("pipeline", "fit", "shop.toml", "--split", "demo", cwd=folder).stderr
    return folder


def test_recommend(run, shop: Path) -> None:
    found = run("pipeline", "recommend", "shop", "-u", "42", "-k", "3", "-f", "json", cwd=shop)
    assert [row["rank"] for row in rows_of(found)] == [1, 2, 3]
    run("pipeline", "recommend", "shop", "--keep", "shop-lists", cwd=shop)
    assert "shop-lists" in run("workspace", "list", "run", "-f", "csv", cwd=shop).stdout


def test_trace_what_a_user_chose(run, shop: Path) -> None:
    found = rows_of(run("pipeline", "trace", "shop", "42", "--split", "demo", "-f", "json", cwd=shop))
    assert len(found) == 10 and all(row["why"] for row in found)
    alone = run("pipeline", "trace", "shop", "42", "-i", str(found[0]["item_id"]), "-f", "json", cwd=shop)
    assert rows_of(alone)[0]["final"] == found[0]["final"]


def test_evaluate_by_segment_with_a_report(run, shop: Path) -> None:
    found = run(
        "pipeline",
        "evaluate",
        "shop",
        "--split",
        "demo",
        "--by",
        "activity",
        "--requests",
        "5",
        "--html",
        "shop.html",
        "-f",
        "json",
        cwd=shop,
    )
    rows = rows_of(found)
    assert {row["segment"] for row in rows} == {"all", "light", "medium", "heavy"}
    overall = [row for row in rows if row["by"] == "overall"]
    assert 1 - sum(row["value"] for row in overall) == pytest.approx(overall[-1]["after"])
    assert "How long it takes" in (shop / "shop.html").read_text(encoding="utf-8")
    message = run("pipeline", "evaluate", "shop", cwd=shop, status=2).stderr
    assert "pass --split NAME, or --truth and --train" in message


def test_diagram(run, shop: Path) -> None:
    assert run("pipeline", "diagram", "shop", "--users", "20", cwd=shop).stdout.startswith("flowchart TB\n")
    run("pipeline", "diagram", "shop.toml", "--split", "demo", "-f", "svg", "-o", "shop.svg", cwd=shop)
    assert (shop / "shop.svg").read_text(encoding="utf-8").startswith("<svg")


def test_faults_are_explained(run, shop: Path) -> None:
    (shop / "bad.toml").write_text(TOML.replace("k = 60", "kk = 60"))
    assert "retriever 'item_knn' has no k" in run("pipeline", "fit", "bad.toml", cwd=shop, status=2).stderr
    assert "exists" in run("pipeline", "fit", "shop.toml", "--split", "demo", cwd=shop, status=2).stderr
    assert "Did you mean 'shop'" in run("pipeline", "recommend", "shopp", cwd=shop, status=2).stderr
    rerankers = run("pipeline", "rerankers", "-f", "csv", cwd=shop).stdout
    assert "mmr" in rerankers and "xquad" in rerankers


def test_a_job_compares_pipelines_with_models(run, tmp_path: Path) -> None:
    job = """name = "staged"
[models.popular]
[pipelines.shop]
retrieve.item_knn = { k = 60 }
[[pipelines.shop.rerank]]
kind = "xquad"
"""
    (tmp_path / "job.toml").write_text(job)
    found = run("run", "job.toml", "-f", "json", cwd=tmp_path)
    assert {row["system"] for row in rows_of(found)} == {"popular", "shop"}
    (tmp_path / "job.toml").write_text(job + '[models.shop]\nmodel = "popular"\n')
    assert "a model and a pipeline of one name" in run("run", "job.toml", cwd=tmp_path, status=2).stderr
    (tmp_path / "job.toml").write_text(job.replace("[[pipelines.shop.rerank]]", "[[pipelines.shop.rernak]]"))
    assert "Did you mean 'rerank'" in run("run", "job.toml", cwd=tmp_path, status=2).stderr


def test_counts_are_said_in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``keep`` below k, users without a list, and the trace of a known user without candidates."""
    import polars as pl
    from typer.testing import CliRunner

    from reclens.cli.app import app
    from reclens.data.dataset import Dataset
    from reclens.pipeline import Pipeline
    from reclens.workspace import Workspace

    pairs = [(user, item) for item, n in zip("abcd", (4, 3, 2, 1), strict=True) for user in "uvwx"[:n]]
    train = Dataset(pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row"))
    made = Pipeline(retrieve={"popular": {"k": 3}}, rank={"model": "popular", "keep": 2}).fit(train)
    Workspace(tmp_path / "workspace").save(made, "tiny")
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["pipeline", "recommend", "tiny", "-k", "3", "-f", "json"])
    assert found.exit_code == 0, found.output
    assert "popular: lists that keep cut: 1 (keep = 2 is below k = 3: no list is longer than 2)" in found.stderr
    assert "users without a list: 1 (nothing is left to recommend to them)" in found.stderr
    assert "PipelineWarning" not in found.stderr
    assert {row["user_id"] for row in json.loads(found.stdout)["rows"]} == {"v", "w", "x"}
    traced = CliRunner().invoke(app, ["pipeline", "trace", "tiny", "u", "-i", "a", "-f", "json"])
    assert traced.exit_code == 0 and "user u is in the training data, and no retriever has a candidate" in traced.stderr
    assert "- popular: the user has had every item that it has a score for" in traced.stderr
    assert [row["code"] for row in json.loads(traced.stdout)["rows"]] == ["seen"]
