"""Comparisons: pairing, tests, corrections, refusals and the words of the verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.split import random
from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.evaluate import Comparison, Evaluation, compare, evaluate
from reclens.schema import Recommendations
from reclens.stats.multiplicity import adjust

METRICS = ["ndcg@10", "recall@10", "coverage@10", "diversity@10"]


@pytest.fixture(scope="module")
def results(world) -> dict[str, Evaluation]:
    return {
        name: evaluate(
            world.lists[name], world.truth, train=world.train, metrics=METRICS, by=["age", "tiny"], name=name
        )
        for name in ("poor", "good")
    }


def test_the_difference_is_that_of_the_same_users(results) -> None:
    row = compare(results, baseline="poor").find("good", "ndcg@10")
    both = results["good"].per_user.join(results["poor"].per_user, on="user_id", suffix="_poor")
    gap = (both["ndcg@10"] - both["ndcg@10_poor"]).to_numpy()
    assert (row.n, row.wins, row.ties, row.losses) == (240, (gap > 0).sum(), (gap == 0).sum(), (gap < 0).sum())
    assert row.difference == pytest.approx(gap.mean())
    assert row.low < gap.mean() < row.high
    # The bootstrap error of a paired mean is its textbook error, and so is the smallest detectable difference.
    assert row.smallest_detectable == pytest.approx(2.8016 * gap.std(ddof=1) / np.sqrt(240), rel=0.1)
    assert row.significant and row.p_randomization < 0.001


def test_p_values_are_corrected_over_all_tests_of_the_call(results) -> None:
    for correction in ("holm", "bh", "none"):
        comparison = compare(results, baseline="poor", correction=correction)
        raw = np.array([np.nan if r.p_randomization is None else r.p_randomization for r in comparison.differences])
        expected = adjust(raw, correction=correction)
        got = [np.nan if r.p_adjusted is None else r.p_adjusted for r in comparison.differences]
        np.testing.assert_allclose(got, expected)
        assert comparison.card["tests"] == 3 * 6  # three averaged metrics in all, age (3) and tiny (2)


def test_metrics_of_the_catalogue_have_a_difference_and_no_test(results) -> None:
    row = compare(results, baseline="poor").find("good", "coverage@10")
    assert (row.low, row.p_adjusted, row.significant) == (None, None, None)
    assert "no interval and no test" in row.note


def test_metrics_measured_on_different_users_say_so(results) -> None:
    # The poor system has no list, and so no diversity, for one user in twenty.
    assert "different users (240 and 228)" in compare(results, baseline="poor").find("good", "diversity@10").note


def test_a_system_against_itself_is_no_evidence(world) -> None:
    runs = {name: evaluate(world.lists["good"], world.truth, metrics=["ndcg@10"], name=name) for name in "ab"}
    row = compare(runs, baseline="a").find("b", "ndcg@10")
    assert (row.difference, row.p_randomization, row.significant, row.ties) == (0.0, None, None, 240)


def test_the_verdict_says_what_can_and_cannot_be_concluded(results) -> None:
    verdict = compare(results, baseline="poor", by=["age", "tiny"]).verdict
    assert verdict[0].startswith("good is better than poor by ndcg@10")
    assert "Too few users to conclude anything in tiny few (n = 5)." in verdict
    assert verdict[-1].startswith("18 paired randomisation tests were made, corrected together (holm)")
    worse = compare(results, baseline="good").verdict
    assert worse[0].startswith("poor is worse than good")


def test_the_verdict_begins_with_who_comes_first(world) -> None:
    lists = world.lists | {"none": world.lists["good"].filter(pl.col("user_id") == "u1")}
    runs = {name: evaluate(table, world.truth, metrics=["ndcg@10"], name=name) for name, table in lists.items()}
    verdict = compare(runs, baseline="poor").verdict
    value = runs["good"]["ndcg@10"].overall.value
    assert verdict[0] == f"good comes first of 3 systems by ndcg@10 ({value:.4f}). Against poor: 1 better, 1 worse."
    assert [sentence.split(" is ")[0] for sentence in verdict[1:3]] == ["good", "none"]
    assert compare(runs, baseline="good").verdict[0].startswith("good comes first of 3 systems")


def test_nothing_is_concluded_from_noise(world) -> None:
    lists = world.lists["good"]
    rng = np.random.default_rng(0)
    shuffled = lists.with_columns(pl.Series("score", rng.random(lists.height))).drop("rank")
    again = lists.with_columns(pl.Series("score", rng.random(lists.height))).drop("rank")
    runs = {name: evaluate(table, world.truth, metrics=["ndcg@10"], name=name)
            for name, table in (("one", shuffled), ("two", again))}  # fmt: skip
    comparison = compare(runs, baseline="one")
    assert not comparison.differences[0].significant
    assert comparison.verdict[0].startswith("No difference between two and one can be concluded")
    assert "finds true differences from about" in comparison.verdict[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: {"truth": w.truth.head(300)}, "held-out truth"),
        (lambda w: {"train": None, "metrics": ["ndcg@10"], "by": []}, "training data"),
        (lambda w: {"catalogue": w.train.interactions["item_id"].unique()[:50]}, "candidate items"),
        (lambda w: {"convention": "recbole"}, "convention"),
        (lambda w: {"rng": 1}, "seed"),
    ],
)
def test_runs_that_were_not_measured_alike_are_refused(world, results, change, says: str) -> None:
    options = {"truth": world.truth, "train": world.train, "metrics": METRICS, "by": ["age"]} | change(world)
    truth = options.pop("truth")
    other = evaluate(world.lists["good"], truth, name="other", **options)
    with pytest.raises(IncomparableError, match=says):
        compare({"poor": results["poor"], "other": other}, baseline="poor")


def test_another_filter_of_seen_items_is_refused(world, results) -> None:
    seen = pl.concat([
        world.lists["good"].select("user_id", "item_id", pl.col("rank").cast(pl.Int64) + 1),
        world.train.interactions.unique("user_id", keep="first", maintain_order=True).with_columns(
            rank=pl.lit(1, pl.Int64)
        ),
    ])  # fmt: skip
    other = evaluate(seen, world.truth, train=world.train, metrics=METRICS, name="other")
    with pytest.raises(IncomparableError, match="already seen"):
        compare({"poor": results["poor"], "other": other}, baseline="poor")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"k": 5}, r"the length that lists were asked for \(k\): 10 for 'a', 5 for 'b'"),
        ({"exclude_seen": False}, "whether seen items were left out: True for 'a', False for 'b'"),
        ({"train": {"hash": "of all data"}}, "the data that the model learned from: one for 'a', of all data for 'b'"),
        ({"k": 50}, None),  # no metric looks below rank 10
        ({"k": None, "exclude_seen": None, "train": None}, None),  # lists from elsewhere say nothing
    ],
)
def test_lists_that_were_made_by_another_protocol_are_refused(world, change: dict, says: str | None) -> None:
    card = {"k": 10, "exclude_seen": True, "train": {"hash": "one"}}
    runs = {
        name: evaluate(
            Recommendations(world.lists["good"], name, own), world.truth, metrics=["ndcg@10"], replicates=100
        )
        for name, own in (("a", card), ("b", card | change))
    }
    if says is None:
        assert compare(runs, baseline="a").find("b", "ndcg@10").difference == 0
    else:
        with pytest.raises(IncomparableError, match=says):
            compare(runs, baseline="a")


def test_wrong_use_is_explained(results) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'poor'"):
        compare(results, baseline="por")
    with pytest.raises(UsageError, match="one evaluation only"):
        compare({"poor": results["poor"]}, baseline="poor")
    with pytest.raises(UnknownNameError, match="metric that every evaluation has"):
        compare(results, baseline="poor", metrics=["map@10"])


def test_threads_do_not_change_a_number(results) -> None:
    assert (
        compare(results, baseline="poor", threads=1).to_dicts()
        == compare(results, baseline="poor", threads=2).to_dicts()
    )


def test_a_comparison_survives_being_saved(results, tmp_path: Path) -> None:
    comparison = compare(results, baseline="poor")
    comparison.save(tmp_path)
    again = Comparison.load(tmp_path)
    assert again.to_dicts() == comparison.to_dicts() and again.verdict == comparison.verdict


def test_who_gains_by_a_metric_whose_lower_values_are_better(small_data) -> None:
    """Counted by hand from the values of each user: a fall is a gain."""
    split = random(small_data, rng=1)
    train = split.train
    results = {
        name: evaluate(model.fit(train).recommend(split.test_users), split.test, train=train, features="genres",
                       metrics=["miscalibration@10", "ndcg@10"], replicates=200, name=name)
        for name, model in {"popular": models.Popular(), "ease": models.EASE(l2=50)}.items()
    }  # fmt: skip
    found = compare(results, baseline="popular").find("ease", "miscalibration@10")
    both = results["popular"].per_user.join(results["ease"].per_user, on="user_id", suffix=" of ease")
    change = (both["miscalibration@10 of ease"] - both["miscalibration@10"]).drop_nans()
    assert (found.gained, found.lost) == (int((change < -1e-12).sum()), int((change > 1e-12).sum()))
    assert found.gained == found.losses
    verdict = compare(results, baseline="popular", metrics=["miscalibration@10"]).verdict
    assert any(f"{found.gained:,} users gain, {found.lost:,} lose" in sentence for sentence in verdict)
