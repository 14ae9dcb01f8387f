"""What was injected into a marketplace is there: counted by hand on the drawn data."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens.errors import UsageError
from reclens.world.marketplace import Injected, Marketplace, draw_marketplace, draw_rounds

WEIGHTS = 1 / np.log2(np.arange(2, 12))


@pytest.fixture(scope="module")
def fair() -> Marketplace:
    return draw_marketplace(seed=1)


def by_seller(rows: pl.DataFrame, market: Marketplace) -> np.ndarray:
    assert market.train.items is not None
    return rows.join(market.train.items, on="item_id", how="left", maintain_order="left")["seller"].to_numpy()


def ndcg(market: Marketplace) -> np.ndarray:
    """NDCG@10 of each household; all have ten relevant products, so that the ideal is the sum of the weights."""
    bought = set(market.truth.select("user_id", "item_id").iter_rows())
    hits = np.array([pair in bought for pair in market.lists.table.select("user_id", "item_id").iter_rows()])
    return hits.reshape(-1, 10) @ WEIGHTS / WEIGHTS.sum()


@pytest.mark.parametrize("strength", [1.0, 0.9, 0.75, 0.5])
def test_the_seller_is_shown_so_much_of_its_merit(strength: float) -> None:
    market = draw_marketplace(injected=Injected(exposure=strength), seed=2)
    shown = (by_seller(market.lists.table, market) == "partner").reshape(-1, 10)
    exposure = (shown @ WEIGHTS / WEIGHTS.sum()).mean()
    merit = (by_seller(market.truth, market) == "partner").mean()
    # 2,000 households with ten slots each: three standard errors of either share are below 0.01.
    assert merit == pytest.approx(0.3, abs=0.01)
    assert exposure == pytest.approx(0.3 * strength, abs=0.012)
    assert exposure / merit == pytest.approx(strength, abs=0.05)


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.03, 0.06])
def test_households_with_a_low_income_get_so_much_less(gap: float) -> None:
    found = []
    for seed in range(4):
        market = draw_marketplace(injected=Injected(ndcg_gap=gap), seed=seed)
        assert market.train.users is not None
        low = (market.train.users["income"] == "low").to_numpy()
        values = ndcg(market)
        found.append(values[~low].mean() - values[low].mean())
    # One household's NDCG has a deviation of sqrt(0.21 Σw² ÷ (Σw)²) = 0.154: 0.0038 for the mean of four differences.
    assert np.mean(found) == pytest.approx(gap, abs=0.0113)


@pytest.mark.parametrize("exponent", [0.3, 0.7, 1.0])
def test_places_are_looked_at_so_much_less(exponent: float) -> None:
    market = draw_marketplace(injected=Injected(examination=exponent), seed=3)
    log = market.log.with_columns(pl.col("position").cast(pl.Float64))
    assert log.height == 2_000 * 20 * 10
    # The same product for the same household at places 1 and j: clicks differ by the place alone.
    pairs = log.group_by("user_id", "item_id", "position").agg(n=pl.len(), c=pl.col("clicked").sum())
    for place in (2, 5):
        both = pairs.filter(pl.col("position") == 1).join(
            pairs.filter(pl.col("position") == place), on=["user_id", "item_id"]
        )
        n, m, c, d = (both[name].to_numpy() for name in ("n", "n_right", "c", "c_right"))
        weight = n * m / (n + m)
        ratio = (weight * d / m).sum() / (weight * c / n).sum()
        assert ratio == pytest.approx(place**-exponent, rel=0.12 if place == 5 else 0.06)
    assert (log["ranker"] == "a").mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("slope", [1.0, 1.1, 1.6])
def test_rounds_favour_the_head_so_much_more(fair: Marketplace, slope: float) -> None:
    counts = fair.train.interactions.group_by("item_id").len().sort("len", "item_id", descending=[True, False])
    head = counts["item_id"].head(100).to_list()
    market = Marketplace(
        train=fair.train, lists=fair.lists, truth=fair.truth, log=fair.log, injected=Injected(slope=slope)
    )
    rounds = draw_rounds(market)
    assert rounds.group_by("round", "user_id").agg(pl.col("item_id").n_unique())["item_id"].unique().to_list() == [10]
    shares = rounds.group_by("round").agg(pl.col("item_id").is_in(head).mean()).sort("round")["item_id"].to_numpy()
    odds = np.log(shares / (1 - shares))
    # 20,000 places a round: the slope of six log odds has a standard error of about 0.015 / sqrt(17.5).
    assert np.polyfit(np.arange(6), odds, 1)[0] == pytest.approx(np.log(slope), abs=0.012)


def test_nothing_else_differs_without_bias(fair: Marketplace) -> None:
    lists, train = fair.lists.table, fair.train.interactions
    assert not lists.join(train, on=["user_id", "item_id"], how="semi").height  # nothing is recommended again
    assert not fair.truth.join(train, on=["user_id", "item_id"], how="semi").height
    assert fair.truth.group_by("user_id").len()["len"].unique().to_list() == [10]
    assert train["timestamp"].max() < fair.truth["timestamp"].min()  # type: ignore[operator]
    assert fair.data.interactions.height == train.height + fair.truth.height
    # The places of a list are alike, and so are list, truth and profile in how popular their items are.
    popularity = train.group_by("item_id").len()
    of = {
        name: rows.join(popularity, on="item_id", how="left")["len"].fill_null(0).to_numpy()
        for name, rows in (("lists", lists), ("truth", fair.truth))
    }
    top, last = of["lists"].reshape(-1, 10)[:, 0], of["lists"].reshape(-1, 10)[:, 9]
    assert abs(top.mean() - last.mean()) < 3 * np.sqrt((top.var() + last.var()) / 2_000)
    # Each product of a profile is in it once itself.
    owned = train.join(popularity, on="item_id", how="left")["len"].to_numpy() - 1
    assert owned.mean() == pytest.approx(of["lists"].mean(), rel=0.03)
    assert of["lists"].mean() == pytest.approx(of["truth"].mean(), rel=0.03)


def test_the_seed_decides_and_bad_strengths_are_refused(fair: Marketplace) -> None:
    again = draw_marketplace(seed=1)
    assert again.lists.table.equals(fair.lists.table) and again.log.equals(fair.log)
    assert again.train.fingerprint == fair.train.fingerprint
    for wrong in ({"exposure": 0.0}, {"ndcg_gap": 0.3}, {"examination": -1.0}, {"slope": 0.0}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            Injected(**wrong)
    with pytest.raises(UsageError, match="at least 10 and 200"):
        draw_marketplace(items=100)
