"""The frame of Fairlearn has the numbers of the audit, and the audit those of Fairlearn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.edges.fairlearn import to_metric_frame
from reclens.errors import MissingExtraError, UnknownNameError, UsageError

pytest.importorskip("fairlearn", reason="needs fairlearn: pip install 'reclens[fairlearn]'")


@pytest.fixture(scope="module")
def audited() -> rl.audit.Audit:
    rng = np.random.default_rng(2)
    n = 300
    lists = pl.DataFrame({"user_id": np.repeat(np.arange(n), 5), "item_id": rng.integers(0, 90, 5 * n)}).unique(
        maintain_order=True
    )
    lists = lists.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
    truth = pl.DataFrame({"user_id": np.repeat(np.arange(n), 9), "item_id": rng.integers(0, 90, 9 * n)}).unique()
    users = pl.DataFrame(
        {"user_id": np.arange(n), "gender": rng.choice(["F", "M"], n), "age": rng.choice(["old", "young"], n)}
    )
    return rl.audit.run(lists, truth, users=users, by=["gender", "age"], k=5)


def test_means_differences_and_ratios_are_equal(audited: rl.audit.Audit) -> None:
    frame = to_metric_frame(audited)
    row = next(row for row in audited.rows if (row.measure, row.by, row.segment) == ("ndcg@5", "gender", "F"))
    assert frame.by_group.to_dict() == pytest.approx({"F": row.value.value, "M": row.reference_value.value})
    assert frame.difference() == pytest.approx(abs(row.difference.value))
    assert frame.ratio() == pytest.approx(min(row.ratio.value, 1 / row.ratio.value))


def test_segmentations_are_crossed_or_held_equal(audited: rl.audit.Audit) -> None:
    crossed = to_metric_frame(audited, "recall@5", by=["gender", "age"])
    assert audited.intersections is not None
    means = {tuple(group): rows["recall@5"].mean() for group, rows in audited.users.group_by("gender", "age")}
    assert {key: float(value) for key, value in crossed.by_group.items()} == pytest.approx(means)
    within = to_metric_frame(audited, "recall@5", within=["age"])
    assert within.difference()["old"] == pytest.approx(abs(means["F", "old"] - means["M", "old"]))


def test_what_is_not_there_is_named(audited: rl.audit.Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="ndcg@5"):
        to_metric_frame(audited, "ndcg@7")
    with pytest.raises(UnknownNameError, match="gender"):
        to_metric_frame(audited, by="gendr")
    alone = rl.audit.run({"user_id": [1, 2], "item_id": [1, 2], "rank": [1, 1]}, attributes=[], metrics=[])
    with pytest.raises(UsageError, match="no metric or no groups"):
        to_metric_frame(alone)
    monkeypatch.setitem(__import__("sys").modules, "fairlearn.metrics", None)
    with pytest.raises(MissingExtraError, match="fairlearn"):
        to_metric_frame(audited)
