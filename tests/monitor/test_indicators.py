"""Indicators of a day that was counted by hand, and beside scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon

from reclens.audit.result import Audit
from reclens.errors import UnknownNameError, UsageError
from reclens.explore.result import Exploration, Measure
from reclens.monitor.day import read_summary, read_week_series, run_day
from reclens.monitor.indicators.registry import compute, describe, indicator, names
from reclens.monitor.measures import MEASURED, Measured, keep_results, write_measures
from reclens.monitor.project import Project
from reclens.monitor.records import SERIES, SeriesKey
from reclens.pipeline.stage_losses import StageEvaluation
from reclens.stats.estimate import Estimate

FIRST = date(2026, 1, 5)
THIRD = 1 / math.log2(3)


def value(series: pl.DataFrame, indicator_: str, dimension: str = "overall", slice_: str = "all") -> float:
    found = series.filter(indicator=indicator_, dimension=dimension, slice=slice_)
    assert found.height == 1, f"{SeriesKey(indicator_, dimension, slice_)}: {found.height} rows"
    return found["value"].item()


BY_HAND = {
    ("ctr", "overall", "all"): 3 / 8,
    ("ctr", "position", "1"): 1 / 3,
    ("ctr", "position", "2"): 1 / 3,
    ("ctr", "position", "3"): 1 / 2,
    ("ctr", "surface", "home"): 3 / 6,
    ("ctr", "retriever", "cf"): 3 / 6,
    ("ctr", "segment", "light"): 3 / 8,
    ("conversion", "overall", "all"): 1 / 3,
    ("conversion", "position", "2"): 1.0,
    ("ndcg", "overall", "all"): (THIRD + 1.5 / (1 + THIRD)) / 2,
    ("ndcg", "model_version", "v1"): THIRD,
    ("hit_rate", "overall", "all"): 1 / 2,
    ("mrr", "overall", "all"): (1 / 2 + 1) / 2,
    ("mrr", "model_version", "v1"): 1 / 2,
    ("coverage", "overall", "all"): 4 / 8,
    ("coverage", "surface", "email"): 2 / 8,
    ("gini", "overall", "all"): 42 / 64,  # 0 0 0 0 1 1 2 4
    ("top_share", "overall", "all"): 4 / 8,
    ("top_user_share", "overall", "all"): 5 / 8,
    ("diversity", "overall", "all"): (2 / 3 + 2 / 3 + 1) / 3,
    ("freshness", "overall", "all"): 4 / 8,
    ("duplicates", "overall", "all"): 1 / 8,
    ("duplicates", "surface", "home"): 1 / 6,
    ("duplicates", "surface", "email"): 0.0,
    ("late", "overall", "all"): 1 / 8,
    ("empty_lists", "overall", "all"): 1 / 4,
    ("empty_lists", "segment", "heavy"): 1.0,
    ("short_lists", "overall", "all"): 2 / 4,
    ("list_length", "overall", "all"): 8 / 4,
    ("traffic", "surface", "home"): 6.0,
    ("requests", "overall", "all"): 4.0,
    ("traffic_share", "model_version", "v2"): 3 / 8,
    ("source_share", "retriever", "popular"): 2 / 8,
    ("calibration", "overall", "all"): 3 / 2,
    ("calibration", "surface", "home"): 3 / 1.5,
    ("ece", "overall", "all"): abs(3 - 2) / 8,
    ("score_mean", "overall", "all"): (3 * 1 + 3 / 2 + 2 / 3) / 8,
    ("feature_nulls", "feature", "device"): 0.0,
    ("model_age", "overall", "all"): 0.0,
}


def test_every_indicator_of_a_day_as_counted_by_hand(hand_project: Project) -> None:
    series = run_day(hand_project, FIRST).series
    assert series.schema == pl.Schema(SERIES)
    assert series["day"].unique().to_list() == [FIRST]
    for (name, dimension, slice_), expected in BY_HAND.items():
        assert value(series, name, dimension, slice_) == pytest.approx(expected), (name, dimension, slice_)
    assert not series.select("indicator", "dimension", "slice").is_duplicated().any()
    rates = series.drop_nulls(["numerator", "value"])
    assert rates.select((pl.col("numerator") / pl.col("denominator") - pl.col("value")).abs().max()).item() < 1e-12


def test_what_is_not_known_is_in_no_denominator(
    hand_project: Project, hand_log: Callable[..., pl.DataFrame], write_log: Callable[..., None], tmp_path: Path
) -> None:
    # Whether the last list was clicked, and whether the click on item a converted, is not known.
    request, item = pl.col("request_id"), pl.col("item_id")
    unknown = hand_log().with_columns(
        clicked=pl.when(request != 4).then("clicked"),
        converted=pl.when((request == 2) & (item == "a")).then(None).otherwise("converted"),
    )
    write_log(tmp_path, FIRST, unknown)
    series = run_day(hand_project, FIRST).series
    assert value(series, "ctr") == 3 / 6 and value(series, "conversion") == 1 / 2
    assert value(series, "traffic") == 8


def test_errors_are_those_of_a_share_and_of_a_mean(hand_project: Project) -> None:
    series = run_day(hand_project, FIRST).series
    ctr = series.filter(indicator="ctr", dimension="overall")
    assert ctr["error"].item() == pytest.approx(math.sqrt(3.5 / 9 * 5.5 / 9 / 8))
    mrr = series.filter(indicator="mrr", dimension="overall")
    assert mrr["error"].item() == pytest.approx(np.std([0.5, 1.0], ddof=1) / math.sqrt(2))
    assert series.filter(indicator="traffic", dimension="overall")["error"].item() == pytest.approx(math.sqrt(8))
    calibration = series.filter(indicator="calibration", dimension="overall")
    assert calibration["error"].item() == pytest.approx(math.sqrt(8 * 0.25 * 0.75) / 2)


def test_what_needs_a_past(
    hand_project: Project, hand_log: Callable[..., pl.DataFrame], write_log: Callable[..., None], tmp_path: Path
) -> None:
    first = run_day(hand_project, FIRST).series
    assert not set(first["indicator"]) & {"psi", "js", "novelty", "cold_items", "cold_users", "score_drift"}
    second = FIRST + timedelta(days=1)
    device = pl.Series(["mobile", "mobile", "tablet", "desktop", "desktop", "desktop", None, None, "mobile"])
    frame = hand_log(second).with_columns(
        device.alias("feature.device"),
        item_id=pl.Series(["a", "e", "c", "a", "a", "d", None, "a", "b"]),
        user_id=pl.Series([1, 1, 1, 2, 2, 2, 3, 9, 9]),
        model_version=pl.lit("v2"),
    )
    write_log(tmp_path, second, frame)
    series = run_day(hand_project, second).series
    # mobile, desktop, missing, never seen; half a row is added to each.
    new, old = np.array([3, 3, 1, 1]) + 0.5, np.array([6, 2, 0, 0]) + 0.5
    p, q = new / new.sum(), old / old.sum()
    assert value(series, "psi", "column", "feature.device") == pytest.approx(float(np.sum((p - q) * np.log(p / q))))
    js = jensenshannon([3, 3, 1, 1], [6, 2, 0, 0], base=2) ** 2
    assert value(series, "js", "column", "feature.device") == pytest.approx(js)
    assert value(series, "feature_nulls", "feature", "device") == pytest.approx(1 / 8)
    assert value(series, "score_drift") == pytest.approx(0, abs=1e-12)
    assert value(series, "hour_drift") == pytest.approx(0, abs=1e-12)
    # Clicks of the first day: a 1, b 1, d 1 of 4 items that were shown; e was not.
    bits = {"a": math.log2(7 / 2), "b": math.log2(7 / 2), "c": math.log2(7), "d": math.log2(7 / 2), "e": math.log2(7)}
    assert value(series, "novelty") == pytest.approx(np.mean([bits[item] for item in "aecaadab"]))
    assert value(series, "cold_items") == pytest.approx(1 / 8)
    assert value(series, "cold_users") == pytest.approx(1 / 4)
    assert value(series, "cold_item_ctr") == 1.0
    assert value(series, "cold_user_ctr") == 0.0
    assert value(series, "model_age") == 1.0


def test_latency_beside_numpy(
    make_project: Callable[..., Project],
    hand_log: Callable[..., pl.DataFrame],
    write_log: Callable[..., None],
    tmp_path,
) -> None:
    times = np.random.default_rng(7).lognormal(4, 0.6, 4000)
    base = hand_log().row(0, named=True)
    frame = (
        pl.DataFrame([base])
        .select(pl.all().repeat_by(4000).explode())
        .with_columns(request_id=pl.int_range(4000), latency_ms=pl.Series(times))
    )
    write_log(tmp_path, FIRST, frame)
    series = run_day(make_project(), FIRST).series
    for name, at in (("latency_median", 0.5), ("latency_p95", 0.95)):
        found = series.filter(indicator=name, dimension="overall")
        assert found["value"].item() == pytest.approx(float(np.quantile(times, at)), rel=0.02)
        draws = np.random.default_rng(8).choice(times, (400, 4000))
        spread = float(np.quantile(draws, at, axis=1).std())
        assert found["error"].item() == pytest.approx(spread, rel=0.25)


def test_the_pipeline_behind_the_lists(hand_project: Project, tmp_path: Path) -> None:
    at = [datetime(2026, 1, 5, 12)] * 4
    pl.DataFrame(
        {
            "timestamp": at,
            "request_id": [1, 2, 1, 2],
            "retriever": ["cf", "cf", "popular", "popular"],
            "candidates": [100, 0, 20, 30],
            "latency_ms": [4.0, 4.0, 8.0, 8.0],
        }
    ).write_parquet(tmp_path / "retrievers.parquet")
    pl.DataFrame(
        {"timestamp": at, "stage": ["rank", "rank", "rerank", "rerank"], "relevant": [4, 6, 3, 5], "lost": [1, 1, 0, 2]}
    ).write_parquet(tmp_path / "stages.parquet")
    text = (tmp_path / "monitor.toml").read_text()
    (tmp_path / "monitor.toml").write_text(text + 'retrievers = "retrievers.parquet"\nstages = "stages.parquet"\n')
    series = run_day(Project(tmp_path), FIRST).series
    assert value(series, "candidates", "retriever", "cf") == 50
    assert value(series, "candidates") == 150 / 4
    assert value(series, "empty_retriever", "retriever", "cf") == 1 / 2
    assert value(series, "empty_retriever") == 1 / 4
    assert value(series, "stage_loss", "stage", "rank") == 2 / 10
    assert value(series, "stage_loss", "stage", "rerank") == 2 / 8
    assert value(series, "retriever_latency", "retriever", "popular") == pytest.approx(8, rel=0.1)
    cf = series.filter(indicator="candidates", dimension="retriever", slice="cf")
    assert cf["error"].item() == pytest.approx(np.std([100, 0], ddof=1) / math.sqrt(2))


def test_values_of_other_rooms(hand_project: Project) -> None:
    days = [FIRST, FIRST + timedelta(days=1)]
    for day, recall in zip(days, (0.9, 0.8), strict=True):
        write_measures(hand_project, day, [Measured(indicator="index_recall", value=recall, error=0.03, n=500)])
    series = run_day(hand_project, FIRST).series
    assert value(series, "index_recall") == 0.9
    assert series.filter(indicator="index_recall")["error"].item() == pytest.approx(0.03)
    with pytest.raises(UnknownNameError, match="index_recall"):
        write_measures(hand_project, FIRST, [Measured(indicator="index_recal", value=1.0)])


def bare(kind: type, **given: object) -> object:
    """A result of which the monitor reads some fields alone."""
    found = object.__new__(kind)
    for name, each in given.items():
        object.__setattr__(found, name, each)
    return found


def test_results_of_an_audit_an_exploration_and_a_pipeline_are_watched(hand_project: Project) -> None:
    estimate = Estimate(0.2, low=0.1, high=0.3, n=50)
    measures = [
        Measure(measure=each, estimate=estimate, exact=each == "moved") for each in ("moved", "recall", "hubness")
    ]
    gap = SimpleNamespace(difference=estimate, attribute="gender", by="group", group="f", segment=None, measure="ndcg")
    loss = SimpleNamespace(loss=estimate, by="overall", stage="rerank", metric="ndcg@10")
    keep_results(
        hand_project,
        FIRST,
        bare(Exploration, measures=measures),
        bare(Audit, rows=(gap,)),
        bare(StageEvaluation, losses=(loss,)),
    )
    series = run_day(hand_project, FIRST).series
    for name, key in {
        "embedding_drift": (),
        "index_recall": (),
        "fairness_gap": ("gender", "f/ndcg"),
        "pipeline_loss": ("stage", "rerank/ndcg@10"),
    }.items():
        assert value(series, name, *key) == pytest.approx(0.2), name
    errors = dict(series.filter(pl.col("indicator").is_in(MEASURED)).select("indicator", "error").iter_rows())
    assert errors["index_recall"] == pytest.approx(0.1 / 1.959964) and not errors["embedding_drift"]
    with pytest.raises(UsageError, match="an exploration"):
        keep_results(hand_project, FIRST, series)


def test_staleness_of_features(
    make_project: Callable[..., Project],
    hand_log: Callable[..., pl.DataFrame],
    write_log: Callable[..., None],
    tmp_path,
) -> None:
    frame = hand_log().with_columns(pl.col("timestamp").dt.offset_by("-6h").alias("feature.profile_at"))
    write_log(tmp_path, FIRST, frame)
    series = run_day(make_project(), FIRST).series
    assert value(series, "staleness", "feature", "profile_at") == pytest.approx(6)
    assert value(series, "staleness", "surface", "home") == pytest.approx(6)


def test_weeks_are_sums_of_days(
    hand_project: Project, hand_log: Callable[..., pl.DataFrame], write_log: Callable[..., None], tmp_path: Path
) -> None:
    second = FIRST + timedelta(days=1)
    write_log(tmp_path, second, hand_log(second).with_columns(clicked=pl.lit(1), position=pl.lit(1)))
    for day in (FIRST, second):
        run_day(hand_project, day)
    summary = read_summary(hand_project, [FIRST, second])
    assert summary is not None
    series = compute(summary)
    assert series["day"].unique().to_list() == [second]
    assert value(series, "ctr") == (3 + 8) / 16
    assert value(series, "traffic") == 16
    assert value(series, "coverage") == 4 / 8
    assert value(series, "gini") == 42 / 64
    assert value(series, "empty_lists") == 2 / 8
    assert value(series, "top_user_share") == 10 / 16
    one, other = (read_summary(hand_project, [day]) for day in (FIRST, second))
    assert one is not None and other is not None
    assert compute(one + other).equals(series)
    assert read_summary(hand_project, [date(2020, 1, 1)]) is None
    assert summary.past.days == () and other.past.days == (FIRST,)  # no day of a week is the past of it
    # As a week, amounts are those of a mean day; a day without data leaves no week.
    week = read_week_series(hand_project, [FIRST, second])
    assert week is not None and value(week, "traffic") == 8 and value(week, "coverage") == 4 / 8
    assert value(week, "list_length") == 16 / 8
    assert read_week_series(hand_project, [FIRST, second, date(2020, 1, 1)]) is None


def test_the_registry_says_what_an_indicator_is() -> None:
    assert len(names()) >= 40
    for name in names():
        info = describe(name)
        assert info.name == name and info.caption and info.summary.endswith("."), name
        assert info.unit in ("share", "count", "ms", "days", "hours", "bits", "ratio", ""), name
        if info.unit == "share" and info.family not in ("space",):
            assert info.scale in ("logit", "log"), name
    with pytest.raises(UnknownNameError, match="Did you mean 'ctr'"):
        describe("crt")

    def ctr(summary: object) -> None:
        """Taken."""

    with pytest.raises(UsageError, match="exists already"):
        indicator(caption="x", unit="", scale="log", direction="up", family="data")(ctr)
