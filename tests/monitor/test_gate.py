"""The data gate: four states, counts first, and days that are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from reclens.errors import UnknownNameError, UsageError
from reclens.job.monitor_inputs import gate_of
from reclens.monitor.cards import DayCard
from reclens.monitor.day import run_day
from reclens.monitor.gate import CHECKS
from reclens.monitor.project import Project
from reclens.monitor.records import DataCheck, GateResult
from reclens.monitor.row_checks import DuckGate
from reclens.protocols import CheckState, Gate, GateCheck

FIRST = date(2026, 1, 5)
SECOND = FIRST + timedelta(days=1)

Hand = Callable[..., pl.DataFrame]
Write = Callable[[Path, date, pl.DataFrame], None]


def check(gate: GateResult, code: str, column: str | None = None) -> DataCheck:
    [found] = [each for each in gate.checks if each.code == code and each.column == column]
    return found


@pytest.fixture
def two_days(hand_project: Project, hand_log: Hand, write_log: Write, tmp_path: Path) -> Callable[..., GateResult]:
    """Runs a first good day, and a second one that was changed."""
    run_day(hand_project, FIRST)

    def second(*changes: pl.Expr, drop: tuple[str, ...] = (), frame: pl.DataFrame | None = None) -> GateResult:
        log = (hand_log(SECOND) if frame is None else frame).with_columns(*changes).drop(*drop)
        write_log(tmp_path, SECOND, log)
        return run_day(Project(tmp_path), SECOND).gate

    return second


def test_a_good_day(hand_project: Project, two_days: Callable[..., GateResult]) -> None:
    gate = hand_project.gates()[FIRST]
    assert gate.state == "passed"
    assert list(dict.fromkeys(each.code for each in gate.checks)) == list(CHECKS)
    # There is no day before, and too few rows an hour to miss one.
    idle = {each.code for each in gate.checks if each.state == "not_evaluated"}
    assert idle == {"volume_low", "volume_high", "new_columns", "hours"}
    assert check(gate, "unique").failed_rows == 1 and check(gate, "unique").seen == pytest.approx(1 / 9)
    assert (check(gate, "late").failed_rows, check(gate, "late").rows) == (1, 9)
    second = two_days()
    assert second.state == "passed"
    assert check(second, "volume_low").state == "passed" and check(second, "volume_low").seen == 1.0


def test_a_day_without_data_is_not_evaluated(hand_project: Project, two_days: Callable[..., GateResult]) -> None:
    day = FIRST + timedelta(days=9)
    two_days()
    gate = run_day(hand_project, day).gate
    assert gate.state == "not_evaluated"
    assert [each.state for each in gate.checks if each.code == "rows"] == ["failed"]
    assert {each.state for each in gate.checks[2:]} == {"not_evaluated"}
    assert hand_project.series(day, day).is_empty() and day in hand_project.days()
    empty_file = two_days(frame=hand_project_rows(hand_project).clear())
    assert empty_file.state == "not_evaluated"


def hand_project_rows(project: Project) -> pl.DataFrame:
    return pl.read_parquet(project.folder / "log" / f"{FIRST}.parquet")


def test_a_half_written_file_is_an_error_of_the_gate_and_not_of_the_run(hand_project: Project) -> None:
    place = hand_project.folder / "log" / f"{FIRST}.parquet"
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    gate = run_day(hand_project, FIRST).gate
    assert gate.state == "errored" and check(gate, "readable").state == "errored"
    assert "Write the file again as Parquet" in check(gate, "readable").facts["problem"]
    assert {each.state for each in gate.checks[1:]} == {"not_evaluated"}
    assert hand_project.series().is_empty()
    place.write_bytes(whole)  # the file is whole now, and the day is run again
    assert run_day(hand_project, FIRST).gate.state == "passed"
    assert hand_project.series().height > 100
    place.unlink()
    assert run_day(hand_project, FIRST).gate.state == "not_evaluated"


def test_columns_that_come_go_or_change_their_type(two_days: Callable[..., GateResult]) -> None:
    gate = two_days(pl.lit(1).alias("feature.new"), pl.lit("x").alias("note"))
    assert gate.state == "passed" and check(gate, "new_columns").facts == {"columns": ["feature.new", "note"]}
    gate = two_days(drop=("score",))
    assert gate.state == "passed" and check(gate, "columns", "score").state == "failed"
    gate = two_days(drop=("clicked",))
    assert gate.state == "failed" and check(gate, "columns", "clicked").blocking
    gate = two_days(pl.col("position").cast(pl.String))
    assert gate.state == "passed"
    changed = [each for each in gate.checks if each.code == "types" and each.facts]
    assert [(each.column, dict(each.facts)) for each in changed] == [("position", {"was": "BIGINT", "is": "VARCHAR"})]
    gate = two_days(pl.lit("third").alias("position"))
    assert gate.state == "failed"
    unread = [each for each in gate.checks if each.code == "types" and not each.facts and each.column == "position"]
    assert unread[0].failed_rows == 9 and unread[0].blocking
    gate = two_days(pl.lit(None).alias("timestamp"))
    assert gate.state == "failed" and check(gate, "inside_day").failed_rows == 9


def test_a_feature_that_holds_no_value_is_said_and_left_out(two_days: Callable[..., GateResult]) -> None:
    gate = two_days(
        pl.struct("position").alias("feature.record"),
        pl.concat_list("position").alias("feature.list"),
        pl.lit(b"a").alias("feature.bytes"),
    )
    assert gate.state == "passed"
    said = {each.column: each for each in gate.checks if each.code == "types" and each.state == "failed"}
    assert set(said) == {"feature.record", "feature.list", "feature.bytes"} and not any(
        each.blocking for each in said.values()
    )
    assert said["feature.list"].facts["is"] == "BIGINT[]"


def test_values_that_are_missing_or_cannot_be(two_days: Callable[..., GateResult]) -> None:
    gate = two_days(pl.when(pl.col("item_id") == "b").then(None).otherwise(pl.col("user_id")).alias("user_id"))
    assert gate.state == "failed" and check(gate, "not_null", "user_id").failed_rows == 2
    assert check(gate, "not_null", "item_id").failed_rows == 0  # an empty list is no missing item
    gate = two_days((pl.col("position") - 1).alias("position"))
    assert gate.state == "failed" and check(gate, "in_range", "position").failed_rows == 3
    gate = two_days(-pl.col("latency_ms").alias("latency_ms"))
    assert gate.state == "passed" and check(gate, "in_range", "latency_ms").state == "failed"


def test_ten_times_the_traffic_and_a_tenth_of_it(
    hand_project: Project, two_days: Callable[..., GateResult], hand_log: Hand
) -> None:
    ten = pl.concat([hand_log(SECOND).with_columns(pl.col("request_id") + 10 * at) for at in range(10)])
    gate = two_days(frame=ten)
    assert gate.state == "passed"
    assert (check(gate, "volume_high").state, check(gate, "volume_high").seen) == ("failed", 10.0)
    gate = two_days(frame=hand_log(SECOND).head(1))
    assert gate.state == "failed" and check(gate, "volume_low").seen == pytest.approx(1 / 9)


def test_rows_of_another_day_in_the_file_of_a_day(two_days: Callable[..., GateResult], hand_log: Hand) -> None:
    shifted = hand_log(SECOND).with_columns(pl.col("timestamp").dt.offset_by("9h"))
    gate = two_days(frame=shifted)
    assert (check(gate, "inside_day").failed_rows, check(gate, "inside_day").rows) == (3, 9)
    assert check(gate, "inside_day").state == "failed"
    elsewhere = two_days(frame=hand_log(SECOND).with_columns(pl.col("timestamp").dt.offset_by("5y")))
    assert elsewhere.state == "failed" and check(elsewhere, "rows").seen == 0
    assert check(elsewhere, "inside_day").blocking and check(elsewhere, "inside_day").failed_rows == 9


def test_a_day_that_failed_is_no_past_of_others(
    hand_project: Project, two_days: Callable[..., GateResult], hand_log: Hand, write_log: Write, tmp_path: Path
) -> None:
    known = (tmp_path / "state" / "known_users.parquet").read_bytes()
    bins = (tmp_path / "state" / "bins.json").read_bytes()
    gate = two_days(pl.lit(None, pl.Int64).alias("position"), pl.lit(77).alias("user_id"), pl.lit(5).alias("feature.x"))
    assert gate.state == "failed"
    assert (tmp_path / "state" / "known_users.parquet").read_bytes() == known
    assert (tmp_path / "state" / "bins.json").read_bytes() == bins
    third = SECOND + timedelta(days=1)
    write_log(tmp_path, third, hand_log(third))
    series = run_day(hand_project, third).series
    psi = series.filter(indicator="psi", dimension="column", slice="feature.device")
    assert psi["value"].item() == pytest.approx(0, abs=1e-12)


class _Adapter:
    def __init__(self, *, breaks: bool = False, third: CheckState = "passed") -> None:
        self.breaks, self.third = breaks, third

    def check(self, table: pl.DataFrame, *, name: str) -> list[GateCheck]:
        if self.breaks:
            raise RuntimeError("no connection")
        found = table.filter(pl.col("user_id") == 3).height
        banned: CheckState = "failed" if found else "passed"
        return [
            GateCheck(code="banned_user", state=banned, column="user_id", failed_rows=found, rows=table.height),
            GateCheck(code="banned_item", state="not_evaluated"),
            GateCheck(code="banned_list", state=self.third, problem="no list" if self.third == "errored" else None),
        ]


def test_a_further_gate_blocks_too(hand_project: Project) -> None:
    gate = run_day(hand_project, FIRST, gate=_Adapter()).gate
    assert gate.state == "failed" and check(gate, "banned_user", "user_id").failed_rows == 1
    assert check(gate, "banned_item").state == "not_evaluated"
    gate = run_day(hand_project, FIRST, gate=_Adapter(third="errored")).gate
    assert gate.state == "errored"
    assert check(gate, "banned_list").facts == {"gate": True, "problem": "no list"}
    gate = run_day(hand_project, FIRST, gate=_Adapter(breaks=True)).gate
    assert gate.state == "errored" and check(gate, "gate").facts == {"problem": "RuntimeError: no connection"}


def test_settings_name_a_further_gate(make_project: Callable[..., Project]) -> None:
    text = '[log]\npath = "log"\n'
    assert gate_of(make_project(text).settings) is None
    with pytest.raises(UnknownNameError, match="adapter 'great_expectation'"):
        gate_of(make_project(text + '[gate]\nadapter = "great_expectation:suite"').settings)
    with pytest.raises(UsageError, match="is no Gate"):
        gate_of(make_project(text + '[gate]\nadapter = "file:gate.jsonl"').settings)


def test_the_gate_of_any_frame(hand_log: Hand) -> None:
    gate = DuckGate()
    assert isinstance(gate, Gate)
    found = {(each.code, each.column): each for each in gate.check(hand_log(), name="impressions")}
    assert [key for key, each in found.items() if each.state != "passed"] == [("unique", None)]
    assert (found["unique", None].failed_rows, found["unique", None].rows) == (1, 9)
    rows, *others = gate.check(hand_log().clear(), name="impressions")
    assert (rows.code, rows.state) == ("rows", "failed")
    assert {each.code for each in others if each.state == "not_evaluated"} == {"not_null", "in_range", "unique"}
    assert {each.state for each in others} == {"not_evaluated"}
    broken = gate.check(hand_log().with_columns(score=pl.lit("high")), name="impressions")
    assert [(each.code, each.column) for each in broken if each.state == "errored"] == [("in_range", "score")]
    assert all(each.problem for each in broken if each.state == "errored")
    with pytest.raises(UnknownNameError, match="impressions"):
        gate.check(hand_log(), name="impresions")


def test_the_gate_is_kept_as_it_was(
    hand_project: Project, two_days: Callable[..., GateResult], misfits: Callable[..., set[str]]
) -> None:
    gate = two_days(drop=("score",))
    assert hand_project.gates(SECOND, SECOND) == {SECOND: gate}
    card = json.loads((hand_project.day_folder(SECOND) / "card.json").read_text())
    assert misfits(card, DayCard) == set()
    assert (card["rows"], card["gate"]) == (9, "passed")
