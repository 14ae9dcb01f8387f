"""The rows that leave RecLens are those of the results: no number is made anew, and no verdict is about another."""

from __future__ import annotations

import gc
import weakref
from collections import defaultdict
from datetime import date
from types import ModuleType

import polars as pl
import pytest

from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.evaluation import Evaluation, compare, evaluate
from reclens.export.rows import export_frames, health_rows
from reclens.export.schema import DAILY_HEALTH, EXPORTS, LEADERBOARD, SEGMENT_METRICS
from reclens.monitor.health import health_name
from reclens.workspace import Workspace, run_groups

TRUTH = pl.DataFrame({"user_id": list("abcdefghij"), "item_id": [1] * 10})


def tables(workspace: Workspace, **options) -> dict[str, pl.DataFrame]:
    pieces = defaultdict(list)
    for table, frame in export_frames(workspace, **options):
        assert dict(frame.schema) == table.schema
        pieces[table.name].append(frame)
    return {name: pl.concat(frames) for name, frames in pieces.items()}


def measured(hits: str, name: str) -> Evaluation:
    """Ten users with one place each, a hit where ``hits`` has a 1."""
    shown = [1 if hit == "1" else 9 for hit in hits]
    lists = pl.DataFrame({"user_id": TRUTH["user_id"], "item_id": shown, "rank": [1] * 10})
    return evaluate(lists, TRUTH, metrics=["precision@1", "coverage@1"], name=name, replicates=200, catalogue=[1, 9])


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    place = Workspace(tmp_path)
    for name, hits in (("low", "1000000000"), ("high", "1111111111")):
        place.save(measured(hits, name), name)
    return place


def verdicts(workspace: Workspace, **options) -> dict[tuple[str, str], str]:
    return {
        (run, metric): verdict
        for run, metric, verdict in tables(workspace, **options)["leaderboard"]
        .select("run", "metric", "verdict")
        .rows()
    }


def test_by_hand(workspace: Workspace) -> None:
    results = {name: workspace.load("evaluation", name) for name in ("low", "high")}
    workspace.save(compare(results, baseline="low"), "c")
    found = tables(workspace)
    board = {(row["run"], row["metric"]): row for row in found["leaderboard"].to_dicts()}
    assert board["low", "precision@1"]["value"] == 0.1 and board["high", "precision@1"]["value"] == 1.0
    row = board["high", "precision@1"]
    assert (row["metric_name"], row["k"], row["kind"], row["better"], row["n"]) == (
        "precision",
        1,
        "user",
        "higher",
        10,
    )
    assert (row["wins"], row["ties"], row["losses"]) == (9, 1, 0)
    assert row["difference"] == pytest.approx(0.9) and row["p_adjusted"] < 0.05 and row["significant"]
    assert (row["verdict"], row["baseline"], row["comparison"], row["correction"]) == ("better", "low", "c", "holm")
    assert row["definition"].startswith("Share of the first k places") and "Formula: precision@k" in row["definition"]
    assert board["low", "precision@1"]["verdict"] == "baseline"
    assert board["high", "coverage@1"]["kind"] == "catalogue" and board["high", "coverage@1"]["low"] is None
    assert board["high", "coverage@1"]["verdict"] == "not tested"
    users = found["user_metrics"].filter(pl.col("run") == "low").sort("user_id")
    assert users["value"].to_list() == [1.0] + [0.0] * 9 and users["metric"].unique().to_list() == ["precision@1"]
    assert users["list_length"].to_list() == users["n_relevant"].to_list() == [1] * 10
    assert found["daily_health"].is_empty() and found["segment_metrics"].is_empty()


def test_rows_of_users_carry_system_and_segments(kept) -> None:
    found = tables(kept.workspace)["user_metrics"]
    for run, result in kept.results.items():
        mine = found.filter(run=run)
        assert mine["system"].unique().to_list() == [result.system]
        # Pandas puts the text together from the segments of the evaluation, as the description of the column has it.
        segments = result.segments.to_pandas().astype(object).set_index("user_id")
        for user, said in mine.select("user_id", "segments").unique().sort("user_id").head(20).rows():
            parts = [f"{by}: {value}" for by, value in segments.loc[user].items() if isinstance(value, str)]
            assert said == "; ".join(parts) and len(parts) >= 2


def test_by_default_runs_that_belong_together_are_exported(workspace: Workspace) -> None:
    other = TRUTH.with_columns(item_id=pl.lit(2))
    lists = pl.DataFrame({"user_id": TRUTH["user_id"], "item_id": [2] * 10, "rank": [1] * 10})
    elsewhere = evaluate(lists, other, metrics=["precision@1"], name="x", replicates=200, catalogue=[1, 2, 9])
    workspace.save(elsewhere, "elsewhere")  # newer, and alone: it changes neither what is exported nor a page
    assert run_groups(workspace.list())[0].names == ("high", "low")
    assert set(tables(workspace)["leaderboard"]["run"]) == {"high", "low"}
    workspace.save(measured("1100000000", "newest"), "newest")
    assert tables(workspace)["leaderboard"]["run"].unique(maintain_order=True).to_list() == ["newest", "high", "low"]
    workspace.save(elsewhere, "elsewhere-too")
    assert set(tables(workspace)["leaderboard"]["run"]) == {"elsewhere", "elsewhere-too"}
    chosen = tables(workspace, evaluations=["elsewhere", "low"])
    assert set(chosen["leaderboard"]["run"]) == {"elsewhere", "low"}


def test_a_verdict_is_about_the_value_beside_it(workspace: Workspace) -> None:
    assert set(verdicts(workspace).values()) == {"not compared"}
    results = {name: workspace.load("evaluation", name) for name in ("low", "high")}
    workspace.save(compare(results, baseline="low"), "older")
    workspace.save(compare(results, baseline="high"), "newer")
    # Each run's newest comparison as a system counts first: "low" was held against "high" last.
    assert verdicts(workspace)["low", "precision@1"] == "worse"
    assert verdicts(workspace, comparison="older")["low", "precision@1"] == "baseline"
    workspace.remove("comparison", "newer")
    workspace.save(measured("1110000000", "high"), "high", overwrite=True)
    assert verdicts(workspace)["high", "precision@1"] == "not compared"
    assert verdicts(workspace)["low", "precision@1"] == "baseline"


def test_every_row_has_a_key_of_its_own(kept) -> None:
    for table in EXPORTS:
        frame = tables(kept.workspace)[table.name]
        assert not frame.select(table.key).is_duplicated().any()
        assert not frame.select(pl.col(pl.Float64).is_nan().any()).to_series().any() if frame.height else True


def test_one_run_is_in_memory_at_a_time(kept, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref] = []
    load = Workspace.load

    def watched(self, kind: str, name: str) -> object:
        gc.collect()
        assert not [each for each in alive if each() is not None], "an earlier run is still held"
        found = load(self, kind, name)
        if kind == "evaluation":
            alive.append(weakref.ref(found))
        return found

    monkeypatch.setattr(Workspace, "load", watched)
    rows = sum(frame.height for _, frame in export_frames(kept.workspace))
    assert len(alive) == 3 and rows > 0


def test_health_comes_from_artefacts_of_that_kind(workspace: Workspace, watched: ModuleType) -> None:
    assert health_rows(workspace) == []
    day = watched.days()[-1]
    workspace.save(day, "shop-2026-03-08")
    rows = {(row["indicator"], row["segment"]): row for row in tables(workspace)["daily_health"].to_dicts()}
    assert len(rows) == 8 and {row["day"] for row in rows.values()} == {date(2026, 3, 8)}
    home = rows["ctr", "home"]
    clicks = day.detections.filter(pl.col("slice") == "home")["numerator"].item()
    assert home["value"] == clicks / 10_000 and home["expected"] == pytest.approx(0.06 * 1.1)
    assert (home["status"], home["note"], home["n"], home["level"]) == ("alert", "level", 10_000, 0.95)
    error = (0.066 * 0.934 / 10_000) ** 0.5
    assert home["value"] - home["low"] == pytest.approx(1.959964 * error, rel=1e-6)
    assert home["high"] - home["value"] == pytest.approx(1.959964 * error, rel=1e-6)
    assert (rows["ctr", "search"]["status"], rows["ctr", "search"]["note"]) == ("ok", None)
    assert (rows["coverage", "all"]["low"], rows["coverage", "all"]["level"]) == (None, None)
    nothing = rows["embedding_drift", "all"]
    assert (nothing["value"], nothing["status"], nothing["note"]) == (None, None, "no_value")


def test_rows_have_to_be_what_is_declared(health) -> None:
    row = health(date(2026, 1, 2), float("nan"), "ok")
    assert DAILY_HEALTH.frame([row])["value"].to_list() == [None]
    with pytest.raises(DataError, match="the columns moon, which are not among day, system"):
        DAILY_HEALTH.frame([{**row, "moon": 1}])
    with pytest.raises(DataError, match=r"column 'system'.*a part of the key is empty"):
        DAILY_HEALTH.frame([{**row, "system": None}])
    with pytest.raises(DataError, match="does not have the declared types"):
        DAILY_HEALTH.frame([{**row, "n": "many"}])


def test_every_column_is_described() -> None:
    for table in EXPORTS:
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names)) and set(table.key) <= set(names)
        assert all(column.caption and column.description.endswith(".") for column in table.columns)
    shared = [column for column in LEADERBOARD.columns if column in SEGMENT_METRICS.columns]
    assert {"run", "value", "verdict"} <= {column.name for column in shared}


def test_a_workspace_of_watched_days_alone_is_exported(tmp_path, watched: ModuleType) -> None:
    place = Workspace(tmp_path)
    days = watched.days()[-3:]
    for day in days:
        place.save(day, health_name(day.system, day.day))
    found = tables(place)
    assert {name: frame.height for name, frame in found.items() if frame.height} == {
        "daily_health": sum(day.detections.height for day in days)
    }
    assert set(found["daily_health"]["day"]) == {day.day for day in days}


def test_what_does_not_exist(workspace: Workspace, tmp_path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'high'"):
        tables(workspace, evaluations=["hgih"])
    with pytest.raises(UnknownNameError, match="unknown comparison"):
        tables(workspace, comparison="c")
    with pytest.raises(UsageError, match=r"no evaluation and no watched day to export\. Keep an evaluation"):
        tables(Workspace(tmp_path / "empty"))
