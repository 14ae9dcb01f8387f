"""What cannot be audited: an error that says what to do, or a row of what was not measured; never half a result."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import reclens as rl
from reclens.errors import DataError, RecLensError, UsageError

LOG = {"user_id": [1, 1, 2], "item_id": [1, 1, 2], "position": [1, 1, 2], "clicked": [1, 0, 0]}


def with_users(parts: dict[str, Any], **columns: pl.Expr) -> dict[str, Any]:
    train = parts["train"]
    users = train.users.with_columns(**columns)
    return {**parts, "train": rl.Dataset(train.interactions, users=users, items=train.items)}


@pytest.fixture(scope="module")
def parts(market) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    return market(tilt=0.1, users=200)


@pytest.mark.parametrize(
    ("value", "options"),
    [(pl.lit("a"), {"by": "x"}), (pl.lit(None, pl.String), {"by": "x"}), (pl.lit("a"), {"by": ["x", "x"]})],
    ids=["one value", "all unknown", "named twice"],
)
def test_without_two_groups_gaps_are_not_measured(parts: dict[str, Any], value: pl.Expr, options: Any) -> None:
    found = rl.audit.run(**with_users(parts, x=value), **options)
    assert ("gaps", "user_groups") in {(each.measure, each.lacking) for each in found.not_measured}
    assert found.opinions["users"] == "not_measured" and not [row for row in found.rows if row.reference == "rest"]


def test_a_group_without_truth_has_no_value_and_no_test(parts: dict[str, Any]) -> None:
    women = parts["train"].users.filter(pl.col("gender") == "F")["user_id"]
    truth = parts["truth"].filter(~pl.col("user_id").is_in(women.implode()))
    found = rl.audit.run(parts["recommendations"], truth, train=parts["train"], by="gender")
    rows = {row.segment: row for row in found.rows if row.measure == "ndcg@10" and row.reference == "rest"}
    assert rows["F"].n == 0 and {row.reason for row in rows.values()} == {"not_defined"}
    assert {row.severity for row in rows.values()} <= {"inconclusive", "descriptive"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "brand"}, "attribute of items, .* Name it in attributes="),
        ({"attributes": ["gender"]}, "attribute of users, .* Name it in by="),
        ({"by": "gender", "protected": ["race"]}, "protected has 'race'"),
        ({"by": "own"}, "200 values for 200 users"),
        ({"by": "number"}, r"numbers by rl\.segments\.bins"),
    ],
)
def test_wrong_input_says_what_to_do(parts: dict[str, Any], options: dict[str, Any], says: str) -> None:
    more = with_users(parts, own=pl.col("user_id").cast(pl.String), number=pl.col("user_id") * 1.5)
    with pytest.raises(RecLensError, match=says):
        rl.audit.run(**more, **options)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({**LOG, "clicked": [7, 0, 1]}, "neither 0 nor 1"),
        ({**LOG, "clicked": ["yes", "no", "no"]}, "neither 0 nor 1"),
        ({**LOG, "clicked": [1, None, 0]}, "neither 0 nor 1"),
        ({name: LOG[name] for name in ("user_id", "position", "clicked")}, "no column 'item_id'"),
        ({**LOG, "item_id": [10_000] * 3}, "no item is one of the catalogue"),
    ],
)
def test_a_wrong_log_says_what_to_do(parts: dict[str, Any], columns: dict[str, Any], says: str) -> None:
    with pytest.raises(RecLensError, match=says):
        rl.audit.run(**parts, attributes=["brand"], log=pl.DataFrame(columns))


def test_tiers_need_training_data(parts: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Pass train="):
        rl.audit.run(parts["recommendations"], parts["truth"], attributes=["popularity"])
    without = rl.audit.run(
        parts["recommendations"], parts["truth"], users=parts["train"].users, items=parts["train"].items, by="gender"
    )
    assert {("popularity_lift", "train"), ("profile", "train")} <= {
        (each.measure, each.lacking) for each in without.not_measured
    }


def test_one_ranker_cannot_tell_position_bias(parts: dict[str, Any]) -> None:
    found = rl.audit.run(**parts, attributes=["brand"], log=pl.DataFrame(LOG))
    assert ("examination", "rankers") in {(each.measure, each.lacking) for each in found.not_measured}


@pytest.mark.parametrize("wrong", [[-0.1], [0.0], [1.5], [float("nan")]])
def test_propensities_that_are_none_are_refused(wrong: list[float]) -> None:
    rows = pl.DataFrame({"user_id": [1], "item_id": [1]})
    with pytest.raises(UsageError, match="not above 0"):
        rl.audit.mitigate.inverse_propensity(rl.Dataset(rows), wrong)


def test_lists_that_are_none_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="item_id"):
        rl.audit.run(pl.DataFrame({"user_id": [1], "thing": [2]}), parts["truth"])
