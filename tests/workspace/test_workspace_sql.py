"""SQL over a workspace reads its tables and nothing else, writes nothing, and ends."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.helpers.sql_attacks import READING, WRITING

from reclens.errors import UsageError, WorkspaceError
from reclens.report.data.words import cut_text
from reclens.workspace import Workspace, query
from reclens.workspace.sandbox import open_tables

CANARY = "canary-7f3a"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_data) -> Workspace:
    """A workspace with a data set, a plain file, and links that lead out; beside it a secret."""
    root = tmp_path_factory.mktemp("sql")
    outside = root / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(f"{CANARY}\n")
    (outside / "secret.csv").write_text(f"a\n{CANARY}\n")
    pl.DataFrame({"a": [CANARY]}).write_parquet(outside / "secret.parquet")
    workspace = Workspace(root / "work")
    folder = workspace.save(small_data, "mine")
    (folder / "way_out").symlink_to(outside)
    (folder / "linked.parquet").symlink_to(outside / "secret.parquet")
    (folder / "linked.csv").symlink_to(outside / "secret.csv")
    return workspace


@pytest.fixture
def untouched(place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After the test every file is what it was, and none has come: here, in the folder one works in, in the temporary
    one and at home."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    before = state(place.folder.parent) | state(tmp_path)
    yield
    assert state(place.folder.parent) | state(tmp_path) == before


def state(folder: Path) -> dict[str, str]:
    files = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    folders = {f"{root}/": "" for root, _, _ in os.walk(folder)}
    return folders | {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


TABLE = "dataset_mine_interactions"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("attack", [*READING, *WRITING])
def test_nothing_else_is_read_or_written(place: Workspace, attack: str) -> None:
    attack = attack.format(out=place.folder.parent / "outside", work=place.folder)
    with pytest.raises(UsageError) as refused:
        place.query(attack, limit=1_000, seconds=20)
    assert CANARY not in str(refused.value)
    assert not Path("/dev/shm/reclens-new.csv").exists()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM duckdb_secrets()",
        "SELECT write_log('x')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM pragma_database_size()",
    ],
)
def test_what_is_allowed_to_run_changes_nothing(place: Workspace, query: str) -> None:
    assert CANARY not in str(place.query(query, seconds=20).table.to_dicts())
    assert place.sql(f"SELECT count(*) AS n FROM {TABLE}")["n"].to_list() == [6000]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "endless",
    [
        "SELECT count(*) FROM range(1000000000000)",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT max(a) FROM r",
        "SELECT sleep_ms(100000)",
        "SELECT max(hash(a.user_id || b.user_id || c.user_id)) FROM {t} a, {t} b, {t} c",
        # Within one call of a function, and while it plans, DuckDB heeds no interrupt.
        "SELECT levenshtein(repeat('a', 3000000), repeat('b', 3000000))",
        "SELECT 1" + " UNION ALL SELECT 1" * 5_000,
        "WITH c0 AS (SELECT 1 AS a)"
        + "".join(f", c{n} AS (SELECT a FROM c{n - 1} UNION ALL SELECT a FROM c{n - 1})" for n in range(1, 41))
        + " SELECT count(*) FROM c40",
    ],
)
def test_what_does_not_end_is_stopped(place: Workspace, endless: str) -> None:
    with pytest.raises(UsageError, match=r"stopped after 0\.5 s"):
        place.query(endless.format(t=TABLE), seconds=0.5)


def test_after_a_killed_query_comes_the_next(place: Workspace) -> None:
    with pytest.raises(UsageError, match="stopped after"):
        place.query("SELECT count(*) FROM range(1000000000000)", seconds=0.5)
    assert place.sql("SELECT 1 AS a", seconds=60)["a"].to_list() == [1]
    place.sql("SELECT 1")
    assert len(query._waiting) == 1, "one process is kept for the next query"
    query._waiting[0].kill()
    query._waiting[0].wait()
    assert place.sql("SELECT 2 AS a", seconds=60)["a"].to_list() == [2]


@pytest.mark.parametrize("seconds", [1e300, float("inf"), None])
def test_a_limit_may_be_beyond_all_bounds(place: Workspace, seconds: float | None) -> None:
    assert place.sql("SELECT 1 AS a", seconds=seconds)["a"].to_list() == [1]


def test_many_ask_at_the_same_time(place: Workspace) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: place.sql(f"SELECT {n} AS a, count(*) AS n FROM {TABLE}").row(0), range(8))
    assert list(found) == [(n, 6000) for n in range(8)]


def test_where_no_process_can_be_started_it_is_said(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    query.end_all()
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(WorkspaceError, match="process of its own, and none can be started"):
        place.sql("SELECT 1")


def test_what_there_is_can_be_listed(place: Workspace) -> None:
    columns = place.load("dataset", "mine").interactions.columns
    assert place.sql("SHOW TABLES")["name"].to_list() == place.views()
    assert place.sql(f"DESCRIBE {TABLE}")["column_name"].to_list() == columns
    assert place.sql(f"SUMMARIZE {TABLE}")["count"].to_list() == [6000] * len(columns)
    counted = place.sql(f"PIVOT {TABLE} ON rating IN ('4.0', '5.0') USING count(*) GROUP BY user_id")
    ratings = place.load("dataset", "mine").interactions["rating"]
    assert counted.select(pl.nth(1, 2).sum()).row(0) == tuple((ratings == each).sum() for each in (4, 5))
    with pytest.raises(UsageError, match=r"PIVOT … ON column IN \('a', 'b'\)"):
        place.sql(f"PIVOT {TABLE} ON rating USING count(*)")


@pytest.mark.parametrize("end", ["", ";", ";;", " ; -- é; done", ";\n/* a; */ -- b", " -- ';'"])
def test_a_query_may_end_by_semicolons_and_comments(place: Workspace, end: str) -> None:
    assert place.sql(f"SELECT 'é; -- x' AS a{end}")["a"].to_list() == ["é; -- x"]


def test_dates_that_python_does_not_have_come_as_text(place: Workspace) -> None:
    found = place.sql(
        "SELECT DATE '0044-03-15 (BC)' AS old, 'infinity'::TIMESTAMP AS never, DATE '2024-02-29' AS leap, "
        "TIMESTAMP '0001-01-01' AS first, NULL::DATE AS none"
    )
    assert found.to_dicts() == [
        {
            "old": "0044-03-15 (BC)",
            "never": "infinity",
            "leap": date(2024, 2, 29),
            "first": datetime(1, 1, 1),
            "none": None,
        }
    ]


def test_settings_do_not_tell_where_the_home_folder_is(place: Workspace) -> None:
    settings = place.sql("SELECT name, value FROM duckdb_settings()")
    assert not settings.filter(pl.col("value").str.contains(".duckdb", literal=True)).height


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "bomb",
    [
        "SELECT list(range) FROM range(10000000000)",
        "SELECT string_agg(range::VARCHAR, ',') FROM range(10000000000)",
        "SELECT repeat('x', 10000000000)",
    ],
)
def test_what_needs_too_much_memory_fails_and_spills_nothing(place: Workspace, bomb: str) -> None:
    with pytest.raises(UsageError, match=r"needs more than|stopped|Cannot create a string"):
        place.query(bomb, seconds=30)


def test_rows_beyond_the_limit_are_said_to_be_missing(place: Workspace) -> None:
    found = place.query("SELECT * FROM range(1000000000000)", limit=600, seconds=20)
    assert found.table["range"].to_list() == list(range(600))
    assert found.cut == "rows" and cut_text(found) == "Only the first 600 rows are shown: there are more."
    whole = place.query("SELECT * FROM range(600)", limit=600)
    assert whole.table.height == 600 and whole.cut is None
    large = place.query("SELECT repeat('x', 100000) AS a FROM range(100000)", limit=10_000, seconds=60)
    assert large.cut == "bytes" and "100 MB" in str(cut_text(large)) and large.table.height < 2_000


def test_names_are_found_wherever_they_stand(place: Workspace) -> None:
    for place_of in (
        TABLE.upper(),
        f"query('FROM {TABLE}')",
        f'memory.main."{TABLE}"',
        f"query_table('{TABLE}')",
        f"(WITH a AS (TABLE {TABLE}) FROM a)",
    ):
        assert place.sql(f"SELECT count(*) AS n FROM {place_of}")["n"].to_list() == [6000], place_of
    with pytest.raises(UsageError, match=f"Did you mean '{TABLE}'"):
        place.sql("SELECT * FROM dataset_mine_interaction")


def test_values_of_every_type_come_out(place: Workspace) -> None:
    found = place.sql(
        "SELECT 1::UTINYINT a, 'x' b, NULL c, [1, 2] d, {'k': 1} e, DATE '2020-01-02' f, 1.5::DECIMAL(4, 2) g, "
        "'\\x00'::BLOB h, '0b7a7b3c-9e41-4a52-8b43-1b2d9f5c6a7e'::UUID i, 'nan'::DOUBLE j, MAP {'a': 1} k, "
        "INTERVAL 1 DAY l, 170141183460469231731687303715884105727::HUGEINT m"
    )
    assert found.width == 13 and found["b"][0] == "x" and found["d"].to_list() == [[1, 2]]
    assert found["i"].to_list() == ["0b7a7b3c-9e41-4a52-8b43-1b2d9f5c6a7e"]
    assert found["m"].to_list() == [str(2**127 - 1)]
    sums = place.sql(
        f"SELECT sum(1) AS n, 0.5 AS half, now() > '2020-01-01' AS later, max(timestamp) AS last FROM {TABLE}"
    )
    expected = place.load("dataset", "mine").interactions["timestamp"]
    assert sums.row(0) == (6000, 0.5, True, expected.max()) and sums["last"].dtype == expected.dtype


def test_the_tables_that_there_are_with_their_columns(place: Workspace) -> None:
    tables = place.tables()
    assert "dataset_mine_linked" not in tables, "it leads out of the workspace"
    assert list(tables[TABLE]) == place.load("dataset", "mine").interactions.columns
    assert set(tables) == set(place.views())


@pytest.mark.parametrize(("limit", "seconds"), [(0, None), (None, 0), (-1, 1), (1, -1)])
def test_limits_that_mean_nothing(place: Workspace, limit: int | None, seconds: float | None) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        place.query("SELECT 1", limit=limit, seconds=seconds)


def test_the_door_is_shut_also_without_the_parser(place: Workspace) -> None:
    """What the refusal of all but SELECT guards, the locks guard a second time."""
    import duckdb

    outside = place.folder.parent / "outside"
    with open_tables({}) as connection:
        for attack in (
            f"COPY (SELECT 1) TO '{outside}/new.csv'",
            f"ATTACH '{outside}/new.db'",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "SET allowed_directories = ['/']",
            "RESET lock_configuration",
            "INSTALL httpfs",
            f"SET temp_directory = '{outside}'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(attack)
    assert not (outside / "new.csv").exists() and not (outside / "new.db").exists()
