"""``reclens experiment`` as a process: from the example plan to a test plan, arms and their checks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl


def test_from_the_example_to_a_test_plan_arms_and_checks(run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(run("experiment", "plan", "--example", cwd=tmp_path).stdout, encoding="utf-8")
    rng = np.random.default_rng(3)
    before = rng.gamma(0.5, 8, 3000)
    clicks = before * rng.uniform(0.5, 1.5, 3000)
    pl.DataFrame(
        {
            "user_id": [f"u{at}" for at in range(3000)],
            "clicks": clicks,
            "clicks_before": before,
            "impressions": rng.poisson(100, 3000) + 1,
            "retained_7": rng.integers(0, 2, 3000),
            "country": rng.choice(["at", "ch", "de"], 3000),
        }
    ).write_csv(tmp_path / "users.csv")
    made = run(
        "experiment", "plan", plan, "--history", "users.csv", "--out", "test-plan", "--format", "json", cwd=tmp_path
    )
    rows = {row["metric"]: row for row in json.loads(made.stdout)["rows"]}
    expected = np.corrcoef(before, clicks)[0, 1] ** 2
    assert abs(rows["clicks per user"]["r2"] - expected) < 1e-3 and rows["clicks per user"]["source"] == "history"
    assert "clicks per user decides" in made.stderr
    text, page = (tmp_path / f"test-plan.{kind}" for kind in ("md", "html"))
    assert "## Decision rule" in text.read_text(encoding="utf-8") and "<script" in page.read_text(encoding="utf-8")

    run("experiment", "assign", plan, "users.csv", "--out", "arms.csv", cwd=tmp_path)
    with (tmp_path / "arms.csv").open(encoding="utf-8") as file:
        arms = [row["variant"] for row in csv.DictReader(file)]
    assert len(arms) == 3000 and abs(arms.count("item_knn") - 1500) < 4 * 27.4  # 4 sd of a fair coin
    assert 'FROM "users"' in run("experiment", "assign", plan, "users", "--sql", cwd=tmp_path).stdout
    checked = run("experiment", "check", plan, "users.csv", "--by", "country", "--format", "json", cwd=tmp_path)
    assert all(row["fine"] for row in json.loads(checked.stdout)["rows"])


def test_the_calculator_answers_what_is_left_open(run, tmp_path: Path) -> None:
    found = run("experiment", "size", "--mean", "0.2", "--effect", "0.25", "--format", "json", cwd=tmp_path)
    sizes = {row["formula"]: row["value"] / 2 for row in json.loads(found.stdout)["rows"]}
    assert [round(size) for size in sizes.values()] == [1094, 1287, 1091, 1030, 1092]
    assert "2,188 units over all arms" in found.stderr
    smallest = run("experiment", "size", "--mean", "0.2", "--n", "2188", "--daily", "500", cwd=tmp_path)
    assert "find an effect of +25.00%" in smallest.stderr and "in 5 days" in smallest.stderr
    same = run("experiment", "size", "--mean", "0.2", "--margin", "0.1", "--equivalence", cwd=tmp_path)
    assert "show that the difference lies within ±10.00%" in same.stderr


def test_mistakes_are_named_with_what_to_do(run, tmp_path: Path) -> None:
    assert (
        "Give --effect, --n or --margin." in run("experiment", "size", "--mean", "0.2", cwd=tmp_path, status=2).stderr
    )
    (tmp_path / "bad.toml").write_text('nam = "x"', encoding="utf-8")
    found = run("experiment", "plan", "bad.toml", cwd=tmp_path, status=2).stderr
    assert "has no key 'nam'. Did you mean 'name'?" in found and "arms is missing" in found
    assert "expected one of the two" in run("experiment", "plan", cwd=tmp_path, status=2).stderr
