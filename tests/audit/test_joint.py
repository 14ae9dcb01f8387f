"""The two-sided annex and the loop in an audit: against dense matrices, SciPy, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

from reclens.audit import Audit, AuditRow, AuditSettings, bias_disparity, differential_fairness, joint_exposure, run
from reclens.audit.joint import GROUPS, rating_rows
from reclens.audit.loop import loop_curve, loop_rows, with_groups
from reclens.audit.measure import measure_audit
from reclens.lab.feedback import FeedbackLoop, LoopSlope
from reclens.stats.estimate import mean_estimate

SETTINGS = AuditSettings(by=["gender"], attributes=["brand"], replicates=200, k=10, two_sided=True)


@pytest.fixture(scope="module")
def small(market: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    made = market(tilt=0.2, users=150)
    made["truth"] = made["truth"].filter(pl.col("user_id") % 7 > 0)  # some users have no relevant items
    return made


@pytest.fixture(scope="module")
def audit(small: dict[str, Any]) -> Audit:
    return run(**small, settings=SETTINGS, name="x")


def of(audit: Audit, measure: str, **about: Any) -> AuditRow:
    found = [row for row in audit.rows if row.measure == measure]
    return next(row for row in found if all(getattr(row, key) == value for key, value in about.items()))


def test_joint_measures_are_those_of_whole_matrices(small: dict[str, Any], audit: Audit) -> None:
    ids = sorted(small["truth"]["user_id"].unique())
    place = {user: at for at, user in enumerate(ids)}
    n_items = small["train"].interactions["item_id"].n_unique()
    assert n_items == 60
    exposure, target = np.zeros((len(ids), 60)), np.zeros((len(ids), 60))
    for user, item, rank in small["recommendations"].iter_rows():
        if user in place:
            exposure[place[user], item] = 1 / np.log2(1 + rank)
    weights = 1 / np.log2(np.arange(2, 12))
    for (user,), rows in small["truth"].group_by("user_id"):
        liked = rows["item_id"].unique().to_numpy()
        n = len(liked)
        target[place[user]] = weights[n:].sum() / (60 - n)
        target[place[user], liked] = weights[:n].mean() if n <= 10 else weights.sum() / n
    genders = small["train"].users.filter(pl.col("user_id").is_in(ids)).sort("user_id")["gender"].fill_null("?")
    brands = np.arange(60) % 3
    for groups, by in ((genders.rank("dense").to_numpy() - 1, "gender"), (np.zeros(len(ids), int), "overall")):
        dense = {each.measure: each for each in joint_exposure(exposure, target, groups.astype(int), brands)}
        wanted = ("gi", "gg") if by == "gender" else ("ii", "ig", "ai", "ag")
        for kind in wanted:
            ends = {"by": by, "segment": GROUPS if by == "gender" else "all"}
            parts = (("", "value"), ("_fairness", "disparity"), ("_relevance", "relevance"))
            for part, name in parts:
                row = of(audit, f"jme_{kind}{part}", **ends)
                assert row.value.value == pytest.approx(getattr(dense[kind], name), rel=1e-9), (kind, part)
                assert (row.family, row.severity, row.n) == ("descriptive", "descriptive", len(ids))
    assert of(audit, "jme_ii").value.low is not None and of(audit, "jme_gi").reason == "resampling"
    ii = ((exposure - target) ** 2).mean(axis=1)
    found = of(audit, "jme_ii").value
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.98 * ii.std(ddof=1) / np.sqrt(len(ids)), rel=0.2)


def test_a_number_that_resampling_inflates_has_no_interval(audit: Audit) -> None:
    inflated = [row for row in audit.section("two_sided") if row.reason == "resampling"]
    assert inflated and all(row.value.low is None for row in inflated)
    # Lists are drawn alike for everybody: what is left of ε is noise, of which resampling makes more.
    assert of(audit, "differential_fairness").reason == "resampling"


def test_bias_disparity_and_differential_fairness_are_the_functions(small: dict[str, Any], audit: Audit) -> None:
    measures = measure_audit(small["recommendations"], small["truth"], train=small["train"], settings=SETTINGS)
    for each in bias_disparity(measures, "brand", by="gender"):
        row = of(audit, "bias_disparity", by="gender", segment=each.segment, group=each.group)
        assert (row.value.value, row.reference_value.value) == pytest.approx((each.shown, each.source))
        assert row.ratio.value - 1 == pytest.approx(each.disparity.value)
    lists = small["recommendations"].join(small["train"].users, on="user_id").drop_nulls("gender")
    table = lists.group_by("gender").agg(*((pl.col("item_id") % 3 == at).sum().alias(str(at)) for at in range(3)))
    counts = table.select("0", "1", "2").to_numpy()
    wanted = differential_fairness(counts, counts.sum(axis=1))
    assert of(audit, "differential_fairness", by="gender").value.value == pytest.approx(wanted, rel=1e-6)


def test_the_annex_is_described_and_changes_no_other_number(small: dict[str, Any], audit: Audit) -> None:
    assert audit.opinions["two_sided"] == "described"
    plain = run(**small, settings=replace(SETTINGS, two_sided=False), name="x")
    assert plain.opinions["two_sided"] == "not_measured"
    missing = [each.measure for each in plain.not_measured if each.section == "two_sided"]
    assert missing == ["joint_exposure", "bias_disparity", "differential_fairness"]
    with_annex = {row.to_dicts()[0]["p_adjusted"] for row in audit.rows if row.section != "two_sided"}
    assert with_annex == {row.p_adjusted for row in plain.rows}
    without = run(small["recommendations"], train=small["train"], settings=SETTINGS)
    assert {row.measure for row in without.section("two_sided")} == {"bias_disparity", "differential_fairness"}


def test_predicted_ratings_have_rows(small: dict[str, Any]) -> None:
    rated = pl.DataFrame(
        {"user_id": [0, 1, 2, 3], "item_id": [7, 7, 8, 8], "rating": [4.0, 3, 2, 5], "prediction": [5.0, 3, 2, 3]}
    )
    users = pl.DataFrame({"user_id": [0, 1, 2, 3], "sex": ["f", "m", "f", "m"]})
    train = replace(small["train"], users=users)
    rows = {(row.measure, row.segment): row for row in rating_rows(rated, train, ["sex", "sex × age"])}
    # Item 7: errors of f +1, m 0; item 8: f 0, m -2.
    assert {name: rows[name, "f"].value.value for name, _ in rows} == pytest.approx(
        {
            "rating_value": (1 + 2) / 2,
            "rating_absolute": (1 + 2) / 2,
            "rating_under": (0 + 2) / 2,
            "rating_over": (1 + 0) / 2,
            "rating_non_parity": abs(3.5 - 3.0),
        }
    )
    assert rows["rating_value", "f"].n == 2 and {segment for _, segment in rows} == {"f", "m"}
    found = run(**small, settings=SETTINGS, predictions=rated.with_columns(pl.col("user_id").cast(pl.Int64)))
    assert {row.measure for row in found.section("two_sided")} >= {"rating_value", "rating_over"}


def loop_of(values: dict[tuple[str, str], np.ndarray]) -> FeedbackLoop:
    rows = [
        {"seed": seed, "round": at, "by": by, "segment": segment, "measure": "gini", "value": float(table[seed, at])}
        for seed in range(4)
        for (by, segment), table in values.items()
        for at in range(3)
    ]
    slopes = tuple(
        LoopSlope(
            by=by, segment=segment, measure="gini", start=0, end=0, slope=mean_estimate(table[:, 2] - table[:, 0])
        )
        for (by, segment), table in values.items()
    )
    card = {"rounds": 3, "seeds": 4}
    return FeedbackLoop(recommender="ease", rounds=pl.DataFrame(rows), slopes=slopes, card=card)


def test_the_drift_of_a_loop_is_tested_on_its_growth_over_the_runs() -> None:
    rng = np.random.default_rng(3)
    whole = np.array([0.5, 0.55, 0.6]) + rng.normal(0, 0.004, (4, 3))
    women = np.array([0.4, 0.5, 0.62]) + rng.normal(0, 0.004, (4, 3))
    loop = loop_of({("overall", "all"): whole, ("sex", "f"): women})
    drift, apart, *slopes = loop_rows(loop)
    logs = np.log(whole[:, 2] / whole[:, 0])
    t_test: Any = scipy_stats.ttest_1samp
    known = t_test(logs, 0)
    assert drift.p_value == pytest.approx(known.pvalue, rel=1e-9)
    assert (drift.value.value, drift.reference_value.value) == (whole[:, 2].mean(), whole[:, 0].mean())
    assert drift.ratio.value == pytest.approx(np.exp(logs.mean())) and (drift.n, drift.harm) == (4, "high")
    assert np.log(np.array([drift.ratio.low, drift.ratio.high], float)) == pytest.approx(
        known.confidence_interval(0.95)
    )
    both = np.log(women[:, 2] / women[:, 0]) - logs
    assert apart.p_value == pytest.approx(t_test(both, 0).pvalue) and apart.reference == "all_users"
    assert apart.reference_value.value == pytest.approx((whole[:, 2] / whole[:, 0]).mean())
    one = [
        t_test(both, side, alternative=way).pvalue for side, way in ((np.log(0.9), "greater"), (-np.log(0.9), "less"))
    ]
    assert apart.p_equivalent == pytest.approx(max(one))
    assert [row.family for row in slopes] == ["descriptive"] * 2 and slopes[1].value == loop.slopes[1].slope
    single = loop_rows(loop_of({("overall", "all"): whole[[0, 0, 0, 0]]}))[0]
    assert single.reason == "not_defined" and not single.tested  # runs that are all alike are no sample


def test_the_rounds_are_kept_with_their_runs(small: dict[str, Any], tmp_path: Any) -> None:
    whole = np.linspace(0.5, 0.6, 3) + np.array([[0.0], [0.01], [0.02], [0.03]])
    loop = loop_of({("overall", "all"): whole})
    curve = loop_curve(loop)
    assert [each.value.value for each in curve.points] == pytest.approx(whole.mean(axis=0).tolist())
    assert curve.points[0].value.n == 4 and curve.trends[0].slope.value == pytest.approx(0.1)
    found = run(**small, settings=replace(SETTINGS, two_sided=False), loop=loop)
    assert found.opinions["loop"] in ("negative", "positive_with_comments", "positive", "not_concluded")
    found.save(tmp_path)
    assert Audit.load(tmp_path).loop == curve


def test_segmentations_come_into_the_world(small: dict[str, Any]) -> None:
    train = small["train"].with_segments(half=lambda data: data.users.select("user_id", label=pl.col("user_id") % 2))
    assert train.segments is not None
    made = with_groups(train)
    assert made.users is not None and made.users.columns == ["user_id", "gender", "half"]
    assert with_groups(small["train"]) is small["train"]
