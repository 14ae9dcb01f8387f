"""A simulated experiment as a whole: settings in, estimate and truth out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.errors import UnknownNameError, UsageError, WorkspaceError
from reclens.lab.simulation import (
    EXAMPLE_SIMULATION,
    SimulationSettings,
    ab_difference,
    load_simulation,
    run_simulation,
)
from reclens.settings import to_toml


def tiny(**changes) -> SimulationSettings:
    return SimulationSettings(**{"size": "tiny", "days": 7, **changes})


def test_the_estimate_is_welch_of_the_totals_and_stands_beside_the_truth() -> None:
    found = run_simulation(tiny(days=14))
    rows = {row["metric"]: row for row in found.to_dicts()}
    users = found.run.users
    sides = [users.filter(users["variant"] == name)["clicks"].to_numpy() for name in ("control", "treatment")]
    welch = stats.ttest_ind(sides[1], sides[0], equal_var=False)
    said = found.differences["treatment", "clicks"]
    assert said.statistic == pytest.approx(welch.statistic)
    # The arms differ in size: the p-value is that of t without its skewness (Hall 1992), by hand.
    t, skew = welch.statistic, said.skew
    hall = t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6
    assert rows["clicks"]["p_value"] == pytest.approx(2 * stats.t.sf(abs(hall), welch.df))
    assert rows["clicks"]["lift"] == pytest.approx(sides[1].mean() / sides[0].mean() - 1)
    truth = found.truths["treatment"]["clicks"]
    assert rows["clicks"]["true_lift"] == truth.lift.value > 0
    assert rows["clicks"]["covers"] == (rows["clicks"]["low"] <= truth.lift.value <= rows["clicks"]["high"])


def test_clusters_are_the_units_where_they_were_randomised() -> None:
    found = run_simulation(tiny(clusters=20, replicates=0))
    users = found.run.users
    assert found.truths == {} and found.to_dicts()[0]["true_lift"] is None
    difference = ab_difference(found.run, "treatment", "control", "clicks")
    assert difference.n_control + difference.n_treatment == users["cluster"].n_unique() <= 20
    means = dict(users.group_by("variant").agg(pl.col("clicks").mean()).rows())
    assert difference.absolute.value == pytest.approx(means["treatment"] - means["control"])


def test_settings_go_to_toml_and_back(tmp_path) -> None:
    file = tmp_path / "simulation.toml"
    file.write_text(EXAMPLE_SIMULATION)
    settings = load_simulation(file)
    assert settings.arms["treatment"].parameters == {"neighbors": 50} and settings.world["novelty"] == 0.3
    file.write_text(to_toml(settings))
    assert load_simulation(file) == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('size = "tny"', "size is 'tny'"),
        ("[world]\nclick_rat = 1", "click_rate"),
        ('[arms.a]\nmodle = "ease"', "model"),
        ("days = 0", "days is 0"),
    ],
)
def test_wrong_settings_say_so(tmp_path, text, words) -> None:
    file = tmp_path / "simulation.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_simulation(file)


def test_wrong_arms_say_so() -> None:
    with pytest.raises(UnknownNameError, match="item_knn"):
        run_simulation(tiny(arms={"a": {"model": "item_nkk"}}))
    with pytest.raises(UsageError, match="blur"):
        run_simulation(tiny(arms={"a": {"model": "oracle", "parameters": {"blurr": 1.0}}}))


def test_a_world_fitted_to_data_in_one_call(small_data, tmp_path) -> None:
    arms = {"control": {"model": "popular"}, "treatment": {"model": "oracle"}}
    found = run_simulation(tiny(arms=arms, replicates=0), data=small_data, folder=tmp_path / "logs")
    assert found.world.users.height == 200
    log = pl.read_parquet(tmp_path / "logs" / "impressions" / "*.parquet")
    assert set(log["user_id"].unique()) <= set(small_data.user_vocabulary.ids)
    with pytest.raises(WorkspaceError, match="exists"):
        run_simulation(tiny(arms=arms, replicates=0), data=small_data, folder=tmp_path / "logs")


def test_an_a_a_test_rejects_at_its_level() -> None:
    # The same strategy in both arms, split in many ways: p-values are uniform.
    from reclens.world.assignment import assign_arms

    found = run_simulation(tiny(arms={"control": {"model": "popular"}}, replicates=0))
    clicks = found.run.users["expected_clicks"].to_numpy()
    p_values = []
    for seed in range(400):
        arm = assign_arms(found.world, [1, 1], seed=seed)
        p_values.append(stats.ttest_ind(clicks[arm == 0], clicks[arm == 1], equal_var=False).pvalue)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    assert abs(np.mean(np.array(p_values) < 0.05) - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_interval_of_a_lift_excludes_zero_where_its_p_does() -> None:
    # Exact means of 1 and 1.089 and a standard error of 0.0447 of the gap: z = 1.99, beyond the quantile 1.961.
    spread = np.array([1.0, -1.0] * 500) * (999 / 1000) ** 0.5
    users = pl.DataFrame({"variant": ["a"] * 1000 + ["b"] * 1000, "visits": np.r_[1 + spread, 1.089 + spread]})
    found = ab_difference(SimpleNamespace(users=users), "b", "a", "visits")  # type: ignore[arg-type]
    assert found.statistic == pytest.approx(0.089 / 0.002**0.5) and found.p_value < 0.05 < found.relative_p_value
    assert found.relative.low is not None and found.relative.low > 0
