"""What a comparison comes to, by lists whose values are known by hand."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.evaluation import Comparison, Evaluation, compare, evaluate
from reclens.evaluation.decision import Decision, decide
from reclens.evaluation.hits import share_without_hit
from reclens.report.evaluation.decision_words import decision_in_words

USERS = 80
METRICS = ["hit_rate@1", "coverage@1", "novelty@1"]


def evaluation_of(name: str, hits: range) -> Evaluation:
    """Lists of one item: users in the range get their own, the others item n."""
    numbers = range(USERS)
    users = [f"u{at}" for at in numbers]
    truth = pl.DataFrame({"user_id": users, "item_id": [f"i{at}" for at in numbers]})
    items = [*(f"i{at}" for at in numbers), "n"]
    train = Dataset(
        pl.DataFrame({"user_id": users + ["v"] * len(items), "item_id": ["h"] * USERS + items}),
        segments=pl.DataFrame({"user_id": users, "half": ["left" if at < 40 else "right" for at in numbers]}),
        name="shop",
    )
    lists = pl.DataFrame(
        {
            "user_id": users,
            "item_id": [f"i{at}" if at in hits else "n" for at in numbers],
            "rank": [1] * USERS,
        }
    )
    return evaluate(lists, truth, train=train, metrics=METRICS, by=["half"], name=name)


@pytest.fixture(scope="module")
def measured() -> dict[str, Evaluation]:
    """Hits of users: base 20-39, more 0-69, other 5-74, same 20-39, less 20-24, swap 40-79."""
    spans = {"base": (20, 40), "more": (0, 70), "other": (5, 75), "same": (20, 40), "less": (20, 25), "swap": (40, 80)}
    return {name: evaluation_of(name, range(*span)) for name, span in spans.items()}


def decided(measured: dict[str, Evaluation], *names: str) -> tuple[Decision, Comparison]:
    results = {name: measured[name] for name in names}
    found = compare(results, baseline=names[0])
    return decide(results, found), found


def test_one_that_is_better_is_recommended(measured) -> None:
    found, comparison = decided(measured, "base", "more", "less")
    assert (found.code, found.system, found.tied_with) == ("winner", "more", ())
    assert (found.data, found.n_users, found.systems, found.metric) == ("shop", 80, 3, "hit_rate@1")
    assert found.lift == comparison.find("more", "hit_rate@1")
    assert found.lift.difference == pytest.approx(50 / 80)
    assert found.without_hit is not None and found.without_hit.value == pytest.approx(10 / 80)
    assert [row.metric for row in found.costs] == ["coverage@1", "novelty@1"]
    # 71 different items of 82 in the place of 21.
    assert (found.costs[0].baseline_value, found.costs[0].value) == pytest.approx((21 / 82, 71 / 82))
    assert found.worse_for == () and found.open_for == () and found.segments == 2


def test_who_may_be_as_good_is_named(measured) -> None:
    found, _ = decided(measured, "base", "more", "other")
    assert (found.code, {found.system, *found.tied_with}) == ("tied", {"more", "other"})


def test_the_baseline_stays_where_all_are_worse(measured) -> None:
    found, _ = decided(measured, "base", "less")
    assert (found.code, found.system, found.lift) == ("baseline", "base", None)


def test_nothing_is_decided_between_equals(measured) -> None:
    found, _ = decided(measured, "base", "same")
    assert found.code == "undecided"
    assert decision_in_words(found).headline.startswith("No winner")


def test_who_loses_is_said_of_a_winner(measured) -> None:
    found, _ = decided(measured, "base", "swap")
    # 40 hits in the place of 20: the left half loses all of its 20, the right half gains 40.
    assert found.code == "winner"
    assert [(row.segment, row.difference) for row in found.worse_for] == [("left", -0.5)]
    assert dict(decision_in_words(found).lines)["Who loses"].startswith("Worse for half left (-0.5000)")


def test_what_may_be_wrong_comes_before_what_wins(measured) -> None:
    def faulty(result: Evaluation) -> Evaluation:
        return replace(result, card={**result.card, "task_problems": ["truth_in_training"]})

    results = {name: faulty(measured[name]) for name in ("base", "more")}
    found = decide(results, compare(results, baseline="base"))
    assert found.code == "faulty" and decision_in_words(found).tone == "bad"


def test_without_a_comparison_nothing_is_recommended(measured) -> None:
    results = {name: measured[name] for name in ("base", "more")}
    found = decide(results)
    assert (found.code, found.system, found.lift, found.costs) == ("not_compared", "more", None, ())
    assert "More" not in decision_in_words(found).headline


def test_a_metric_without_a_better_side_decides_nothing(measured) -> None:
    results = {name: measured[name] for name in ("base", "more")}
    comparison = compare(results, baseline="base")
    assert decide(results, comparison, metric="novelty@1").code == "no_direction"


def test_systems_of_different_users_are_not_ranked(measured) -> None:
    found = compare({name: measured[name] for name in ("base", "more")}, baseline="base")
    alone = replace(found, differences=tuple(replace(row, system_only=1) for row in found.differences))
    assert decide({"base": measured["base"], "more": measured["more"]}, alone).code == "different_users"


def test_users_without_a_hit_are_counted_for_accuracy_alone(measured) -> None:
    assert share_without_hit(measured["less"], "hit_rate@1").value == pytest.approx(75 / 80)
    assert share_without_hit(measured["less"], "novelty@1") is None
    assert share_without_hit(measured["less"], "coverage@1") is None
