"""Exercise 2.4: lifts by hand, what a text may say, the right answer, and wrong ones."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError
from reclens.learn.exercise import Draw
from reclens.learn.exercises.read_and_decide import ReadAndDecide
from reclens.learn.finished_tests import DAYS, finished_tests, lift_of
from reclens.learn.readout_numbers import invented_numbers, numbers_of, sectioned

EXERCISE = ReadAndDecide()
DRAW = Draw(5 << 64, EXERCISE.code)
WRONG = {
    "ships what won": {"wrong_decision", "wrong_reason"},
    "novelty not seen": {"wrong_decision", "wrong_reason"},
    "assignment not looked at": {"wrong_decision", "wrong_reason"},
    "nothing shipped": {"wrong_decision", "wrong_reason"},
    "significant without interval": {"significant_without_interval"},
    "effects of other days": {"wrong_effect", "no_interval_in_section", "significant_without_interval"},
    "no text": {"no_section"},
    "invented numbers": {"number_without_source"},
    "invented shares": {"number_without_source"},
    "days without their day": {"number_without_source"},
    "numbers of another test": {"number_without_source"},
}
SOURCES = [name for name, found in WRONG.items() if found == {"number_without_source"}]
"""To judge these, the tests are read with the product, which takes seconds."""


@pytest.mark.parametrize("seed", range(4))
def test_the_solution_passes_and_no_wrong_answer_does(seed: int, judged, tmp_path: Path) -> None:
    draw = Draw(seed << 64, EXERCISE.code)
    EXERCISE.write_data(draw, tmp_path)
    assert judged(EXERCISE, draw, EXERCISE.solve) == []
    assert set(EXERCISE.wrong) == set(WRONG)
    for name in WRONG if seed == 0 else WRONG.keys() - SOURCES:
        assert {each.code for each in judged(EXERCISE, draw, EXERCISE.wrong[name])} <= WRONG[name], name
        assert judged(EXERCISE, draw, EXERCISE.wrong[name]), name


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("readout")
    EXERCISE.write_data(DRAW, place)
    EXERCISE.solve(DRAW, place)
    return (place / "readout.md").read_text()


def codes(text: str) -> list[str]:
    return [each.code for each in EXERCISE.judge({"readout.md": text}, DRAW)]


def test_what_is_no_readout_is_named(text: str) -> None:
    assert codes(text.removeprefix("+++\n")) == ["no_front_matter"]
    assert codes(text.replace("[test_2]", "[test_9]")) == ["no_entry_of_test"]
    assert codes(text.replace('decision = "ship"', "decision = 3")) == ["unknown_decision"]
    assert codes(text.replace('reasons = ["lasts"]', 'reasons = ["because"]')) == ["unknown_reason"]
    assert codes(text.replace('reasons = ["lasts"]', 'reasons = ["lasts", "novelty"]')) == ["wrong_reason"]
    assert codes(text.replace("low = ", "low = nan #", 1)) == ["wrong_effect"]
    assert codes(text.replace("## test_3", "## The last one")) == ["no_section"]
    with pytest.raises(DataError, match=r"front matter of readout\.md is no TOML"):
        codes(text.replace("decision = ", "decision is ", 1))


def test_a_readout_of_one_long_line_is_read_in_no_time(text: str) -> None:
    began = time.process_time()
    assert codes("+++" + "\n" * 50_000) == ["no_front_matter"]
    assert codes(f"{text}\n{'#' * 50_000}\n") == []
    assert time.process_time() - began < 5
    assert codes(f"{text}\n{'9' * 5_000}\n") == ["number_without_source"]


def test_what_the_readout_of_the_product_says_may_be_quoted(text: str) -> None:
    import tomllib

    from reclens.experiment import Plan, read
    from reclens.learn.finished_tests import plan_text
    from reclens.settings import validate

    test = finished_tests(DRAW)["test_1"]
    effect = read(validate(Plan, tomllib.loads(plan_text("test_1")), source="plan"), test.log, events=True).effects[0]
    assert effect.lift is not None
    # Another formula of the interval (Fieller's) than that of the check, within its room.
    width = test.lift.high - test.lift.low
    assert effect.lift.value == pytest.approx(test.lift.value)
    assert (effect.lift.low, effect.lift.high) == pytest.approx((test.lift.low, test.lift.high), abs=0.05 * width)
    quoted = f"The lift is {effect.lift.value:.2%}, from {effect.lift.low:.2%} to {effect.lift.high:.2%}.\n"
    assert codes(f"{text}\n## In short\n\n{quoted}") == []
    assert codes(f"{text}\nOther than in test_1. {quoted}") == ["number_without_source"], "below the heading of test_3"
    assert codes(f"{text}\nIn test_1: {quoted}") == []


def test_the_document_of_the_product_may_be_handed_in(text: str) -> None:
    """As the task advises: whatever stands there stands in its sentence or its row of a table."""
    import tomllib

    from reclens.experiment import Plan, read
    from reclens.learn.finished_tests import plan_text
    from reclens.report.experiment.readout import build_readout
    from reclens.settings import validate

    plan = validate(Plan, tomllib.loads(plan_text("test_2")), source="plan")
    document = build_readout(read(plan, finished_tests(DRAW)["test_2"].log, events=True)).markdown
    pasted = document.replace("\n#", "\n###")
    assert len(numbers_of(pasted)) > 500
    found = codes(text.replace("## test_2\n", f"## test_2\n\n##{pasted}\n"))
    assert set(found) <= {"significant_without_interval"}, "which is left to be edited"


def test_a_number_of_a_day_needs_its_day(text: str) -> None:
    log = finished_tests(DRAW)["test_3"].log.filter(variant="new")
    users = log.group_by("user_id").agg(pl.col("timestamp").min().dt.date().cast(str), pl.col("clicks").sum())
    day = "2026-01-09"
    clicks = f"{users.filter(timestamp=day)['clicks'].mean():.4f}"
    for said in (f"On {day} new users clicked {clicks} times.", f"Day 5: {clicks}.", f"| {day} | {clicks} |"):
        assert codes(f"{text}\n{said}\n") == [], said
    for said in (
        f"Users clicked {clicks} times.",
        f"It was on {day}. They clicked {clicks} times.",
        f"Day 6: {clicks}.",
    ):
        assert codes(f"{text}\n{said}\n") == ["number_without_source"], said
    assert codes(text + "\nIn 12 of 31 days.\n") == []
    assert codes(text + "\nIn 3,211.5 of 9,121.5 days.\n") == ["number_without_source"]


def test_an_invented_share_is_known_by_chance_alone() -> None:
    """Of made-up shares with a decimal that name no day, at most one in ten fits a number of the test."""
    rng = np.random.default_rng(2)
    said = [f"{each:.1f} %" for each in rng.uniform(1, 80, 300)]
    found = invented_numbers("## test_2\n" + ".\n".join(f"Orders rise by {each}" for each in said), DRAW)
    assert len(found) > 0.9 * len(set(said))


def test_numbers_are_read_as_they_are_written() -> None:
    found = numbers_of("test_2: −12.50 % [+1,204; 3e5], x2 at 2026-01-05, 31 percent of 7")
    assert [(each.value, each.share, each.is_small) for each in found] == [
        ("12.50", True, False),
        ("1204", False, False),
        ("31", True, False),
        ("7", False, True),
    ]
    [share, plain] = numbers_of("12.5 % and 12.5")
    assert share.is_one_of(frozenset({0.1254})) and plain.is_one_of(frozenset({0.1254, 3.0}))
    assert plain.is_one_of(frozenset({12.54})) and not share.is_one_of(frozenset({12.5, 0.1256}))
    text = "# All\nx\n## test_1\na\n### Effects\nb\n## In short\nc\n## About test-3\nd"
    assert [each for each in sectioned(text) if "#" not in each[1]] == [
        ("", "x"),
        ("test_1", "a"),
        ("test_1", "b"),
        ("", "c"),
        ("test_3", "d"),
    ]


def test_a_lift_by_hand_and_by_simulation(rate_error) -> None:
    # 1, 3 against 3, 5: 4/2 − 1; each variance of a mean is 1, so se = √(1 + 4) ÷ 2.
    lift = lift_of(np.array([1.0, 3.0]), np.array([3.0, 5.0]))
    assert (lift.value, lift.z) == pytest.approx((1.0, 2 / np.sqrt(5)))
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(1000):
        found = lift_of(rng.negative_binomial(1, 0.1, 400), rng.negative_binomial(1, 1 / 11.8, 500))  # 9 and 10.8
        inside.append(found.low < 0.2 < found.high)
    assert np.mean(inside) == pytest.approx(0.95, abs=rate_error(0.95, 1000))


def test_each_kind_of_test_is_there_once_and_shows_what_it_is() -> None:
    orders = set()
    for seed in range(5):
        tests = finished_tests(Draw(seed << 64, EXERCISE.code))
        orders.add(tuple(each.kind for each in tests.values()))
        assert {each.kind for each in tests.values()} == {"broken", "novelty", "lasting"}
        for each in tests.values():
            assert each.lift.low > 0  # all of them won
            assert (each.imbalance < -5) == (each.kind == "broken")
            assert (each.late.low > 0) == (each.kind == "lasting") or each.kind == "broken"
            assert each.log.select("user_id", "timestamp").n_unique() == each.log.height
            assert each.log["timestamp"].dt.date().n_unique() == DAYS
    assert len(orders) > 2
