"""Exercise 2.1: the shop by hand, the runs against another library, the right answer, and wrong ones."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from reclens.learn import daily_visits
from reclens.learn.exercise import Draw
from reclens.learn.exercises import plan_survives
from reclens.learn.exercises.plan_survives import PlanThatSurvives

EXERCISE = PlanThatSurvives()
WRONG = {
    "sessions as units": {"unit_of_plan"},
    "part of a week": {"days_of_plan"},
    "first week counts": {"ships_nothing", "finds_other_than_planned"},
    "visitors alone": {"finds_other_than_planned"},
    "correlation not squared": {"finds_other_than_planned"},
    "covariate planned and not used": {"finds_other_than_planned"},
    "twice the effect": {"finds_other_than_planned", "guardrail_stops"},
    "no guardrail": {"roles_of_plan"},
    "margin within the noise": {"guardrail_stops"},
    "margin beyond the harm": {"guardrail_ships"},
}


@pytest.mark.parametrize("seed", range(3))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged, tmp_path: Path) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    assert set(EXERCISE.wrong) == set(WRONG)
    for name, write in list(EXERCISE.wrong.items())[seed::3]:
        assert {each.code for each in judged(EXERCISE, draw, write)} == WRONG[name], name


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    place, draw = tmp_path_factory.mktemp("plan"), Draw(7, EXERCISE.code)
    EXERCISE.write_data(draw, place)
    EXERCISE.solve(draw, place)
    return (place / "plan.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("days = 28", "dais = 28", ["no_plan"]),
        ("days = 28", "days = 35", ["days_of_plan"]),
        ("days = 28", "days = 28\npower = 0.5", ["power_of_plan"]),
        ("old = 0.5\nnew = 0.5", "old = 0.4\nnew = 0.3\nother = 0.3", ["not_two_arms"]),
        ('hypothesis = "The new list raises clicks per user for good."', 'hypothesis = " "', ["no_hypothesis"]),
        ('value = "clicks_after_week_1"', 'value = "likes"', ["metric_of_plan"]),
        ('covariates = ["clicks_before"]', 'covariates = ["clicks"]', ["covariate_of_plan"]),
        ("margin = 0.12", "margin_absolute = 0.12", ["margin_of_plan"]),
        ('name = "visits per user"', 'name = "visits per user"\nbetter = "lower"', ["metric_of_plan"]),
    ],
)
def test_what_is_no_plan_for_this_shop_is_named(text: str, old: str, new: str, codes: list[str]) -> None:
    assert old in text
    assert [
        each.code for each in EXERCISE.judge({"plan.toml": text.replace(old, new)}, Draw(7, EXERCISE.code))
    ] == codes


def test_more_users_than_there_are_cannot_be_planned(text: str) -> None:
    effect = tomllib.loads(text)["metrics"][0]["effect"]
    changed = text.replace(f"effect = {effect}", "effect = 0.02")
    found = list(EXERCISE.judge({"plan.toml": changed}, Draw(7, EXERCISE.code)))
    assert [each.code for each in found] == ["size_of_plan"]


def test_the_change_does_what_the_shop_says(rate_error) -> None:
    draw = Draw(3, EXERCISE.code)
    shop = daily_visits.make_shop(draw)
    total = {twin: shop.month(draw.hidden()[0], twin, 28) for twin in ("null", "true", "harm")}
    late = {
        twin: each[1]["clicks_after_week_1"].sum() / each[0]["clicks_after_week_1"].sum()
        for twin, each in total.items()
    }
    assert late["null"] == 1  # the novelty is gone after seven days
    assert late["true"] == pytest.approx(1 + shop.effect, abs=0.01)
    for each in total.values():
        assert each[1]["clicks"].sum() > each[0]["clicks"].sum() * (0.75 if each is total["harm"] else 1)
    visits = [each["visits"].sum() for each in total["harm"]]
    assert 1 - visits[1] / visits[0] == pytest.approx(shop.harm, abs=rate_error(shop.harm, int(visits[0])))
    # Day by day: e-fold each two days, and nothing from the eighth day on.
    assert daily_visits.novelty(1.0)[:3] == pytest.approx([1, np.exp(-0.5), np.exp(-1)])
    assert daily_visits.novelty(1.0)[7:].sum() == 0


def test_the_history_has_whole_weeks_and_everybody(tmp_path: Path) -> None:
    past = daily_visits.make_shop(Draw(3, EXERCISE.code)).history()
    assert past["user_id"].n_unique() == 8_000 and past["day"].max() == 56
    by_day = past.group_by("day").sum().sort("day")["visits"].to_numpy()
    weekend = by_day.reshape(8, 7)[:, 5:].mean() / by_day.reshape(8, 7)[:, :5].mean()
    assert weekend == pytest.approx(1.7, abs=0.06)
    assert past.filter(visits=0)["clicks"].sum() == 0


def test_a_run_is_welchs_test() -> None:
    rng = np.random.default_rng(0)
    control, treated = rng.gamma(1, 2, 60), rng.gamma(1, 3, 60)
    arms = plan_survives._Arms(np.r_[np.ones(25), np.zeros(35)][None], np.r_[np.zeros(25), np.ones(35)][None])
    mean, error, other, other_error = (each[0] for each in arms.moments(control, treated))
    expected, _ = stats.ttest_ind(treated[25:], control[:25], equal_var=False)
    assert (other - mean) / np.sqrt(error + other_error) == pytest.approx(expected)


def test_covariates_are_taken_out_and_values_capped() -> None:
    class Metric:
        value, cap, covariates = "y", 3.0, ("x",)

    table = {"y": np.array([1.0, 2.0, 9.0]), "x": np.array([1.0, 2.0, 3.0])}
    # Capped to 1, 2, 3, which x explains whole: nothing but the mean is left.
    assert plan_survives._adjusted(Metric, table, table) == pytest.approx([2.0, 2.0, 2.0])
