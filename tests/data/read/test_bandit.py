"""The reader of the Open Bandit Dataset: counts of its published sample, and what is said of broken ones."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reclens.cards import BanditCard
from reclens.data.read.bandit import read_open_bandit
from reclens.errors import DataError, UnknownNameError
from reclens.schema import TIMESTAMP_TYPE

HEAD = "timestamp,item_id,position,click,propensity_score,user_feature_0,user-item_affinity_0"
ROWS = ("2019-11-24 00:00:02.5+00:00,1,3,1,0.25,ab,2.0", "2019-11-24 00:00:01+00:00,0,1,0,0.5,cd,0.0")


def written(folder: Path, *rows: str, head: str = HEAD) -> Path:
    (folder / "random" / "men").mkdir(parents=True)
    (folder / "random" / "men" / "men.csv").write_text("\n".join([head, *rows]) + "\n")
    (folder / "random" / "men" / "item_context.csv").write_text(
        ",item_id,item_feature_0,item_feature_1\n0,0,-0.5,xy\n1,1,0.5,zz\n"
    )
    return folder


@pytest.mark.parametrize(
    ("behavior", "campaign", "items", "clicks"),
    [("random", "men", 34, 46), ("random", "women", 46, 46), ("bts", "men", 34, 69), ("bts", "women", 46, 46)],
)
def test_published_sample(shared_data: Path, behavior: str, campaign: str, items: int, clicks: int) -> None:
    log = read_open_bandit(shared_data / "obd" / "open_bandit_sample.zip", behavior=behavior, campaign=campaign)
    table = log.impressions
    assert table.height == 10_000 and table["clicked"].sum() == clicks
    assert log.items is not None and log.items.height == items
    assert set(table["position"].unique()) == {1, 2, 3}
    assert table["timestamp"].is_sorted() and table["request_id"].n_unique() == 10_000
    assert table["model"].unique().to_list() == [behavior] and table["surface"].unique().to_list() == [campaign]
    if behavior == "random":
        assert table["propensity"].unique().to_list() == [pytest.approx(1 / items)]
        # Whoever shows everything alike shows it about alike often.
        assert table["item_id"].value_counts()["count"].max() < 2 * 10_000 / items


def test_columns_order_and_types(tmp_path: Path, misfits: Callable[..., set[str]]) -> None:
    log = read_open_bandit(written(tmp_path, *ROWS), campaign="men", affinities=True)
    assert log.impressions.schema == {
        "timestamp": TIMESTAMP_TYPE,
        "user_id": pl.Int64,
        "item_id": pl.Int64,
        "position": pl.UInt8,
        "clicked": pl.Int8,
        "propensity": pl.Float64,
        "model": pl.String,
        "surface": pl.String,
        "request_id": pl.Int64,
        "user_feature_0": pl.String,
        "user_item_affinity_0": pl.Float64,
    }
    first = log.impressions.row(0)
    assert first[0] == datetime(2019, 11, 24, 0, 0, 1, tzinfo=UTC), "sorted by time"
    assert first[1:] == (0, 0, 1, 0, 0.5, "random", "men", 0, "cd", 0.0)
    assert log.items is not None and log.items.rows() == [(0, -0.5, "xy"), (1, 0.5, "zz")]
    assert misfits(log.card, BanditCard) == set()
    assert log.card.get("rows") == 2 and log.to_dicts()[1]["clicked"] == 1


def test_a_zip_and_a_folder_above_are_read_alike(tmp_path: Path) -> None:
    folder = written(tmp_path / "up" / "obd", *ROWS)
    with zipfile.ZipFile(tmp_path / "obd.zip", "w") as packed:
        for file in sorted(folder.rglob("*.csv")):
            packed.write(file, str(file.relative_to(tmp_path / "up")))
    one = read_open_bandit(tmp_path / "up", campaign="men").impressions
    assert one.equals(read_open_bandit(tmp_path / "obd.zip", campaign="men").impressions)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2019-11-24 00:00:01+00:00,0,1,0,0,ab,0", "propensity_score.*row 1.*'0', expected a probability above 0"),
        ("2019-11-24 00:00:01+00:00,0,1,0,1.5,ab,0", "'1.5', expected a probability"),
        ("2019-11-24 00:00:01+00:00,0,1,2,0.5,ab,0", "click.*'2', expected 0 or 1"),
        ("2019-11-24 00:00:01+00:00,0,0,0,0.5,ab,0", "position.*'0', expected a place, from 1"),
        ("2019-11-24 00:00:01+00:00,0.5,1,0,0.5,ab,0", "item_id.*'0.5', expected a whole number"),
        ("yesterday,0,1,0,0.5,ab,0", "timestamp.*'yesterday', expected a time"),
        ("2019-11-24 00:00:01+00:00,7,1,0,0.5,ab,0", "item 7 is not among the 2 of item_context.csv"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_open_bandit(written(tmp_path, row), campaign="men")


def test_what_is_not_there(tmp_path: Path) -> None:
    folder = written(tmp_path / "obd", *ROWS)
    with pytest.raises(UnknownNameError, match=r"unknown log of .* 'random/mem'\. Did you mean 'random/men'"):
        read_open_bandit(folder, campaign="mem")
    with pytest.raises(DataError, match="Name the folder that holds random/ and bts/"):
        read_open_bandit(folder / "random" / "men" / "men.csv")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="this is no Open Bandit Dataset: it has no files"):
        read_open_bandit(tmp_path / "other")
    bad = written(tmp_path / "bad", ROWS[0], head=HEAD.replace("propensity_score", "pscore"))
    with pytest.raises(DataError, match="no column 'propensity_score'"):
        read_open_bandit(bad, campaign="men")
