"""What the log says of how lists were served: shares, medians and dates, from the settings of the world."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import World, draw_world
from reclens.world.settings import preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Popular


@pytest.fixture(scope="module")
def eager() -> World:
    return draw_world(preset("tiny", click_rate=0.4, conversion=0.3, latency=80.0, late_share=0.05), seed=3)


@pytest.fixture(scope="module")
def log(eager: World, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder = tmp_path_factory.mktemp("served") / "log"
    arms = [Arm(name="one", strategy=Popular(), policy=Policy(kind="epsilon", epsilon=0.5, k=4))]
    simulate(eager, arms, days=21, retrain=10, folder=folder, seed=8)
    return pl.read_parquet(folder / "impressions" / "*.parquet")


@pytest.fixture(scope="module")
def requests(log: pl.DataFrame) -> pl.DataFrame:
    """One row a request; what belongs to a request has to be one value in all its rows."""
    once = ["surface", "latency_ms", "received_at", "timestamp", "user_id", "feature.device"]
    found = log.group_by("request_id").agg(
        pl.len(),
        *(pl.col(name).n_unique().alias(f"n_{name}") for name in once),
        *(pl.col(name).first() for name in once),
    )
    assert found.select(pl.max_horizontal(pl.col("^n_.*$"))).to_series().max() == 1
    return found


def test_shares_of_surfaces_and_devices(eager: World, requests: pl.DataFrame, rate_error) -> None:
    for name, share in (("home", 0.6), ("item_page", 0.3), ("email", 0.1)):
        assert (requests["surface"] == name).mean() == pytest.approx(share, abs=rate_error(share, requests.height))
    users = requests.unique("user_id")
    assert requests.select(pl.struct("user_id", "feature.device").n_unique()).item() == users.height
    for name, share in (("mobile", 0.6), ("desktop", 0.3), ("tablet", 0.1)):
        assert (users["feature.device"] == name).mean() == pytest.approx(share, abs=rate_error(share, users.height))


def test_a_share_of_the_clicks_converts_and_nothing_else(log: pl.DataFrame, rate_error) -> None:
    clicks = log.filter(pl.col("clicked") == 1)
    assert clicks["converted"].mean() == pytest.approx(0.3, abs=rate_error(0.3, clicks.height))
    assert log.filter(pl.col("clicked") == 0)["converted"].sum() == 0
    assert set(log["converted"].unique()) == {0, 1}


def test_latency_is_lognormal_about_its_median(requests: pl.DataFrame) -> None:
    logs = np.log(requests["latency_ms"].to_numpy().astype(float))
    n = len(logs)
    assert logs.mean() == pytest.approx(math.log(80), abs=3 * 0.5 / math.sqrt(n))
    assert logs.std() == pytest.approx(0.5, abs=3 * 0.5 / math.sqrt(2 * n))
    assert ((logs - logs.mean()) ** 3).mean() / 0.125 == pytest.approx(0, abs=3 * math.sqrt(6 / n))


def test_rows_arrive_after_they_happen_and_a_share_by_hours(requests: pl.DataFrame, rate_error) -> None:
    delay = requests["received_at"] - requests["timestamp"]
    assert (delay >= timedelta(0)).all() and (delay < timedelta(hours=24, minutes=5)).all()
    late = delay >= timedelta(hours=1)
    assert late.mean() == pytest.approx(0.05, abs=rate_error(0.05, requests.height))
    on_time = delay.filter(~late).dt.total_microseconds().to_numpy() / 1e6
    assert on_time.mean() == pytest.approx(5.0, abs=0.1 + 3 * 5 / math.sqrt(len(on_time)))  # and the latency


def test_versions_count_the_trainings(log: pl.DataFrame) -> None:
    day = (log["timestamp"].dt.date() - log["timestamp"].dt.date().min()).dt.total_days()
    assert dict(zip(day, log["model_version"], strict=True)) == {d: f"v{1 + d // 10}" for d in range(21)}


def test_scores_fall_with_the_rank_and_features_are_those_of_the_world(eager: World, log: pl.DataFrame) -> None:
    assert log["score"].max() == 1.0 and log["score"].min() > 0
    one = log.filter(pl.col("feature.item_age") >= 0)
    assert one.height == log.height, "an item was shown before it was born"
    history = np.bincount(eager.history[0], minlength=eager.users.height)
    told = dict(log.select("user_id", "feature.history").unique().rows())
    assert told == {user: history[user] for user in told}
    row = log.row(0, named=True)
    day = (row["timestamp"].date() - eager.settings.start).days
    assert row["feature.item_appeal"] == pytest.approx(eager.appeal_on(day)[row["item_id"]])
