"""``reclens experiment interference`` and ``holdout`` as processes."""

from __future__ import annotations

import json

import pytest
from scipy import stats


def test_interference_shows_that_shared_data_hide_what_exploration_is_worth(run, tmp_path) -> None:
    example = run("experiment", "interference", "--example", cwd=tmp_path)
    (tmp_path / "exploring.toml").write_text(example.stdout)
    words = (
        "experiment",
        "interference",
        "exploring.toml",
        "--worlds",
        "4",
        "--design",
        "shared",
        "--design",
        "diverted",
    )
    done = run(*words, "--truth", "2", "--format", "json", "--quiet", "--report", "bent", cwd=tmp_path)
    rows = {row["design"]: row for row in json.loads(done.stdout)["rows"]}
    assert done.stderr == "" and set(rows) == {"shared", "diverted"}
    assert rows["shared"]["truth"] == rows["diverted"]["truth"] > 0
    for row in rows.values():
        assert row["bias"] == pytest.approx(row["estimate"] - row["truth"])
    assert abs(rows["diverted"]["bias"]) < 0.7 * abs(rows["shared"]["bias"])
    assert "explores against greedy" in (tmp_path / "bent.md").read_text() and (tmp_path / "bent.html").exists()


def test_the_power_of_a_holdout_is_that_of_a_chi_square_test(run, tmp_path) -> None:
    numbers = ("--users", "50000", "--share", "0.1", "--mean", "10", "--sd", "20", "--lift", "0.05", "--months", "2")
    done = run("experiment", "holdout", *numbers, "--correlation", "0.4", "--format", "json", cwd=tmp_path)
    rows = [row for row in json.loads(done.stdout)["rows"] if row["what"] == "power"]
    # Two months that are correlated by 0.4 have a mean with 1.4 / 2 of the variance of one.
    for row, sd in zip(rows, (20, 20 * (1.4 / 2) ** 0.5), strict=True):
        # The squared statistic is a chi-square with this noncentrality: 5,000 held out, 45,000 not.
        distance = (0.05 * 10) ** 2 / (sd**2 * (1 / 5_000 + 1 / 45_000))
        asked = stats.ncx2.sf(stats.chi2.isf(0.05, 1), 1, distance)
        assert row["value"] == pytest.approx(asked, abs=1e-6)


def test_a_holdout_in_a_world_shows_the_index_beside_the_truth(run, tmp_path) -> None:
    words = ("experiment", "holdout", "--size", "tiny", "--control", "random", "--treatment", "oracle")
    done = run(*words, "--short", "4", "--long", "12", "--format", "csv", "--quiet", cwd=tmp_path)
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert rows[0] == ["part", "at", "what", "value", "low", "high", "users"] and done.stderr == ""
    found = {row[0] for row in rows[1:]}
    assert found == {"surrogate", "age"} and float(next(row for row in rows if "truth" in row)[3]) > 0


def test_a_holdout_without_numbers_or_a_world_says_what_to_give(run, tmp_path) -> None:
    assert (
        "--sd not given" in run("experiment", "holdout", "--users", "9", "--mean", "1", cwd=tmp_path, status=2).stderr
    )
