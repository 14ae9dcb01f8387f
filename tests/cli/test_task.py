"""The task of a split on the command line: in data split, in jobs, and in what recommend leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from reclens.engine import quiet
from reclens.errors import UsageError
from reclens.job.run import run_job
from reclens.job.settings import load_settings, validate_settings
from reclens.settings import to_toml
from reclens.workspace import Workspace

USERS, ITEMS = 12, 8


@pytest.fixture(scope="module")
def baskets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In spring everybody buys items u … u+3, in autumn the first of them again and one that is new to her."""
    spring = [(u, (u + n) % ITEMS, f"2024-03-{n + 1:02}") for u in range(USERS) for n in range(4)]
    autumn = [(u, (u + n) % ITEMS, f"2024-11-{n + 1:02}") for u in range(USERS) for n in (0, 4)]
    folder = tmp_path_factory.mktemp("baskets")
    table = pl.DataFrame([*spring, *autumn], schema=["user_id", "item_id", "timestamp"], orient="row")
    table.write_csv(folder / "baskets.csv")
    return folder


def test_split_and_recommend_follow_the_task(run, baskets: Path) -> None:
    said = run(
        "data",
        "split",
        "baskets.csv",
        "--method",
        "by_time",
        "--test-share",
        "0.3333",
        "--name",
        "again",
        "--task",
        "with_repeats",
        cwd=baskets,
    ).stderr
    assert f"train {4 * USERS}, test {2 * USERS}" in said
    assert f"{USERS} (50.0% of {2 * USERS} pairs; 0 users have no other)" in said
    assert "50.0% of the test pairs stand in training too" in said
    run("fit", "popular", "--split", "again", "--name", "again", cwd=baskets)
    run("recommend", "again", "--split", "again", "--keep", "fitting", "-k", "8", cwd=baskets)
    run("recommend", "again", "--split", "again", "--keep", "filtered", "-k", "8", "--no-seen", cwd=baskets)
    # Of two held-out items one is new: lists of all eight items find both, without seen items one.
    for name, expected in (("fitting", 1.0), ("filtered", 0.5)):
        found = run("evaluate", name, "--split", "again", "-m", "recall@8", "--format", "json", cwd=baskets)
        assert json.loads(found.stdout)["rows"][0]["value"] == expected
        assert ("The task is with_repeats, but the lists leave seen items out" in found.stderr) == (name == "filtered")
        assert "TaskWarning" not in found.stderr  # said once, in words
    wrong = run("data", "split", "baskets.csv", "--task", "repeat", cwd=baskets, status=2)
    assert "task 'repeat'" in wrong.stderr


def test_sql_counts_events(run, baskets: Path) -> None:
    found = run("data", "sql", "interactions", "--data", "baskets.csv", "--format", "json", cwd=baskets)
    rows = json.loads(found.stdout)["rows"]
    assert sum(row["events"] for row in rows) == 6 * USERS and len(rows) == 5 * USERS
    assert rows[0]["first_at"] == "2024-03-01T00:00:00+00:00"
    assert {row["events"] for row in rows if row["item_id"] == row["user_id"] % ITEMS} == {2}
    run("data", "convert", "baskets.csv", "again.csv", cwd=baskets)
    assert pl.read_csv(baskets / "again.csv").height == 6 * USERS


@pytest.mark.parametrize("task", ["new_items", "with_repeats"])
def test_a_job_recommends_what_its_task_asks_for(task: str, baskets: Path, tmp_path: Path) -> None:
    content = {
        "data": {"path": str(baskets / "baskets.csv")},
        "split": {"method": "by_time", "test_share": 0.3333, "task": task},
        "models": {"usual": {"model": "popular"}},  # no system is the baseline: nothing is compared
        "pipelines": {
            "shop": {"retrieve": {"popular": {"k": 8}}},
            "own": {"retrieve": {"popular": {"k": 8}}, "exclude_seen": task == "with_repeats"},
        },
        "evaluate": {"metrics": ["recall@8"], "k": 8, "replicates": 20},
        "segments": {},
    }
    settings = validate_settings(content, source="job")
    (tmp_path / "job.toml").write_text(to_toml(settings), encoding="utf-8")
    assert load_settings(tmp_path / "job.toml").split.task == task
    lines: list[str] = []
    found = run_job(settings, workspace=Workspace(tmp_path), say=lines.append, progress=quiet)
    cards = {name: result.card for name, result in found.results.items()}
    assert {card["task"] for card in cards.values()} == {task}
    expected = "excluded" if task == "new_items" else "included"
    assert [cards[name]["seen_items"] for name in ("usual", "shop")] == [expected, expected]
    assert [cards[name]["task_problems"] for name in ("usual", "shop")] == [[], []]
    assert len(cards["own"]["task_problems"]) == 1
    assert sum("The task is" in line and "own: " in line for line in lines) == 1
    assert any(f"{USERS} (50.0% of {2 * USERS} pairs" in line for line in lines)
    assert [found.results[name]["recall@8"].overall.value for name in ("usual", "shop")] == [1.0, 1.0]


def test_a_task_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\[split\] task is 'repeats'"):
        validate_settings({"split": {"task": "repeats"}}, source="job")
