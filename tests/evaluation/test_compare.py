"""Comparisons: pairing, tests, corrections, refusals and the words of the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.evaluation import Comparison, Evaluation, PairedDifference, compare, evaluate
from reclens.report.evaluation.words import comparison_text as verdict_of
from reclens.report.evaluation.words import why_not_significant
from reclens.schema import Recommendations
from reclens.stats.multiplicity import adjust

METRICS = ["ndcg@10", "recall@10", "coverage@10", "diversity@10"]


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


def raw_of(rows: Iterable[PairedDifference]) -> np.ndarray:
    return np.array([np.nan if row.p_randomization is None else row.p_randomization for row in rows])


def test_the_main_question_is_a_family_of_its_own(world, results) -> None:
    runs = results | {
        "half": evaluate(
            world.lists["good"].filter(pl.col("rank") < 4),
            world.truth,
            train=world.train,
            metrics=METRICS,
            by=["age", "tiny"],
            name="half",
        )
    }
    for correction in ("holm", "bh", "none"):
        comparison = compare(runs, baseline="poor", correction=correction, primary="recall@10")
        tested = [r for r in comparison.differences if r.metric != "coverage@10"]
        families = {
            "primary": [r for r in tested if (r.by, r.metric) == ("overall", "recall@10")],
            "metrics": [r for r in tested if r.by == "overall" and r.metric != "recall@10"],
            "segments": [r for r in tested if r.by != "overall"],
        }
        for family, rows in families.items():
            assert {row.family for row in rows} == {family} and {row.tests for row in rows} == {len(rows)}
            got = [row.p_adjusted for row in rows]
            np.testing.assert_allclose(got, adjust(raw_of(rows), correction=correction))
        # Two systems; three averaged metrics, in all, age (3) and tiny (2).
        assert comparison.card["families"] == {"primary": 2, "metrics": 4, "segments": 2 * 3 * 5}
        assert (comparison.card["tests"], comparison.card["primary"]) == (36, "recall@10")
    assert all(row.family is None for row in comparison.differences if row.metric == "coverage@10")


def test_looking_at_more_does_not_weaken_the_main_question(results) -> None:
    alone = compare(results, baseline="poor", metrics=["ndcg@10"], by=[]).find("good", "ndcg@10")
    among = compare(results, baseline="poor").find("good", "ndcg@10")
    assert alone.p_adjusted == pytest.approx(among.p_adjusted) and among.p_adjusted == among.p_randomization
    segments = compare(results, baseline="poor", metrics=["ndcg@10"], by=["age"]).find("good", "ndcg@10")
    assert segments.p_adjusted == pytest.approx(alone.p_adjusted)


def test_metrics_of_the_catalogue_have_a_difference_and_no_test(results) -> None:
    row = compare(results, baseline="poor").find("good", "coverage@10")
    assert (row.low, row.p_adjusted, row.significant) == (None, None, None)
    assert row.note == "catalogue_metric"


def test_only_users_with_both_values_count_and_the_rest_are_counted(results) -> None:
    # The poor system has no list, and so no diversity, for one user in twenty.
    comparison = compare(results, baseline="poor")
    row = comparison.find("good", "diversity@10")
    assert (row.n, row.system_only, row.baseline_only) == (228, 12, 0)
    both = results["good"].per_user.join(results["poor"].per_user, on="user_id", suffix=" of poor")
    both = both.filter(pl.col("diversity@10").is_not_nan() & pl.col("diversity@10 of poor").is_not_nan())
    gaps = (both["diversity@10"] - both["diversity@10 of poor"]).to_numpy()
    assert row.value == pytest.approx(both["diversity@10"].mean())
    assert row.baseline_value == pytest.approx(both["diversity@10 of poor"].mean())
    assert row.difference == pytest.approx(gaps.mean()) and row.wins + row.ties + row.losses == 228
    half = 1.9705 * gaps.std(ddof=1) / np.sqrt(228)
    assert (row.low, row.high) == pytest.approx((gaps.mean() - half, gaps.mean() + half), abs=0.15 * half)
    verdict = verdict_of(comparison, "diversity@10")
    assert (
        "Left out of diversity@10, because nothing pairs with them: users 12 with a value under good alone." in verdict
    )
    assert comparison.find("good", "ndcg@10").system_only == 0 and not any(
        "Left out" in said for said in verdict_of(comparison)
    )


def conventional(lists: dict[str, range], hits: dict[str, range], **options) -> dict[str, Evaluation]:
    """Runs under a convention that leaves out users without a list: one item each, relevant for those of ``hits``."""
    truth = pl.DataFrame({"user_id": list(range(120)), "item_id": ["right"] * 120})
    runs = {}
    options |= {"catalogue": ["right", "wrong"]}
    for name, users in lists.items():
        items = ["right" if user in hits[name] else "wrong" for user in users]
        table = pl.DataFrame({"user_id": list(users), "item_id": items, "rank": [1] * len(users)})
        runs[name] = evaluate(table, truth, metrics=["hit_rate@1"], convention="recbole", name=name, **options)
    return runs


def test_a_convention_that_leaves_users_out_compares_the_same_users_all_the_same() -> None:
    # 110 users have both lists: 109 tie, one loses. The 10 users whom one system serves alone all have a hit there.
    runs = conventional({"ours": range(120), "theirs": range(110)}, {"ours": range(41, 120), "theirs": range(40, 110)})
    row = compare(runs, baseline="theirs").find("ours", "hit_rate@1")
    assert (row.n, row.system_only, row.baseline_only) == (110, 10, 0)
    assert (row.wins, row.ties, row.losses, row.p_randomization) == (0, 109, 1, 1.0)
    assert row.difference == pytest.approx(-1 / 110) and row.baseline_value == pytest.approx(70 / 110)
    assert row.low < -1 / 110 < 0 < row.high < 0.03 and not row.significant


@pytest.mark.parametrize(("theirs", "n"), [(range(60, 120), 0), (range(59, 119), 1), (range(30, 90), 30)])
def test_equal_numbers_of_different_users_are_no_pairing(theirs: range, n: int) -> None:
    runs = conventional({"ours": range(60), "theirs": theirs}, {"ours": range(60), "theirs": range(0)})
    row = compare(runs, baseline="theirs").find("ours", "hit_rate@1")
    assert (row.n, row.system_only, row.baseline_only) == (n, 60 - n, 60 - n)
    assert (row.wins, row.ties, row.losses) == (n, 0, 0)
    if n:
        assert (row.difference, row.p_randomization) == (1.0, 2.0 ** (1 - n))
    else:
        assert (row.low, row.p_randomization) == (None, None) and np.isnan(row.difference)
        verdict = verdict_of(compare(runs, baseline="theirs"))
        assert verdict[0] == "Nothing can be said of ours and theirs by hit_rate@1: no user has a value under both."


def test_systems_with_values_of_different_users_are_not_ranked() -> None:
    runs = conventional(
        {"a": range(100), "b": range(20, 120), "c": range(100)}, {"a": range(50), "b": range(90), "c": range(40)}
    )
    verdict = verdict_of(compare(runs, baseline="a"))
    assert verdict[0].startswith(
        "The systems have values of hit_rate@1 for different users, so that they are not ranked."
    )
    assert not any("comes first" in said for said in verdict)


def test_a_system_against_itself_is_no_evidence(world) -> None:
    runs = {name: evaluate(world.lists["good"], world.truth, metrics=["ndcg@10"], name=name) for name in "ab"}
    row = compare(runs, baseline="a").find("b", "ndcg@10")
    assert (row.difference, row.p_randomization, row.significant, row.ties) == (0.0, None, None, 240)
    # Zero discordant of n: Tango's score interval reaches z² / (n + z²), and not 0.
    assert (row.low, row.high) == pytest.approx(
        (-(1.959964**2) / (240 + 1.959964**2), 1.959964**2 / (240 + 1.959964**2))
    )
    assert (row.disagreement, row.note) == (None, "every_user_ties")


def test_the_verdict_says_what_can_and_cannot_be_concluded(results) -> None:
    verdict = verdict_of(compare(results, baseline="poor", by=["age", "tiny"]))
    assert verdict[0].startswith("good is better than poor by ndcg@10")
    assert "Too few users to conclude anything in tiny few (n = 5)." in verdict
    assert verdict[-1] == (
        "18 paired randomisation tests were made, each family corrected by itself (holm): 1 of ndcg@10 over all users "
        "(the main question), 2 of the other metrics over all users, 15 of segments; each interval holds at 95% for "
        "its own difference."
    )
    worse = verdict_of(compare(results, baseline="good"))
    assert worse[0].startswith("poor is worse than good")


def test_the_verdict_begins_with_who_comes_first(world) -> None:
    lists = world.lists | {"none": world.lists["good"].filter(pl.col("user_id") == "u1")}
    runs = {name: evaluate(table, world.truth, metrics=["ndcg@10"], name=name) for name, table in lists.items()}
    verdict = verdict_of(compare(runs, baseline="poor"))
    value = runs["good"]["ndcg@10"].overall.value
    assert verdict[0] == f"good comes first of 3 systems by ndcg@10 ({value:.4f}). Against poor: 1 better, 1 worse."
    assert [sentence.split(" is ")[0] for sentence in verdict[1:3]] == ["good", "none"]
    assert verdict_of(compare(runs, baseline="good"))[0].startswith("good comes first of 3 systems")


def test_nothing_is_concluded_from_noise(world) -> None:
    lists = world.lists["good"]
    rng = np.random.default_rng(0)
    shuffled = lists.with_columns(pl.Series("score", rng.random(lists.height))).drop("rank")
    again = lists.with_columns(pl.Series("score", rng.random(lists.height))).drop("rank")
    runs = {
        name: evaluate(table, world.truth, metrics=["ndcg@10"], name=name)
        for name, table in (("one", shuffled), ("two", again))
    }
    comparison = compare(runs, baseline="one")
    assert not comparison.differences[0].significant
    assert verdict_of(comparison)[0].startswith("No difference between two and one can be concluded")
    assert "finds true differences from about" in verdict_of(comparison)[0]


def difference_of(p: float, adjusted: float, low: float, high: float) -> PairedDifference:
    return PairedDifference(
        system="new",
        baseline="old",
        metric="ndcg@10",
        by="age",
        segment="young",
        n=100,
        value=0.5,
        baseline_value=0.4,
        difference=0.1,
        low=low,
        high=high,
        p_randomization=p,
        p_adjusted=adjusted,
        significant=adjusted < 0.05,
        wins=60,
        ties=10,
        losses=30,
        tests=54,
        family="segments",
        smallest_detectable=0.2,
    )


@pytest.mark.parametrize(
    ("row", "reason", "says"),
    [
        (
            difference_of(0.012, 1.0, 0.02, 0.18),
            "corrected",
            "(p = 0.012), and not after the correction (holm) over the 54 tests of its family",
        ),
        (difference_of(0.052, 0.052, 0.001, 0.18), "borderline", "two methods, fall on two sides of the limit"),
        (difference_of(0.049, 0.049, -0.001, 0.18), "borderline", "two methods, fall on two sides of the limit"),
        (difference_of(0.3, 1.0, -0.1, 0.18), None, None),
        (difference_of(0.001, 0.004, 0.02, 0.18), None, None),
    ],
)
def test_an_interval_without_zero_beside_an_adjusted_p_of_one_has_its_reason(
    row: PairedDifference, reason: str | None, says: str | None
) -> None:
    assert row.disagreement == reason
    said = why_not_significant(row, "holm")
    assert (said is None) == (says is None) and (says or "") in (said or "")
    one = Comparison(
        baseline="old",
        differences=(replace(row, by="overall", segment="all"),),
        correction="holm",
        level=0.95,
        card={"primary": "ndcg@10"},
    )
    verdict = verdict_of(one)
    assert f"p = {row.p_randomization:.3f}" in verdict[0] and (says or "") in verdict[0]


def test_simultaneous_intervals_hold_for_a_family_together(results) -> None:
    alone, together = (compare(results, baseline="poor", intervals=kind) for kind in ("single", "simultaneous"))
    ratio = []
    for one, other in zip(alone.differences, together.differences, strict=True):
        assert (one.difference, one.p_adjusted) == pytest.approx((other.difference, other.p_adjusted), nan_ok=True) or (
            one.p_adjusted is None
        )
        if one.low is not None and one.n > 100:
            ratio.append((one.family, (other.high - other.low) / (one.high - one.low)))
    # One test of the main question: the same interval, 15 of segments: √2 wider and less, because they are dependent.
    assert [r for family, r in ratio if family == "primary"] == pytest.approx([1.0], abs=0.06)
    assert all(1.2 < r < 1.65 for family, r in ratio if family == "segments")
    assert "the intervals of a family hold at 95% all together" in verdict_of(together)[-1]
    with pytest.raises(UnknownNameError, match="Did you mean 'simultaneous'"):
        compare(results, baseline="poor", intervals="simultanous")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="primary metric"):
        compare(results, baseline="poor", primary="map@10")


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
    seen = pl.concat(
        [
            world.lists["good"].select("user_id", "item_id", pl.col("rank").cast(pl.Int64) + 1),
            world.train.interactions.unique("user_id", keep="first", maintain_order=True).with_columns(
                rank=pl.lit(1, pl.Int64)
            ),
        ]
    )
    other = evaluate(seen, world.truth, train=world.train, metrics=METRICS, name="other")
    with pytest.raises(IncomparableError, match="already seen"):
        compare({"poor": results["poor"], "other": other}, baseline="poor")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"k": 5}, r"the length that lists were asked for \(k\): 10 for 'a', 5 for 'b'"),
        ({"exclude_seen": False}, "whether seen items were left out: yes for 'a', no for 'b'"),
        (
            {"train": {"hash": "0b2f", "name": "all"}},
            "the data that the model learned from: one for 'a', all for 'b'",
        ),
        (
            {"train": {"hash": "0b2f", "name": "one"}},
            "the data that the model learned from: one in both, of other content",
        ),
        ({"train": {"hash": "5e1d", "name": "a copy"}}, None),  # names do not matter
        ({"k": 50}, None),  # no metric looks below rank 10
        ({"k": None, "exclude_seen": None, "train": None}, None),  # lists from elsewhere say nothing
    ],
)
def test_lists_that_were_made_by_another_protocol_are_refused(world, change: dict, says: str | None) -> None:
    card = {"k": 10, "exclude_seen": True, "train": {"hash": "5e1d", "name": "one"}}
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


@pytest.mark.parametrize(
    ("metric", "difference", "significant", "n", "outcome"),
    [
        ("ndcg@10", 0.1, True, 50, "better"),
        ("ndcg@10", -0.1, True, 50, "worse"),
        ("miscalibration@10", 0.1, True, 50, "worse"),
        ("novelty@10", 0.1, True, 50, "higher"),
        ("novelty@10", -0.1, True, 50, "lower"),
        ("ndcg@10", 0.1, False, 50, "undecided"),
        ("ndcg@10", 0.0, None, 50, "not_tested"),
        ("ndcg@10", float("nan"), None, 0, "no_users"),
    ],
)
def test_the_outcome_is_a_code(metric: str, difference: float, significant: bool | None, n: int, outcome: str) -> None:
    row = PairedDifference(
        system="new",
        baseline="old",
        metric=metric,
        by="overall",
        segment="all",
        n=n,
        value=0.5,
        baseline_value=0.4,
        difference=difference,
        low=0.0,
        high=0.2,
        significant=significant,
    )
    assert row.outcome == outcome
    assert Comparison(
        baseline="old", differences=(row,), correction="holm", level=0.95, card={"primary": metric}
    ).outcomes() == {"new": outcome}
