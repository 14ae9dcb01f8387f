"""The mitigation lab: fronts and knees by hand and by brute force, sweeps on data whose answer is known."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.audit.measure import measure_audit
from reclens.audit.mitigate.frontier import achievable_frontier, distance_to_frontier
from reclens.audit.mitigate.gaps import ItemGap, UserGap
from reclens.audit.mitigate.pareto import knee_of, pareto_front
from reclens.audit.mitigate.trials import Choice, Sweep, choose, confirm, reranked, sweep
from reclens.audit.mitigate.who_pays import WITHIN
from reclens.audit.settings import AuditSettings
from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError

FEW = AuditSettings(replicates=200)
BY_SEX = AuditSettings(replicates=200, by="sex")

# ------------------------------------------------------------------------------------------------------------ fronts


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    lost, gained = (np.array(each, float) for each in zip(*points, strict=True))
    front = pareto_front(lost, gained)
    for at, (cost, gain) in enumerate(points):
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        first = points.index((cost, gain)) == at
        assert (at in front) == (not beaten and first)
    assert (np.diff(lost[front]) > 0).all() and (np.diff(gained[front]) > 0).all()


def test_knees_by_hand() -> None:
    # Scaled to (0, 0), (.2, .7), (.5, .9), (1, 1): .5, .4 above the line.
    assert knee_of(np.array([0, 0.02, 0.05, 0.1]), np.array([0, 7.0, 9.0, 10.0])) == 1
    assert knee_of(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.0])) is None  # a straight line has none
    assert knee_of(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.1, 1.0])) is None  # and what hangs below it neither
    assert knee_of(np.array([0.0, 1.0]), np.array([0.0, 1.0])) is None
    with pytest.raises(UsageError, match="finite"):
        pareto_front(np.array([0.0, np.nan]), np.array([0.0, 1.0]))


# --------------------------------------------------------------------------------------------------------- a small shop


@pytest.fixture(scope="module")
def shop() -> dict[str, Any]:
    """Two hundred users; a big seller's items come first in the lists, a small one's are as often relevant.

    Items 0 … 29 are of the big seller, 30 … 49 of the small one; the popular ones of each have the lower numbers.
    """
    rng = np.random.default_rng(8)
    n, n_items = 200, 50
    small = np.arange(n_items) >= 30
    rows, truth, lists = [], [], []
    for user in range(n):
        taste = rng.gumbel(size=n_items) - 0.04 * (np.arange(n_items) % 30)
        liked = np.argsort(-taste)
        own, relevant = liked[:6], liked[6:12]
        rows += [(user, int(item)) for item in own]
        truth += [(user, int(item)) for item in relevant]
        score = taste + rng.normal(size=n_items) - 1.0 * small
        score[own] = -np.inf
        order = np.argsort(-score)[:30]
        lists += [(user, int(item), rank, float(score[item])) for rank, item in enumerate(order, 1)]
    rows += [(n, item) for item in range(n_items)]
    schema = ["user_id", "item_id"]
    items = pl.DataFrame({"item_id": range(n_items), "seller": np.where(small, "small", "big")})
    users = pl.DataFrame({"user_id": range(n + 1), "sex": ["f" if user % 3 else "m" for user in range(n + 1)]})
    train = Dataset(pl.DataFrame(rows, schema=schema, orient="row"), items=items, users=users)
    train = train.with_segments(sex=lambda data: data.users.select("user_id", label="sex"))  # type: ignore[union-attr]
    candidates = pl.DataFrame(lists, schema=[*schema, "rank", "score"], orient="row")
    return {
        "train": train,
        "truth": pl.DataFrame(truth, schema=schema, orient="row"),
        "candidates": candidates,
        "lists": candidates.filter(pl.col("rank") <= 10),
        "gap": ItemGap("seller", "small"),
    }


@pytest.fixture(scope="module")
def found(shop: dict[str, Any]) -> Sweep:
    def priced(weight: float) -> Any:
        spec = {"kind": "dual_prices", "attribute": "seller", "weight": weight}
        return lambda: reranked(shop["candidates"], spec, train=shop["train"], k=10)

    def emptied(share: float) -> Any:
        """Closes a gap of users by showing everybody less."""
        return lambda: (
            shop["lists"].filter(pl.col("rank") > 10 * share).with_columns(pl.col("rank") - round(10 * share))
        )

    mitigations = {"prices": {each: priced(each) for each in (0.0, 0.5, 1.0)}, "emptied": {0.5: emptied(0.5)}}
    return sweep(shop["lists"], mitigations, shop["truth"], train=shop["train"], gap=shop["gap"], settings=BY_SEX)


def exposure_share(lists: pl.DataFrame) -> float:
    weight = 1 / np.log2(1.0 + lists["rank"].to_numpy())
    return float((weight * (lists["item_id"].to_numpy() >= 30)).sum() / weight.sum())


def test_what_a_sweep_says_is_what_the_lists_hold(shop: dict[str, Any], found: Sweep) -> None:
    none, zero, half, whole, emptied = found.trials
    assert [each.mitigation for each in found.trials] == ["none", *["prices"] * 3, "emptied"]
    assert none.gap.value == pytest.approx(0.4 - exposure_share(shop["lists"]))  # 20 of 50 items are the small one's
    assert none.gap.value > 0.1 and none.gap_closed.value == 0 and none.payers == ()
    assert zero.gap.value == pytest.approx(none.gap.value) and zero.accuracy_lost.value == pytest.approx(0)
    assert half.gap_closed.value == pytest.approx(none.gap.value / 2, abs=2e-3)
    assert whole.share_closed == pytest.approx(1, abs=2e-2)
    assert whole.gap.value == pytest.approx(none.gap.value - whole.gap_closed.value)
    assert whole.accuracy.value == pytest.approx(none.accuracy.value - whole.accuracy_lost.value)
    assert half.gap_closed.low is not None and half.gap_closed.low > 0 and whole.seconds > 0
    # The first places are worth most: lists that lose them lose accuracy, and are dominated.
    assert emptied.accuracy_lost.low is not None and emptied.accuracy_lost.low > 0 and not emptied.on_front
    assert found.front[0].accuracy_lost.value <= found.front[-1].accuracy_lost.value
    assert found.n == 200
    assert found.to_frame().height == 5 and whole.to_dicts()[0]["gap_closed_low"] == whole.gap_closed.low
    assert whole.payers[0].to_frame()["code"].to_list() == [whole.payers[0].code]


def test_the_loss_is_paired_by_user(shop: dict[str, Any], found: Sweep) -> None:
    """Its interval is that of the differences of users, which is narrower than that of two means apart."""
    half = found.trials[2]
    lost = half.accuracy_lost
    assert lost.low is not None and lost.high is not None and half.accuracy.low is not None
    assert half.accuracy.high is not None
    assert lost.high - lost.low < 0.7 * (half.accuracy.high - half.accuracy.low)
    per_user = [
        measure_audit(each, shop["truth"], train=shop["train"], settings=FEW).per_user
        for each in (
            shop["lists"],
            reranked(shop["candidates"], {"kind": "dual_prices", "attribute": "seller"}, train=shop["train"], k=10),
        )
    ]
    differences = (per_user[0]["ndcg@10"] - per_user[1]["ndcg@10"]).drop_nulls().drop_nans().to_numpy()
    assert lost.value == pytest.approx(differences.mean())
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    assert (lost.high - lost.low) / 2 == pytest.approx(1.97 * error, rel=0.2)


def test_who_pays(shop: dict[str, Any], found: Sweep) -> None:
    whole = found.trials[3]
    sides = {(each.side, each.by, each.group): each for each in whole.payers}
    assert {each.side for each in whole.payers} == {"users", "items", "items_within"}
    assert sides["items", "seller", "small"].code == "gains" and sides["items", "seller", "big"].code == "loses"
    assert sides["items", "seller", "small"].change.value == pytest.approx(whole.gap_closed.value)
    within = [each for each in whole.payers if each.side == "items_within" and each.group.startswith("big / ")]
    assert [each.group for each in within] == ["big / head", "big / middle", "big / tail"]
    assert sum(each.change.value for each in within) == pytest.approx(sides["items", "seller", "big"].change.value)
    assert {each.by for each in within} == {WITHIN}
    users = [each for each in whole.payers if each.side == "users"]
    assert {each.group for each in users} == {"all", "f", "m"}
    assert next(each for each in users if each.group == "all").change.value == pytest.approx(-whole.accuracy_lost.value)


def test_a_gap_closed_by_harming_both_is_flagged(shop: dict[str, Any]) -> None:
    """Men are served well and women badly; showing men nothing good closes it, and so does showing nobody anything."""
    men = pl.col("user_id") % 3 == 0
    best = shop["truth"].with_columns(rank=pl.col("item_id").cum_count().over("user_id").cast(pl.Int32))
    odd = pl.col("user_id") % 2
    men_see = best.filter(men & (pl.col("rank") > odd)).with_columns(pl.col("rank") - odd)
    women_see = best.filter(~men & (pl.col("rank") > 3 + odd)).with_columns(pl.col("rank") - 3 - odd)
    lists = pl.concat([men_see, women_see])
    gap = UserGap("ndcg@10", "sex", better="m", worse="f")
    ways = {
        "both": {1.0: lambda: lists.filter(pl.col("rank") == 1)},
        "better": {1.0: lambda: lists.filter(~men | (pl.col("rank") == 1))},
        "worse up": {1.0: lambda: best},
    }
    found = sweep(lists, ways, shop["truth"], train=shop["train"], gap=gap, settings=FEW)
    both, better, up = found.trials[1:]
    assert both.gap_closed.value > 0 and both.levelling_down == "shown"
    assert better.gap_closed.value > 0 and better.levelling_down == "none"
    assert up.levelling_down == "none" and up.share_closed == pytest.approx(1)
    assert both.distance is None and better.turned and not up.turned
    assert choose(found, most_lost=1.0).mitigation == "worse up"


def test_the_choice_is_made_on_validation_and_reported_once(shop: dict[str, Any], found: Sweep) -> None:
    none, whole = found.trials[0], found.trials[3]
    assert whole.accuracy_lost.high is not None
    enough = whole.accuracy_lost.high / none.accuracy.value + 1e-9
    chosen = choose(found, most_lost=max(enough, 0.0))
    assert chosen == Choice(mitigation="prices", strength=1.0, rule="budget", most_lost=max(enough, 0.0), looked_at=4)
    assert choose(found, most_lost=0.0).mitigation in ("none", "prices")
    if found.knee is not None:
        assert choose(found, rule="knee").strength == found.trials[found.knee].strength
    test = shop["truth"].sample(fraction=0.5, seed=1)
    spec = {"kind": "dual_prices", "attribute": "seller", "weight": chosen.strength}
    trial = confirm(
        chosen,
        shop["lists"],
        lambda: reranked(shop["candidates"], spec, train=shop["train"], k=10),
        test,
        train=shop["train"],
        gap=shop["gap"],
        settings=FEW,
    )
    assert (trial.mitigation, trial.strength) == ("prices", 1.0)
    assert trial.gap_closed.value == pytest.approx(whole.gap_closed.value)  # exposure does not look at the truth
    assert trial.accuracy.value != pytest.approx(whole.accuracy.value, abs=1e-6)
    with pytest.raises(UsageError, match="no mitigation was chosen"):
        confirm(
            Choice(mitigation="none", strength=0.0, rule="budget", most_lost=0.0, looked_at=4),
            shop["lists"],
            lambda: None,
            test,
        )


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda shop, found: choose(found, most_lost=-0.1), UsageError, "most_lost is -0.1"),
        (lambda shop, found: choose(found, rule="best"), UsageError, "rule is 'best'"),
        (lambda shop, found: try_(shop, {}), UsageError, "has to be a mitigation"),
        (lambda shop, found: try_(shop, {"none": {}}), UsageError, "by another name"),
        (lambda shop, found: try_(shop, {"a": {}}, gap=ItemGap("seller", "smal")), UnknownNameError, "mean 'small'"),
        (
            lambda shop, found: try_(shop, {"a": {}}, gap=UserGap("ndcg@10", "sex", "m", "x")),
            UnknownNameError,
            "group of 'sex'",
        ),
    ],
)
def test_wrong_use_is_explained(shop: dict[str, Any], found: Sweep, call: Any, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        call(shop, found)


def try_(shop: dict[str, Any], mitigations: Any, **changed: Any) -> Sweep:
    settings = {"train": shop["train"], "gap": shop["gap"]} | changed
    return sweep(shop["lists"], mitigations, shop["truth"], **settings)


# ------------------------------------------------------------------------------------------------------------ frontier


def test_the_frontier_is_that_of_all_lists() -> None:
    """Two users, five items, lists of two: every pair of lists, and the best NDCG at each exposure of the group."""
    items = pl.DataFrame({"item_id": range(8), "of": list("aaaabbbb")})
    train = Dataset(pl.DataFrame({"user_id": [9] * 8, "item_id": range(8)}), items=items)
    truth = pl.DataFrame({"user_id": [0, 0, 1], "item_id": [0, 1, 2]})  # a is relevant, and b is to be shown
    lists = pl.DataFrame({"user_id": [0, 0, 1, 1], "item_id": [0, 1, 2, 3], "rank": [1, 2, 1, 2]})
    measures = measure_audit(lists, truth, train=train, settings=AuditSettings(k=2, attributes=["of"]))
    frontier = achievable_frontier(measures, ItemGap("of", "b"))
    v = np.array([1, 1 / np.log2(3)])
    points = []
    for ways in itertools.product(itertools.permutations(range(8), 2), repeat=2):
        gains = [
            sum(v[at] for at, item in enumerate(way) if item in own)
            for way, own in zip(ways, ((0, 1), (2,)), strict=True)
        ]
        shown = sum(v[at] for way in ways for at, item in enumerate(way) if item >= 4) / (2 * v.sum())
        points.append((abs(0.5 - shown), (gains[0] / v.sum() + gains[1]) / 2))
    # Every list lies on or below the frontier, which mixes users: between two lists of all users it is a line.
    for gap, ndcg in points:
        best = np.interp(gap, frontier.gap, frontier.accuracy)
        assert ndcg <= best + 1e-9 or gap > frontier.gap[-1]
    # Without loss: user 0 has two relevant items of a, user 1 one of a and then b: .3869 of .5 is half of .3869.
    assert frontier.accuracy[-1] == pytest.approx(1) and frontier.gap[-1] == pytest.approx(0.5 - v[1] / v.sum() / 2)
    assert any(gap == pytest.approx(frontier.gap[-1]) and ndcg == pytest.approx(1) for gap, ndcg in points)
    # The rest costs v ÷ 1.6309 of user 0, half of the mean: at the target, .5 × 2 × 1.6309 - .6309 = 1 of 1.6309.
    assert frontier.gap[0] == 0 and frontier.accuracy[0] == pytest.approx(1 - 1 / v.sum() / 2)
    assert frontier.point(0.0) == pytest.approx((frontier.gap[-1], 1.0))
    assert frontier.point(1.0) == pytest.approx((0.0, frontier.accuracy[0]))
    # These lists have all relevance and nothing of b.
    found = distance_to_frontier(measures, ItemGap("of", "b"), "ndcg@2", alpha=0.0)
    assert found.distance.value == pytest.approx(0.5 - frontier.gap[-1])


def test_where_the_target_costs_nothing_the_frontier_is_a_point(shop: dict[str, Any], found: Sweep) -> None:
    measures = measure_audit(
        shop["lists"], shop["truth"], train=shop["train"], settings=AuditSettings(attributes=["seller"])
    )
    frontier = achievable_frontier(measures, shop["gap"])
    assert frontier.gap.tolist() == [0.0] and frontier.accuracy.tolist() == [1.0]
    none, whole = found.trials[0], found.trials[3]
    assert none.distance is not None and whole.distance is not None
    assert none.distance.distance.value == pytest.approx(np.hypot(none.gap.value, 1 - none.accuracy.value))
    assert none.distance.nearest.value == pytest.approx(none.distance.distance.value)
    assert none.distance.distance.low is not None
