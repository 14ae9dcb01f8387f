"""Sampled metrics: always beside the full one, always with a warning, and equal to what sampling gives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import hypergeom

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.evaluate.sampled import SampledMetricsWarning, _ranks_in_sample, compare_sampled


def whole_rankings(n_users: int = 30, n_items: int = 300) -> tuple[pl.DataFrame, pl.DataFrame, Dataset]:
    rng = np.random.default_rng(2)
    train, truth, lists = [], [], []
    for user in range(n_users):
        order = rng.permutation(n_items)
        train += [(user, int(item)) for item in order[:10]]
        truth += [(user, int(order[10 + rng.integers(0, 60)]))]
        lists += [(user, int(item), rank) for rank, item in enumerate(order[10:], 1)]
    train += [(n_users, item) for item in range(n_items)]  # somebody has every item: all are candidates
    pairs = ["user_id", "item_id"]
    return (
        pl.DataFrame(lists, [*pairs, "rank"], orient="row"),
        pl.DataFrame(truth, pairs, orient="row"),
        Dataset(pl.DataFrame(train, pairs, orient="row")),
    )


def test_it_equals_drawing_negatives_at_random() -> None:
    lists, truth, train = whole_rankings()
    with pytest.warns(SampledMetricsWarning, match="not comparable"):
        found = {row.metric: row for row in compare_sampled(lists, truth, train=train, n_negatives=20)}
    rank = {(u, i): r for u, i, r in lists.rows()}
    rng = np.random.default_rng(0)
    hits, gains, full = [], [], []
    for user, item in truth.rows():
        at = rank[(user, item)] - 1
        full.append(at < 10)
        # 290 candidates, one of them relevant: 289 negatives, of which 20 are drawn.
        before = (rng.random((4000, 289)).argsort(axis=1)[:, :20] < at).sum(axis=1)
        hits.append((before < 10).mean())
        gains.append(np.where(before < 10, 1 / np.log2(before + 2), 0).mean())
    assert found["hit_rate@10"].full == pytest.approx(np.mean(full))
    assert found["hit_rate@10"].sampled == pytest.approx(np.mean(hits), abs=0.01)
    assert found["ndcg@10"].sampled == pytest.approx(np.mean(gains), abs=0.01)
    assert found["hit_rate@10"].inflation > 2


def test_probabilities_are_those_of_scipy() -> None:
    got = _ranks_in_sample(np.array([0, 7, 50]), np.array([60, 60, 60]), np.array([20, 20, 20]), 5)
    for row, before in zip(got, (0, 7, 50), strict=True):
        np.testing.assert_allclose(row, hypergeom(60, before, 20).pmf(range(5)), atol=1e-12)


def test_short_lists_are_refused() -> None:
    lists, truth, train = whole_rankings()
    with pytest.raises(UsageError, match="whole rankings"):
        compare_sampled(lists.filter(pl.col("rank") <= 100), truth, train=train)
    with pytest.raises(UsageError, match="no sampled form"):
        compare_sampled(lists, truth, train=train, metrics=["map@10"])
