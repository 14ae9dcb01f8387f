"""``compare --gate`` and the gate of a job: the exit status is the outcome."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import reclens as rl


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 users: "a" hits for 90 of them, "b" for 50."""
    folder = tmp_path_factory.mktemp("gate")
    users = list(range(100))
    pl.DataFrame({"user_id": users, "item_id": [1] * 100}).write_csv(folder / "truth.csv")
    for name, hits in (("a", 90), ("b", 50)):
        items = [1] * hits + [2] * (100 - hits)
        pl.DataFrame({"user_id": users, "item_id": items, "rank": [1] * 100}).write_csv(folder / f"{name}.csv")
    return folder


@pytest.fixture(scope="module")
def kept(place: Path) -> Path:
    truth = pl.read_csv(place / "truth.csv")
    for name in "ab":
        result = rl.evaluate(pl.read_csv(place / f"{name}.csv"), truth, metrics=["hit_rate@1"])
        rl.Workspace(place / "workspace").save(result, name)
    return place


@pytest.mark.parametrize(
    ("row", "status", "says"),
    [
        ("at_least = 0.8\nsystem = 'a'", 0, "gate open: of 1 row, 1 pass"),
        # Wilson's interval of 50 in 100 is [0.404, 0.596].
        ("at_least = 0.55\nsystem = 'b'", 1, "gate closed: of 1 row, 1 cannot tell"),
        ("at_least = 0.61\nsystem = 'b'", 1, "gate closed: of 1 row, 1 fail"),
        ("at_least = 0.61\ntolerance = 0.25\nsystem = 'b'", 0, "gate open: of 1 row, 1 pass"),
        ("at_least = 0.5\nsystem = 'b'\nunsure = 'pass'", 0, "gate open: of 1 row, 1 cannot tell"),
        ("at_least = 0.2\nof = 'difference'", 0, "gate open: of 1 row, 1 pass"),
        ("at_most = 0.2\nof = 'difference'", 1, "gate closed: of 1 row, 1 fail"),
    ],
)
def test_the_status_is_the_outcome(kept: Path, typed, row: str, status: int, says: str) -> None:
    (kept / "gate.toml").write_text(f"[[gate]]\nmetric = 'hit_rate@1'\n{row}\n")
    said = typed("compare", "b", "a", "--gate", "gate.toml", "--format", "json", cwd=kept)
    assert said.status == status and said.stderr.endswith(says)
    assert len(json.loads(said.stdout)["rows"]) == 1  # the comparison alone


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "gate is missing"),
        ("[[gate]]\nmetric = 'hit_rate@1'", "needs a bound"),
        ("[[gate]]\nmetric = 'hit_rate@1'\nat_least = 1\ntolerence = 0.1", "Did you mean 'tolerance'?"),
        ("[[gate]]\nmetric = 'hit_rate@1'\nat_least = nan", "at_least is nan"),
        ("[[gate]]\nmetric = 'ndcg@5'\nat_least = 0", "ndcg@5"),
    ],
)
def test_a_wrong_gate_is_an_error_and_not_an_outcome(kept: Path, typed, text: str, says: str) -> None:
    (kept / "wrong.toml").write_text(text)
    said = typed("compare", "b", "a", "--gate", "wrong.toml", cwd=kept)
    assert said.status == 2 and says in said.stderr


def test_a_report_shows_the_gate(kept: Path, typed) -> None:
    (kept / "gate.toml").write_text("[[gate]]\nmetric = 'hit_rate@1'\nat_least = 0.8\n")
    assert typed("compare", "b", "a", "--gate", "gate.toml", "--html", "r.html", cwd=kept).status == 1
    page = (kept / "r.html").read_text()
    assert "Gate closed: of 2 rows, 1 pass, 1 fail." in page


JOB = """
name = "j"
[data]
path = "events.csv"
[split]
method = "last_n"
n = 2
[models.popular]
[models.random]
[evaluate]
metrics = ["hit_rate@10"]
replicates = 50
"""


def test_a_job_ends_by_its_gate(typed, tmp_path: Path) -> None:
    events = {
        "user_id": [u for u in range(60) for _ in range(6)],
        "item_id": [(u * 7 + j * j) % 40 for u in range(60) for j in range(6)],
        "timestamp": list(range(360)),
    }
    pl.DataFrame(events).write_csv(tmp_path / "events.csv")
    (tmp_path / "job.toml").write_text(JOB + "[[gate]]\nmetric = 'hit_rate@10'\nat_least = 0\n")
    said = typed("run", "job.toml", cwd=tmp_path)
    assert said.status == 0 and "gate open: of 2 rows, 2 pass" in said.stderr
    (tmp_path / "job.toml").write_text(JOB + "[[gate]]\nmetric = 'hit_rate@10'\nat_least = 1\nsystem = 'random'\n")
    said = typed("run", "job.toml", cwd=tmp_path)
    assert said.status == 1 and "gate closed: of 1 row, 1 fail" in said.stderr


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("metric = 'ndcg@3'\nat_least = 0", "ndcg@3"),
        ("metric = 'hit_rate@10'\nat_least = 0\nsystem = 'randum'", "Did you mean 'random'?"),
        ("metric = 'hit_rate@10'\nat_least = 0\nof = 'difference'\nsystem = 'popular'", "from itself"),
    ],
)
def test_a_slip_in_the_gate_is_seen_before_the_data(typed, tmp_path: Path, row: str, says: str) -> None:
    (tmp_path / "job.toml").write_text(f"{JOB}[[gate]]\n{row}\n")  # there is no events.csv
    said = typed("run", "job.toml", cwd=tmp_path)
    assert said.status == 2 and says in said.stderr
