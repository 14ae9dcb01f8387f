"""Exercise 4.1: measures by hand, the right answer, wrong ones, and data that follow from the criteria."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.learn.exercise import Draw
from reclens.learn.exercises import planted_biases
from reclens.learn.exercises.planted_biases import PlantedBiases
from reclens.learn.learner import Learner
from reclens.learn.shop import KINDS
from reclens.learn.verify import verify

EXERCISE = PlantedBiases()


@pytest.mark.parametrize("seed", range(4))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    for name, write in EXERCISE.wrong.items():
        assert judged(EXERCISE, draw, write), name


def test_the_data_follow_from_the_criteria_and_hold_what_was_put_in(tmp_path: Path) -> None:
    draw = Draw(3, EXERCISE.code)
    for name, text in EXERCISE.templates(draw).items():
        (tmp_path / name).write_text(text)
    EXERCISE.write_data(draw, tmp_path)
    assert not (tmp_path / "data").exists()  # not sealed
    EXERCISE.solve(draw, tmp_path)
    EXERCISE.write_data(draw, tmp_path)
    first = {path.name: pl.read_parquet(path) for path in (tmp_path / "data").iterdir()}
    criteria = (tmp_path / "criteria.toml").read_text()
    world = planted_biases._world(draw, planted_biases._digest(criteria))
    values = planted_biases._measured(world)

    # The same numbers from the files, in another way.
    places, truth = first["lists.parquet"].join(first["items.parquet"], on="item_id"), first["truth.parquet"]
    wanted = truth.join(first["items.parquet"], on="item_id")
    mine = places.filter(system="b")
    expected = (mine["seller"] == "s3").sum() / mine.height / ((wanted["seller"] == "s3").sum() / wanted.height)
    assert values["b", "seller_under_exposed", "s3"] == pytest.approx(expected)
    of_user = mine.join(first["users.parquet"], on="user_id").group_by("user_id", "age").agg(pl.col("genre").n_unique())
    means = {old: float(of_user.filter((pl.col("age") == "50+") == old)["genre"].to_numpy().mean()) for old in (0, 1)}
    assert values["b", "group_narrow_lists", "50+"] == pytest.approx(means[1] / means[0])
    views = first["weeks.parquet"].filter(system="a").partition_by("week", as_dict=True)
    gini = {week: _gini(views[week,]["views"].to_numpy()) for week in (1, 6)}
    assert values["a", "concentration_grows", "all"] == pytest.approx(gini[6] - gini[1])

    (tmp_path / "criteria.toml").write_text(criteria.replace("level = 0.05", "level = 0.01"))
    EXERCISE.write_data(draw, tmp_path)
    assert not first["lists.parquet"].equals(pl.read_parquet(tmp_path / "data" / "lists.parquet"))
    assert planted_biases._digest(criteria) == planted_biases._digest(criteria.replace("\n", "\r\n") + "\n")

    # As Windows writes it: the data are those of the same criteria.
    (tmp_path / "criteria.toml").write_bytes(b"\xef\xbb\xbf" + criteria.encode())
    EXERCISE.write_data(draw, tmp_path)
    assert first["lists.parquet"].equals(pl.read_parquet(tmp_path / "data" / "lists.parquet"))


def _gini(counts: np.ndarray) -> float:
    """Mean absolute difference of two items ÷ twice the mean."""
    return float(np.abs(counts[:, None] - counts).mean() / (2 * counts.mean()))


def test_one_system_at_least_has_no_bias_and_numbers_of_biases_differ() -> None:
    counts = [
        sorted(len(held) for held in planted_biases._world(Draw(seed, EXERCISE.code), "x").planted.values())
        for seed in range(6)
    ]
    assert all(each[0] == 0 and 1 <= each[-1] <= 4 for each in counts)
    assert len({tuple(each) for each in counts}) > 2


def test_each_failed_attempt_draws_anew_and_is_replayed_so(tmp_path: Path) -> None:
    learner = Learner(tmp_path)
    learner.start("4.1")
    assert not learner.check("4.1").redrawn  # not sealed: nothing was learnt from it
    place = learner.place(EXERCISE)
    EXERCISE.wrong["names nothing"](learner.draw(EXERCISE), place)
    learner.start("4.1")
    first = pl.read_parquet(place / "data" / "lists.parquet")
    done = learner.check("4.1")
    assert done.redrawn and [each.code for each in done.remarks] == ["too_few_found"]
    assert learner.draw(EXERCISE).failed == 1
    assert not first.equals(pl.read_parquet(place / "data" / "lists.parquet"))
    EXERCISE.solve(learner.draw(EXERCISE), place)
    assert learner.check("4.1").passed
    assert learner.check("4.1").passed  # the draw stays once it is solved
    assert set(learner.solution("4.1")) == set(EXERCISE.files)

    path = tmp_path / "learn.json"
    held = learner.export()
    path.write_text(json.dumps(held))
    done = verify(path)
    assert (done.reproduced, done.solved) == (4, ["4.1"])
    del held["progress"]["attempts"][1]  # who hides a failed attempt claims another draw
    path.write_text(json.dumps(held))
    assert verify(path).solved == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("sealed = true", "sealed = false"), "not_sealed"),
        (("level = 0.05", "level = 0.5"), "no_level"),
        (('correction = "holm"', 'correction = "none"'), "no_correction"),
        (("group_short_lists = 0.8", "group_short_lists = 1.2"), "no_limit"),
        (("scores_overstate = 1.2", "scores_overstate = 0.8"), "no_limit"),
        (("language_placed_low = 1.0", "language_placed_low = 0.0"), "no_limit"),
        (("[limits]", "[other]"), "no_limit"),
        (("scores_overstate = 1.2", "scores_overstate = nan"), "no_limit"),
    ],
)
def test_criteria_that_are_none_are_named(change: tuple[str, str], code: str, tmp_path: Path) -> None:
    draw = Draw(1, EXERCISE.code)
    EXERCISE.solve(draw, tmp_path)
    answer = {file: (tmp_path / file).read_text() for file in EXERCISE.files}
    answer["criteria.toml"] = answer["criteria.toml"].replace(*change)
    assert {each.code for each in EXERCISE.judge(answer, draw)} == {code}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "no_findings"),
        ("cleared = 'a'", "no_findings"),
        ("cleared = ['a', 'b']", "no_opinion"),
        ("cleared = ['a', 'b', 'c']\n[[finding]]\nsystem='a'\nkind='group_short_lists'\ngroup='new'", "no_opinion"),
        ("cleared = ['b', 'c']\n[[finding]]\nsystem='a'\nkind='group_short_lists'\ngroup='s1'", "unknown_finding"),
        ("cleared = ['b', 'c', 'a']\nfinding = [3]", "unknown_finding"),
    ],
)
def test_findings_that_are_none_are_named(text: str, code: str, tmp_path: Path) -> None:
    draw = Draw(1, EXERCISE.code)
    EXERCISE.solve(draw, tmp_path)
    answer = {"criteria.toml": (tmp_path / "criteria.toml").read_text(), "findings.toml": text}
    assert {each.code for each in EXERCISE.judge(answer, draw)} == {code}


def test_a_finding_has_to_lie_beyond_the_limit_of_ones_own(tmp_path: Path, judged) -> None:
    draw = Draw(2, EXERCISE.code)
    strict = {**planted_biases._LIMITS, **dict.fromkeys(planted_biases._BELOW, 0.01)}
    world = planted_biases._world(draw, planted_biases._digest(planted_biases._criteria(draw, strict, sealed=True)))
    put_in = [(s, each.kind, each.group) for s, held in world.planted.items() for each in held]
    found = judged(EXERCISE, draw, lambda draw, folder: planted_biases._write(draw, folder, strict, put_in))
    assert [each.facts["bias"] for each in found if each.code == "within_own_limit"] == sorted(
        kind for _, kind, _ in put_in if kind in planted_biases._BELOW
    )


def test_limits_lie_far_from_luck() -> None:
    """Of six learners: every unbiased number is within the limits by more than its spread, every planted one beyond."""
    spread: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for seed in range(6):
        world = planted_biases._world(Draw(seed, EXERCISE.code), "x")
        twin = {system for system, held in world.planted.items() if not held}
        for (system, kind, _), value in planted_biases._measured(world).items():
            if system in twin:
                spread[kind].append(value)
    for kind, values in spread.items():
        middle = 0.0 if kind in planted_biases._DIFFERENCES else 1.0
        sd = float(np.sqrt(np.mean((np.array(values) - middle) ** 2)))
        assert abs(planted_biases._LIMITS[kind] - middle) > stats.norm.ppf(1 - 1e-4) * sd, kind
