"""Calibration of scores, and where a gap comes from: by hand, and on drawn chances."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.calibration import score_rows
from reclens.audit.measure import measure_audit
from reclens.audit.rows import AuditRow
from reclens.audit.settings import AuditSettings
from reclens.audit.stages import stage_rows
from reclens.errors import UsageError

LISTS = pl.DataFrame(
    {
        "user_id": [1, 1, 1, 2, 2, 2, 3],
        "item_id": ["a", "b", "c", "c", "d", "a", "b"],
        "score": [0.9, 0.5, 0.1, 0.8, 0.35, 0.3, 1.0],
    }
)
TRUTH = pl.DataFrame({"user_id": [1, 2, 2, 4], "item_id": ["a", "a", "x", "b"]})
TRAIN = rl.Dataset(
    pl.DataFrame({"user_id": [1, 2, 2, 5, 5], "item_id": ["b", "b", "c", "d", "a"]}),
    users=pl.DataFrame({"user_id": [1, 2, 3, 4], "gender": ["F", "M", "F", "M"]}),
    items=pl.DataFrame({"item_id": ["a", "b", "c", "d"], "seller": ["us", "us", "them", "them"]}),
)


def rows_of(lists: pl.DataFrame, **options: object) -> list[AuditRow]:
    settings = AuditSettings(**{"metrics": (), "by": "gender", "minimum": 2, **options})  # type: ignore[arg-type]
    measures = measure_audit(lists, TRUTH, train=TRAIN, settings=settings)
    return score_rows(measures) + stage_rows(measures)


def test_scores_beside_hits_by_hand() -> None:
    """First two places; user 3 has no truth. Scores .9 + .5 and .8 + .35; hits 1 and 0 of two places each."""
    rows = {(row.subject, row.reference): row for row in rows_of(LISTS, k=2)}
    whole = rows["all", "scores"]
    assert (whole.value.value, whole.reference_value.value, whole.n) == pytest.approx((1 / 4, 2.55 / 4, 2))
    women = rows["F", "scores"]
    assert (women.value.value, women.reference_value.value) == pytest.approx((1 / 2, 0.7))
    assert rows["F", "rest"].value.value == pytest.approx(0.5 / 0.7) and rows["F", "rest"].reference_value.value == 0.0
    tenths = {subject: row for (subject, _), row in rows.items() if row.attribute == "score"}
    assert {name: row.reference_value.value for name, row in tenths.items()} == pytest.approx(
        {"0.9 to 1": 0.9, "0.5 to 0.6": 0.5, "0.8 to 0.9": 0.8, "0.3 to 0.4": 0.35}
    )
    assert tenths["0.9 to 1"].value.value == 1.0


@pytest.mark.parametrize("scores", [[1.2], [-0.1], [None], [float("nan")]])
def test_other_scores_are_not_calibrated(scores: list[float | None]) -> None:
    other = LISTS.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
    other = other.with_columns(score=pl.Series([*scores, *LISTS["score"][1:]]))
    assert not [row for row in rows_of(other, k=2) if row.measure == "score_calibration"]
    found = rl.audit.run(other, TRUTH, train=TRAIN, by="gender", k=2)
    assert ("score_calibration", "scores") in {(each.measure, each.lacking) for each in found.not_measured}


def test_promised_chances_are_kept(rate_error) -> None:  # type: ignore[no-untyped-def]
    """Hits are drawn with the chance that the score is: the test finds 5 % of them wrong, a promise of half always."""
    rng, runs, wrong, halved = np.random.default_rng(5), 40, 0, 0
    for _ in range(runs):
        n = 150
        chance = rng.beta(1, 3, (n, 4))  # a tenth of the users has most of the chances
        hit = rng.random((n, 4)) < chance
        base = pl.DataFrame({"user_id": np.repeat(np.arange(n), 4), "item_id": np.tile(np.arange(4), n)})
        lists = base.with_columns(score=pl.Series(chance.ravel()))
        extra = pl.DataFrame({"user_id": np.arange(n), "item_id": np.full(n, 9)})
        truth = pl.concat([base.filter(pl.Series(hit.ravel())), extra])
        settings = AuditSettings(metrics=(), k=4, replicates=200)
        (row,) = [each for each in score_rows(measure_audit(lists, truth, settings=settings)) if each.group is None]
        wrong += row.p_value < 0.05
        less = lists.with_columns(pl.col("score") / 2)
        (row,) = [each for each in score_rows(measure_audit(less, truth, settings=settings)) if each.group is None]
        halved += row.p_value < 0.05 and row.ratio.value > 1
    assert wrong / runs <= 0.05 + rate_error(0.05, runs) and halved == runs


def test_stages_by_hand() -> None:
    """Three places are retrieved and one is shown; of the relevant items x is unknown to the catalogue."""
    rows = rows_of(LISTS, k=1, retrieved=3, attributes=["seller"])
    users = {(row.measure, row.segment): row.value.value for row in rows if row.section == "users"}
    assert users["stage_data", "F"] == 1.0 and users["stage_data", "M"] == pytest.approx((0.5 + 1) / 2)
    assert users["stage_scores", "F"] == 1.0 and users["stage_scores", "M"] == pytest.approx((0.5 + 0) / 2)
    assert users["stage_lists", "F"] == 1.0 and users["stage_lists", "M"] == 0.0
    ours = {row.measure: row for row in rows if row.group == "us"}
    # Histories: user 1 b, user 2 b and c. Retrieved: a b c, c d a, b. Shown: a, c, b.
    assert (ours["stage_data"].value.value, ours["stage_data"].reference_value.value) == pytest.approx((0.75, 0.5))
    assert (ours["stage_scores"].value.value, ours["stage_scores"].reference) == (pytest.approx(4 / 7), "profile")
    assert (ours["stage_lists"].value.value, ours["stage_lists"].reference) == (pytest.approx(2 / 3), "scores")
    product = np.prod([ours[name].ratio.value for name in ("stage_data", "stage_scores", "stage_lists")])
    assert product == pytest.approx((2 / 3) / 0.5)
    assert {row.family for row in rows if row.measure.startswith("stage")} == {"descriptive"}


def test_stages_are_asked_for_and_never_tested() -> None:
    assert not [row for row in rows_of(LISTS, k=1, attributes=["seller"]) if row.measure.startswith("stage")]
    with pytest.raises(UsageError, match="more places than the 5"):
        AuditSettings(k=5, retrieved=5)
    found = rl.audit.run(LISTS, TRUTH, train=TRAIN, by="gender", attributes=["seller"], k=1, retrieved=3, minimum=2)
    stages = [row for row in found.rows if row.measure.startswith("stage")]
    assert stages and {row.severity for row in stages} == {"descriptive"}
    assert all(row.p_adjusted is None for row in stages)


def test_a_stream_has_its_scores() -> None:
    with_ranks = LISTS.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id").cast(pl.Int64))
    one, other = (
        [row.value.value for row in rows_of(each, k=2) if row.measure == "score_calibration"]  # type: ignore[arg-type]
        for each in (with_ranks, with_ranks.lazy())
    )
    assert one and one == other
