"""Extracts, read back through the Hyper API, hold what the workspace holds; the data sources describe each column."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from reclens.edges import tableau
from reclens.edges._tds import write_tds
from reclens.edges._workbook import SHEETS, write_workbook
from reclens.edges.tableau import export_tableau
from reclens.errors import MissingExtraError, WorkspaceError
from reclens.export.schema import EXPORTS
from reclens.monitor.health import health_name
from reclens.workspace import Workspace

WHY = "needs Tableau's Hyper API, which there is none of for this machine: pip install tableauhyperapi"
hyper = pytest.importorskip("tableauhyperapi", reason=WHY)

NAMES = [*(f"{table.name}.{kind}" for table in EXPORTS for kind in ("hyper", "tds")), "reclens.twb"]


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


def test_another_reader_finds_the_same_rows(out: Path) -> None:
    pantab = pytest.importorskip("pantab", reason="needs pantab, another reader of extracts")
    for table in EXPORTS:
        frame = pl.from_arrow(pantab.frame_from_hyper(out / f"{table.name}.hyper", table=HOME, return_type="pyarrow"))
        columns, rows = read(out / f"{table.name}.hyper")
        assert isinstance(frame, pl.DataFrame) and frame.columns == list(columns) == [c.name for c in table.columns]
        assert {name: kind for name, kind in frame.schema.items() if kind.is_float()} == {
            column.name: pl.Float64() for column in table.columns if column.type == "real"
        }
        found = sorted(map(repr, frame.rows()))
        assert found == sorted(repr(tuple(map(plain, row.values()))) for row in rows)
        assert len(found) == len(rows) and (rows or table.name == "daily_health")


HOME = ("Extract", "Extract")


def plain(value: object) -> object:
    """A value of the Hyper API as Python has it."""
    return (
        value.to_date()
        if isinstance(value, hyper.Date)
        else value.to_datetime()
        if isinstance(value, hyper.Timestamp)
        else value
    )


FIELD = re.compile(r"\[(federated\.\w+)\]\.\[((none|avg):(\w+):(nk|qk))\]")


def test_the_workbook_has_a_sheet_a_question_and_each_is_answered_by_its_extract(kept, out: Path) -> None:
    root = ET.parse(out / "reclens.twb").getroot()
    assert [each.get("name") for each in root.findall("worksheets/worksheet")] == [each.title for each in SHEETS]
    assert [each.get("name") for each in root.findall("windows/window")] == [each.title for each in SHEETS]
    sources = {each.get("name"): each for each in root.findall("datasources/datasource")}
    for source in sources.values():
        link = source.find("connection/named-connections/named-connection/connection")
        assert link is not None and (out / str(link.get("dbname"))).is_file()
    for sheet in root.findall("worksheets/worksheet"):
        (home,) = [each.get("name") for each in sheet.findall("table/view/datasources/datasource")]
        described = {each.get("name") for each in sources[home].findall("column")}
        needed = sheet.find("table/view/datasource-dependencies")
        instances = {each.get("name"): each for each in needed.findall("column-instance")}
        shelves = [sheet.findtext("table/rows"), sheet.findtext("table/cols")]
        encoded = [each.get("column") for each in sheet.findall("table/panes/pane/encodings/*")]
        filtered = [each.get("column") for each in sheet.findall("table/view/filter")]
        fields = [match for text in [*shelves, *encoded, *filtered] for match in FIELD.findall(text)]
        assert {field for _, field, *_ in fields} == {name.strip("[]") for name in instances}
        assert {each.get("column") for each in instances.values()} == {
            each.get("name") for each in needed.findall("column")
        }
        for place, field, kind, name, _ in fields:
            assert place == home and f"[{name}]" in described
            assert instances[f"[{field}]"].get("derivation") == {"none": "None", "avg": "Avg"}[kind]
        assert all(shelves) and [each.text for each in sheet.findall("table/view/slices/column")] == filtered
        filled = {table.name for table in EXPORTS} - {"daily_health"}
        check_answer(out / f"{home.removeprefix('federated.')}.hyper", sheet, fields, filled)
    hold = (out / "reclens.twb").read_bytes()
    assert hold == write_workbook("ndcg@10") and b"daily_health.hyper" in hold, "it holds no name of a run"


def test_the_days_of_a_monitor_alone_are_exported_with_their_sheets(tmp_path: Path, watched: ModuleType) -> None:
    workspace, days = Workspace(tmp_path / "workspace"), watched.days()[-3:]
    for day in days:
        workspace.save(day, health_name(day.system, day.day))
    found = export_tableau(workspace, tmp_path / "out")
    assert found.rows == {table.name: 0 for table in EXPORTS} | {"daily_health": sum(d.detections.height for d in days)}
    rows = {
        (r["day"], r["indicator"], r["segmentation"], r["segment"]): r
        for r in (row for d in days for row in d.to_dicts())
    }
    _, read_back = read(tmp_path / "out" / "daily_health.hyper")
    assert len(rows) == len(read_back)
    for row in read_back:
        kept = rows[row["day"].to_date(), row["indicator"], row["segmentation"], row["segment"]]
        assert all(same(row[name], kept[name]) for name in ("value", "low", "high", "n", "expected"))
        assert (row["status"], row["note"], row["system"]) == (kept["status"], kept["note"], kept["system"])
    root = ET.parse(tmp_path / "out" / "reclens.twb").getroot()
    for sheet in root.findall("worksheets/worksheet"):
        texts = [sheet.findtext("table/rows"), sheet.findtext("table/cols")]
        texts += [each.get("column") for each in sheet.findall("table/panes/pane/encodings/*")]
        fields = [match for text in texts for match in FIELD.findall(text)]
        home = fields[0][0].removeprefix("federated.")
        check_answer(tmp_path / "out" / f"{home}.hyper", sheet, fields, {"daily_health"})


def check_answer(extract: Path, sheet: ET.Element, fields: list[tuple[str, ...]], filled: set[str]) -> None:
    """What Tableau would ask of the extract: each mark is one number, but on the sheet of means over users."""
    groups = dict.fromkeys(f'"{name}"' for _, _, kind, name, _ in fields if kind == "none")
    values = dict.fromkeys(f'AVG("{name}")' for _, _, kind, name, _ in fields if kind == "avg")
    kept = {FIELD.findall(each.get("column"))[0][3]: each[0].get("member").strip('"') for each in sheet.iter("filter")}
    where = " AND ".join(f'"{name}" = {hyper.escape_string_literal(value)}' for name, value in kept.items()) or "TRUE"
    query = f'SELECT {", ".join([*groups, *values, "COUNT(*)"])} FROM "Extract"."Extract" WHERE {where}'
    settings = {"telemetry": hyper.Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, "parameters": {"log_config": ""}}
    with hyper.HyperProcess(**settings) as process, hyper.Connection(process.endpoint, str(extract)) as connection:
        rows = connection.execute_list_query(f"{query} GROUP BY {', '.join(groups)}")
    assert bool(rows) == (extract.stem in filled)
    assert sheet.get("name") == "Mean over users" or all(row[-1] == 1 for row in rows)


def test_the_workbook_without_evaluations_is_filtered_to_no_metric() -> None:
    root = ET.fromstring(write_workbook(None))
    kept = {each.get("member") for each in root.iter("groupfilter")}
    assert kept == {'"overall"'}
    odd = ET.fromstring(write_workbook('a"b\\c'))
    assert '"a\\"b\\\\c"' in {each.get("member") for each in odd.iter("groupfilter")}


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
