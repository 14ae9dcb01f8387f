"""Rankers whose numbers are known: they pass on sound data, and a planted fault of the harness stops the audit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from reclens.audit.calibration import distance_rows
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.preflight import _error_of_mean, _without_repeats, preflight, refuse_failed
from reclens.audit.settings import AuditSettings
from reclens.errors import DataError


@pytest.fixture(scope="module")
def measured(market) -> AuditMeasures:  # type: ignore[no-untyped-def]
    settings = AuditSettings(by="gender", attributes=["brand"])
    return measure_audit(**market(tilt=0.0), settings=settings)


def test_sound_data_pass(measured: AuditMeasures) -> None:
    found = preflight(measured)
    assert found.passed and {check.ranker for check in found.checks} == {"oracle", "random", "identical"}
    oracle = {check.measure: check.found for check in found.checks if check.ranker == "oracle"}
    assert oracle["ndcg@10"] == pytest.approx(1.0)
    assert set(found.random) == {"awrf|brand", "ndkl|brand", "miscalibration|brand"}
    refuse_failed(found, "lists")


def test_random_lists_have_the_distance_of_the_multinomial(measured: AuditMeasures) -> None:
    """Ten of 60 items in three groups of 20, without replacement; AWRF of 20,000 drawn lists."""
    rng = np.random.default_rng(0)
    group = np.argsort(rng.random((20_000, 60)), axis=1)[:, :10] % 3
    weights = 1 / np.log2(np.arange(2, 12))
    shares = np.stack([((group == g) * weights).sum(axis=1) for g in range(3)], axis=1) / weights.sum()
    expected = np.abs(shares - 1 / 3).sum(axis=1) / 2
    error = expected.std() / np.sqrt(600)
    assert preflight(measured).random["awrf|brand"] == pytest.approx(expected.mean(), abs=4 * error)


def test_truth_that_is_not_what_it_seems_stops_the_audit(measured: AuditMeasures) -> None:
    """Relevances that are not those of the relevant items: the oracle no longer reaches 1."""
    ground = measured.context
    shifted = replace(ground, relevant=np.sort(ground.relevant)[::-1].astype(np.int32))
    found = preflight(replace(measured, context=shifted))
    assert not found.passed
    with pytest.raises(DataError, match="the preflight failed"):
        refuse_failed(found, "lists")


def test_an_uneven_catalogue_stops_the_audit(measured: AuditMeasures) -> None:
    """Sizes of the groups that are not those of the catalogue: random lists do not have their shares."""
    brand = measured.groups["brand"]
    wrong = replace(measured, groups={"brand": replace(brand, sizes=np.array([40.0, 10.0, 10.0]))})
    failed = [check for check in preflight(wrong).checks if not check.passed]
    assert failed and {check.ranker for check in failed} == {"random"}


def test_the_error_of_random_lists_is_counted() -> None:
    """2,000 of 10,000 users whose means spread by 1, four lists each that spread by 2: simulated many times."""
    rng = np.random.default_rng(7)
    users = rng.normal(size=10_000)
    drawn = [rng.choice(users, 2_000, replace=False) + rng.normal(scale=2.0, size=(4, 2_000)) for _ in range(200)]
    errors = [_error_of_mean(each, 10_000) for each in drawn]
    spread = np.std([each.mean() for each in drawn])
    assert np.mean(errors) == pytest.approx(spread, rel=3 / np.sqrt(2 * 200))
    assert np.mean(errors) == pytest.approx(np.sqrt((0.8 * users.var() + 1.0) / 2_000), rel=0.02)
    assert _error_of_mean(np.ones((1, 1)), 1) == 0.0


def test_the_reference_has_the_error_of_the_random_lists(measured: AuditMeasures) -> None:
    found = preflight(measured)
    (row,) = [row for row in distance_rows(measured, checked=found) if (row.measure, row.by) == ("awrf", "overall")]
    assert row.reference == "random" and row.reference_value.low is not None and row.reference_value.high is not None
    reach = (row.reference_value.high - row.reference_value.low) / 2
    assert reach == pytest.approx(1.96 * found.random_error["awrf|brand"], rel=0.15)  # 400 replicates


@pytest.mark.parametrize("size", [4, 30])
def test_drawn_lists_are_all_equally_likely(size: int) -> None:
    """Two of 4 (by sorting) and two of 30 (by drawing again): each ordered pair once in size · (size - 1)."""
    n, pairs = 60_000, size * (size - 1)
    found = _without_repeats(n, size, 3 if size == 4 else 2, np.random.default_rng(1))[:, :2]
    counts = np.bincount(found[:, 0] * size + found[:, 1], minlength=size**2).reshape(size, size)
    assert np.trace(counts) == 0
    apart = counts[~np.eye(size, dtype=bool)]
    assert chi2.sf(((apart - n / pairs) ** 2 / (n / pairs)).sum(), pairs - 1) > 0.001
