"""A LookML parser reads the project; the SQL of each field, run on DuckDB, gives what the evaluations and NumPy say."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import lkml
import numpy as np
import polars as pl
import pytest
import yaml

from reclens.edges import looker
from reclens.edges.looker import export_looker, lookml_project
from reclens.errors import UsageError
from reclens.export.schema import DAILY_HEALTH, EXPORTS

PROJECT = [
    "manifest.lkml",
    "reclens.model.lkml",
    *(f"views/{table.name}.view.lkml" for table in EXPORTS),
    "dashboards/reclens.dashboard.lookml",
]


NUMBERS = [
    "value",
    "low",
    "high",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "p_adjusted",
    "tests",
]


COUNTS = ["wins", "ties", "losses", "smallest_detectable"]


@dataclass(frozen=True)
class Looker:
    """As much of Looker as turns fields into SQL: substitution, grouping, joins, filtered measures."""

    connection: duckdb.DuckDBPyConnection
    constants: dict[str, str]
    views: dict[str, dict]
    explores: dict[str, dict]

    @classmethod
    def of(cls, folder: Path, connection: duckdb.DuckDBPyConnection) -> Looker:
        manifest, model = (lkml.load((folder / name).read_text()) for name in ("manifest.lkml", "reclens.model.lkml"))
        views = [lkml.load(file.read_text())["views"][0] for file in (folder / "views").iterdir()]
        constants = {constant["name"]: constant["value"] for constant in manifest["constants"]}
        explores = {explore["name"]: explore for explore in model["explores"]}
        return cls(connection, constants, {view["name"]: view for view in views}, explores)

    def fields(self, view: str, kind: str) -> dict[str, dict]:
        return {field["name"]: field for field in self.views[view].get(kind, [])}

    def sql(self, name: str) -> str:
        """The SQL of ``view.field``; a time field ``day_date`` is its group ``day``."""
        view, _, field = name.partition(".")
        found = {**self.fields(view, "dimensions"), **self.fields(view, "measures")}
        groups = self.fields(view, "dimension_groups")
        about = found.get(field) or groups[field.rpartition("_")[0]]
        text = re.sub(r"\$\{TABLE\}", f'"{view}"', about.get("sql", ""))
        text = re.sub(r"\$\{(\w+)\}", lambda match: self.sql(f"{view}.{match[1]}"), text)
        if field not in self.fields(view, "measures"):
            return text
        for each in (pair for one in about.get("filters__all", []) for pairs in one for pair in pairs.items()):
            text = f"CASE WHEN {self.sql(f'{view}.{each[0]}')} = '{each[1]}' THEN {text or 1} END"
        return {"number": text, "count": f"COUNT({text or '*'})", "count_distinct": f"COUNT(DISTINCT {text})"}[
            about["type"]
        ]

    def ask(self, explore: str, fields: list[str], where: str = "TRUE") -> list[dict]:
        """Rows of some fields, grouped by those that are no measures."""
        table = self.constant(self.views[explore]["sql_table_name"])
        source = f'{table} AS "{explore}"'
        for join in self.explores[explore].get("joins", []):
            assert (join["type"], join["relationship"]) == ("left_outer", "many_to_one")
            on = re.sub(r"\$\{(\w+\.\w+)\}", lambda match: self.sql(match[1]), join["sql_on"])
            other = self.constant(self.views[join["name"]]["sql_table_name"])
            source += f' LEFT JOIN {other} AS "{join["name"]}" ON {on}'
        kinds = [field.partition(".")[2] in self.fields(field.partition(".")[0], "measures") for field in fields]
        groups = ", ".join(str(at) for at, measure in enumerate(kinds, 1) if not measure)
        query = f"SELECT {', '.join(map(self.sql, fields))} FROM {source} WHERE {where}"
        rows = self.connection.execute(query + (f" GROUP BY {groups}" if groups else "")).fetchall()
        return [dict(zip(fields, row, strict=True)) for row in rows]

    def constant(self, text: str) -> str:
        return re.sub(r"@\{(\w+)\}", lambda match: self.constants[match[1]], text)


@pytest.fixture(scope="module")
def out(kept, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looker") / "out"
    found = export_looker(kept.workspace, folder, schema="recs", database=folder.parent / "shop.duckdb")
    assert [file for file in found.files if not file.is_file()] == []
    return folder


@pytest.fixture(scope="module")
def bi(out: Path):
    with duckdb.connect(str(out.parent / "shop.duckdb"), read_only=True) as connection:
        yield Looker.of(out, connection)


def same(found: float | None, expected: float | None, within: float = 0.0) -> bool:
    """Equal (to the last bit without ``within``); NaN leaves as nothing."""
    if expected is None or math.isnan(expected):
        return found is None
    return found is not None and math.isclose(found, expected, rel_tol=within, abs_tol=within)


def ask(bi: Looker, view: str, by: str, *measures: str) -> dict[tuple, list]:
    """Values of measures of a view by some of its dimensions."""
    dimensions = [f"{view}.{name}" for name in by.split()]
    rows = bi.ask(view, [*dimensions, *(f"{view}.{name}" for name in measures)])
    return {tuple(row[name] for name in dimensions): [row[f"{view}.{name}"] for name in measures] for row in rows}


def test_the_leaderboard(kept, bi: Looker) -> None:
    names = {"difference_low": "low", "difference_high": "high", "p_value": "p_randomization"}
    found = ask(bi, "leaderboard", "run metric", *NUMBERS, *COUNTS, "count", "runs", "runs_better", "runs_worse")
    assert len(found) == 3 * 7
    for (run, metric), values in found.items():
        overall = kept.results[run][metric].overall
        held = None if run == "popular" else kept.comparison.find(run, metric)
        expected = [getattr(overall, name) for name in NUMBERS[:4]]
        expected += [held and getattr(held, names.get(name, name)) for name in [*NUMBERS[4:], *COUNTS]]
        assert all(same(*pair) for pair in zip(values, expected, strict=False))
        assert values[len(expected) :][:2] == [1, 1]
        # Neither direction of novelty is better by itself; of the others with a test more is better.
        sign = 0 if metric == "novelty@10" or not (held and held.significant) else math.copysign(1, held.difference)
        assert values[-2:] == [int(sign > 0), int(sign < 0)]
    assert {found[run, "ndcg@10"][-1] for run in ("popular", "random")} == {0, 1}
    assert ask(bi, "leaderboard", "kind", "runs") == {("user",): [3], ("catalogue",): [3]}


def test_what_several_rows_do_not_say_is_left_empty(bi: Looker) -> None:
    """No total of all measures says a number of a single row; counts and such may stand."""
    for table in EXPORTS:
        columns = [f"{table.name}.{column.name}" for column in table.columns if column.measure]
        (row,) = bi.ask(table.name, columns)
        assert set(row.values()) == {None}, row
    for by in ("run", "metric"):
        assert {value for (value,) in ask(bi, "leaderboard", by, "value").values()} == {None}
        assert {value for (value,) in ask(bi, "user_metrics", by, "mean_over_users").values()} <= {None}
    assert {tuple(v) for v in ask(bi, "segment_metrics", "run metric", "mean_over_users", "users").values()} == {
        (None, None)
    }


def test_segments(kept, bi: Looker) -> None:
    key = "run metric segmentation segment"
    found = ask(bi, "segment_metrics", key, *NUMBERS)
    for (run, metric, by, segment), values in found.items():
        estimate = kept.results[run][metric].by[by][segment]
        assert all(same(value, getattr(estimate, name)) for name, value in zip(NUMBERS[:4], values, strict=False))
        if run != "popular":
            held = kept.comparison.find(run, metric, by=by, segment=segment)
            expected = (held.difference, held.low, held.high, held.p_randomization, held.p_adjusted, held.tests)
            assert all(same(*pair) for pair in zip(values[4:], expected, strict=True))
    assert len(found) == sum(len(one) for r in kept.results.values() for m in r for one in m.by.values())


def test_a_mean_over_segments_weighs_each_user_alike(kept, bi: Looker) -> None:
    found = ask(bi, "segment_metrics", "run metric segmentation", "mean_over_users", "users", "count")
    seen = 0
    for (run, metric, by), (mean, users, count) in found.items():
        result = kept.results[run]
        assert count == len(result[metric].by[by])
        if metric not in result.per_user.columns:
            assert mean is None, "coverage of a group is no mean of coverages"
            continue
        in_segment = result.per_user.join(result.segments, on="user_id").drop_nulls(by)
        values = in_segment[metric].drop_nans().to_numpy()
        assert users == len(values) and same(mean, float(np.mean(values)), 1e-12)
        seen += 1
    assert seen == 3 * 5 * 3


def test_single_users(kept, bi: Looker) -> None:
    found = ask(
        bi,
        "user_metrics",
        "run metric",
        "mean_over_users",
        "users_measured",
        "users",
        "count",
        "share_at_zero",
        "mean_list_length",
        "mean_relevant",
    )
    assert len(found) == 3 * 5
    for (run, metric), (mean, measured, users, count, zero, length, relevant) in found.items():
        result = kept.results[run]
        overall, values = result[metric].overall, result.per_user[metric].drop_nans().to_numpy()
        assert same(mean, overall.value, 1e-12) and measured == overall.n == len(values)
        assert users == count == result.per_user.height
        assert same(zero, float(np.mean(values == 0)), 1e-12)
        assert same(length, float(np.mean(result.per_user["list_length"].to_numpy())), 1e-12)
        assert same(relevant, float(np.mean(result.per_user["n_relevant"].to_numpy())), 1e-12)
    rows = ask(bi, "user_metrics", "run metric user_id", "value", "n_relevant", "list_length")
    knn = kept.results["knn"].per_user
    for user in knn.to_dicts():
        value, n_relevant, length = rows["knn", "ndcg@10", user["user_id"]]
        assert (n_relevant, length) == (user["n_relevant"], user["list_length"]) and same(value, user["ndcg@10"])
    assert bi.ask("user_metrics", ["user_metrics.users"]) == [{"user_metrics.users": knn.height}], "not once a run"


def test_a_join_repeats_rows_and_changes_no_number(kept, bi: Looker) -> None:
    rows = bi.ask(
        "user_metrics",
        [
            "user_metrics.run",
            "user_metrics.metric",
            "user_metrics.mean_over_users",
            "leaderboard.value",
            "leaderboard.n",
            "leaderboard.verdict",
        ],
    )
    assert len(rows) == 3 * 5
    for row in rows:
        overall = kept.results[row["user_metrics.run"]][row["user_metrics.metric"]].overall
        assert same(row["leaderboard.value"], overall.value) and row["leaderboard.n"] == overall.n
        assert same(row["user_metrics.mean_over_users"], overall.value, 1e-12)
    rows = bi.ask("segment_metrics", ["segment_metrics.run", "segment_metrics.metric", "leaderboard.value"])
    for row in rows:
        overall = kept.results[row["segment_metrics.run"]][row["segment_metrics.metric"]].overall
        assert same(row["leaderboard.value"], overall.value)


def test_a_primary_key_names_one_row(bi: Looker) -> None:
    for table in EXPORTS:
        keys = [name for name, field in bi.fields(table.name, "dimensions").items() if field.get("primary_key")]
        assert keys == ([] if table is DAILY_HEALTH else ["key"])
        for key in keys:
            sql = bi.sql(f"{table.name}.{key}")
            query = f"SELECT COUNT(*), COUNT(DISTINCT {sql}) FROM recs.{table.name} AS {table.name}"
            rows, distinct = bi.connection.execute(query).fetchone()
            assert rows == distinct > 0
    text = bi.sql("segment_metrics.key")
    query = f"SELECT {text} FROM (VALUES ('r', 'm', $1, $2)) segment_metrics(run, metric, segmentation, segment)"
    pairs = [("a|b", "c"), ("a", "b|c"), ("a%7Cb", "c"), ("a%", "7Cb|c"), ("a||b", "c"), ("a|", "b|c")]
    assert len({bi.connection.execute(query, pair).fetchone() for pair in pairs}) == len(pairs)


def test_daily_health(bi: Looker, health) -> None:
    rows = [
        health(date(2026, 1, 1), 2.0, "ok"),
        health(date(2026, 1, 2), 3.0, "alert"),
        health(date(2026, 1, 2), 4.0, "warning", indicator="coverage"),
    ]
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA recs")
        columns = ", ".join(
            f"{name} {kind}" for name, kind, *_ in bi.connection.execute("DESCRIBE recs.daily_health").fetchall()
        )
        connection.execute(f"CREATE TABLE recs.daily_health ({columns})")
        for row in DAILY_HEALTH.frame(rows).rows():
            connection.execute(f"INSERT INTO recs.daily_health VALUES ({', '.join('?' * len(row))})", row)
        here = Looker(connection, bi.constants, bi.views, bi.explores)
        found = ask(here, "daily_health", "indicator", "count", "alerts", "warnings", "days", "value")
        assert found == {("ctr",): [2, 1, 0, 2, None], ("coverage",): [1, 0, 1, 1, 4.0]}
        found = ask(here, "daily_health", "day_date indicator", "value", "low", "high", "n", "expected")
        assert found[date(2026, 1, 2), "ctr"] == [3.0, 2.0, 4.0, 10, 2.0] and len(found) == 3


def test_every_column_is_a_field_and_every_measure_is_tested(bi: Looker) -> None:
    tested = {
        "leaderboard": {*NUMBERS, *COUNTS, "count", "runs", "runs_better", "runs_worse"},
        "segment_metrics": {*NUMBERS, "mean_over_users", "users", "count"},
        "user_metrics": {
            "value",
            "n_relevant",
            "list_length",
            "mean_over_users",
            "users_measured",
            "users",
            "count",
            "share_at_zero",
            "mean_list_length",
            "mean_relevant",
        },
        "daily_health": {"value", "low", "high", "n", "expected", "count", "alerts", "warnings", "days"},
    }
    for table in EXPORTS:
        assert set(bi.fields(table.name, "measures")) == tested[table.name]
        kinds = ("dimensions", "dimension_groups", "measures")
        fields = {name: field for kind in kinds for name, field in bi.fields(table.name, kind).items()}
        assert {column.name for column in table.columns} <= set(fields)
        for name, field in fields.items():
            assert name == "key" or (field["label"] and len(field["description"]) > 4), name
        assert {f["type"] for f in bi.fields(table.name, "measures").values()} <= {"number", "count", "count_distinct"}
        types = {row[0]: row[1] for row in bi.connection.execute(f"DESCRIBE recs.{table.name}").fetchall()}
        for name, field in bi.fields(table.name, "dimensions").items():
            assert {"string": "VARCHAR", "yesno": "BOOLEAN"}.get(field["type"], types.get(name)) == types.get(
                name, "VARCHAR"
            )
        for name in (*bi.fields(table.name, "dimensions"), *(f"{g}_date" for g in bi.fields(table.name, kinds[1]))):
            bi.ask(table.name, [f"{table.name}.{name}"])
        for name in bi.fields(table.name, "measures"):
            assert len(bi.ask(table.name, [f"{table.name}.{name}"])) == 1


def test_the_first_metric_is_a_filter_that_means_it_alone() -> None:
    # https://cloud.google.com/looker/docs/filter-expressions: ^ escapes _, which is any character otherwise.
    text = lookml_project(metric="hit_rate@10")["dashboards/reclens.dashboard.lookml"]
    (board,) = yaml.safe_load(text)
    assert board["filters"][0]["default_value"] == "hit^_rate@10"


def test_the_dashboard(kept, bi: Looker, out: Path) -> None:
    (board,) = yaml.safe_load((out / "dashboards/reclens.dashboard.lookml").read_text())
    filters = {each["name"] for each in board["filters"]}
    opens = {each["name"]: (each["default_value"], each["allow_multiple_values"]) for each in board["filters"]}
    assert opens == {"Metric": ("ndcg@10", False), "Run": ("", True)}
    for tile in board["elements"]:
        assert set(tile["listen"]) <= filters
        where = " AND ".join(
            [f"{bi.sql(name)} = '{value}'" for name, value in tile.get("filters", {}).items()] or ["TRUE"]
        )
        rows = bi.ask(tile["explore"], tile["fields"], where)
        assert bool(rows) == (tile["explore"] != "daily_health")
        asked = [*tile.get("pivots", []), *(sort.split()[0] for sort in tile["sorts"]), *tile["listen"].values()]
        for field in asked:
            bi.sql(field)
        assert set(tile.get("pivots", [])) <= set(tile["fields"])
        value = next(name for name in tile["fields"] if name.endswith((".value", ".mean_over_users")))
        assert all(row[value] is not None for row in rows), f"{tile['name']} mixes what is not to be mixed"
    first = next(tile for tile in board["elements"] if tile["name"] == "leaderboard")
    for row in bi.ask(first["explore"], first["fields"]):
        assert row["leaderboard.value"] == kept.results[row["leaderboard.run"]][row["leaderboard.metric"]].overall.value
    rectangles = [(t["row"], t["col"], t["width"], t["height"]) for t in board["elements"]]
    cells = [(r + y, c + x) for r, c, w, h in rectangles for y in range(h) for x in range(w)]
    assert len(cells) == len(set(cells)) and max(x for _, x in cells) < 24


def test_hostile_names_are_data(bi: Looker, out: Path, hostile: str) -> None:
    assert (hostile,) in bi.connection.execute("SELECT DISTINCT system FROM recs.leaderboard").fetchall()
    assert (hostile,) in bi.connection.execute("SELECT DISTINCT segment FROM recs.segment_metrics").fetchall()
    written = {str(file.relative_to(out)): file.read_text() for file in out.rglob("*") if file.is_file()}
    assert written == lookml_project(schema="recs", metric="ndcg@10"), "the project holds no name of a run or user"
    assert sorted(written) == sorted(PROJECT)


def test_strings_of_lookml_hold_anything(hostile: str) -> None:
    text = f"view: v {{ label: {looker.quoted(hostile)} }}"
    (view,) = lkml.load(text)["views"]
    assert set(view) == {"name", "label"}
    said = view["label"].replace('\\"', '"').replace("\\\\", "\\")
    assert said.replace(" ", "") == " ".join(hostile.split()).replace(" ", "")
    assert not re.search(r"\$\{|\{\{|@\{", said), "Looker would fill these in"


def test_parquet_files_hold_the_same(kept, bi: Looker, place: Path) -> None:
    export_looker(kept.workspace, place, schema="lake.recs")
    assert '"lake.recs"' in (place / "manifest.lkml").read_text()
    for table in EXPORTS:
        rows = bi.connection.execute(f"FROM recs.{table.name} ORDER BY ALL").fetchall()
        found = duckdb.sql(f"FROM read_parquet('{place}/tables/{table.name}.parquet') ORDER BY ALL")
        assert found.columns == [column.name for column in table.columns] and found.fetchall() == rows
    with pytest.raises(UsageError, match="one name for a DuckDB file"):
        export_looker(kept.workspace, place, schema="lake.recs", database=place / "x.duckdb", overwrite=True)
    with pytest.raises(UsageError, match="DuckDB could not tell them apart"):
        export_looker(kept.workspace, place, schema="X", database=place / "x.duckdb", overwrite=True)


@pytest.mark.parametrize("name", ["out[1]", "run=5"])
def test_the_name_of_the_folder_is_no_pattern(kept, bi: Looker, place: Path, name: str) -> None:
    folder = place.parent / name
    export_looker(kept.workspace, folder)
    export_looker(kept.workspace, folder / "database", database=folder / "mine.duckdb")
    table = pl.read_parquet(folder / "tables" / "leaderboard.parquet", glob=False, hive_partitioning=False)
    assert table.columns == [column.name for column in EXPORTS[0].columns]
    with duckdb.connect(str(folder / "mine.duckdb"), read_only=True) as connection:
        found = connection.execute("FROM leaderboard ORDER BY ALL").fetchall()
    assert found and found == bi.connection.execute("FROM recs.leaderboard ORDER BY ALL").fetchall()
