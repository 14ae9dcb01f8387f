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
