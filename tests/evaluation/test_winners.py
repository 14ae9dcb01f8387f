"""Who gains and who loses: against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from reclens.errors import UnknownNameError
from reclens.evaluation import Evaluation, compare, evaluate
from reclens.evaluation.winners import change_curve, changes_within, largest_changes, paired_values


def lists_of(rows: dict[str, list[str]]) -> pl.DataFrame:
    table = [(user, item, rank) for user, items in rows.items() for rank, item in enumerate(items, 1)]
    return pl.DataFrame(table, schema=["user_id", "item_id", "rank"], orient="row")


@pytest.fixture(scope="module")
def pair() -> tuple[Evaluation, Evaluation]:
    """Precision at 2 of four users: ours 1, ½, ½, 0; theirs ½, ½, 1, 0."""
    truth = pl.DataFrame({"user_id": list("aabbccdd"), "item_id": list("xyxyxyxy")})
    ours = lists_of({"a": ["x", "y"], "b": ["x", "n"], "c": ["x", "n"], "d": ["n", "m"]})
    theirs = lists_of({"a": ["x", "n"], "b": ["y", "m"], "c": ["y", "x"], "d": ["m", "n"]})
    metrics = ["precision@2"]
    return evaluate(ours, truth, metrics=metrics, name="ours"), evaluate(theirs, truth, metrics=metrics, name="theirs")


def test_differences_user_by_user(pair) -> None:
    users, after, gaps = paired_values(*pair, ["precision@2"])
    assert dict(zip(users, after[:, 0], strict=True)) == {"a": 1.0, "b": 0.5, "c": 0.5, "d": 0.0}
    assert dict(zip(users, gaps[:, 0], strict=True)) == {"a": 0.5, "b": 0.0, "c": -0.5, "d": 0.0}


def test_movers_are_those_whose_value_changes(pair) -> None:
    gained, lost = largest_changes(*pair, "precision@2")
    assert gained.select("user_id", "before", "after", "change").rows() == [("a", 0.5, 1.0, 0.5)]
    assert lost.select("user_id", "before", "after", "change").rows() == [("c", 1.0, 0.5, -0.5)]
    assert gained["n_relevant"].to_list() == [2]


def test_users_whose_change_lies_within_a_range(pair) -> None:
    # Changes: a ½, b 0, c -½, d 0; both ends count, and of equals the larger id stands last.
    for ends, users in (((0.0, 0.5), ["a", "b", "d"]), ((-0.5, -0.1), ["c"]), ((0.6, 1.0), [])):
        found, count = changes_within(*pair, "precision@2", ends)
        assert (found["user_id"].to_list(), count) == (users, len(users))
    first, count = changes_within(*pair, "precision@2", (-1.0, 1.0), n=2)
    assert (first["change"].to_list(), count) == ([0.5, 0.0], 4)


def test_the_counts_are_those_of_the_comparison(pair) -> None:
    ours, theirs = pair
    row = compare({"ours": ours, "theirs": theirs}, baseline="theirs").find("ours", "precision@2")
    assert (row.wins, row.ties, row.losses) == (1, 2, 1)


def test_the_curve_of_changes(pair) -> None:
    # Sorted changes are -½, 0, 0, ½: a quarter loses, three quarters stay at or below 0.
    curve = {row["users"]: row["change"] for row in change_curve(*pair, "precision@2", points=5)}
    assert curve == {0.0: -0.5, 0.25: -0.5, 0.5: 0.0, 0.75: 0.0, 1.0: 0.5}


def test_where_lower_is_better_who_gains_is_whose_value_falls(pair) -> None:
    lower = [
        replace(
            each,
            per_user=each.per_user.rename({"precision@2": "miscalibration@2"}),
            summary=replace(each.summary, columns=("miscalibration@2",)),
        )
        for each in pair
    ]
    gained, lost = largest_changes(*lower, "miscalibration@2")
    assert gained["user_id"].to_list() == ["c"] and lost["user_id"].to_list() == ["a"]


def test_a_metric_of_the_catalogue_has_no_movers(pair) -> None:
    with pytest.raises(UnknownNameError, match="coverage@2"):
        largest_changes(*pair, "coverage@2")
