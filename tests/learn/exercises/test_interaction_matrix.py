"""Exercise 1.2: the oracle by hand, the right queries, and wrong ones."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from reclens.learn.exercise import Draw
from reclens.learn.exercises import interaction_matrix

EXERCISE = interaction_matrix.small()


@pytest.mark.parametrize("seed", range(20))
def test_the_solution_passes_and_a_wrong_answer_does_not(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    # One of them a seed: all of them, on 100 seeds, are in benchmarks/results/rates/learn.md.
    name = list(EXERCISE.wrong)[seed % len(EXERCISE.wrong)]
    assert judged(EXERCISE, draw, EXERCISE.wrong[name]), name


def test_values_of_ones_own_log_fail_on_a_hidden_one_alone(judged) -> None:
    remarks = judged(EXERCISE, Draw(1, EXERCISE.code), EXERCISE.wrong["literals"])
    assert {each.code for each in remarks} == {"cells_differ"}
    assert all(each.facts["hidden"] for each in remarks)


def test_a_rule_that_was_missed_is_named(judged) -> None:
    remarks = judged(EXERCISE, Draw(2, EXERCISE.code), EXERCISE.wrong["days of UTC"])
    assert [each.facts["rule"] for each in remarks if each.code == "as_if_without"] == ["local_day"]


def _event(event: int, user: int | None, item: int | None, kind: str, **other: object) -> dict[str, object]:
    at = other.pop("at", datetime(2026, 3, 10, 12))
    row = {"event_id": event, "user_id": user, "item_id": item, "kind": kind, "agent": "web", "occurred_at": at}
    return {**row, "received_at": at, "utc_offset": 0, **other}


def test_each_rule_by_hand() -> None:
    noon = datetime(2026, 3, 10, 12)
    log = pl.DataFrame(
        [
            _event(1, 1, 1, "purchase"),
            _event(1, 1, 1, "purchase", received_at=noon + timedelta(hours=5)),  # sent twice
            _event(2, 1, 2, "purchase"),
            _event(3, 1, 2, "return"),  # nothing is left
            _event(4, 2, 1, "purchase", agent="bot"),
            _event(5, 2, None, "purchase"),
            _event(6, 2, 2, "purchase", received_at=noon + timedelta(hours=72)),  # in time
            _event(7, 2, 3, "purchase", received_at=noon + timedelta(hours=73)),  # late
            _event(8, 3, 1, "purchase", at=datetime(2026, 2, 28, 23, 30), utc_offset=60),  # March by the user's clock
            _event(9, 3, 2, "purchase", at=datetime(2026, 5, 31, 23, 30), utc_offset=60),  # June
            _event(10, 3, 3, "view"),
        ]
    )
    assert interaction_matrix._matrix_of(log) == {(1, 1): 1, (2, 2): 1, (3, 1): 1}


def test_pairs_by_hand_count_users_and_reach_to_the_end_of_the_window() -> None:
    first = datetime(2026, 3, 2)
    rows = []
    for user in range(6):
        gap = timedelta(days=30) if user < 5 else timedelta(days=30, seconds=1)
        rows += [
            _event(10 * user, user, 9, "purchase", at=first),
            _event(10 * user + 1, user, 4, "purchase", at=first + gap),
        ]
    log = pl.DataFrame(rows)
    assert interaction_matrix._pairs_of(log, interaction_matrix._matrix_of(log)) == {(4, 9): 5}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT 1; SELECT 2", "query_failed"),
        ("COPY events TO 'x.csv'", "query_failed"),
        ("ATTACH 'other.db'; SELECT 1", "query_failed"),
        ("ATTACH 'other.db'", "query_failed"),
        ("INSTALL httpfs", "query_failed"),
        ("PRAGMA database_list", "query_failed"),
        ("DROP VIEW events", "query_failed"),
        ("SELECT * FROM read_text('progress.json')", "query_failed"),
        ("SELECT * FROM 'events.parquet'", "query_failed"),
        ("SELECT getenv('HOME')", "query_failed"),
        ("SELECT * FROM read_csv('/etc/passwd')", "query_failed"),
        ("SELECT user_id, item_id, 1 AS weight FROM events", "wrong_columns"),
        ("SELECT 1 AS user_id, 2 AS item_id, 0.5 AS strength", "not_whole"),
        ("SELECT 1 AS user_id, 2 AS item_id, 3 AS strength FROM range(2)", "repeated_rows"),
    ],
)
def test_what_is_no_answer_is_named(query: str, code: str) -> None:
    assert code == _first_code(query)


def test_an_endless_query_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interaction_matrix, "_SECONDS", 0.5)
    endless = "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a FROM t) SELECT count(*) FROM t"
    assert _first_code(endless) == "query_failed"


def _first_code(query: str) -> str:
    draw = Draw(3, EXERCISE.code)
    remarks = EXERCISE.judge({"matrix.sql": query, "pairs.sql": "SELECT 1 AS item_a, 2 AS item_b, 3 AS users"}, draw)
    return next(each.code for each in remarks if each.facts["file"] == "matrix.sql")
