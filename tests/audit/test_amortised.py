"""Exposure that a log adds up to over days: by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.amortised import amortised_exposure, amortised_rows
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.settings import AuditSettings
from reclens.errors import DataError

ITEMS = pl.DataFrame({"item_id": ["a", "b", "c", "d"], "seller": ["us", "us", "them", "them"]})
LISTS = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "a"], "rank": [1, 1]})
TRUTH = pl.DataFrame({"user_id": [1, 2, 2], "item_id": ["c", "a", "d"]})
SECOND = 1 / np.log2(3)


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """Six impressions of two users in three days."""
    return pl.DataFrame(
        {
            "user_id": [1, 1, 2, 2, 1, 2],
            "item_id": ["a", "c", "a", "c", "c", "d"],
            "position": [1, 2, 1, 3, 1, 1],
            "clicked": [0, 1, 0, 0, 1, 0],
            "timestamp": [datetime(2026, 3, day) for day in (1, 1, 2, 2, 3, 3)],
        }
    )


def measured(truth: pl.DataFrame | None = TRUTH) -> AuditMeasures:
    settings = AuditSettings(k=2, metrics=(), attributes=["seller"], minimum=2)
    return measure_audit(LISTS, truth, items=ITEMS, settings=settings)


def test_days_add_up_by_hand(log: pl.DataFrame) -> None:
    """Third places do not count. Day 1: us 1, them .63; day 2: us 2; day 3: them 2.63. Merit of us: (0 + 1/2) / 2."""
    found = {(each.until, each.group): each for each in amortised_exposure(measured(), log, "seller")}
    shares = {until: each.share.value for (until, group), each in found.items() if group == "us"}
    assert shares == pytest.approx(
        {"2026-03-01": 1 / (1 + SECOND), "2026-03-02": 2 / (2 + SECOND), "2026-03-03": 2 / (4 + SECOND)}
    )
    last = found["2026-03-03", "us"]
    assert last.reference == "merit" and last.ratio.value == pytest.approx(2 / (4 + SECOND) / 0.25)
    (row,) = [row for row in amortised_rows(measured(), log, "seller") if row.group == "us"]
    assert (row.value.value, row.reference_value.value, row.n) == (pytest.approx(2 / (4 + SECOND)), 0.25, 2)


def test_without_times_or_truth(log: pl.DataFrame) -> None:
    (whole, _) = amortised_exposure(measured(None), log.drop("timestamp"), "seller")
    assert (whole.until, whole.reference, whole.group) == (None, "catalogue", "them")
    assert whole.share.value == pytest.approx((2 + SECOND) / (4 + SECOND)) and whole.ratio.value == pytest.approx(
        2 * whole.share.value
    )


def test_an_audit_with_a_log_has_them(log: pl.DataFrame, tmp_path: Path) -> None:
    found = rl.audit.run(LISTS, TRUTH, items=ITEMS, attributes=["seller"], k=2, log=log)
    assert {row.group for row in found.rows if row.measure == "amortised_exposure"} == {"us", "them"}
    assert len(found.amortised) == 6
    found.save(tmp_path)
    assert rl.audit.Audit.load(tmp_path).amortised == found.amortised
    none = rl.audit.run(LISTS, TRUTH, items=ITEMS, attributes=["seller"], k=2)
    assert ("amortised_exposure", "log") in {(each.measure, each.lacking) for each in none.not_measured}


def test_bad_logs_say_what_is_wrong(log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="'position'"):
        amortised_exposure(measured(), log.drop("position"), "seller")
    with pytest.raises(DataError, match="no impression stands"):
        amortised_exposure(measured(), log.filter(pl.col("position") > 2), "seller")
