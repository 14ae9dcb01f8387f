"""The main job: ``reclens demo`` and ``reclens run``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

MODELS = ["random", "popular", "recent_popular", "user_knn", "item_knn", "ease"]


def test_the_demo_prints_a_table_a_verdict_and_the_path(demo) -> None:
    folder, said = demo
    table = said.stdout
    assert all(f"\n{name}" in table for name in MODELS) and "ndcg@10" in table and "▲" in table
    assert "synthetic data (nobody in it exists): 100,000" in said.stderr
    assert "ease is better than popular by ndcg@10" in said.stderr
    assert "report: workspace/reports/demo.html" in said.stderr
    report = (folder / "workspace" / "reports" / "demo.html").read_text()
    assert "Synthetic data." in report and "(synthetic data)</title>" in report


def test_the_demo_says_every_step(demo) -> None:
    _, said = demo
    steps = [line.split("] ", 1)[1] for line in said.stderr.splitlines() if line.startswith("[")]
    assert [step.split(":")[0] for step in steps] == [
        "synthetic data (nobody in it exists)",
        "split",
        *MODELS,
        "compared with popular",
        "report written",
    ]


def test_the_demo_keeps_everything(demo, run) -> None:
    folder, _ = demo
    listed = json.loads(run("workspace", "list", "--format", "json", cwd=folder).stdout)["rows"]
    kinds = [row["kind"] for row in listed]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "split": 1,
        "model": 6,
        "run": 6,
        "evaluation": 6,
        "comparison": 1,
    }


@pytest.mark.slow
def test_the_demo_gives_the_same_numbers_again(demo, run, new_process, tmp_path: Path) -> None:
    _, first = demo
    again = new_process("demo", "--quiet", cwd=tmp_path)
    assert again.stdout == first.stdout and again.stderr == ""
    other = run("demo", "--quiet", "--seed", "1", cwd=tmp_path)
    assert other.stdout != first.stdout


def test_a_job_of_ones_own(run, tmp_path: Path) -> None:
    rows = ["uid,iid,stars,when"]
    rows += [
        f"u{user},i{(user * 7 + step * step) % 60},{1 + (user + step) % 5},{1_600_000_000 + 1000 * step + user}"
        for user in range(80)
        for step in range(15)
    ]
    (tmp_path / "events.csv").write_text("\n".join(rows))
    (tmp_path / "people.csv").write_text("uid,town\n" + "\n".join(f"u{u},{'ab'[u % 2]}" for u in range(80)))
    (tmp_path / "job.toml").write_text(
        'name = "mine"\ntitle = "My job"\n[data]\npath = "events.csv"\nusers = "people.csv"\n'
        'columns = {user_id = "uid", item_id = "iid", rating = "stars", timestamp = "when"}\n'
        '[split]\nn = 3\n[segments.town]\ncolumn = "town"\n[models.popular]\n[models.ease]\nl2 = 10\n'
        '[evaluate]\nmetrics = ["ndcg@5", "coverage@5"]\nk = 5\n'
    )
    said = run("run", "job.toml", cwd=tmp_path)
    assert "ndcg@5" in said.stdout and "compared with popular" in said.stderr
    report = (tmp_path / "workspace" / "reports" / "mine.html").read_text()
    assert "<title>My job</title>" in report and "Synthetic data." not in report
    resolved = (tmp_path / "workspace" / "reports" / "mine.toml").read_text()
    assert 'baseline = "popular"' in resolved and "l2 = 10" in resolved


def test_a_job_with_a_wrong_key_is_explained(run, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text("[evaluate]\nmetrcs = ['ndcg@10']\n[split]\nn = 0\n")
    said = run("run", "job.toml", cwd=tmp_path, status=2).stderr
    assert "[evaluate] has no key 'metrcs'. Did you mean 'metrics'?" in said and "[split] n is 0" in said
    assert "Traceback" not in said and not (tmp_path / "workspace").exists()
