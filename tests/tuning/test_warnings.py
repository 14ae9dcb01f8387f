"""Cautions come exactly when they should, each with what to do."""

from __future__ import annotations

import itertools
from types import ModuleType

import numpy as np
import pytest

from reclens.data.split import Split
from reclens.models._core.search_space import Choice, Float, Whole
from reclens.stats.summary import Summary
from reclens.tuning import Tuning, tune
from reclens.tuning.warnings import expected_best, optimism


@pytest.fixture(scope="module")
def split(dial_world: ModuleType) -> Split:
    return dial_world.make_split()


def kinds(tuning: Tuning) -> set[tuple[str, str | None]]:
    return {(caution.kind, caution.model) for caution in tuning.cautions}


def facts(tuning: Tuning, kind: str) -> dict:
    return dict(next(caution.facts for caution in tuning.cautions if caution.kind == kind))


def test_nothing_is_said_where_nothing_stands_against_it(dial_world: ModuleType, split: Split) -> None:
    # A quarter of these dials are as good as the best one is, so that half of the trials would have found it too.
    spaces = {"dial": {"dial": Float(0.2, 0.4, log=False)}, "other": {"dial": Choice((0.8, 0.45, 0.9))}}
    tuning = tune(split, [dial_world.Dial, dial_world.Other], trials=30, spaces=spaces)
    assert tuning.cautions == () and [each.model for each in tuning] == ["dial", "other"]


@pytest.mark.parametrize(
    ("space", "side", "low", "high"),
    [
        (Float(0.35, 0.95, log=False), "low", -0.25, 0.95),
        (Float(0.05, 0.29, log=False), "high", 0.05, 0.53),
        (Float(0.29, 1), "low", 0.029, 1.0),
        (Float(0.01, 0.32), "high", 0.01, 3.2),
    ],
)
def test_a_best_value_near_an_end(
    dial_world: ModuleType, split: Split, space: Float, side: str, low: float, high: float
) -> None:
    tuning = tune(split, [dial_world.Dial, "popular"], trials=30, spaces={"dial": {"dial": space}})
    assert ("edge", "dial") in kinds(tuning)
    seen = facts(tuning, "edge")
    assert (seen["parameter"], seen["side"], seen["low"], seen["high"]) == ("dial", side, space.low, space.high)
    assert seen["value"] == tuning["dial"].parameters["dial"]
    assert seen["wider"] == {"low": low, "high": high, "log": space.log, "whole": False}


def test_a_best_default_outside_the_range(dial_world: ModuleType, split: Split) -> None:
    space = {"dial": {"dial": Float(0.6, 1), "sleep": Float(0.001, 0.002)}}
    tuning = tune(split, [dial_world.Dial(dial=0.3)], trials=4, spaces=space)
    edges = [caution.facts for caution in tuning.cautions if caution.kind == "edge"]
    assert [(each["parameter"], each["value"], each["low"], each["high"]) for each in edges] == [
        ("dial", 0.3, 0.6, 1),
        ("sleep", 0, 0.001, 0.002),
    ]
    assert edges[0]["wider"] == {"low": 0.06, "high": 1.0, "log": True, "whole": False}
    assert edges[1]["wider"] == {"low": 0.0, "high": 0.002, "log": False, "whole": False}


def test_a_value_in_the_middle_or_without_an_order_has_no_edge(dial_world: ModuleType, split: Split) -> None:
    for space in (Float(0, 0.6, log=False), Float(0.03, 3), Choice((0.8, 0.31, 0.3))):
        tuning = tune(split, [dial_world.Dial, "popular"], trials=40, spaces={"dial": {"dial": space}})
        assert "edge" not in {kind for kind, _ in kinds(tuning)}
    assert [Whole(1, 1000).edge(value) for value in (0, 1, 2, 31, 502, 1000, 2000)] == [
        "low",
        "low",
        None,
        None,
        "high",
        "high",
        "high",
    ]


def test_still_rising(dial_world: ModuleType, split: Split) -> None:
    # Over a wide range few configurations come near the optimum, and half of them miss it by far.
    few = tune(split, [dial_world.Dial, "popular"], trials=4)
    values = sorted(trial.value for trial in few.trials if trial.model == "dial")
    # The best of two out of four: each of the six pairs is as likely.
    half = np.mean([max(pair) for pair in itertools.combinations(values, 2)])
    assert values[-1] - half > 0.01 * values[-1]
    assert ("rising", "dial") in kinds(few)
    seen = facts(few, "rising")
    assert (seen["half"], seen["best"]) == (pytest.approx(half), values[-1])
    assert (seen["metric"], seen["configurations"], seen["trials"]) == (few.metric, 4, 4)
    many = tune(split, [dial_world.Dial, "popular"], trials=60)
    assert "rising" not in {kind for kind, _ in kinds(many)}


def test_no_better_than_the_default(dial_world: ModuleType, split: Split) -> None:
    same = tune(split, [dial_world.Dial(dial=0.3), "popular"], trials=10)
    assert ("default", "dial") in kinds(same) and same["dial"].gain is None
    assert facts(same, "default") == {"others": 9, "trials": 10, "by_rungs": False}
    better = tune(split, [dial_world.Dial(dial=0.5), "popular"], trials=30)
    assert "default" not in {kind for kind, _ in kinds(better)}


def test_a_gain_within_the_noise(small_data) -> None:
    from reclens.data.split import random

    made = random(small_data, test_share=0.1, validation_share=0.1, rng=1)
    # 300 and 290 hardly differ: whatever is gained by one is luck.
    spaces = {"ease": {"l2": Choice((300.0, 290.0, 310.0))}}
    tuning = tune(made, ["ease", "popular"], trials=3, spaces=spaces)
    gain = tuning["ease"].gain
    assert gain is None or (gain.low is not None and gain.low <= 0 < gain.value)
    assert ("default", "ease") in kinds(tuning)


def test_no_better_than_popular(dial_world: ModuleType, split: Split) -> None:
    # From 0.82 on the item stands below the tenth place for every user, and popular has nothing for them either.
    worthless = tune(split, [dial_world.Dial(dial=0.9)], trials=5, spaces={"dial": {"dial": Choice((0.9, 0.95, 1.0))}})
    assert ("popular", "dial") in kinds(worthless) and worthless["dial"].value.value == 0
    fine = tune(split, [dial_world.Dial], trials=5)
    assert "popular" not in {kind for kind, _ in kinds(fine)}


def test_baselines_that_were_not_tuned(dial_world: ModuleType, split: Split) -> None:
    tuning = tune(split, [dial_world.Dial, dial_world.Stuck, "popular", "random"], trials=5)
    assert {model for kind, model in kinds(tuning) if kind == "untuned"} == {"stuck"}
    assert facts(tuning, "untuned") == {"parameters": ["dial", "sleep"]}
    fixed = tune(split, [dial_world.Dial, dial_world.Other], trials=5, spaces={"other": {"dial": None}})
    assert ("untuned", "other") in kinds(fixed)
    assert not any(kind == "untuned" for kind, _ in kinds(tune(split, [dial_world.Stuck, "popular"], trials=5)))


def test_one_model_alone(dial_world: ModuleType, split: Split) -> None:
    assert ("alone", "dial") in kinds(tune(split, [dial_world.Dial], trials=2))
    assert ("alone", "dial") not in kinds(tune(split, [dial_world.Dial, "popular"], trials=2))


def test_two_models_that_cannot_be_told_apart(dial_world: ModuleType, split: Split) -> None:
    alike = {name: {"dial": Choice((0.8, 0.5))} for name in ("dial", "other")}
    models = [dial_world.Dial, dial_world.Other]
    tuning = tune(split, models, trials=2, spaces=alike)
    assert {facts(tuning, "close")[each] for each in ("first", "second")} == {"dial", "other"}
    apart = {"dial": {"dial": Choice((0.8, 0.3))}, "other": {"dial": Choice((0.8, 0.5))}}
    assert ("close", None) not in kinds(tune(split, models, trials=2, spaces=apart))


def test_fewer_trials_than_the_others(dial_world: ModuleType, split: Split) -> None:
    slow = dial_world.Dial(sleep=0.3)
    tuning = tune(
        split, [slow, dial_world.Other], trials=6, seconds=0.5, spaces={"other": {"dial": Choice((0.8, 0.3))}}
    )
    assert {model for kind, model in kinds(tuning) if kind == "fewer"} == {"dial"}
    seen = facts(tuning, "fewer")
    assert (seen["spent"], seen["trials"], seen["seconds"]) == (2.0, 6, 0.5) and seen["needed"] > 1.8  # 6 fits of 0.3 s


def test_trials_that_failed(dial_world: ModuleType, split: Split) -> None:
    tuning = tune(split, [dial_world.Picky, "popular"], trials=20)
    failed = sum(trial.error is not None for trial in tuning.trials)
    seen = facts(tuning, "failed")
    assert (seen["count"], seen["of"]) == (failed, 20) and "the dial broke" in seen["error"]
    fine = tune(split, [dial_world.Picky, "popular"], trials=20, spaces={"picky": {"dial": Float(0.25, 0.65)}})
    assert not any(kind == "failed" for kind, _ in kinds(fine))


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_the_expected_best_is_the_mean_over_all_subsets(m: int) -> None:
    values = [0.3, 0.1, 0.9, 0.4, 0.4]
    found = [max(subset) for subset in itertools.combinations(values, m)]
    assert expected_best(values, m) == pytest.approx(sum(found) / len(found))


def test_optimism_of_equals_is_what_theory_says() -> None:
    # The means of 30 equally good configurations are normal with s = 1 ÷ √n; resampling adds as much noise again. The
    # largest of 30 such sums is 2.043 √2 s above 0 on average, and half of it is the resampling's: 1.444 s.
    n, seeds, found = 400, 40, []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        keys = rng.integers(0, 2**63, n).astype(np.uint64)
        noise = [Summary.of(keys, {"x": rng.normal(size=n)}, replicates=400) for _ in range(30)]
        found.append(optimism(noise, "x", sign=1))
    assert np.mean(found) * np.sqrt(n) == pytest.approx(1.444, abs=4 * np.std(found) * np.sqrt(n / seeds))
    assert optimism(noise[:1], "x", sign=1) is None
    # One that is far ahead of all others was not chosen by luck.
    ahead = Summary.of(keys, {"x": rng.normal(size=n) + 9}, replicates=400)
    assert optimism([*noise, ahead], "x", sign=1) == pytest.approx(0, abs=0.02)
    assert optimism([*noise, ahead], "x", sign=-1) > 0.5 / np.sqrt(n)
