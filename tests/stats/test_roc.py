"""The clustered area under the ROC curve: its value by counting pairs, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.errors import UsageError
from reclens.stats.roc import clustered_auc


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_area_counts_pairs(rows) -> None:
    labels, scores, clusters = (np.array(each) for each in zip(*rows, strict=True))
    if labels.all() or not labels.any():
        with pytest.raises(UsageError, match="rows of both kinds"):
            clustered_auc(labels, scores, clusters)
        return
    above, below = scores[labels][:, None], scores[~labels]
    wanted = ((above > below) + 0.5 * (above == below)).mean()
    found = clustered_auc(labels, scores, clusters)
    assert found.value == pytest.approx(wanted) and found.low <= found.value <= found.high


def test_intervals_cover_with_dependent_rows(rate_error) -> None:
    """Rows of a user share an offset; clusters differ in size; scores are on a lattice, so that many tie."""
    rng = np.random.default_rng(2)
    runs, covered, plain = 400, 0, 0

    def draw(n_users: int):
        sizes = rng.integers(1, 20, n_users)
        owners = np.repeat(np.arange(n_users), sizes)
        offset = rng.normal(size=n_users)[owners]
        labels = rng.random(len(owners)) < 1 / (1 + np.exp(-offset))
        scores = np.round(labels + 1.5 * rng.normal(size=len(owners)) + offset, 1)
        return labels, scores, owners

    truth = clustered_auc(*draw(60_000)).value
    for _ in range(runs):
        labels, scores, owners = draw(120)
        found = clustered_auc(labels, scores, owners)
        covered += found.low <= truth <= found.high
        alone = clustered_auc(labels, scores, np.arange(len(labels)))
        plain += alone.low <= truth <= alone.high
    assert abs(covered / runs - 0.95) < rate_error(0.95, runs) + 0.01
    assert plain < covered, "rows that are taken for independent give intervals that are too short"


def test_rows_that_are_independent_have_the_interval_of_delong() -> None:
    """Few positives among many negatives; placements counted pair by pair, and the variances of both kinds."""
    rng = np.random.default_rng(7)
    high, low = np.round(rng.normal(1.0, 1.0, 4), 1), np.round(rng.normal(size=60), 1)
    placed = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    value = placed.mean()
    variance = placed.mean(1).var(ddof=1) / 4 + placed.mean(0).var(ddof=1) / 60
    reach = 1.959964 * variance**0.5 / (value * (1 - value))
    found = clustered_auc(np.repeat([1, 0], [4, 60]), np.concatenate([high, low]), np.arange(64))
    centre = np.log(value / (1 - value))
    ends = 1 / (1 + np.exp(-np.array([centre - reach, centre + reach])))
    assert (found.value, found.low, found.high) == pytest.approx((value, *ends), rel=1e-6)


def test_users_with_a_row_of_each_kind_have_the_variance_of_their_sums() -> None:
    """Each user adds both of their placements, and users are independent: the variance of a mean of sums."""
    rng = np.random.default_rng(8)
    offset = rng.normal(size=12)
    high, low = offset + 0.8 + 0.5 * rng.normal(size=12), offset + 0.5 * rng.normal(size=12)
    placed = high[:, None] > low
    value, variance = placed.mean(), (placed.mean(1) + placed.mean(0)).var(ddof=1) / 12
    found = clustered_auc(np.repeat([1, 0], 12), np.concatenate([high, low]), np.tile(np.arange(12), 2))
    ends = np.array([found.low, found.high])
    width = np.diff(np.log(ends / (1 - ends)))[0]
    assert width == pytest.approx(2 * 1.959964 * variance**0.5 / (value * (1 - value)), rel=1e-6)


def test_areas_without_a_variance_are_not_taken_for_certain() -> None:
    """Three pairs in order happen by an area of .025^(1/3) = .292 with 2.5 %; one user says nothing of the others."""
    labels, scores = np.array([1, 1, 1, 0, 0, 0, 0]), np.array([7, 6, 5, 4, 3, 2, 1])
    assert clustered_auc(labels, scores, np.arange(7)) == pytest.approx((1.0, 0.025 ** (1 / 3), 1.0, 7))
    assert clustered_auc(labels, -scores, np.arange(7)) == pytest.approx((0.0, 0.0, 1 - 0.025 ** (1 / 3), 7))
    one = clustered_auc(labels, np.array([7, 6, 3, 4, 5, 2, 1]), np.array([0, 0, 0, 1, 2, 3, 4]))
    assert (one.low, one.high) == (0.0, 1.0)


def test_intervals_cover_where_few_rows_are_often_in_perfect_order(rate_error) -> None:
    """Seven rows of each kind, normal scores 2.2 apart: the area is Φ(2.2 ÷ √2) = .940, and 1 in a quarter of runs."""
    rng = np.random.default_rng(4)
    labels, runs, covered, perfect = np.repeat([1, 0], 7), 400, 0, 0
    for _ in range(runs):
        found = clustered_auc(labels, rng.normal(2.2 * labels), np.arange(14))
        covered += found.low <= 0.9401 <= found.high
        perfect += found.value == 1
    assert 0.1 * runs < perfect < 0.4 * runs
    assert covered / runs > 0.95 - rate_error(0.95, runs)
