"""Great Expectations against the monitor's own gate: the same states, pages that are kept, and what breaks."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from reclens.errors import DataError, MissingExtraError, UnknownNameError
from reclens.job.monitor_inputs import engine_of
from reclens.monitor.gate import state_of
from reclens.monitor.gate_profile import Measure, judged_by, profile_of
from reclens.monitor.project import Project
from reclens.monitor.records import CheckState, DataCheck
from reclens.monitor.row_checks import DuckGate
from reclens.monitor.settings import GateSettings
from reclens.protocols import Gate, GateCheck, adapter

pytestmark = pytest.mark.xdist_group("great_expectations")

DAY = date(2026, 1, 5)


@pytest.fixture(scope="module")
def engine():
    """One gate for all cases: the library takes seconds to import."""
    if importlib.util.find_spec("great_expectations") is None:
        pytest.skip("great-expectations is not installed: pip install 'reclens[gx]'")
    from reclens.edges.great_expectations import GreatExpectationsGate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the library imports
        return GreatExpectationsGate()


def impressions(n: int = 100) -> pl.DataFrame:
    at = pl.Series(range(n))
    return pl.DataFrame(
        {
            "timestamp": pl.Series([DAY] * n).cast(pl.Datetime("us", "UTC")),
            "user_id": at % 7,
            "item_id": at,
            "position": at % 10 + 1,
            "clicked": at % 3 == 0,
            "score": at / n,
            "latency_ms": at + 1.0,
            "request_id": at // 10,
        }
    )


def first(k: int, column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first k values of a column replaced."""
    place = pl.int_range(pl.len())
    return lambda table: table.with_columns(
        pl.when(place < k).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


Change = Callable[[pl.DataFrame], pl.DataFrame]

BOUNDS: Mapping[str, object] = {"null_share": 0.07, "bad_share": 0.1, "duplicate_share": 0.03, "least_rows": 10}
"""0.07 and 0.1 are no sums of powers of 2: a product with the number of rows is not what the share is."""

# What is changed -> the checks that do not pass, as counted by hand: of 100 rows, 7 may lack a value, 10 may be out of
# range, 3 may repeat another.
CASES: list[tuple[str, Change, dict[tuple[str, str | None], CheckState]]] = [
    ("good", lambda t: t, {}),
    ("least rows", lambda t: t.head(10), {}),
    ("too few rows", lambda t: t.head(9), {("rows", None): "failed"}),
    ("no user, at the bound", first(7, "user_id", None), {}),
    ("no user, beyond", first(8, "user_id", None), {("not_null", "user_id"): "failed"}),
    ("no user at all", first(100, "user_id", None), {("not_null", "user_id"): "failed"}),
    ("no item, at the bound", first(7, "item_id", None), {}),
    ("no item, beyond", first(8, "item_id", None), {("not_null", "item_id"): "failed"}),
    ("no place, at the bound", first(7, "position", None), {}),
    ("no place, beyond", first(8, "position", None), {("not_null", "position"): "failed"}),
    ("no click, at the bound", first(7, "clicked", None), {}),
    ("no click, beyond", first(8, "clicked", None), {("not_null", "clicked"): "failed"}),
    ("place 0, at the bound", first(10, "position", 0), {}),
    ("place 0, beyond", first(11, "position", 0), {("in_range", "position"): "failed"}),
    ("negative place", first(100, "position", -1), {("in_range", "position"): "failed"}),
    ("infinite score", first(11, "score", float("inf")), {("in_range", "score"): "failed"}),
    ("score of NaN", first(11, "score", float("nan")), {("in_range", "score"): "failed"}),
    ("infinite score, at the bound", first(10, "score", float("-inf")), {}),
    ("scores are missing", first(100, "score", None), {}),
    ("negative latency", first(11, "latency_ms", -1.0), {("in_range", "latency_ms"): "failed"}),
    ("latency of 0", first(100, "latency_ms", 0.0), {}),
    # Rows 0 to k of one list with the same item: k repeat the first.
    ("repeats, at the bound", first(4, "item_id", 0), {}),
    ("repeats, beyond", first(5, "item_id", 0), {("unique", None): "failed"}),
    ("no column of users", lambda t: t.drop("user_id"), {("columns", "user_id"): "failed"}),
    (
        "no column of clicks and places",
        lambda t: t.drop("clicked", "position"),
        {("columns", "position"): "failed", ("columns", "clicked"): "failed"},
    ),
    ("no score, which is optional", lambda t: t.drop("score"), {}),
    ("texts of scores", lambda t: t.with_columns(score=pl.lit("x")), {("in_range", "score"): "errored"}),
    ("texts of latency", lambda t: t.with_columns(latency_ms=pl.lit("1")), {("in_range", "latency_ms"): "errored"}),
    (
        "a list of places and no user",
        lambda t: first(8, "user_id", None)(t).with_columns(position=pl.concat_list("position")),
        {("not_null", "user_id"): "failed", ("in_range", "position"): "errored"},
    ),
    (
        "two things",
        lambda t: first(11, "position", 0)(first(8, "user_id", None)(t)),
        {("not_null", "user_id"): "failed", ("in_range", "position"): "failed"},
    ),
    (
        "no rows",
        lambda t: t.clear(),
        {("rows", None): "failed", ("unique", None): "not_evaluated"}
        | {("not_null", name): "not_evaluated" for name in ("user_id", "item_id", "position", "clicked")}
        | {("in_range", name): "not_evaluated" for name in ("position", "score", "latency_ms")},
    ),
    (
        "no rows and fewer columns",
        lambda t: t.clear().drop("score", "latency_ms", "request_id", "user_id"),
        {("rows", None): "failed", ("columns", "user_id"): "failed", ("in_range", "position"): "not_evaluated"}
        | {("not_null", name): "not_evaluated" for name in ("item_id", "position", "clicked")},
    ),
]


@pytest.mark.parametrize(("change", "wrong"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_both_engines_come_to_the_same_states(
    engine, change: Change, wrong: dict[tuple[str, str | None], CheckState]
) -> None:
    settings = GateSettings(**BOUNDS)
    engine.settings = settings
    table = change(impressions())
    native = DuckGate(settings).check(table, name="impressions")
    found = engine.check(table, name="impressions")
    assert {(each.code, each.column): each.state for each in native if each.state != "passed"} == wrong
    assert [replace(each, problem=None) for each in found] == [replace(each, problem=None) for each in native]
    assert all(each.problem for each in found if each.state == "errored")


def check(code: str, state: CheckState, seen: float | None = None, bound: float | None = None, **more) -> DataCheck:
    return DataCheck(code=code, state=state, blocking=True, seen=seen, bound=bound, **more)


# Checks that only a day has, each beyond its bound and at it, with what no frame can show.
DAY_CHECKS = [
    check("readable", "passed", rows=9),
    check("rows", "passed", 10.0, 10.0),
    check("volume_low", "passed", 0.5, 0.5),
    check("volume_low", "failed", 0.49, 0.5),
    check("volume_high", "passed", 3.0, 3.0),
    check("volume_high", "failed", 3.01, 3.0),
    check("volume_high", "not_evaluated"),
    check("columns", "failed", column="clicked"),
    check("columns", "passed"),
    check("new_columns", "passed", 2.0),
    check("types", "failed", column="score", facts={"was": "DOUBLE", "is": "VARCHAR"}),
    check("types", "failed", 0.11, 0.1, column="score"),
    check("types", "errored", facts={"problem": "Binder Error"}),
    check("hours", "passed", 25.0, 25.0),
    check("hours", "failed", 22.0, 23.0),
    check("hours", "not_evaluated"),
    check("late", "passed", 0.1, 0.1),
    check("late", "failed", 0.11, 0.1),
    check("inside_day", "failed", 0.02, 0.01),
    check("inside_day", "passed", 0.01, 0.01),
]


def test_the_checks_of_a_day_keep_their_states(engine) -> None:
    engine.settings = GateSettings(**BOUNDS)
    assert judged_by(engine, DAY_CHECKS, day=DAY) == DAY_CHECKS
    unread = [check("readable", "errored", facts={"problem": "no file"}), check("rows", "not_evaluated")]
    assert judged_by(engine, unread, day=DAY) == unread and state_of(unread) == "errored"


class _Broken:
    def check(self, table: pl.DataFrame, *, name: str) -> list[GateCheck]:
        raise OSError("disk is full")


def test_an_engine_that_breaks_is_a_gate_that_errored() -> None:
    found = judged_by(_Broken(), DAY_CHECKS, day=DAY)
    assert state_of(found) == "errored"
    assert (found[0].code, dict(found[0].facts)) == ("gate", {"problem": "OSError: disk is full"})
    assert {each.state for each in found[1:]} == {"not_evaluated"}


def test_a_run_keeps_the_pages_of_its_days(engine, tmp_path: Path) -> None:
    from reclens.edges.great_expectations import DOCS
    from reclens.job.monitor import run_monitor
    from reclens.workspace import Workspace

    settings = '[log]\npath = "log"\n[gate]\nengine = "great_expectations"\nbad_share = 0.1\n'
    (tmp_path / "monitor.toml").write_text(settings)
    (tmp_path / "log").mkdir()
    project, later = Project(tmp_path), DAY + timedelta(days=1)
    impressions().write_parquet(tmp_path / "log" / f"{DAY}.parquet")
    bad = first(11, "position", 0)(impressions()).with_columns(pl.col("timestamp").dt.offset_by("1d"))
    bad.write_parquet(tmp_path / "log" / f"{later}.parquet")
    for day in (DAY, later, later):
        run_monitor(project, day, workspace=Workspace(tmp_path / "workspace"), dry_run=True)
    gates = project.gates()
    assert [gates[day].state for day in (DAY, later)] == ["passed", "failed"]
    [wrong] = [each for each in gates[later].checks if each.state == "failed" and each.blocking]
    assert (wrong.code, wrong.column, wrong.failed_rows) == ("in_range", "position", 11)
    docs = (tmp_path / DOCS).parent
    pages = sorted(each.relative_to(docs / "validations").parts[1] for each in docs.glob("validations/**/*.html"))
    assert pages == [DAY.isoformat(), later.isoformat()]
    assert all(day in (tmp_path / DOCS).read_text(encoding="utf-8") for day in pages)
    suite = json.loads((tmp_path / "gx" / "expectations" / "profile.json").read_text())
    kept = {each["kwargs"]["column"]: each for each in suite["expectations"]}
    assert kept["in_range position"]["kwargs"]["max_value"] == 0.1
    assert (kept["in_range position"]["severity"], kept["unique"]["severity"]) == ("critical", "warning")
    # Settings of Great Expectations that a killed run left broken are no end of the monitor.
    (tmp_path / "gx" / "great_expectations.yml").write_text("config_version: [")
    done = run_monitor(Project(tmp_path), DAY, workspace=Workspace(tmp_path / "workspace"), dry_run=True)
    assert done.days[0].gate.state == "errored" and done.days[0].gate.checks[0].code == "gate"


def test_what_cannot_be_asked(engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(adapter(f"great_expectations:{tmp_path}", Gate), Gate)
    with pytest.raises(UnknownNameError, match="impressions"):
        engine.check(impressions(), name="interactions")
    with pytest.raises(DataError, match="2 rows, expected 1"):
        engine.check(pl.concat([profile_of([Measure("rows", None, 1.0)])] * 2), name="profile")
    (tmp_path / "monitor.toml").write_text('[log]\npath = "log"\n[gate]\nengine = "great_expectations"\n')
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[gx\]'"):
        engine_of(Project(tmp_path))


def test_the_client_of_spark_does_not_end_the_process() -> None:
    """Where pyspark-client is installed, without Spark: its Spark ML leaves the interpreter."""
    pytest.importorskip("pyspark", reason="pyspark-client is not installed: pip install 'reclens[spark]'")
    code = "from reclens.edges.great_expectations import GreatExpectationsGate; GreatExpectationsGate(); print('made')"
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "made\n"), said.stderr[-500:]
