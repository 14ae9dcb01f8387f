"""The same dbt project on PostgreSQL, on a real server: the marts are those of the monitor itself.

dbt-postgres is in an environment apart (``make test-stores`` makes it); RECLENS_TEST_DBT names its Python.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from postgres_server import postgres_server
from reclens.edges.dbt import DbtMarts, write_project
from reclens.errors import WorkspaceError
from reclens.monitor.day import run_day, run_days
from reclens.monitor.project import Project


@pytest.fixture(scope="module")
def server():
    """The variables of a server that the package starts, with a database of its own."""
    with postgres_server() as url:
        import psycopg

        with psycopg.connect(url) as connection:
            about = connection.info
            yield {"PGHOST": about.host, "PGPORT": str(about.port), "PGUSER": about.user, "PGDATABASE": about.dbname}


@pytest.fixture
def cases(doubles) -> ModuleType:
    """The monitor of the tests of dbt on DuckDB."""
    return doubles("test_dbt")


@pytest.fixture
def on_server(server, cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    python = os.environ.get("RECLENS_TEST_DBT")
    if python is None:
        pytest.skip("dbt-postgres is in an environment apart: make test-stores")
    command = json.dumps([python, "-c", "from dbt.cli.main import cli; cli()"])
    settings = f'{cases.SETTINGS}\n[marts]\nengine = "dbt"\ntarget = "postgres"\ncommand = {command}\n'
    project = cases.make_monitor(tmp_path / "monitor", settings)
    write_project(project, today=cases.FIRST)
    return project


def test_the_marts_on_postgresql_are_those_of_the_monitor(on_server: Project, cases, tmp_path: Path) -> None:
    embedded = cases.make_monitor(tmp_path / "embedded")
    for day in cases.DAYS:
        run_day(embedded, day)
    # Two days by one build, then the third; a column that comes later, and a day that is corrected.
    late = cases.DAYS[2]
    for project in (embedded, on_server):
        place = project.folder / "log" / f"{late}.parquet"
        pl.read_parquet(place).with_columns(pl.col("position").alias("feature.rank")).write_parquet(place)
    run_day(embedded, late)
    run_days(on_server, cases.DAYS[:2], marts=DbtMarts(on_server))
    run_days(on_server, [late], marts=DbtMarts(on_server))
    cases.assert_same_state(on_server, embedded)
    short = pl.read_parquet(on_server.folder / "log" / f"{late}.parquet").head(50)
    for project in (embedded, on_server):
        short.write_parquet(project.folder / "log" / f"{late}.parquet")
    run_day(embedded, late)
    run_days(on_server, [late], marts=DbtMarts(on_server))
    cases.assert_same_state(on_server, embedded, ("passed", "failed", "failed"))  # too few rows


def test_a_server_that_is_down_is_said_and_no_day_is_run(
    on_server: Project, cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    with pytest.raises(WorkspaceError, match="cannot take the landed days") as refused:
        run_days(on_server, [cases.FIRST, cases.FIRST + timedelta(days=1)], marts=DbtMarts(on_server))
    assert on_server.days() == [] and "s3cret" not in str(refused.value)
