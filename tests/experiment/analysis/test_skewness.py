"""Skewed values in arms of unequal size: gathered, allowed for, said beforehand, and too much of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.gather import gather, gather_events
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.analysis.trust_checks import TrustCheck
from reclens.experiment.planning.sizing import size_plan
from reclens.report.experiment.plan import build_plan_document
from reclens.stats.moments import Moments

SPENT = {"name": "spent", "value": "spent", "covariates": ("before",), "effect": 0.05}


def plan(*, share: float = 0.1, **more: Any) -> Plan:
    return Plan(**({"name": "t", "arms": {"old": 1 - share, "new": share}, "metrics": (SPENT,)} | more))


def users(n: int, *, sigma: float = 1.0, share: float = 0.1, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    before = rng.gamma(2, 1, n)
    return pl.DataFrame(
        {
            "user_id": np.arange(n),
            "variant": np.where(np.arange(n) < share * n, "new", "old"),
            "before": before,
            "spent": before + rng.lognormal(0, sigma, n),
            "rows": rng.integers(1, 4, n),
        }
    )


def check(found: Readout) -> TrustCheck:
    return next(each for each in found.trust_checks if each.code == "skewness")


def test_sql_gathers_the_products_of_three() -> None:
    frame = users(5000).sample(fraction=1.0, shuffle=True, seed=0)
    sums = gather(frame, plan())
    for arm in ("old", "new"):
        rows = frame.filter(variant=arm)
        own = Moments.of({name: rows[name].to_numpy() for name in ("spent", "before")}).third
        found = sums.arm(arm).select(["spent", "before"]).third
        assert own is not None and found is not None
        np.testing.assert_allclose(found, own, rtol=1e-9)
    # They travel in rows, and add up over parts.
    again = Aggregates.of_rows(sums.to_rows(), arms=["old", "new"])
    parts = gather(frame[:2000], plan()) + gather(frame[2000:], plan())
    for other in (again, parts):
        third, own = other.arm("old").third, sums.arm("old").third
        assert third is not None and own is not None
        np.testing.assert_allclose(third, own, rtol=1e-9)
    # Where the arms are of one size skewness cancels: nothing is spent on it.
    assert gather(users(5000, share=0.5), plan(share=0.5)).arm("old").third is None


def test_events_and_names_with_colons() -> None:
    odd = plan(metrics=({"name": "m", "value": "a:b", "effect": 0.05},))
    frame = users(400).with_columns(pl.col("spent").alias("a:b"))
    per_unit, events = gather(frame, odd), gather_events(pl.concat([frame, frame]), odd, time=None)
    once, twice = per_unit.arm("old").third, events.arm("old").third
    assert once is not None and twice is not None and twice[0, 0, 0] == pytest.approx(8 * once[0, 0, 0])
    again = Aggregates.of_rows(per_unit.to_rows(), arms=["old", "new"]).arm("old").third
    assert again is not None and again[0, 0, 0] == pytest.approx(once[0, 0, 0])


def test_the_readout_allows_for_skewness_and_refuses_too_much_of_it() -> None:
    # γ of a lognormal (0, 0.5) is 1.75: beside the imbalance of 900/100, 0.0843, hardly anything.
    mild = read_sums(plan(), gather(users(1000, sigma=0.5), plan()))
    assert check(mild).status == "pass" and 0 < mild.effects[0].found.skew < 0.2
    assert mild.effects[0].found.method.skewness
    even = plan(share=0.5)
    assert not read_sums(even, gather(users(1000, share=0.5), even)).effects[0].found.method.skewness
    # γ of a lognormal (0, 1.5) is 33: the mean of 100 users is anybody's guess.
    wild = read_sums(plan(), gather(users(1000, sigma=1.5, seed=1), plan()))
    assert wild.effects[0].found.skew > 0.6
    assert check(wild).status == "fail" and wild.decisions[0].code == "blocked"
    row = check(wild).rows[0]
    assert row["skewness"] == wild.effects[0].found.skew and (row["n_control"], row["n_treatment"]) == (900, 100)
    # A secondary metric decides nothing, and is said.
    extra = plan(metrics=({**SPENT, "value": "before", "covariates": ()}, {**SPENT, "name": "x", "role": "secondary"}))
    assert check(read_sums(extra, gather(users(1000, sigma=1.5, seed=1), extra))).status == "warn"
    # Equal arms: nothing to allow for. Sums without products of three: arms too small for values of any shape.
    assert check(read_sums(plan(share=0.5), gather(users(1000, share=0.5), plan(share=0.5)))).status == "pass"
    rows = [
        {key: value for key, value in row.items() if key.count(":") < 3}
        for row in gather(users(1000), plan()).to_rows()
    ]
    assert check(read_sums(plan(), Aggregates.of_rows(rows, arms=["old", "new"]))).status == "fail"


def test_the_thresholds_are_where_they_are_said() -> None:
    for skew, status in ((0.29, "pass"), (0.31, "warn"), (0.59, "warn"), (0.61, "fail")):
        # Two columns of moments alone: the products of three make the skewness that is asked for.
        n = {"old": 900, "new": 100}
        gamma = skew / ((1 / 100**2 - 1 / 900**2) / (1 / 100 + 1 / 900) ** 1.5)
        rows = [
            {
                "arm": arm,
                "n": size,
                "sum:spent": 0.0,
                "shift:spent": 10.0,
                "product:spent:spent": size - 1.0,
                "product:spent:spent:spent": gamma * size,
            }
            for arm, size in n.items()
        ]
        asked = plan(metrics=({"name": "spent", "value": "spent", "effect": 0.05},))
        found = read_sums(asked, Aggregates.of_rows(rows, arms=list(n)))
        assert found.effects[0].found.skew == pytest.approx(skew, rel=1e-3) and check(found).status == status


def test_a_plan_says_it_beforehand() -> None:
    history = users(20_000, sigma=1.5)
    tiny = plan(days=1, daily_units=1000, metrics=({**SPENT, "covariates": ()},))
    sized = size_plan(tiny, history=history)["spent"]
    assert sized.known is not None and sized.skew is not None
    values = history["spent"].to_numpy()
    gamma = float(((values - values.mean()) ** 3).mean() / values.std() ** 3)
    assert sized.known.skewness == pytest.approx(gamma)
    # 900 and 100 units: (1/100² − 1/900²) ÷ (1/100 + 1/900)^1.5 = .0843.
    assert sized.skew == pytest.approx(gamma * 0.08433, rel=1e-3) and sized.skew > 0.6
    text = build_plan_document(size_plan(tiny, history=history)).markdown
    assert f"skewness of the difference is {sized.skew:+.2f}" in text and "decides nothing" in text
    # From a baseline; at arms of one size there is nothing to say.
    base = {"mean": 10.0, "sd": 20.0, "skewness": 15.0}
    said = size_plan(plan(days=10, daily_units=1000, metrics=({**SPENT, "baseline": base},)))["spent"]
    assert said.skew == pytest.approx(15 * 0.08433 / 10**0.5, rel=1e-3)
    even = size_plan(plan(share=0.5, days=10, daily_units=1000, metrics=({**SPENT, "baseline": base},)))["spent"]
    assert even.skew == 0.0
