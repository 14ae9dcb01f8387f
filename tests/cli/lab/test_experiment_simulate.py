"""``reclens experiment simulate`` and ``realism`` as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import polars as pl

from reclens.workspace import Workspace


def test_simulate_shows_the_estimate_beside_the_truth(run, tmp_path) -> None:
    words = ("experiment", "simulate", "--size", "tiny", "--days", "5", "--truth", "3", "--logs", "logs")
    done = run(*words, "--format", "json", cwd=tmp_path)
    rows = {row["metric"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["clicks"]["true_lift"] is not None and rows["clicks"]["p_value"] > 0
    files = list((tmp_path / "logs" / "impressions").iterdir())
    assert len(files) == 5
    assert {"propensity", "position", "variant"} <= set(pl.read_parquet_schema(files[0]))
    assert "exists" in run(*words, cwd=tmp_path, status=2).stderr
    _plans_and_readouts_of_simulated_logs_say_so(run, tmp_path)


def _plans_and_readouts_of_simulated_logs_say_so(run, folder) -> None:
    """The same rows by themselves are somebody's data."""
    day = next((folder / "logs" / "user_days").iterdir())
    (folder / "theirs.parquet").write_bytes(day.read_bytes())
    (folder / "plan.toml").write_text(
        'name = "clicks"\nsalt = "s"\ncontrol = "control"\n[arms]\ncontrol = 0.5\ntreatment = 0.5\n'
        '[[metrics]]\nname = "clicks"\nvalue = "clicks"\neffect = 0.05\n'
    )
    for data, said in ((day, True), ("theirs.parquet", False)):
        planned = run("experiment", "plan", "plan.toml", "--history", data, "--out", f"p{said}", cwd=folder)
        words = ("experiment", "read", "plan.toml", data, "--arm", "variant")
        read = run(*words, "--out", f"r{said}", "--keep", f"r{said}", cwd=folder, status=None)
        assert [text.stdout.splitlines()[0].endswith("(synthetic data)") for text in (planned, read)] == [said] * 2
        for name in (f"p{said}", f"r{said}"):
            for ending in ("md", "html"):
                text = (folder / f"{name}.{ending}").read_text(encoding="utf-8")
                assert ("Synthetic data." in text) is said, (name, ending)
        kept = Workspace(folder / "workspace")
        assert [each.synthetic for each in kept.list("readout") if each.name == f"r{said}"] == [said]
        assert kept.load("readout", f"r{said}").synthetic is said


def test_the_example_is_a_simulation(run, tmp_path) -> None:
    example = run("experiment", "simulate", "--example", cwd=tmp_path)
    file = tmp_path / "simulation.toml"
    file.write_text(example.stdout.replace('"small"', '"tiny"').replace("days = 28", "days = 3"))
    done = run("experiment", "simulate", file, "--quiet", "--format", "csv", cwd=tmp_path)
    assert done.stderr == "" and done.stdout.splitlines()[0].startswith("arm,metric,control")
    file.write_text("dayz = 3\n")
    assert "days" in run("experiment", "simulate", file, cwd=tmp_path, status=2).stderr


def test_realism_measures_a_world_against_its_data(run, tmp_path, small_data) -> None:
    small_data.interactions.write_csv(tmp_path / "data.csv")
    (tmp_path / "lists.csv").write_text(
        "user_id,item_id,position,clicked\n1,2,1,true\n1,3,2,true\n1,4,1,true\n1,5,2,false\n"
    )
    words = ("experiment", "realism", "data.csv", "--factors", "8", "--no-order", "--impressions", "lists.csv")
    # Every first place was clicked, and half of the second ones.
    done = run(*words, "--format", "json", cwd=tmp_path, status=None)
    rows = {row["measure"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["popularity: Gini"]["passed"] is True and rows["activity: KS distance"]["simulated"] < 0.1
    assert rows["clicks at place 2"]["reference"] == 0.5 and rows["clicks: repeat rate"]["reference"] == 0
    assert done.returncode == (0 if all(row["passed"] is not False for row in rows.values()) else 1)


def test_an_interrupted_simulation_leaves_nothing(repository, tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(repository / "src")}
    words = ["experiment", "simulate", "--size", "small", "--days", "3000", "--logs", "logs", "--truth", "0"]
    code = "import sys; from reclens.cli import main; sys.argv = ['reclens', *sys.argv[1:]]; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    draft = tmp_path / ".writing-logs" / "impressions"
    for _ in range(600):
        if draft.exists() and len(list(draft.iterdir())) > 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert not list(tmp_path.iterdir())


def test_accuracy_tells_who_wins_online_and_novelty_does_not(run, tmp_path) -> None:
    done = run(
        "experiment", "correlate", "--size", "tiny", "--days", "7", "--truth", "2", "--format", "json", cwd=tmp_path
    )
    rows = {(row["metric"], row["segment"]): row for row in json.loads(done.stdout)["rows"]}
    assert rows["ndcg@10", "all"]["n"] >= 12 and rows["ndcg@10", "all"]["low"] > 0
    assert rows["novelty@10", "all"]["spearman"] < rows["ndcg@10", "all"]["spearman"]
    assert {segment for _, segment in rows} >= {"all", "light", "heavy"}
