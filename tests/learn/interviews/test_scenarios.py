"""Scenario questions: the world's cause can be read off its dashboard, and each try has a world of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy import stats

from reclens.learn.exercise import Draw, all_interviews
from reclens.learn.interview import answer_scenario, ask_scenario, scenario_of
from reclens.learn.learner import Learner
from reclens.learn.verify import verify

SCENARIOS = [scenario_of(each.code) for each in all_interviews()]
SEEDS = range(20)


def seen(code: str) -> list[Any]:
    return [scenario_of(code).seen(seed << 64 | 5, 0) for seed in SEEDS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each.code for each in SCENARIOS])
def test_the_right_answer_passes_and_no_mistake_does(scenario: Any, judged: Any) -> None:
    for seed in SEEDS:
        draw = Draw(seed << 64, scenario.code)
        assert judged(scenario, draw, scenario.solve) == []
        for name, write in scenario.wrong.items():
            assert {each.code for each in judged(scenario, draw, write)} == {"drill_wrong_answer"}, name
    causes = {each.answer["cause"] for each in seen(scenario.code)}
    assert causes == set(scenario.choices["cause"])


def test_a_drop_shows_its_cause_and_no_other() -> None:
    for each in seen("i.a"):
        cause, where = each.answer["cause"], each.answer["where"]
        yesterday = each.data["day"].max()
        by = pl.col("day") == yesterday
        rows = each.data.group_by("by", "slice").agg(
            share=pl.col("impressions").filter(by).sum() / pl.col("impressions").filter(~by).mean(),
            ctr=(pl.col("clicks").filter(by).sum() / pl.col("impressions").filter(by).sum())
            / (pl.col("clicks").filter(~by).sum() / pl.col("impressions").filter(~by).sum()),
            orders=(pl.col("orders").filter(by).sum() / pl.col("impressions").filter(by).sum())
            / (pl.col("orders").filter(~by).sum() / pl.col("impressions").filter(~by).sum()),
            age=pl.col("feature_age_hours").filter(by).max(),
        )
        there = rows.filter(slice=where).to_dicts() or rows.to_dicts()
        versions = rows.filter(by="version")
        found = {
            "logging": max(abs(row["orders"] - 1) for row in there) < 0.25 and there[0]["ctr"] < 0.5,
            "stale_features": (rows["age"].max() or 0) > 24,
            "routing": versions["share"].max() > 3,
            "model": versions["share"].max() < 1.5 and versions["ctr"].min() < 0.6 and versions["ctr"].max() > 0.9,
            "season": each.tables["year_before"]["ctr"][1] / each.tables["year_before"]["ctr"][0] < 0.85
            and rows["ctr"].max() < 0.85,
        }
        if cause == "logging":  # one platform alone
            assert rows.filter(by="platform")["ctr"].max() > 0.95
        assert [name for name, is_it in found.items() if is_it] == [cause], rows


def test_a_winning_test_shows_why_it_won() -> None:
    for each in seen("i.b"):
        data, cause = each.data, each.answer["cause"]
        users = [data.filter(week=1, arm=arm)["users"][0] for arm in ("old", "new")]
        assert bool(stats.chisquare(users).pvalue < 0.001) is (cause == "lost_users")
        assert (data["largest_user"].max() > 1_000) is (cause == "one_robot")
        means = data.with_columns(mean=pl.col("clicks") / pl.col("users"))
        lift = [
            means.filter(week=week, arm="new")["mean"][0] / means.filter(week=week, arm="old")["mean"][0] - 1
            for week in (1, 4)
        ]
        assert lift[0] == pytest.approx(each.tables["weeks"]["lift"][0])
        if cause == "novelty":
            assert lift[0] > 0.06 and lift[1] < 0.035
        assert each.facts["low"] > 0, "it has won"


def test_a_ratio_is_told_apart_within_levels_of_activity() -> None:
    for each in seen("i.c"):
        gaps = {row["users"]: row for row in each.tables["gaps"].to_dicts()}
        beyond = {name: row["low"] > 0 or row["high"] < 0 for name, row in gaps.items()}
        within = beyond["active"] and beyond["occasional"]
        cause = each.answer["cause"]
        assert within is (cause in ("activity_hides_a_gap", "real_gap"))
        if cause == "activity_hides_a_gap":
            assert abs(each.facts["ratio"] - 1) < 0.06
        if cause == "activity_makes_a_gap":
            assert beyond["all"] and each.facts["ratio"] < 0.9
        if cause == "too_few_users":
            assert not beyond["all"]


def test_each_try_has_a_world_of_its_own_and_is_replayed(tmp_path: Path) -> None:
    learner, scenario = Learner(tmp_path), scenario_of("winning_test")
    worlds = []
    for right in (True, False, True):
        dashboard = ask_scenario(learner, scenario)
        worlds.append(dashboard.data)
        assert dashboard.data.write_csv() == (learner.place(scenario) / "data.csv").read_text()
        given = dict(dashboard.answer)
        if not right:
            given["cause"] = next(each for each in scenario.choices["cause"] if each != given["cause"])
        done = answer_scenario(learner, scenario, given)
        assert done.passed is right and done.right == dashboard.answer
    assert not worlds[0].equals(worlds[1]) and not worlds[1].equals(worlds[2])
    progress = learner.progress
    assert progress is not None and [each.passed for each in progress.attempts] == [True, False, True]
    assert len({each.data for each in progress.attempts}) == 3
    path = tmp_path / "learn.json"
    path.write_text(json.dumps(learner.export()))
    assert verify(path).reproduced == 3
