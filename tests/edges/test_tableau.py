"""Extracts, read back through the Hyper API, hold what the workspace holds; the data sources describe each column."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from reclens.edges import tableau
from reclens.edges.tableau import export_tableau, write_tds
from reclens.errors import MissingExtraError, WorkspaceError
from reclens.export.schema import EXPORTS

WHY = "needs Tableau's Hyper API, which there is none of for this machine: pip install tableauhyperapi"
hyper = pytest.importorskip("tableauhyperapi", reason=WHY)

NAMES = [f"{table.name}.{kind}" for table in EXPORTS for kind in ("hyper", "tds")]


def read(file: Path) -> tuple[dict[str, str], list[dict]]:
    """Columns with their types, and the rows."""
    settings = {"telemetry": hyper.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, "parameters": {"log_config": ""}}
    with hyper.HyperProcess(**settings) as process, hyper.Connection(process.endpoint, str(file)) as connection:
        assert [str(name.name) for name in connection.catalog.get_table_names("Extract")] == ['"Extract"']
        table = hyper.TableName("Extract", "Extract")
        columns = {c.name.unescaped: str(c.type) for c in connection.catalog.get_table_definition(table).columns}
        rows = connection.execute_list_query(f"SELECT * FROM {table}")
    return columns, [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def out(kept, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tableau") / "out"
    found = export_tableau(kept.workspace, folder)
    assert [file.name for file in found.files] == NAMES == [file.name for file in found.files if file.is_file()]
    return folder


def same(found: float | None, expected: float | None) -> bool:
    """Equal to the last bit; NaN leaves as nothing."""
    missing = expected is None or math.isnan(expected)
    return found is None if missing else found == expected


def test_the_leaderboard_is_the_evaluations(kept, out: Path) -> None:
    _, rows = read(out / "leaderboard.hyper")
    assert len(rows) == 3 * 7
    for row in rows:
        result = kept.results[row["run"]]
        overall = result[row["metric"]].overall
        assert row["system"] == result.system
        assert all(same(row[name], getattr(overall, name)) for name in ("value", "low", "high", "n", "level"))
        assert row["truth"] == result.card["truth"]["hash"] and row["convention"] == "trec"
        assert row["synthetic"] is result.card["synthetic"]
        if row["run"] == "popular":
            assert row["verdict"] == "baseline" and row["difference"] is None
            continue
        held = kept.comparison.find(row["run"], row["metric"])
        names = {"difference_low": "low", "difference_high": "high"}
        shown = ("difference", *names, "p_adjusted", "wins", "ties", "losses", "smallest_detectable")
        assert all(same(row[name], getattr(held, names.get(name, name))) for name in shown)
        assert row["significant"] is held.significant
    verdicts = {(row["run"], row["metric"]): row["verdict"] for row in rows}
    assert verdicts["random", "ndcg@10"] == "worse" and verdicts["random", "novelty@10"] == "different"
    assert verdicts["random", "gini@10"] == "not tested"


def test_segments_are_the_evaluations(kept, out: Path) -> None:
    _, rows = read(out / "segment_metrics.hyper")
    expected = {
        (run, metric.name, by, segment): estimate
        for run, result in kept.results.items()
        for metric in result
        for by, found in metric.by.items()
        for segment, estimate in found.items()
    }
    assert len(rows) == len(expected) > 100
    for row in rows:
        estimate = expected[row["run"], row["metric"], row["segmentation"], row["segment"]]
        assert (
            all(
                same(row[name], getattr(estimate, name))
                for name in ("value", "low", "high", "n", "note", "level")
                if name != "note"
            )
            and row["note"] == estimate.note
        )
        assert row["small"] is (estimate.n < 30)
        if row["run"] != "popular":
            held = kept.comparison.find(row["run"], row["metric"], by=row["segmentation"], segment=row["segment"])
            assert same(row["difference"], held.difference) and same(row["p_adjusted"], held.p_adjusted)
    ages = [
        row["segment"]
        for row in sorted(rows, key=lambda row: row["place"])
        if (row["run"], row["metric"], row["segmentation"]) == ("knn", "ndcg@10", "age")
    ]
    assert ages == list(kept.results["knn"]["ndcg@10"].by["age"])


def test_users_are_the_evaluations(kept, out: Path) -> None:
    _, rows = read(out / "user_metrics.hyper")
    found = {(row["run"], row["metric"], row["user_id"]): row for row in rows}
    assert len(found) == len(rows)
    for run, result in kept.results.items():
        metrics = [name for name in result.metrics if name in result.per_user.columns]
        for user in result.per_user.to_dicts():
            for metric in metrics:
                row = found.pop((run, metric, user["user_id"]))
                assert same(row["value"], user[metric])
                assert (row["n_relevant"], row["list_length"]) == (user["n_relevant"], user["list_length"])
    assert not found


def test_hostile_names_are_data(kept, out: Path, hostile: str) -> None:
    assert hostile in {row["system"] for row in read(out / "leaderboard.hyper")[1]}
    assert hostile in {row["segment"] for row in read(out / "segment_metrics.hyper")[1]}
    assert all(row["user_id"].startswith(hostile) for row in read(out / "user_metrics.hyper")[1])
    for table in EXPORTS:
        assert (out / f"{table.name}.tds").read_bytes() == write_tds(table), "a data source holds no name of a run"


TYPES = {
    "string": "TEXT",
    "integer": "BIG_INT",
    "real": "DOUBLE",
    "boolean": "BOOL",
    "date": "DATE",
    "datetime": "TIMESTAMP",
}


@pytest.mark.parametrize("table", EXPORTS, ids=lambda table: table.name)
def test_each_column_of_an_extract_is_described(out: Path, table) -> None:
    columns, rows = read(out / f"{table.name}.hyper")
    assert rows or table.name == "daily_health", "what there is nothing of has its columns and no rows"
    source = ET.parse(out / f"{table.name}.tds").getroot()
    described = {column.get("name"): column for column in source.findall("column")}
    assert list(described) == [f"[{name}]" for name in columns]
    for name, kind in columns.items():
        column = described[f"[{name}]"]
        assert TYPES[column.get("datatype")] == kind
        assert column.get("caption") and len(column.find("desc/formatted-text/run").text) > 10
        assert column.get("role") in ("dimension", "measure")
        # A sum of metrics would be a wrong number that looks right.
        assert column.get("aggregation") == ("Avg" if column.get("role") == "measure" else None)
        if column.get("datatype") == "real":
            assert column.get("default-format")
    records = [{part.tag: part.text for part in record} for record in source.iter("metadata-record")]
    assert [record["remote-name"] for record in records] == list(columns)
    assert [record["local-type"] for record in records] == [column.get("datatype") for column in described.values()]
    link = source.find("connection/named-connections/named-connection/connection")
    assert link.get("class") == "hyper" and (out / link.get("dbname")).is_file()
    relation = source.find("connection/relation")
    assert relation.get("table") == "[Extract].[Extract]"
    named = source.find("connection/named-connections/named-connection")
    assert relation.get("connection") == named.get("name")
    mapped = {m.get("key"): m.get("value") for m in source.findall("connection/cols/map")}
    assert mapped == {f"[{name}]": f"[Extract].[{name}]" for name in columns}


def test_only_what_was_asked_for(kept, place: Path) -> None:
    found = export_tableau(kept.workspace, place, evaluations=["knn"])
    assert {row["run"] for row in read(place / "leaderboard.hyper")[1]} == {"knn"}
    assert found.rows["leaderboard"] == 7 and found.rows["daily_health"] == 0
    assert "watches a system day by day" in found.to_dicts()[-1]["why"]


def test_nothing_is_replaced_unasked(kept, place: Path) -> None:
    place.mkdir()
    (place / "leaderboard.tds").write_text("mine")
    with pytest.raises(WorkspaceError, match=r"leaderboard\.tds exists\. .*overwrite=True"):
        export_tableau(kept.workspace, place)
    assert [file.name for file in place.iterdir()] == ["leaderboard.tds"]
    assert (place / "leaderboard.tds").read_text() == "mine"
    (place / "other.txt").write_text("mine")
    export_tableau(kept.workspace, place, overwrite=True)
    assert sorted(file.name for file in place.iterdir()) == sorted([*NAMES, "other.txt"])
    assert (place / "leaderboard.tds").read_text() != "mine"


def test_a_failure_leaves_nothing(kept, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tableau, "write_tds", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        export_tableau(kept.workspace, place)
    assert list(place.parent.iterdir()) == []


def test_a_killed_export_leaves_nothing_half(kept, place: Path) -> None:
    program = (
        "import sys, time\nfrom reclens.edges import tableau\nfrom reclens.workspace import Workspace\n"
        "def slow(table):\n    print('writing', flush=True); time.sleep(60)\n"
        "tableau.write_tds = slow\n"
        "tableau.export_tableau(Workspace(sys.argv[1]), sys.argv[2])\n"
    )
    call = [sys.executable, "-c", program, str(kept.workspace.folder), str(place)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not place.exists()
    export_tableau(kept.workspace, place)
    assert sorted(file.name for file in place.iterdir()) == sorted(NAMES)


def test_without_the_library_it_says_how_to_get_it(kept, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tableauhyperapi", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[tableau\]'"):
        export_tableau(kept.workspace, place)
    assert not place.exists()
