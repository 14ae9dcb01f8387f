"""``reclens tune`` as a process."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

TUNE = ["tune", "-m", "popular", "-m", "ease", "--trials", "3", "--name", "first", "--range", "ease.l2=100:1e4"]


@pytest.fixture(scope="module")
def tuned(run, tmp_path_factory: pytest.TempPathFactory):
    """A folder with a finished search, and what it said."""
    folder = tmp_path_factory.mktemp("tune")
    said = run(*TUNE, cwd=folder)
    return folder, said


def test_it_prints_the_best_the_cautions_and_a_job(tuned) -> None:
    _, said = tuned
    lines = said.stdout.splitlines()
    assert lines[0] == "ndcg@10 on the validation part, random search (synthetic data)"
    assert lines[1].split()[:3] == ["model", "ndcg@10", "default"]
    assert "\nease" in said.stdout and "\npopular" in said.stdout
    assert "[models.ease]\nl2 = " in said.stderr and "The test part was not looked at." in said.stderr
    assert "kept in workspace/tuning/first" in said.stderr


def test_the_outcome_and_the_split_are_kept(tuned, run) -> None:
    folder, _ = tuned
    listed = json.loads(run("workspace", "list", "--format", "json", cwd=folder).stdout)["rows"]
    assert {(row["kind"], row["name"]) for row in listed} == {("split", "first"), ("tuning", "first")}
    said = run("workspace", "sql", "SELECT count(*) AS n FROM tuning_first_trials", "-f", "csv", cwd=folder)
    assert said.stdout == "n\n4\n"


def test_a_second_call_makes_no_trial_and_says_the_same(tuned, run) -> None:
    folder, first = tuned
    journal = folder / "workspace" / "tuning" / ".first" / "trials.jsonl"
    before = journal.stat().st_mtime_ns, len(list((folder / "workspace").rglob("card.json")))
    again = run(*TUNE, "--out", "best.toml", cwd=folder)
    assert again.stdout == first.stdout
    assert (journal.stat().st_mtime_ns, len(list((folder / "workspace").rglob("card.json")))) == before
    models = tomllib.loads((folder / "best.toml").read_text())["models"]
    assert 100 <= models["ease"]["l2"] <= 10_000 and models["popular"] == {}


def test_the_best_configurations_are_a_job(tuned, run) -> None:
    folder, _ = tuned
    run(*TUNE, "--out", "job.toml", "--quiet", cwd=folder)
    said = run("run", "job.toml", "--workspace", "other", "--quiet", cwd=folder)
    assert "ease" in said.stdout and "popular" in said.stdout


def test_rows_for_programs(tuned, run) -> None:
    folder, _ = tuned
    call = ("tune", "-m", "popular", "-m", "ease", "--trials", "3", "--name", "first", "--range", "ease.l2=100:1e4")
    said = run(*call, "--format", "json", "--quiet", cwd=folder)
    rows = {row["model"]: row for row in json.loads(said.stdout)["rows"]}
    assert said.stderr == "" and rows["ease"]["spent"] == 3 and rows["popular"]["spent"] == 1
    assert rows["ease"]["low"] < rows["ease"]["value"] < rows["ease"]["high"]
    said = run(*call, "--show-trials", "--format", "json", cwd=folder)
    trials = json.loads(said.stdout)["rows"]
    assert [(row["model"], row["number"]) for row in trials] == [
        ("popular", 0),
        ("ease", 0),
        ("ease", 1),
        ("ease", 2),
    ]
    assert max(row["value"] for row in trials) == rows["ease"]["value"]


def test_another_search_of_that_name_needs_overwrite(tuned, run) -> None:
    folder, _ = tuned
    other = ("tune", "-m", "popular", "--metric", "recall@5", "--name", "first")
    said = run(*other, cwd=folder, status=2).stderr
    assert 'metric: "ndcg@10" there, "recall@5" here' in said and "--overwrite" in said
    copied = run("tune", "-m", "popular", "--name", "first", "--seed", "3", cwd=folder, status=2).stderr
    assert "another split named 'first'" in copied
    said = run("tune", "-m", "popular", "--metric", "recall@5", "--name", "second", "--split", "first", cwd=folder)
    assert "recall@5" in said.stdout
    again = run("tune", "-m", "popular", "--name", "second", "--split", "first", "--overwrite", cwd=folder)
    assert "ndcg@10" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-m", "eas"], "Did you mean 'ease'"),
        (["-m", "ease", "--method", "grid"], "unknown method 'grid'"),
        (["-m", "ease", "--range", "ease.l2"], "expected name=value"),
        (["-m", "ease", "--range", "l2=1:2"], "expected a range such as"),
        (["-m", "ease", "--range", "ease.l2=2:1"], "expected a range such as"),
        (["-m", "ease", "--range", "ease.l2=a:b"], "expected a range such as"),
        (["-m", "ease", "--range", "ease.l=1:2"], "Did you mean 'l2'"),
        (["-m", "ease", "--name", "../up"], "no name for an artefact"),
        (["-m", "ease", "--split", "nowhere"], "unknown split"),
        (["-m", "ease", "--split", "nowhere", "--data", "x.csv"], "give one of them"),
    ],
)
def test_wrong_use_is_one_clear_message(run, tmp_path: Path, arguments: list[str], says: str) -> None:
    said = run("tune", *arguments, "--trials", "2", cwd=tmp_path, status=2)
    assert says in said.stderr and "Traceback" not in said.stderr
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_a_split_without_a_validation_part_is_refused_and_can_be_made_with_one(run, tmp_path: Path) -> None:
    run("data", "split", "--name", "bare", cwd=tmp_path)
    said = run("tune", "-m", "popular", "--split", "bare", cwd=tmp_path, status=2).stderr
    assert "no validation part" in said and "--validation-n 1" in said and "validation_n" not in said
    run("data", "split", "--name", "whole", "--validation-n", "2", cwd=tmp_path)
    assert "popular" in run("tune", "-m", "popular", "--split", "whole", cwd=tmp_path).stdout
    for method in ("random", "by_time"):
        run("data", "split", "--name", method, "--method", method, "--validation-share", "0.1", cwd=tmp_path)
        assert "popular" in run("tune", "-m", "popular", "--split", method, "--name", method, cwd=tmp_path).stdout


def test_ranges_are_read_as_they_are_written() -> None:
    from reclens.models._core.search_space import Choice, Float, Whole
    from reclens.tuning.ranges import spaces_of

    assert spaces_of(
        {
            "ease.l2": "1:1e5",
            "item_knn.neighbors": "5:50",
            "item_knn.shrinkage": "0:9",
            "item_knn.similarity": "cosine,dot",
            "user_knn.neighbors": "10,20",
        }
    ) == {
        "ease": {"l2": Float(1, 1e5)},
        "item_knn": {
            "neighbors": Whole(5, 50),
            "shrinkage": Float(0, 9, log=False),
            "similarity": Choice(("cosine", "dot")),
        },
        "user_knn": {"neighbors": Choice((10, 20))},
    }
    assert spaces_of({"ease.l2": "1:5:linear"}) == {"ease": {"l2": Float(1, 5, log=False)}}
