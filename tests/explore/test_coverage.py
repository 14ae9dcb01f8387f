"""Coverage, wanted against shown, supply against demand: hand computation, rarefaction by drawing, simulated rates."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

from reclens.errors import DataError, IncomparableError
from reclens.explore.coverage import _gaps, coverage_curve, measure_coverage, suspects_of
from reclens.explore.demand import far_fence, outside_queries, supply_and_demand
from reclens.explore.neighbours import neighbour_graph


def test_the_curve_is_the_mean_over_all_choices_of_users() -> None:
    lists = [{0, 1}, {1, 2}, {1, 3}, {4, 0}, {1, 5}]
    exposures = np.bincount([item for each in lists for item in each], minlength=8)
    curve = coverage_curve(exposures, 5)
    for users, items in zip(curve.users, curve.items, strict=True):
        chosen = [len(set().union(*some)) for some in itertools.combinations(lists, users)]
        assert items == pytest.approx(np.mean(chosen))
    # Chao2: Q1 = 4 items once (2, 3, 4, 5), Q2 = 1 item twice (0): 6 + 4/5 · 16/2 > 8, and there are 8.
    assert (curve.once, curve.twice, curve.shown, curve.expected) == (4, 1, 6, 8.0)
    assert curve.too_few_queries == 1.0
    assert coverage_curve(np.r_[exposures, np.zeros(20, int)], 5).expected == pytest.approx(6 + 4 / 5 * 16 / 2)
    none_twice = coverage_curve(np.array([1, 1, 1, 3, 0, 0, 0, 0, 0]), 4)  # Q1 (Q1 - 1) / 2 where Q2 is 0
    assert none_twice.expected == pytest.approx(4 + 3 / 4 * 3)
    assert coverage_curve(np.array([5, 5, 5, 0]), 5).too_few_queries == 0  # every user sees the same three


def test_shares_by_hand(space_of) -> None:
    space = space_of(np.random.default_rng(0).normal(size=(6, 3)), ids=pl.Series(list("abcdef")))
    regions = np.array([0, 0, 1, 1, 2, -1])
    lists = pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "c", "a", "zzz"]})
    truth = pl.DataFrame({"user_id": [1, 2, 2, 3], "item_id": ["e", "e", "c", "f"]})
    found = measure_coverage(space, regions, lists, truth, names=["x", "y", "z"])
    by = {each.name: each for each in found.regions}
    assert found.exposures.tolist() == [2, 0, 1, 0, 0, 0] and found.wants.tolist() == [0, 0, 1, 0, 2, 1]
    assert (by["x"].shown, by["x"].wanted, by["x"].unshown) == (pytest.approx(2 / 3), 0, 0)
    assert (by["z"].shown, by["z"].wanted, by["z"].unshown) == (0, 0.5, 0.5) and by["z"].examples == ("e",)
    assert by["z"].gap.value == 0.5 and by["y"].gap.value == pytest.approx(0.25 - 1 / 3)
    assert by["y"].unshown == 0 and by["y"].examples == ()  # c is in one list: it is shown
    assert found.outside == 1 and found.users == 2
    # The delta method on two ratios of sums, user by user.
    shown, wanted = np.array([0.0, 0, 0]), np.array([1.0, 1, 0])
    size_shown, size_wanted = np.array([2.0, 1, 0]), np.array([1.0, 2, 1])
    terms = (wanted - size_wanted * 0.5) / 4 - (shown - size_shown * 0) / 3
    error = math.sqrt((terms**2).sum() * 3 / 2)
    assert (by["z"].gap.high - by["z"].gap.low) / 2 == pytest.approx(2.39398 * error, rel=1e-4)  # 1 - 0.05 / 6
    as_text = measure_coverage(space, regions, lists.with_columns(pl.col("user_id").cast(pl.String)), truth)
    assert [each.gap for each in as_text.regions] == [
        each.gap for each in measure_coverage(space, regions, lists, truth).regions
    ]
    with pytest.raises(DataError, match="no item of the lists"):
        measure_coverage(space, regions, pl.DataFrame({"user_id": [1], "item_id": ["nope"]}))
    alone = measure_coverage(space, regions, lists)
    assert math.isnan(alone.regions[0].wanted) and alone.regions[0].gap.note == "no_value" and not alone.blind_spots


def test_intervals_hold_together_on_unequal_users(rate_error) -> None:
    """Users with few and with many wants, regions of unequal size: no region's interval misses, in 95 % of runs."""
    runs, users, regions = 300, 150, 6
    shares = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
    rng, places = np.random.default_rng(1), np.arange(regions)
    held = 0
    for _ in range(runs):
        sizes = 1 + rng.negative_binomial(1, 0.25, users)  # heavy users
        edges = rng.dirichlet(shares * 5, users).cumsum(axis=1)  # users differ: their wants vary together
        who, shown_to = np.repeat(np.arange(users), sizes), np.repeat(np.arange(users), 4)
        wants, shown = ((rng.random((len(of), 1)) > edges[of, :-1]).sum(axis=1) for of in (who, shown_to))
        gaps = _gaps(places, regions, (pl.Series(shown_to), shown), (pl.Series(who), wants), 0.95)
        held += all(each.low <= 0 <= each.high for each in gaps)
    assert held / runs >= 0.95 - rate_error(0.95, runs) - 0.02  # the approximation costs at most 2 points


def test_a_region_that_is_wanted_and_never_shown_is_a_blind_spot(planted) -> None:
    world = planted("unreachable", strength=0.05)
    regions = np.where(world.topics == 10, 1, 0)  # the planted cluster
    found = measure_coverage(world.items, regions, world.lists, world.truth, names=["rest", "hidden"])
    (blind,) = found.blind_spots
    assert blind.name == "hidden" and blind.shown == 0 and blind.gap.low > 0
    assert set(blind.examples) <= {f"i{row}" for row in world.planted} and len(blind.examples) == 5
    wanted = world.truth.filter(pl.col("item_id").is_in([f"i{row}" for row in world.planted])).height
    assert blind.unshown == pytest.approx(wanted / world.truth.height)
    assert not measure_coverage(planted().items, planted().topics, planted().lists, planted().truth).blind_spots


def test_suspects_are_what_differs() -> None:
    here, elsewhere = np.arange(20), np.arange(20, 100)
    popularity = np.r_[np.zeros(15), np.ones(5), np.arange(10, 90)]
    texts = pl.Series([*[" "] * 10, *["x"] * 10, *["x"] * 78, None, ""])
    price = np.r_[np.full(20, 50.0), np.full(80, np.nan)]
    price[20:90] = np.linspace(1, 60, 70)
    held = np.ones(100, bool)
    found = suspects_of(here, elsewhere, held=held, popularity=popularity, texts=texts, price=price)
    assert [each.code for each in found] == ["unpopular", "cold_items", "price", "missing_text"]
    by = {each.code: each for each in found}
    assert (by["cold_items"].here, by["cold_items"].elsewhere) == (0.75, 0.0)
    assert by["missing_text"].here == 0.5 and by["missing_text"].elsewhere == pytest.approx(2 / 80)
    assert by["unpopular"].strength == 1.0 and by["unpopular"].elsewhere == 49.5
    above = (price[20:90] < 50).mean()
    assert by["price"].strength == pytest.approx(2 * above - 1)
    held[:20] = False
    assert suspects_of(here, elsewhere, held=held)[0].code == "not_in_index"
    assert suspects_of(here, elsewhere, popularity=np.ones(100)) == ()  # all alike
    # Of twelve items here and thirty elsewhere that nobody is shown, nine and six are in reach of somebody.
    rows = np.r_[np.arange(12), np.arange(20, 50)]
    (filtered,) = suspects_of(here, elsewhere, left_out=(rows, np.isin(rows, [*range(9), *range(20, 26)])))
    assert (filtered.code, filtered.here, filtered.elsewhere) == ("filtered_out", 0.75, 0.2)
    assert suspects_of(here, elsewhere, left_out=(np.arange(12), np.ones(12, bool))) == (), "nothing to compare with"


def test_holes_and_dead_stock_are_found_where_they_are(planted) -> None:
    for fault in ("hole", "orphans", "none"):
        world = planted(fault)
        graph = neighbour_graph(world.items, k=10)
        found = supply_and_demand(world.items, world.users, graph)
        far, dead = set(found.far_queries.tolist()), set(found.dead_stock.tolist())
        wanted = set(world.planted.tolist())
        if fault == "hole":
            assert wanted <= far and len(far - wanted) <= 2
            assert set(found.holes[0].queries) >= {f"u{row}" for row in wanted} and found.holes[0].similarity < 0.6
            assert found.far.value == len(far) / 400
        elif fault == "orphans":
            assert len(wanted & dead) >= 0.9 * len(wanted) and len(dead - wanted) <= 6
        else:
            assert len(far) <= 2 and len(dead) <= 6
        # By hand, from all products.
        products = world.users.unit @ world.items.unit.T
        assert np.allclose(found.query_nearest, np.sort(products, axis=1)[:, -10], atol=1e-5)
        assert np.allclose(found.item_nearest, products.max(axis=0), atol=1e-5)


def test_far_is_far_beside_the_others() -> None:
    angles = np.array([0.1, 0.3, 0.3, 0.4, 0.5])
    assert far_fence(np.cos(angles)) == pytest.approx(math.cos(0.4 + 3 * 0.1))
    assert far_fence(np.cos(np.array([0.0, 3.0]))) == pytest.approx(-1)  # nothing is farther than the other side
    assert far_fence(np.zeros(0)) == -1


def test_a_query_of_another_kind_is_outside(planted) -> None:
    world = planted()
    graph = neighbour_graph(world.items, k=10)
    strange = np.random.default_rng(5).normal(size=(20, 32)).astype(np.float32)
    strange /= np.linalg.norm(strange, axis=1, keepdims=True)
    assert outside_queries(strange, world.items, graph).all()
    # Of points drawn like the items about 1 % are outside, by construction.
    assert outside_queries(world.users.unit, world.items, graph).mean() < 0.04


def test_spaces_have_to_have_one_width(planted, space_of) -> None:
    with pytest.raises(IncomparableError, match="32"):
        supply_and_demand(planted().items, space_of(np.eye(3)), neighbour_graph(planted().items, k=2))
