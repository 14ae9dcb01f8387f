"""The mitigation lab as a whole: what is tried for which gap, chosen on validation, reported once on test."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit import Audit, AuditSettings
from reclens.audit.measure import measure_audit
from reclens.audit.mitigate.gaps import Gap, ItemGap, UserGap
from reclens.audit.mitigate.lab import Candidates, Mitigation, MitigationSettings, candidates_of, mitigation
from reclens.audit.mitigate.long_run import LoopSettings, long_runs
from reclens.audit.mitigate.standard import GROUP, RERANKERS, LeftOut, goal_of, spec_of
from reclens.data.split.result import Split
from reclens.errors import UnknownNameError, UsageError
from reclens.lab.feedback import FeedbackLoop

SETTINGS = AuditSettings(
    by=["gender"], attributes=["popularity", "genres"], protected=["gender", "genres"], replicates=200
)
TAIL = ItemGap("popularity", "tail")
FEW: dict[str, Any] = {"rerank": {"xquad": [0.5], "dual_prices": [0.5, 1.0]}, "weights": {"inverse_propensity": [0.5]}}


@pytest.fixture(scope="module")
def split() -> Split:
    data = rl.synthetic_movielens(n_users=200, n_items=80, n_ratings=7_000)
    return rl.split.last_n(data, n=4, validation_n=3)


@pytest.fixture(scope="module")
def candidates(split: Split) -> Candidates:
    return candidates_of(
        None, split.test, train=split.train, validation=split.validation, model=("ease", {"l2": 50.0}), depth=40
    )


@pytest.fixture(scope="module")
def found(split: Split, candidates: Candidates) -> Mitigation:
    asked = MitigationSettings(gap=TAIL, most_lost=0.2, **FEW)
    return mitigation(candidates, asked, train=split.train, settings=SETTINGS)


def test_the_choice_is_made_on_validation_and_told_on_test(
    split: Split, candidates: Candidates, found: Mitigation
) -> None:
    names = [(each.mitigation, each.strength) for each in found.validation.trials]
    assert names == [
        ("none", 0.0),
        ("xquad", 0.5),
        ("dual_prices", 0.5),
        ("dual_prices", 1.0),
        ("inverse_propensity", 0.5),
    ]
    assert found.held_out == "part" and found.test is not None
    assert (found.test.mitigation, found.test.strength) == (found.choice.mitigation, found.choice.strength)
    assert split.validation is not None
    base = candidates.test.filter(pl.col("rank") <= 10)
    by_test = measure_audit(base, split.test, train=split.train, settings=SETTINGS).mean("ndcg@10")
    assert found.test.accuracy.value + found.test.accuracy_lost.value == pytest.approx(float(by_test.value))
    early = measure_audit(
        candidates.validation.filter(pl.col("rank") <= 10), split.validation, train=split.train, settings=SETTINGS
    )
    assert found.validation.trials[0].accuracy.value == pytest.approx(float(early.mean("ndcg@10").value))
    rows = found.to_dicts()
    assert [row["part"] for row in rows] == ["validation"] * 5 + ["test"]


def test_prices_reach_the_target_that_the_gap_has(found: Mitigation) -> None:
    half, whole = found.validation.trials[2:4]
    assert half.share_closed == pytest.approx(0.5, abs=0.03) and whole.share_closed == pytest.approx(1.0, abs=0.03)


def test_without_a_validation_part_half_of_the_users_choose(split: Split, candidates: Candidates) -> None:
    made = candidates_of(candidates.test, split.test, train=split.train)
    one, other = (set(each["user_id"].unique()) for each in (made.validation_truth, made.test_truth))
    assert made.held_out == "users" and not one & other and one | other == set(split.test["user_id"].unique())
    assert set(made.validation["user_id"]) <= one and set(made.test["user_id"]) <= other
    assert 60 < len(one) < 140
    again = candidates_of(candidates.test.reverse(), split.test.reverse(), train=split.train)
    assert set(again.validation_truth["user_id"]) == one  # by id, not by place


@pytest.mark.parametrize(
    ("gap", "left"),
    [
        (TAIL, {}),
        (ItemGap("popularity", "head"), {}),
        (
            ItemGap("genres", "Comedy", "profile"),
            dict.fromkeys(("fair_top_k", "det_greedy", "det_cons", "det_relaxed"), "several_labels"),
        ),
        (
            UserGap("ndcg@10", "gender", better="M", worse="F"),
            dict.fromkeys(("fair_top_k", "dual_prices", "det_greedy", "det_cons", "det_relaxed"), "no_item_group"),
        ),
    ],
)
def test_every_re_ranker_has_a_form_for_a_gap_or_says_why_not(
    gap: Gap, left: dict[str, str], split: Split, candidates: Candidates
) -> None:
    from reclens.pipeline.rerank import build

    lists = candidates.validation.filter(pl.col("rank") <= 10)
    goal = goal_of(split.train, lists, split.validation, gap, SETTINGS)
    specs = {name: spec_of(name, 0.5, goal) for name in RERANKERS}
    assert {name: spec.reason for name, spec in specs.items() if isinstance(spec, LeftOut)} == left
    for spec in specs.values():
        if not isinstance(spec, LeftOut):
            build(spec).prepare(goal.train, goal.train.item_vocabulary)
    if isinstance(gap, ItemGap):
        assert goal.target is not None and sum(goal.now.values()) == pytest.approx(1)
        shares = goal.shares(0.5)
        assert sum(shares.values()) == pytest.approx(1)
        assert shares[gap.group] == pytest.approx((goal.now[gap.group] + goal.target) / 2)


def test_the_groups_that_re_rankers_see_are_those_of_the_audit(split: Split, candidates: Candidates) -> None:
    lists = candidates.validation.filter(pl.col("rank") <= 10)
    goal = goal_of(split.train, lists, split.validation, TAIL, SETTINGS)
    assert goal.train.items is not None
    counts = split.train.interactions.group_by("item_id").len().sort("len")
    least = counts.filter(pl.col("len").cum_sum() <= 0.2 * float(counts["len"].sum()))["item_id"]
    tail = goal.train.items.filter(pl.col(GROUP) == "tail")["item_id"]
    assert abs(len(least) - len(tail)) <= 1 and len(set(least) - set(tail)) <= 2  # ties at the border
    weight = 1 / np.log2(1.0 + lists["rank"].to_numpy())
    share = (weight * lists["item_id"].is_in(tail.implode()).to_numpy()).sum() / weight.sum()
    assert goal.now["tail"] == pytest.approx(float(share))


def test_users_of_the_truth_may_be_others_than_the_first_of_the_training_data(
    split: Split, candidates: Candidates
) -> None:
    first = split.train.interactions["user_id"][0]
    few = dataclasses.replace(
        candidates, validation_truth=candidates.validation_truth.filter(pl.col("user_id") != first)
    )
    gap = ItemGap("genres", "Comedy")  # an attribute that is crossed with tiers
    asked = MitigationSettings(gap=gap, rerank={"xquad": [0.5]}, weights={})
    assert mitigation(few, asked, train=split.train, settings=SETTINGS).validation.n == 199


def test_what_cannot_be_tried_is_said(split: Split, candidates: Candidates) -> None:
    asked = MitigationSettings(gap=TAIL, rerank={"xquad": [0.5]}, weights={"group_weights": [1.0]})
    made = candidates_of(candidates.test, split.test, train=split.train)
    found = mitigation(made, asked, train=split.train, settings=SETTINGS)
    assert found.left_out == (LeftOut("group_weights", "no_model"),)
    plain = dataclasses.replace(candidates, model=("popular", {}))
    found = mitigation(plain, asked, train=split.train, settings=SETTINGS)
    assert found.left_out == (LeftOut("group_weights", "takes_no_weights"),)
    alone = dataclasses.replace(SETTINGS, by=(), protected=())
    assert mitigation(candidates, asked, train=split.train, settings=alone).left_out == (
        LeftOut("group_weights", "no_user_group"),
    )


def test_what_is_wrong_is_refused(split: Split, candidates: Candidates) -> None:
    with pytest.raises(UnknownNameError, match="xquadd"):
        MitigationSettings(gap=TAIL, rerank={"xquadd": [0.5]})
    with pytest.raises(UsageError, match="strengths"):
        MitigationSettings(gap=TAIL, rerank={"xquad": []})
    with pytest.raises(UsageError, match="strengths"):
        MitigationSettings(gap=TAIL, weights={"group_weights": [-0.1]})
    with pytest.raises(UsageError, match="nothing is tried"):
        MitigationSettings(gap=TAIL, rerank={}, weights={})
    with pytest.raises(UsageError, match="scores"):
        candidates_of(candidates.test.drop("score"), split.test, train=split.train)
    with pytest.raises(UsageError, match="at least 20"):
        candidates_of(candidates.test, split.test.head(30), train=split.train)
    short = dataclasses.replace(candidates, depth=10)
    with pytest.raises(UsageError, match="nothing to choose"):
        mitigation(short, MitigationSettings(gap=TAIL, **FEW), train=split.train, settings=SETTINGS)
    misspelt = MitigationSettings(gap=dataclasses.replace(TAIL, group="tial"), **FEW)
    with pytest.raises(UnknownNameError, match=r"'tial'.*'tail'"):  # before the length of the lists is looked at
        mitigation(short, misspelt, train=split.train, settings=SETTINGS)
    lists_only = dataclasses.replace(candidates, model=None)
    asked = MitigationSettings(gap=TAIL, rerank={"xquad": [0.5]}, weights={}, loop=LoopSettings())
    with pytest.raises(UsageError, match="retrains a model"):
        mitigation(lists_only, asked, train=split.train, settings=SETTINGS)


def test_the_long_run_is_paired_by_run() -> None:
    def loop(first: float, second: float) -> FeedbackLoop:
        rows = [
            {"seed": seed, "round": at, "by": "overall", "segment": "all", "measure": name, "value": value * (at + 1)}
            for name in ("consumption", "gini", "coverage", "arp", "homogenisation")
            for seed, value in ((0, first), (1, second))
            for at in (0, 1)
        ]
        return FeedbackLoop(recommender="x", rounds=pl.DataFrame(rows), slopes=(), card={})

    found = {each.measure: each for each in long_runs("xquad", 0.5, loop(1.0, 2.0), loop(1.5, 2.7))}
    # Over two rounds 1 + 2 times the number: 3 and 6 without, 4.5 and 8.1 with; in the last one 2 and 4, 3 and 5.4.
    eaten = found["consumption"]
    assert (eaten.without, eaten.value.value) == (4.5, pytest.approx(6.3))
    assert eaten.change.value == pytest.approx((1.5 + 2.1) / 2)
    # Student's quantile with 1 degree of freedom is 12.706; the differences lie 0.3 from their mean.
    assert eaten.change.high == pytest.approx(1.8 + 12.706 * 0.3, abs=1e-3)
    assert (found["arp"].without, found["arp"].change.value) == (3.0, pytest.approx((1.0 + 1.4) / 2))


def test_mitigations_live_through_the_loop_and_are_kept(split: Split, candidates: Candidates, tmp_path: Path) -> None:
    few: dict[str, Any] = {"rerank": {"dual_prices": [1.0]}, "weights": {"inverse_propensity": [0.5]}}
    asked = MitigationSettings(gap=TAIL, most_lost=0.2, **few, loop=LoopSettings(rounds=2, seeds=1, days=1))
    found = mitigation(candidates, asked, train=split.train, settings=SETTINGS)
    assert {each.mitigation for each in found.loop} == {"none", "dual_prices", "inverse_propensity"}
    assert all(each.change.value == 0 for each in found.loop if each.mitigation == "none")
    moved = {each.mitigation: each.change.value for each in found.loop if each.measure == "arp"}
    assert moved["dual_prices"] < 0  # less popular items, as asked for
    audit = rl.audit.run(
        candidates.test.filter(pl.col("rank") <= 10), split.test, train=split.train, settings=SETTINGS, name="ease"
    )
    dataclasses.replace(audit, mitigation=found).save(tmp_path)
    kept = Audit.load(tmp_path)
    assert kept.mitigation is not None and kept.mitigation.choice == found.choice
    assert repr(kept.mitigation.validation.trials) == repr(found.validation.trials)
    assert kept.mitigation.validation.gap == TAIL and kept.mitigation.loop == found.loop
