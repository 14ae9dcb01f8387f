"""The search: it finds a known optimum, spends the same on every model, and never looks at the test part."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data import split as splits
from reclens.data.split import Split
from reclens.errors import UnknownNameError, UsageError
from reclens.job.settings import validate_settings
from reclens.models._core.search_space import Choice, Float, Whole
from reclens.tuning import Tuning, tune
from reclens.tuning.results import Trial
from reclens.tuning.schedule import promote, rung_sizes, seconds_left


@pytest.fixture(scope="module")
def split(dial_world: ModuleType) -> Split:
    return dial_world.make_split()


@pytest.fixture(scope="module")
def halved(dial_world: ModuleType, split: Split) -> tuple[Tuning, list]:
    """Two models tuned by halving, and what was fitted."""
    dial_world.Dial.fits.clear()
    return tune(split, [dial_world.Dial, dial_world.Other], method="halving", trials=20), list(dial_world.Dial.fits)


def without_times(tuning: Tuning) -> list[dict]:
    return [row | {"seconds": 0} for row in (*tuning.trial_dicts(), *tuning.to_dicts())]


@pytest.mark.parametrize("method", ["random", "halving"])
def test_the_known_optimum_is_found(dial_world: ModuleType, split: Split, method: str) -> None:
    best = tune(split, [dial_world.Dial], method=method, trials=20)["dial"]  # type: ignore[arg-type]
    assert dial_world.place(best.parameters["dial"]) <= 1
    assert best.value.value == pytest.approx(dial_world.value(best.parameters["dial"]))
    assert best.default.value == pytest.approx(dial_world.value(0.8))
    assert best.gain is not None and best.gain.value == pytest.approx(best.value.value - best.default.value)
    assert best.gain.low is not None and best.gain.low > 0


def test_every_trial_has_the_value_worked_out_by_hand(dial_world: ModuleType, split: Split) -> None:
    tuning = tune(split, [dial_world.Dial], trials=8)
    assert len({trial.parameters["dial"] for trial in tuning.trials}) == 8
    for trial in tuning.trials:
        assert trial.value == pytest.approx(dial_world.value(trial.parameters["dial"]))


def test_budgets_are_equal_by_count(halved: tuple[Tuning, list]) -> None:
    tuning, fits = halved
    for name in ("dial", "other"):
        rungs = [trial.rung for trial in tuning.trials if trial.model == name]
        assert [rungs.count(rung) for rung in range(3)] == [60, 20, 6]
        assert tuning[name].spent == pytest.approx(60 / 9 + 20 / 3 + 6)
        assert sum(fit[0] == name for fit in fits) == tuning[name].trials == 86
    assert {each.model: each.configurations for each in tuning} == {"dial": 60, "other": 60}


def test_rungs_contain_each_other_and_have_their_shares(halved: tuple[Tuning, list], dial_world: ModuleType) -> None:
    _, fits = halved
    users = sorted({fit[2] for fit in fits}, key=len)
    assert len(users) == 3 and users[0] < users[1] < users[2]
    n = dial_world.ASKERS + dial_world.HOLDERS
    for chosen, share in zip(users, (1 / 9, 1 / 3, 1), strict=True):
        assert abs(len(chosen) - share * n) <= 4 * np.sqrt(n * share * (1 - share))


def test_rungs_take_the_best_and_carry_the_default(halved: tuple[Tuning, list]) -> None:
    trials = [trial for trial in halved[0].trials if trial.model == "dial"]
    for rung, size in ((1, 20), (2, 6)):
        below = sorted((t for t in trials if t.rung == rung - 1), key=lambda t: (-t.value, t.number))
        taken = [t.number for t in trials if t.rung == rung]
        best = [t.number for t in below[:size]]
        assert taken[0] == 0
        assert set(taken) == (set(best) if 0 in best else {*best[:-1], 0})


def test_a_model_without_ranges_has_one_trial(split: Split) -> None:
    tuning = tune(split, ["popular"], method="halving", trials=9)
    assert [(trial.share, trial.number) for trial in tuning.trials] == [(1.0, 0)]
    assert tuning["popular"].exhausted and tuning["popular"].value.value == 0  # ten other items are as popular


def test_few_choices_are_tried_once_each(dial_world: ModuleType, split: Split) -> None:
    space = {"dial": {"dial": Choice((0.8, 0.5, 0.3))}}
    best = tune(split, [dial_world.Dial], trials=20, spaces=space)["dial"]
    assert (best.configurations, best.spent, best.exhausted) == (3, 3.0, True)
    assert best.parameters["dial"] == 0.3


def test_refused_configurations_are_drawn_again_and_broken_ones_counted(dial_world: ModuleType, split: Split) -> None:
    tuning = tune(split, [dial_world.Picky], trials=20)
    dials = [trial.parameters["dial"] for trial in tuning.trials]
    assert len(dials) == 20 and min(dials) >= 0.2
    failed = {trial.parameters["dial"] for trial in tuning.trials if trial.error is not None}
    assert failed == {dial for dial in dials if dial > 0.7} and failed
    assert all(trial.value is None for trial in tuning.trials if trial.error is not None)
    assert tuning["picky"].spent == 20
    halved = tune(split, [dial_world.Picky], trials=20, method="halving")
    assert not [trial for trial in halved.trials if trial.rung and trial.error is not None]


def test_a_model_that_is_given_is_the_default(dial_world: ModuleType, split: Split) -> None:
    tuning = tune(split, [dial_world.Dial(dial=0.31, sleep=0.0001)], trials=3, spaces={"dial": {"dial": Float(0.6, 1)}})
    assert tuning.trials[0].parameters == {"dial": 0.31}
    assert tuning["dial"].number == 0 and tuning["dial"].parameters == {"sleep": 0.0001, "dial": 0.31}
    fixed = tune(split, [dial_world.Dial(dial=0.31)], trials=3, spaces={"dial": {"dial": None}})
    assert fixed["dial"].configurations == 1 and fixed["dial"].parameters == {"dial": 0.31}


@pytest.fixture(scope="module")
def real(small_data) -> Split:
    return splits.random(small_data, test_share=0.1, validation_share=0.1, rng=1)


def test_threads_and_company_change_nothing(real: Split) -> None:
    one = tune(real, ["item_knn", "ease"], trials=6, method="halving", shares=[0.5, 1], threads=1)
    two = tune(real, ["item_knn", "ease"], trials=6, method="halving", shares=[0.5, 1], threads=2)
    assert without_times(one) == without_times(two)
    alone = tune(real, ["ease"], trials=6, method="halving", shares=[0.5, 1])
    mine = [row | {"seconds": 0} for row in one.trial_dicts() if row["model"] == "ease"]
    assert [row | {"seconds": 0} for row in alone.trial_dicts()] == mine
    other = tune(real, ["ease"], trials=6, method="halving", shares=[0.5, 1], rng=1)
    assert [trial.parameters for trial in other.trials] != [trial.parameters for trial in alone.trials]


def test_the_best_value_is_what_evaluate_says(real: Split) -> None:
    tuning = tune(real, ["item_knn", "popular"], trials=4)
    model = rl.models.ItemKNN(**tuning["item_knn"].parameters).fit(real.train)
    lists = model.recommend(real.validation_users, k=10)
    result = rl.evaluate(lists, real.validation, train=real.train, metrics=["ndcg@10"])
    assert tuning["item_knn"].value == result["ndcg@10"].overall
    assert tuning.best[0].value.value == max(trial.value for trial in tuning.trials if trial.value is not None)


class Sealed(Split):
    """A split whose test part cannot be opened."""

    def __getattribute__(self, name: str):
        assert name not in ("test", "test_users", "tables"), "the test part was looked at"
        return super().__getattribute__(name)


def test_the_test_part_is_not_looked_at(dial_world: ModuleType, split: Split) -> None:
    sealed = Sealed(train=split.train, test=split.test, card=split.card, validation=split.validation)
    with pytest.raises(AssertionError, match="looked at"):
        _ = sealed.test
    found = tune(sealed, [dial_world.Dial, "popular"], method="halving", trials=9)
    other = replace(split, test=split.test.clear())
    assert without_times(found) == without_times(tune(other, [dial_world.Dial, "popular"], method="halving", trials=9))
    assert found.card["test_part"] == "unused"


def test_without_a_validation_part_it_says_how_to_make_one(split: Split) -> None:
    with pytest.raises(UsageError, match=r"no validation part.*validation_share=0\.1"):
        tune(replace(split, validation=None), ["popular"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"models": []}, "models is empty"),
        ({"models": ["eas"]}, "Did you mean 'ease'"),
        ({"models": ["ease", "ease"]}, "named twice"),
        ({"method": "grid"}, "unknown method 'grid'"),
        ({"metric": "ncdg@10"}, "Did you mean 'ndcg'"),
        ({"metric": "coverage@10"}, "a property of all lists together"),
        ({"metric": "novelty@10"}, "neither better high nor low"),
        ({"trials": 0}, "trials is 0"),
        ({"seconds": 0}, "seconds is 0"),
        ({"level": 1.0}, "level is 1.0"),
        ({"rng": None}, "rng is None"),
        ({"spaces": {"item_knn": {}}}, "unknown model in this search 'item_knn'"),
        ({"spaces": {"ease": {"l": Float(1, 2)}}}, "Did you mean 'l2'"),
        ({"shares": [0.5, 1]}, "a random search fits on all users"),
        ({"method": "halving", "shares": [0.5, 0.9]}, "rise to 1"),
        ({"method": "halving", "shares": [1.0]}, "rise to 1"),
        ({"method": "halving", "trials": 5}, "expected 6 or more"),
        ({"method": "halving", "shares": [0.01, 1]}, "Give larger shares"),
    ],
)
def test_wrong_use_is_explained(split: Split, arguments: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        tune(split, **{"models": ["ease"], **arguments})


def test_too_few_users_for_rungs(small_data) -> None:
    made = splits.random(rl.filters.k_core(small_data, users=45), validation_share=0.1)
    with pytest.raises(UsageError, match="too few for rungs"):
        tune(made, ["ease"], method="halving")


def test_a_default_that_cannot_be_fitted_is_explained(dial_world: ModuleType, split: Split) -> None:
    with pytest.raises(UsageError, match=r"default configuration of picky cannot be fitted: the dial broke.*Leave"):
        tune(split, [dial_world.Picky(dial=0.9)], trials=3)
    with pytest.raises(UsageError, match="recent_popular needs timestamps"):
        tune(split, ["recent_popular"], trials=3)


def test_a_limit_of_seconds_ends_a_search_but_not_before_two_trials(dial_world: ModuleType, split: Split) -> None:
    slow = dial_world.Dial(sleep=0.2)
    tuning = tune(split, [slow, dial_world.Other], trials=12, seconds=0.3, method="halving")
    mine = [trial for trial in tuning.trials if trial.model == "dial"]
    assert tuning["dial"].stopped and tuning["dial"].trials < 51
    assert [sum(trial.rung == rung for trial in mine) for rung in range(3)][1:] == [2, 2]
    assert {trial.number for trial in mine if trial.share == 1} >= {0}


def test_the_toml_is_a_job(real: Split) -> None:
    tuning = tune(real, ["item_knn", "ease", "popular"], trials=3)
    settings = validate_settings(tomllib.loads(tuning.to_toml()), source="tuning")
    assert settings.models == {each.model: dict(each.parameters) for each in tuning}
    with pytest.raises(UnknownNameError, match="Did you mean 'ease'"):
        tuning["eas"]


def test_a_model_made_of_models_is_a_job_too(real: Split) -> None:
    mixed = rl.models.WeightedHybrid(
        models={"ease": {"l2": 50.0}, "popular": {}}, weights={"ease": 1.0, "popular": 0.5}
    )
    tuning = tune(real, [mixed, "popular"], trials=3)
    settings = validate_settings(tomllib.loads(tuning.to_toml()), source="tuning")
    about = settings.models["weighted_hybrid"]
    assert rl.models.WeightedHybrid(**about) == rl.models.WeightedHybrid(**tuning["weighted_hybrid"].parameters)
    assert about["models"] == {"ease": {"l2": 50.0}, "popular": {}}


def test_progress_counts_every_trial_and_tells_the_time_left(dial_world: ModuleType, split: Split) -> None:
    said: list[tuple[str, int, int]] = []
    tune(split, [dial_world.Dial, "popular"], trials=5, progress=lambda *words: said.append(words))
    steps = [(what, done, total) for what, done, total in said if what.startswith("tune")]
    assert [done for _, done, _ in steps] == list(range(7)) and {total for _, _, total in steps} == {6}
    assert ["left" in what for what, _, _ in steps] == [False, False, True, True, True, True, False]
    assert any(what.startswith("fit dial · trial 3 of 6, about ") for what, _, _ in said)


def test_time_left_is_worked_out_from_the_trials_so_far() -> None:
    done = [
        Trial(model="a", number=0, rung=0, share=1.0, parameters={}, value=0.1, seconds=4.0),
        Trial(model="a", number=1, rung=0, share=0.5, parameters={}, value=0.1, seconds=2.0),
    ]
    assert seconds_left(done, {"a": 5.0, "b": 2.0}, None) is None  # nothing is known of b
    done.append(Trial(model="b", number=0, rung=0, share=1.0, parameters={}, value=0.1, seconds=9.0))
    # a takes 4 s a full fit and has 3.5 to go; b takes 9 s and has 1 to go.
    assert seconds_left(done, {"a": 5.0, "b": 2.0}, None) == pytest.approx(3.5 * 4 + 9)
    # With 10 s each, a has 4 s left and b 1.
    assert seconds_left(done, {"a": 5.0, "b": 2.0}, 10.0) == pytest.approx(4 + 1)


@pytest.mark.parametrize(("trials", "shares"), [(20, [1 / 9, 1 / 3, 1]), (7, [0.25, 1]), (31, [0.1, 0.4, 0.7, 1])])
def test_rungs_spend_the_same_and_no_more_than_the_budget(trials: int, shares: list[float]) -> None:
    sizes = rung_sizes(trials, shares)
    for size, share in zip(sizes, shares, strict=True):
        assert trials / len(shares) - share < size * share <= trials / len(shares) + 1e-9
    assert sum(size * share for size, share in zip(sizes, shares, strict=True)) <= trials + 1e-9


def test_promotion_takes_the_best_whichever_way_is_better() -> None:
    trials = [
        Trial(model="m", number=number, rung=0, share=0.5, parameters={}, value=value, seconds=0.0)
        for number, value in enumerate((0.5, 0.9, None, 0.1, 0.9))
    ]
    assert promote(trials, 2, sign=1) == [1, 0]
    assert promote(trials, 3, sign=1) == [1, 4, 0]
    assert promote(trials, 2, sign=-1) == [3, 0]
    assert promote(trials, 9, sign=1) == [1, 4, 0, 3]
    higher = Trial(model="m", number=3, rung=1, share=1.0, parameters={}, value=0.2, seconds=0.0)
    assert promote([*trials, higher], 2, sign=1) == [3, 0]


def test_a_lower_value_can_be_better(real: Split) -> None:
    tuning = tune(real, ["item_knn"], metric="miscalibration@10", trials=6)
    assert tuning["item_knn"].value.value == min(trial.value for trial in tuning.trials if trial.value is not None)
    gain = tuning["item_knn"].gain
    assert gain is None or gain.value >= 0


def test_drawn_values_stay_in_their_ranges(dial_world: ModuleType, split: Split) -> None:
    space = {"dial": {"dial": Float(0.01, 1), "sleep": Choice((0.0, 1e-6))}}
    tuning = tune(split, [dial_world.Dial], trials=30, spaces=space)
    drawn = pl.Series([trial.parameters["dial"] for trial in tuning.trials[1:]])
    assert drawn.is_between(0.01, 1).all()
    # Evenly on the logarithmic scale: half of them lie below 0.1, give or take four standard deviations.
    assert abs((drawn < 0.1).sum() - 14.5) < 4 * np.sqrt(29) / 2
    rng = np.random.default_rng(0)
    assert {Whole(1, 3).draw(rng) for _ in range(100)} == {1, 2, 3}
