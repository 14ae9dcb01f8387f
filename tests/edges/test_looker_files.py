"""What an export for Looker writes, leaves alone and refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from reclens.edges import looker
from reclens.edges.looker import export_looker
from reclens.errors import UsageError, WorkspaceError


@pytest.mark.parametrize(
    "names",
    [{"schema": 'main"; DROP'}, {"schema": "a.b.c"}, {"schema": "${TABLE}"}, {"connection": 'x" }'}, {"schema": ""}],
)
def test_names_are_names(kept, place: Path, names: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected"):
        export_looker(kept.workspace, place, **names)
    assert not place.exists()


def test_a_database_keeps_what_else_it_holds(kept, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place.parent / "mine.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS answer; CREATE TABLE leaderboard AS SELECT 1 AS old")

    def tables() -> dict[str, int]:
        with duckdb.connect(str(file), read_only=True) as connection:
            names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}

    with pytest.raises(WorkspaceError, match=r"has a table main\.leaderboard already.*overwrite=True"):
        export_looker(kept.workspace, place, database=file)
    assert not place.exists() and tables() == {"mine": 1, "leaderboard": 1}
    create = looker.write_database.__globals__["_create"]
    calls: list[str] = []

    def failing(connection: object, table: object, name: str, parts: object) -> None:
        calls.append(name)
        if len(calls) == 3:
            raise duckdb.IOException("No space left on device")
        create(connection, table, name, parts)

    monkeypatch.setitem(looker.write_database.__globals__, "_create", failing)
    with pytest.raises(WorkspaceError, match="No space left"):
        export_looker(kept.workspace, place, database=file, overwrite=True)
    assert not place.exists() and tables() == {"mine": 1, "leaderboard": 1}, "all tables or none"
    monkeypatch.undo()
    export_looker(kept.workspace, place, database=file, overwrite=True)
    assert tables()["mine"] == 1 and tables()["leaderboard"] == 3 * 7
    with duckdb.connect(str(file), read_only=True) as connection:
        (comment,) = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'leaderboard' AND column_name = 'p_adjusted'"
        ).fetchone()
    assert "paired randomisation test" in comment


def test_what_is_in_the_way(kept, place: Path) -> None:
    (place.parent / "text.duckdb").write_text("not a database, but long enough to be looked at as one, said the file")
    with pytest.raises(WorkspaceError, match="cannot be opened as a DuckDB database"):
        export_looker(kept.workspace, place, database=place.parent / "text.duckdb")
    assert not place.exists()
    (place / "views").mkdir(parents=True)
    (place / "views" / "leaderboard.view.lkml").write_text("# mine")
    with pytest.raises(WorkspaceError, match=r"leaderboard\.view\.lkml exists\..*overwrite=True"):
        export_looker(kept.workspace, place)
    assert [file.name for file in place.rglob("*") if file.is_file()] == ["leaderboard.view.lkml"]


def test_a_killed_export_leaves_nothing_half(kept, place: Path) -> None:
    program = (
        "import sys, time\nfrom reclens.edges import looker\nfrom reclens.edges import _warehouse\n"
        "from reclens.workspace import Workspace\n"
        "create = _warehouse._create\n"
        "def slow(connection, table, name, parts):\n"
        "    create(connection, table, name, parts); print('writing', flush=True)\n"
        "    time.sleep(60 * (table.name == 'user_metrics'))\n"
        "_warehouse._create = slow\n"
        "looker.export_looker(Workspace(sys.argv[1]), sys.argv[2], database=sys.argv[3])\n"
    )
    old = place.parent / "old.duckdb"
    duckdb.connect(str(old)).execute("CREATE TABLE mine AS SELECT 42 AS answer").close()
    for file in (old, place.parent / "new.duckdb"):
        call = [sys.executable, "-c", program, str(kept.workspace.folder), str(place), str(file)]
        process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and [process.stdout.readline() for _ in range(3)] == ["writing\n"] * 3
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert not place.exists() and not (place.parent / "new.duckdb").exists()
    with duckdb.connect(str(old)) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("mine",)]
