"""A fitted world against its data, and what the report says when it is not like it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, UsageError
from reclens.world.fitting import fit_world
from reclens.world.population import draw_world
from reclens.world.realism_result import history_of, lists_of, order_check, realism
from reclens.world.settings import WorldSettings, preset


@pytest.fixture(scope="module")
def fitted(small_data):
    return fit_world(small_data, WorldSettings(users=200, factors=8, new_share=0.0, births=0.0), seed=1)


def test_a_fitted_world_keeps_users_items_and_activity(small_data, fitted) -> None:
    assert fitted.users["user_id"].to_list() == small_data.user_vocabulary.ids.to_list()
    assert fitted.items["item_id"].to_list() == small_data.item_vocabulary.ids.to_list()
    assert {"age", "gender", "cohort"} <= set(fitted.users.columns)
    history = history_of(fitted)
    lived, real = np.diff(history.matrix().indptr), np.diff(small_data.matrix().indptr)
    assert np.corrcoef(lived, real)[0, 1] > 0.95
    counts = [
        np.bincount(small_data.item_vocabulary.encode(each.interactions["item_id"]), minlength=150)
        for each in (history, small_data)
    ]
    assert np.corrcoef(np.log1p(counts[0]), np.log1p(counts[1]))[0, 1] > 0.9


def test_tastes_of_a_fitted_world_tell_who_had_what(small_data, fitted) -> None:
    # Users prefer what they really had to what others of the same popularity had: AUC by hand.
    matrix = small_data.matrix()
    utility = fitted.tastes @ fitted.vectors.T
    rng, wins = np.random.default_rng(0), []
    popular = np.repeat(np.arange(150), np.bincount(matrix.indices, minlength=150))
    for user in range(matrix.n_rows):
        had = matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]
        other = np.setdiff1d(rng.choice(popular, 60), had)
        if len(other):
            wins.append((utility[user, had][:, None] > utility[user, other][None, :]).mean())
    assert np.mean(wins) > 0.6


def test_more_users_are_copies_that_say_whom_they_are_like(small_data) -> None:
    world = fit_world(small_data, WorldSettings(users=500, factors=6), seed=1)
    assert world.users.height == 500 and world.users["like"].is_in(small_data.user_vocabulary.ids.implode()).all()
    assert world.users["user_id"].n_unique() == 500


def test_the_report_passes_a_fitted_world_and_not_a_drawn_one(small_data, fitted) -> None:
    report = realism(fitted, small_data)
    failed = [check.measure for check in report.checks if check.passed is False]
    assert not failed, report.to_dicts()
    drawn = realism(draw_world(preset("tiny", users=200, history=5.0)), small_data)
    assert not drawn.passed
    assert {row["measure"] for row in drawn.to_dicts() if row["passed"] is False} >= {"activity: mean"}


def test_measures_by_hand() -> None:
    from reclens.data.dataset import Dataset
    from reclens.world.realism_checks import (
        activity_checks,
        click_repeat_check,
        popularity_checks,
        relative_click_rates,
        repeat_check,
    )

    four = Dataset(pl.DataFrame({"user_id": [1, 1, 1, 2, 2, 3], "item_id": [1, 2, 3, 1, 1, 1]}))
    one = Dataset(pl.DataFrame({"user_id": [1, 2, 3], "item_id": [1, 2, 3]}))
    slope, spread, top = popularity_checks(four, one)
    assert spread.simulated == pytest.approx(4 / 15) and spread.reference == 0  # counts 3, 1, 1: Σ|x-y| / 2n Σx
    assert top.simulated == pytest.approx(3 / 5) and slope.reference == pytest.approx(0)
    assert activity_checks(four, one)[0].simulated == pytest.approx(1 / 3)
    assert repeat_check(four, one).simulated == pytest.approx(1 / 6)
    log = pl.DataFrame(
        {"user_id": [1, 2, 1, 2], "item_id": [5, 5, 5, 6], "position": [1, 1, 2, 2], "clicked": [1, 1, 1, 0]}
    )
    assert relative_click_rates(log) == {1: 1.0, 2: 0.5}
    # Three clicks, of which user 1 clicked item 5 twice; in the other log nobody clicked anything twice.
    repeats = click_repeat_check(log, log.filter(pl.col("position") == 1))
    assert (repeats.simulated, repeats.reference) == (pytest.approx(1 / 3), 0) and repeats.passed is False


def test_lists_of_the_reference_are_held_against_those_of_the_world(small_data, fitted) -> None:
    def held(reference: pl.DataFrame):
        report = realism(fitted, small_data, impressions=ours, reference_impressions=reference)
        return {check.measure: check for check in report.checks}

    ours = lists_of(fitted, days=4, seed=3)
    assert {"user_id", "item_id", "position", "clicked"} <= set(ours.columns) and ours["position"].min() == 1
    same = {
        check.measure: check
        for check in realism(fitted, small_data, impressions=ours, reference_impressions=ours).checks
    }
    assert same["clicks: repeat rate"].passed and same["clicks at place 2"].passed
    # A list in which all places are clicked alike has a rate of 1 over place 1, which the world has not.
    flat = pl.DataFrame({"user_id": range(20), "item_id": range(20), "position": [1, 10] * 10, "clicked": [True] * 20})
    found = {
        check.measure: check
        for check in realism(fitted, small_data, impressions=ours, reference_impressions=flat).checks
    }
    assert found["clicks at place 10"].reference == 1 and found["clicks at place 10"].passed is False
    for bad, says in (
        (flat.drop("position"), "no column position"),
        (flat.with_columns(clicked=pl.lit("yes")), "text"),
        (flat.with_columns(pl.col("position") + 1), "nothing was clicked at position 1"),
    ):
        with pytest.raises(DataError, match=says):
            held(bad)


def test_order_of_algorithms() -> None:
    same = order_check({"a": 1, "b": 2, "c": 3}, {"a": 10, "b": 20, "c": 30})
    assert same.simulated == 1 and same.passed and (same.note, same.facts["same_best"]) == ("rank_correlation", True)
    other = order_check({"a": 1, "b": 2, "c": 3}, {"a": 3, "b": 2, "c": 1})
    assert other.simulated == -1 and other.passed is False and other.facts["same_best"] is False
    with pytest.raises(UsageError, match="three or more"):
        order_check({"a": 1}, {"a": 1})


def test_too_little_data_says_so(small_data) -> None:
    from dataclasses import replace

    with pytest.raises(UsageError, match="20 or more"):
        fit_world(replace(small_data, interactions=small_data.interactions.head(5)))
