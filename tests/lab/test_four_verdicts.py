"""One world, four verdicts: each is about a truth that is known, and is held against it."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import UsageError
from reclens.experiment.interleaving.preference import LEAST_CREDITED
from reclens.experiment.off_policy import Target, evaluate_policy
from reclens.lab.method_comparison import explored_log, first_day_lists, four_verdicts
from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import World, draw_world
from reclens.world.response import respond
from reclens.world.settings import preset
from reclens.world.strategies import Oracle, Popular


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(preset("tiny", users=800, click_rate=0.2), seed=1)


def arms(world: World, k: int) -> tuple[Arm, Arm]:
    return (
        Arm(name="treatment", strategy=Oracle(world), policy=Policy(k=k)),
        Arm(name="control", strategy=Popular(), policy=Policy(k=k)),
    )


def test_four_verdicts_beside_their_truths(world) -> None:
    found = four_verdicts(world, *arms(world, 3), days=7, lists=20)
    rows = found.to_dicts()
    assert [row["verdict"] for row in rows if row["verdict"] == "truth"] == ["truth"] * 3
    by = {(row["verdict"], row["method"], row["measure"]): row for row in rows}
    # A/B: about everything that happens in a week.
    clicks = by["A/B", "Welch", "clicks"]
    assert (
        clicks["truth"] == found.truth["clicks"].difference.value and clicks["says"] == "treatment" and clicks["right"]
    )
    assert abs(clicks["effect"] - clicks["truth"]) < clicks["high"] - clicks["low"]
    # Interleaving: right, and with fewer users than A/B.
    for method in ("team_draft", "balanced", "probabilistic", "optimized"):
        row = by["interleaving", method, "credit a list"]
        assert row["says"] == "treatment" and row["right"] is True
        assert row["gain_low"] < row["gain"] < row["gain_high"]
        # The effect is so large that A/B finds it with few users; two methods wait for 50 with credit all the same.
        assert row["gain"] > 1 or (method in LEAST_CREDITED and row["users_needed"] > 50)
        assert (row["note"] == "known_bias") == (method == "balanced")
    # Off-policy: right in sign. Whole beginnings of lists are nearer to the truth than items alone, which compete.
    truth = found.list_truth.value
    for name in ("ips", "snips", "dr", "sn_iips"):
        row = by["off-policy", name, "clicks a list"]
        assert row["says"] == "treatment" and row["truth"] == truth
        assert row["effect"] > truth, "in a list of weaker items an item is clicked more"
        assert row["note"] == "by_place", "and the row says so"
    assert ("off-policy", "iips", "clicks a list") not in by, "the same number as ips: counted once"
    assert found.off_policy_lists["iips"].difference.value == pytest.approx(
        3 * found.off_policy["ips"].difference.value
    )
    for name in ("dm", "switch_dr", "dr_os"):
        row = by["off-policy", name, "clicks a list"]
        assert row["low"] is None and row["says"] == "none" and row["note"] == "refused"
    rips = by["off-policy", "rips", "clicks a list"]
    assert rips["low"] < truth < rips["high"]
    assert found.off_policy_lists["rips"].effective < found.off_policy.weights.effective
    assert {row["says"] for row in rows} <= {"treatment", "control", "undecided", "none"}


def test_a_strategy_against_itself(world) -> None:
    same = Arm(name="treatment", strategy=Popular(), policy=Policy(k=3))
    found = four_verdicts(world, same, arms(world, 3)[1], days=2, lists=2, methods=["team_draft"])
    assert found.truth["clicks"].difference.value == 0 == found.list_truth.value
    for row in found.to_dicts():
        assert row["says"] in ("undecided", "none"), row
        if row["verdict"] in ("off-policy", "A/B, lists alone"):
            assert row["effect"] == pytest.approx(0, abs=1e-12)


def test_what_is_shown_on_the_first_day(world) -> None:
    lists = first_day_lists(world, arms(world, 3)[0])
    history = set(zip(*(part.tolist() for part in world.history[:2]), strict=True))
    assert not any((user, item) in history for user, one in enumerate(lists.tolist()) for item in one)
    assert (world.born[lists[lists >= 0]] <= 0).all()
    held = lists >= 0
    assert (held[:, :-1] >= held[:, 1:]).all(), "without gaps"


def test_an_explored_log_has_true_propensities(world) -> None:
    candidates = first_day_lists(world, arms(world, 2)[1])[:, :4]
    one = np.repeat(candidates[:1], world.users.height, axis=0)  # the same four for everybody, so that shares are seen
    for policy in (Policy(kind="epsilon", k=2, pool=4, epsilon=0.4), Policy(kind="softmax", k=2, pool=4)):
        log, down = explored_log(world, one, policy, lists=25, seed=4)
        for place in range(2):
            at = log.places == place
            for item in one[0]:
                own = at & (log.actions == item)
                share, chance = own.sum() / at.sum(), log.propensities[own]
                assert share == pytest.approx(chance.mean(), abs=4 * np.sqrt(share / at.sum())), (policy.kind, place)
        # The chances of the lists that there are: E[1 / P(list)] is how many there can be.
        assert (1 / down[log.places == 1]).mean() == pytest.approx(12, rel=0.2)
    # One place, so that nothing competes: the value of another policy is right.
    policy = Policy(kind="epsilon", k=1, pool=4, epsilon=0.8)
    log, _ = explored_log(world, candidates, policy, lists=25, seed=5)
    rows = log.requests // 25
    best = candidates[:, ::-1]
    found = evaluate_policy(log, Target.of_lists(log, best, Policy(k=1, pool=4), rows=rows), method="normal")
    truth = respond(world, np.arange(len(best)), best[:, :1]).expected.mean()
    for name in ("ips", "snips", "dr"):
        value = found[name].value
        assert abs(value.value - truth) < 4 * (value.high - value.low) / 3.92, name


def test_lists_of_one_length(world) -> None:
    treatment, _ = arms(world, 3)
    with pytest.raises(UsageError, match="the treatment shows 3 items and the control 4"):
        four_verdicts(world, treatment, arms(world, 4)[1])
