"""Adjusted gaps and the search for groups: on values whose causes are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.adjusted import AdjustedGap, adjusted_gaps
from reclens.audit.intersections import search_intersections
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.settings import AuditSettings
from reclens.errors import UsageError


@pytest.fixture(scope="module")
def measured() -> AuditMeasures:
    """800 users of five levels of activity; women are the less active ones."""
    rng = np.random.default_rng(4)
    n = 800
    woman = rng.random(n) < 0.4
    activity = 2 + 2 * np.where(woman, rng.integers(0, 4, n), rng.integers(1, 5, n))
    ids = np.repeat(np.arange(n), activity)
    items = np.concatenate([rng.choice(60, size, replace=False) for size in activity])
    train = rl.Dataset(
        pl.DataFrame({"user_id": ids, "item_id": items}),
        users=pl.DataFrame(
            {
                "user_id": np.arange(n),
                "gender": np.where(woman, "F", "M"),
                "age": rng.choice(["young", "old"], n),
                "home": rng.choice(["town", "village", "farm"], n, p=[0.6, 0.38, 0.02]),
            }
        ),
    )
    lists = pl.DataFrame({"user_id": np.arange(n), "item_id": rng.integers(0, 60, n), "rank": 1})
    settings = AuditSettings(metrics=["ndcg@10"], by=["gender", "age", "home"])
    return measure_audit(lists, lists.drop("rank"), train=train, settings=settings)


def given(measured: AuditMeasures, values: np.ndarray) -> AuditMeasures:
    frame = measured.per_user.with_columns(pl.Series("ndcg@10", values.astype(np.float64)))
    return replace(measured, per_user=frame)


def women(measured: AuditMeasures) -> AdjustedGap:
    return next(gap for gap in adjusted_gaps(measured, "ndcg@10", "gender") if gap.segment == "F")


def columns(measured: AuditMeasures) -> tuple[np.ndarray, np.ndarray]:
    """Activity, and whether a user is a woman."""
    labels, codes = measured.context.groups["gender"]
    assert measured.context.profiles is not None
    return measured.context.profiles.sizes, codes == labels.index("F")


def test_what_activity_explains_is_taken_out(measured: AuditMeasures) -> None:
    """Values of .02 an item and .1 less for women: within equal activity .1 is left, to rounding."""
    activity, woman = columns(measured)
    found = women(given(measured, 0.5 + 0.02 * activity - 0.1 * woman))
    raw = -0.1 + 0.02 * (activity[woman].mean() - activity[~woman].mean())
    assert found.raw.value == pytest.approx(raw) and found.left.value == pytest.approx(-0.1)
    assert found.raw.value == pytest.approx(sum(part.value for part in found.explained.values()) + found.left.value)
    assert found.explained["activity"].value == pytest.approx(raw + 0.1, abs=0.01)
    assert abs(found.explained["profile_popularity"].value) < 0.01
    assert [row["step"] for row in found.to_dicts()] == ["raw", "activity", "profile_popularity", "left"]


def test_strata_weigh_by_how_surely_they_tell_the_gap(measured: AuditMeasures) -> None:
    """Gaps of .1, .2, … at the five levels of activity, and profiles that are all alike: Σ w gap ÷ Σ w by hand."""
    ground = measured.context
    alike = replace(ground, catalogue=replace(ground.catalogue, popularity=np.ones_like(ground.catalogue.popularity)))
    activity, woman = columns(measured)
    found = women(given(replace(measured, context=alike), 0.5 - 0.05 * activity * woman))
    levels = np.unique(activity[woman & np.isin(activity, activity[~woman])])
    n = np.array([[(activity == level)[side].sum() for level in levels] for side in (woman, ~woman)])
    weights = n[0] * n[1] / n.sum(axis=0)
    assert len(levels) == 3 and found.left.value == pytest.approx(-0.05 * (weights @ levels) / weights.sum())


def test_users_without_a_counterpart_are_counted(measured: AuditMeasures) -> None:
    """Only women have 2 items, only men 10: those strata of the others are left out, with the women in them."""
    activity, woman = columns(measured)
    found = women(given(measured, 0.5 - 0.1 * woman))
    assert found.left_out >= int((woman & (activity == 2)).sum()) > 0
    assert found.n + found.left_out == int(woman.sum())


def test_intervals_of_what_is_left_hold_the_truth(measured: AuditMeasures, rate_error) -> None:  # type: ignore[no-untyped-def]
    activity, woman = columns(measured)
    rng, runs, held = np.random.default_rng(8), 60, 0
    measured = replace(measured, settings=replace(measured.settings, replicates=200))
    for _ in range(runs):
        noise = rng.exponential(0.3, len(activity)) * (rng.random(len(activity)) < 0.5)
        values = 0.02 * activity - 0.1 * woman + noise
        left = women(given(measured, values)).left
        held += left.low is not None and left.high is not None and left.low <= -0.1 <= left.high
    assert abs(held / runs - 0.95) < rate_error(0.95, runs)


def test_adjusting_needs_others(measured: AuditMeasures) -> None:
    with pytest.raises(UsageError, match="training data"):
        women(replace(measured, context=replace(measured.context, profiles=None)))


def test_the_search_finds_the_planted_group_and_no_other(measured: AuditMeasures) -> None:
    rng = np.random.default_rng(5)
    labels = {name: np.array(found[0])[found[1]] for name, found in measured.context.groups.items()}
    worse = (labels["gender"] == "F") & (labels["home"] == "village")
    values = rng.normal(0.5, 0.1, len(worse)) - 0.1 * worse
    found = search_intersections(given(measured, values), "ndcg@10", minimum=30)
    worst = min(found.rows, key=lambda row: row.difference.value)
    assert {"F", "village"} <= set(worst.segment.split(" × "))
    pairs = [row for row in found.rows if row.by == "gender × home"]
    assert {row.segment for row in pairs} == {f"{g} × {h}" for g in "FM" for h in ("town", "village")}
    whole = values.mean() * len(values)
    planted = next(row for row in pairs if row.segment == "F × village")
    rest = (whole - values[worse].sum()) / (~worse).sum()
    assert (planted.value.value, planted.reference_value.value) == pytest.approx((values[worse].mean(), rest))


def test_small_groups_are_counted(measured: AuditMeasures) -> None:
    found = search_intersections(given(measured, np.ones(800)), "ndcg@10", minimum=30)
    sizes = [measured.context.groups[name] for name in ("gender", "age", "home")]
    codes = np.stack([each[1] for each in sizes], axis=1)
    counts = np.unique(codes, axis=0, return_counts=True)[1]
    assert found.users_in_small == int(counts[counts < 30].sum())
    assert found.groups == 4 + 6 + 6 + 12 and found.small > 0 and len(found.rows) == found.groups - found.small


def test_a_group_of_exactly_the_least_size_is_tested(measured: AuditMeasures) -> None:
    whole = search_intersections(given(measured, np.ones(800)), "ndcg@10", minimum=2)
    size = min(row.n for row in whole.rows)
    exact, above = (
        search_intersections(given(measured, np.ones(800)), "ndcg@10", minimum=each) for each in (size, size + 1)
    )
    assert size in {row.n for row in exact.rows} and size not in {row.n for row in above.rows}


def test_one_segmentation_has_no_intersections(measured: AuditMeasures) -> None:
    alone = replace(measured, context=replace(measured.context, groups={"gender": measured.context.groups["gender"]}))
    with pytest.raises(UsageError, match="two segmentations"):
        search_intersections(alone, "ndcg@10")
