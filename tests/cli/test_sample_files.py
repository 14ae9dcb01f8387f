"""``reclens demo --files``: a small file of every kind, which no other file pays for."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from reclens.cli.shared import table_of
from reclens.job.samples import SAMPLES
from reclens.report.data.profile import frame_table


def test_every_file_is_written_and_said(run, tmp_path: Path) -> None:
    done = run("demo", "--files", "samples", cwd=tmp_path)
    assert {path.name for path in (tmp_path / "samples").iterdir()} == set(SAMPLES)
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [f"samples/{name}" for name in SAMPLES]
    assert "synthetic" in done.stderr
    assert not (tmp_path / "workspace").exists(), "nothing is fitted or evaluated"


def test_the_parts_belong_together(run, tmp_path: Path) -> None:
    run("demo", "--files", ".", "--quiet", cwd=tmp_path)
    ratings, train, truth, lists = (
        pl.read_csv(tmp_path / f"{name}.csv") for name in ("ratings", "train", "truth", "lists")
    )
    pairs = ["user_id", "item_id"]
    assert train.height + truth.height == ratings.height
    assert train.join(truth, on=pairs, how="semi").is_empty() and lists.join(train, on=pairs, how="semi").is_empty()
    assert (truth.group_by("user_id").len()["len"] == 5).all()
    results, events = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("results", "events"))
    summed = ["impressions", "clicks", "clicks_before", "retained_7"]
    assert results.select(pl.sum(summed)).equals(events.select(pl.sum(summed)), null_equal=True)
    means = dict(results.group_by("variant").agg(pl.mean("clicks")).rows())
    assert 1.0 < means["item_knn"] / means["popular"] < 1.06, "3.05 % by its rates, standard error 0.6 %"


def test_files_of_others_stay(run, tmp_path: Path) -> None:
    (tmp_path / "lists.csv").write_text("mine")
    refused = run("demo", "--files", ".", cwd=tmp_path, status=2).stderr
    assert "lists.csv" in refused and "Nothing was written" in refused
    assert [path.name for path in tmp_path.iterdir()] == ["lists.csv"]
    assert (tmp_path / "lists.csv").read_text() == "mine"
    (tmp_path / "lists.csv").unlink()
    run("demo", "--files", ".", cwd=tmp_path)
    run("demo", "--files", ".", cwd=tmp_path)  # the same again
    assert (
        "would not be used with --files"
        in run("demo", "--files", ".", "--task", "new_items", cwd=tmp_path, status=2).stderr
    )


def test_ids_have_no_thousands_separators_in_any_column_that_names() -> None:
    row = {"user_id": 1234, "seed_item": 2345, "item": 3456, "year": 1995, "users": 4567, "n": 5678}
    row |= {
        "household_key": 1234,
        "movieId": 2345,
        "CUSTOMER": 3456,
        "sku": 4567,
        "clicks_per_user": 1234,
        "n_user": 2345,
    }
    shown = (("1234", "2345", "3456", "1995", "4,567", "5,678", "1234", "2345", "3456", "4567", "1,234", "2,345"),)
    assert table_of("t", [row]).rows == frame_table("t", pl.DataFrame([row])).rows == shown
