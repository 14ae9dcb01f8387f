"""The table of the Responsible AI dashboard has the users and the gaps of the audit."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import reclens as rl
from reclens.edges.responsible_ai import responsible_ai_table
from reclens.errors import UnknownNameError, UsageError


@pytest.fixture(scope="module")
def audited() -> rl.audit.Audit:
    ids = list(range(40))
    lists = pl.DataFrame({"user_id": ids * 2, "item_id": [1] * 40 + [2] * 40, "rank": [1] * 40 + [2] * 40})
    truth = pl.DataFrame({"user_id": ids[:30], "item_id": [1 if user % 3 else 2 for user in ids[:30]]})
    users = pl.DataFrame({"user_id": ids, "gender": ["F", "M"] * 20, "town": ["a", "a", "b", None] * 10})
    return rl.audit.run(lists, truth, users=users, by=["gender", "town"], k=2)


def test_a_row_a_user_with_a_value(audited: rl.audit.Audit) -> None:
    table = responsible_ai_table(audited)
    assert table.columns == ["gender", "town", "recall@2", "true_y", "predicted_y"] and table.height == 30
    assert set(table["town"]) == {"a", "b", "(unknown)"} and set(table["true_y"]) == {1.0}
    rows: dict[Any, Any] = {row.segment: row.value.value for row in audited.rows if row.measure == "ndcg@2"}
    means = dict(table.group_by("gender").agg(pl.col("predicted_y").mean()).rows())
    assert means == pytest.approx({name: rows[name] for name in "FM"})
    other = responsible_ai_table(audited, "recall@2")
    assert other.columns[2] == "ndcg@2" and set(other["predicted_y"]) == {1.0}


def test_what_is_not_there_is_named(audited: rl.audit.Audit) -> None:
    with pytest.raises(UnknownNameError, match="ndcg@2"):
        responsible_ai_table(audited, "ndcg@9")
    alone = rl.audit.run({"user_id": [1, 2], "item_id": [1, 2], "rank": [1, 1]}, attributes=[], metrics=[])
    with pytest.raises(UsageError, match="no metric or no groups"):
        responsible_ai_table(alone)
