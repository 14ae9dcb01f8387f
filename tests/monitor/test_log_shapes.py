"""One log in many shapes gives one series."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reclens.errors import DataError, UsageError
from reclens.monitor.day import run_day
from reclens.monitor.duck import opened
from reclens.monitor.log import open_log
from reclens.monitor.places import day_bounds, files_of
from reclens.monitor.project import Project
from reclens.monitor.settings import load_monitor_settings

FIRST = date(2026, 1, 5)
KEY = ["indicator", "dimension", "slice"]


@pytest.fixture
def expected(hand_project: Project) -> pl.DataFrame:
    return run_day(hand_project, FIRST).series


def same(found: pl.DataFrame, expected: pl.DataFrame, *, but: tuple[str, ...] = ()) -> None:
    keep = ~pl.col("indicator").is_in(list(but))
    assert_frame_equal(found.filter(keep), expected.filter(keep), check_row_order=False)


def settings(log: str, more: str = "") -> str:
    return (
        f'system = "shop"\n[log]\n{log}\nlist_length = 3\nhit_at = 1\ncold_days = 1\n{more}\n'
        '[tables]\nusers = "users.parquet"\nitems = "items.parquet"\n'
    )


Make = Callable[..., Project]
Hand = Callable[..., pl.DataFrame]


def test_one_file_a_hive_folder_a_table_and_files_of_any_name(
    make_project: Make, hand_log: Hand, tmp_path: Path, expected: pl.DataFrame
) -> None:
    log = hand_log()
    other = hand_log(FIRST + timedelta(days=1))
    both = pl.concat([log, other])
    both.write_parquet(tmp_path / "one.parquet")
    for day, frame in ((FIRST, log), (FIRST + timedelta(days=1), other)):
        (tmp_path / "hive" / f"day={day}").mkdir(parents=True)
        frame.write_parquet(tmp_path / "hive" / f"day={day}" / "part-0.parquet")
    (tmp_path / "any").mkdir()
    both.head(5).write_parquet(tmp_path / "any" / "a.parquet")
    both.tail(-5).write_parquet(tmp_path / "any" / "b.parquet")
    (tmp_path / "any" / "_temporary.parquet").write_bytes(b"not finished")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(f"CREATE TABLE shown AS FROM '{tmp_path}/one.parquet'").fetchall()
    for name, path in {
        "one": 'path = "one.parquet"',
        "hive": 'path = "hive"',
        "any": 'path = "any"',
        "table": 'path = "warehouse.duckdb"\ntable = "shown"',
    }.items():
        run = run_day(make_project(settings(path), folder=tmp_path / name / ".."), FIRST)
        same(run.series, expected)


def test_a_file_that_is_half_written(make_project: Make, hand_log: Hand, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    folder.mkdir()
    hand_log().write_parquet(file := folder / f"{FIRST}.parquet")
    whole = file.read_bytes()
    project = make_project(settings('path = "half"'), folder=tmp_path)
    for content in (b"", whole[: len(whole) // 2], b"timestamp,user_id\n" * 9):
        file.write_bytes(content)
        with pytest.raises(DataError, match="Write the file again as Parquet"):
            open_log(opened(), project, day_bounds(FIRST, ZoneInfo("UTC")))
    hand_log().drop("timestamp").write_parquet(file)
    with pytest.raises(DataError, match="there is no column 'timestamp'") as found:
        open_log(opened(), project, day_bounds(FIRST, ZoneInfo("UTC")))
    assert "again" not in str(found.value)


def test_names_of_columns_are_mapped_and_types_are_read(
    make_project: Make, hand_log: Hand, tmp_path: Path, expected: pl.DataFrame
) -> None:
    (tmp_path / "log2").mkdir()
    hand_log().with_columns(
        pl.col("position").cast(pl.String),
        pl.col("clicked").cast(pl.Boolean),
        pl.col("timestamp").dt.epoch("ms"),
        pl.col("received_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"),
        pl.col("user_id").cast(pl.String),
    ).rename({"timestamp": "ts", "user_id": "visitor"}).write_parquet(tmp_path / "log2" / f"{FIRST}.parquet")
    project = make_project(settings('path = "log2"', '[log.columns]\ntimestamp = "ts"\nuser_id = "visitor"'))
    same(run_day(project, FIRST).series, expected)


@pytest.mark.parametrize("clicked", ["flags", "ids"])
def test_a_row_a_request(
    make_project: Make, hand_log: Hand, tmp_path: Path, expected: pl.DataFrame, clicked: str
) -> None:
    log = hand_log().filter(pl.col("request_id") != 2)  # an item that stands twice has no flag of its own by ids
    (tmp_path / "rows").mkdir()
    log.write_parquet(tmp_path / "rows" / f"{FIRST}.parquet")
    rows = run_day(make_project(settings('path = "rows"')), FIRST).series
    lists = log.group_by("request_id", maintain_order=True).agg(
        pl.col("timestamp", "user_id", "surface", "model_version", "latency_ms").first(),
        pl.col("received_at").last(),
        pl.col("item_id").drop_nulls().alias("items"),
        pl.col("score", "predicted", "retriever", "feature.device", "converted").filter(
            pl.col("item_id").is_not_null()
        ),
        pl.col("clicked").filter(pl.col("item_id").is_not_null()).cast(pl.Boolean),
        pl.col("item_id").filter(pl.col("clicked") == 1).alias("clicked_items"),
    )
    lists = lists.drop("clicked_items" if clicked == "flags" else "clicked")
    (tmp_path / "requests").mkdir()
    lists.write_parquet(tmp_path / "requests" / f"{FIRST}.parquet")
    more = '[log.columns]\nitem_id = "items"'
    project = make_project(settings('path = "requests"\nshape = "requests"', more), folder=tmp_path)
    # Of a list there is one time of arrival, and an empty one has no prediction of its items.
    same(run_day(project, FIRST).series, rows, but=("late",))


def test_clicks_apart_from_impressions(
    make_project: Make, hand_log: Hand, tmp_path: Path, expected: pl.DataFrame
) -> None:
    log = hand_log()
    (tmp_path / "shown").mkdir()
    (tmp_path / "clicks").mkdir()
    log.filter(pl.col("item_id").is_not_null()).drop("clicked", "converted").write_parquet(
        tmp_path / "shown" / f"{FIRST}.parquet"
    )
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    clicks = pl.DataFrame(
        {
            "timestamp": [
                noon + timedelta(hours=1, minutes=1),  # request 1, b
                noon + timedelta(hours=2, minutes=1),  # request 2, d
                noon + timedelta(hours=2, minutes=2),  # the same again
                noon + timedelta(hours=5, minutes=30),  # request 4, too late
                noon + timedelta(hours=2, minutes=1),  # never shown
                noon - timedelta(hours=11, minutes=30),  # may belong to the day before
            ],
            "request_id": [1, 2, 2, 4, 4, 99],
            "item_id": ["b", "d", "d", "a", "h", "a"],
            "converted": [True, False, False, False, False, False],
        }
    )
    clicks.write_parquet(tmp_path / "clicks" / f"{FIRST}.parquet")
    project = make_project(settings('path = "shown"\nclicks = "clicks"'))
    series = run_day(project, FIRST).series

    def row(name: str) -> dict:
        return series.filter(indicator=name, dimension="overall").row(0, named=True)

    assert (row("ctr")["numerator"], row("ctr")["denominator"]) == (2, 8)
    assert (row("join_rate")["numerator"], row("join_rate")["denominator"]) == (3, 5)
    assert (row("conversion")["numerator"], row("conversion")["denominator"]) == (1, 2)


def test_a_click_belongs_to_the_last_impression_before_it(make_project: Make, hand_log: Hand, tmp_path: Path) -> None:
    base = hand_log().head(1).drop("clicked", "converted", "request_id")
    shown = pl.concat([base, base.with_columns(pl.col("timestamp").dt.offset_by("20m"), position=pl.lit(2, pl.Int64))])
    clicks = base.select("user_id", "item_id", pl.col("timestamp").dt.offset_by("30m"))
    for name, frame in (("shown", shown), ("clicks", clicks)):
        (tmp_path / name).mkdir()
        frame.write_parquet(tmp_path / name / f"{FIRST}.parquet")
    series = run_day(make_project(settings('path = "shown"\nclicks = "clicks"')), FIRST).series
    found = {row["slice"]: row["value"] for row in series.filter(indicator="ctr", dimension="position").to_dicts()}
    assert found == {"1": 0.0, "2": 1.0}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_of_another_zone_has_its_hours(
    make_project: Make, hand_log: Hand, tmp_path: Path, day: date, hours: int
) -> None:
    """A row a minute, in files by day of UTC and as times without a zone: each row belongs to one day."""
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    base = hand_log().head(1).drop("timestamp", "received_at", "request_id")
    minutes = pl.DataFrame({"timestamp": [first + timedelta(minutes=at) for at in range(5 * 1440)]}).with_columns(
        pl.col("timestamp").cast(pl.Datetime("us", "UTC"))
    )
    log = minutes.with_columns(request_id=pl.int_range(pl.len())).join(base, how="cross")
    (tmp_path / "utc").mkdir()
    for at, part in log.group_by(pl.col("timestamp").dt.date()):
        part.write_parquet(tmp_path / "utc" / f"{at[0]}.parquet")
    local = pl.col("timestamp").dt.convert_time_zone("Europe/Berlin").dt.replace_time_zone(None)
    log.with_columns(local).write_parquet(tmp_path / "local.parquet")
    found = []
    for path in ("utc", "local.parquet"):
        project = make_project(settings(f'path = "{path}"\ntime_zone = "Europe/Berlin"'))
        run = run_day(project, day)
        card = project.card(day)
        assert card is not None and card["hours"] == hours
        found.append(card["rows"])
        [check] = [each for each in run.gate.checks if each.code == "hours"]
        assert check.bound == hours
    assert found == [hours * 60, hours * 60]
    assert day_bounds(day, zone).hours == hours


def test_files_of_a_day(tmp_path: Path) -> None:
    for name in ("2026-01-04.parquet", "2026-01-05.parquet", "2026-01-06.parquet", ".writing-2026-01-05.parquet"):
        (tmp_path / name).touch()
    utc = files_of(tmp_path, day_bounds(FIRST, ZoneInfo("UTC")))
    assert [each.name for each in utc.paths] == ["2026-01-05.parquet"] and utc.dated
    west = files_of(tmp_path, day_bounds(FIRST, ZoneInfo("America/New_York")))
    assert [each.name for each in west.paths] == ["2026-01-05.parquet", "2026-01-06.parquet"]
    assert [each.name for each in west.own] == ["2026-01-05.parquet"]


def test_settings_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"

    def problem(text: str) -> str:
        path.write_text(text)
        with pytest.raises(UsageError) as caught:
            load_monitor_settings(tmp_path)
        return str(caught.value)

    assert "log is missing" in problem("")
    assert "[log] has no key 'pth'. Did you mean 'path'" in problem('[log]\npth = "x"')
    assert "time_zone is 'Berlin'" in problem('[log]\npath = "x"\ntime_zone = "Berlin"')
    assert "warm_up is 9, more than memory, 8" in problem('[log]\npath = "x"\n[detect]\nwarm_up = 9')
    assert "[indicators.ctr] has no key 'slos'" in problem('[log]\npath = "x"\n[indicators.ctr]\nslos = 1')
    assert "end is 2026-01-01, before start" in problem(
        '[log]\npath = "x"\n[reference]\nstart = 2026-01-05\nend = 2026-01-01'
    )
