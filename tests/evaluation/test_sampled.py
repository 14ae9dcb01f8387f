"""Sampled metrics: always beside the full one, always with a warning, and equal to what sampling gives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import hypergeom

from reclens.data.dataset import Dataset
from reclens.errors import DataError, UsageError
from reclens.evaluation.sampled import SampledComparison, SampledMetricsWarning, _ranks_in_sample, compare_sampled
from reclens.schema import Recommendations


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


def test_lists_that_may_have_been_cut_off_are_refused() -> None:
    lists, truth, train = whole_rankings()
    cut = lists.filter(pl.col("rank") <= 100)
    with pytest.raises(UsageError, match=r'may have been cut off. Recommend with k=300 or more.*unscored="last"'):
        compare_sampled(cut, truth, train=train)
    with pytest.raises(UsageError, match="were asked for with k=100"):
        compare_sampled(Recommendations(cut, card={"k": 100}), truth, train=train)
    with pytest.raises(UsageError, match="were asked for with k=299"):
        compare_sampled(Recommendations(cut, card={"k": 299}), truth, train=train)
    with pytest.raises(UsageError, match="no sampled form"):
        compare_sampled(lists, truth, train=train, metrics=["map@10"])
    with pytest.raises(UsageError, match="Known: last"):
        compare_sampled(lists, truth, train=train, unscored="first")  # type: ignore[arg-type]


def sampled(*arguments: object, **options: object) -> dict[str, SampledComparison]:
    with pytest.warns(SampledMetricsWarning):
        return {row.metric: row for row in compare_sampled(*arguments, **options)}  # type: ignore[arg-type]


def test_unscored_items_rank_last_by_hand() -> None:
    # Ten items, all of them user 9's. User 1 has item 0: 9 candidates, 2 of them relevant, 7 negatives. Her list holds
    # 3 negatives, the relevant item 5 behind one of them, and neither the relevant item 6 nor 4 of the negatives: 5 has
    # 1 negative before it, and 6 all 7. Item 0 in the list is no candidate, nor is item 77. User 2 has no list.
    train = Dataset(pl.DataFrame({"user_id": [1, 2, *[9] * 10], "item_id": [0, 0, *range(10)]}))
    lists = pl.DataFrame({"user_id": [1] * 6, "item_id": [0, 3, 77, 5, 1, 2], "rank": range(1, 7)})
    truth = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 6, 8]})
    asked = {"train": train, "n_negatives": 2, "metrics": ["hit_rate@2", "mrr@10"], "unscored": "last"}
    found = sampled(lists, truth, **asked)
    assert found["hit_rate@2"].full == pytest.approx(1 / 3)
    # Full: ranks 2, 8, and 9 (behind 8 negatives) for user 2.
    assert found["mrr@10"].full == pytest.approx((1 / 2 + 1 / 8 + 1 / 9) / 3)
    # Sampled: 2 of 7 negatives; the one before item 5 is among them with 2/7. The others stand behind both.
    assert found["mrr@10"].sampled == pytest.approx((5 / 7 + 2 / 7 / 2 + 1 / 3 + 1 / 3) / 3)
    assert found["hit_rate@2"].sampled == pytest.approx(1 / 3)
    assert (found["mrr@10"].n, found["mrr@10"].n_unscored) == (3, 2)
    assert found["mrr@10"].n_candidates == pytest.approx((7 + 7 + 8) / 3)


def test_a_relevant_item_that_training_does_not_know_takes_no_candidate_away() -> None:
    # Five items, one of them user 1's. Item 7 is new: of 4 candidates one is relevant, so that 3 are negatives, and
    # item 7, which nothing scored, stands behind these 3.
    train = Dataset(pl.DataFrame({"user_id": [1, *[9] * 5], "item_id": [0, *range(5)]}))
    lists = pl.DataFrame({"user_id": [1] * 4, "item_id": [2, 1, 3, 4], "rank": range(1, 5)})
    truth = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 7]})
    found = sampled(lists, truth, train=train, n_negatives=3, metrics=["mrr@10"], unscored="last")["mrr@10"]
    assert found.n_candidates == 3 and found.n_unscored == 1
    assert found.full == found.sampled == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_ids_of_other_types_are_explained_or_widened() -> None:
    lists, truth, train = whole_rankings()
    found = sampled(lists.cast({"item_id": pl.Int32}), truth, train=train)
    assert found == sampled(lists, truth, train=train)
    with pytest.raises(DataError, match="integers in one table and strings"):
        compare_sampled(lists.cast({"item_id": pl.String}), truth, train=train)


def test_a_relevant_item_that_the_user_has_is_ranked_among_the_negatives() -> None:
    # User 1 has items 0 and 1, and buys 1 again: the negatives are 2 and 3, whichever the list holds.
    train = Dataset(pl.DataFrame({"user_id": [1, 1, *[9] * 4], "item_id": [0, 1, *range(4)]}))
    lists = pl.DataFrame({"user_id": [1] * 4, "item_id": [2, 0, 1, 3], "rank": range(1, 5)})
    truth = pl.DataFrame({"user_id": [1], "item_id": [1]})
    found = sampled(lists, truth, train=train, metrics=["mrr@10"])["mrr@10"]
    assert (found.full, found.n_candidates, found.n_unscored) == (0.5, 2.0, 0)


@pytest.mark.parametrize("name", ["item_knn", "user_knn", "slim", "rp3beta"])
def test_models_that_score_some_items_only(name: str) -> None:
    # The advice of the error, followed, is enough; the full metric is that of the lists.
    from reclens import models
    from reclens.data.synthetic import synthetic_movielens

    data = synthetic_movielens(n_users=60, n_items=80, n_ratings=900, rng=3)
    held = data.interactions.gather_every(7)
    train = Dataset(data.interactions.join(held, on=["user_id", "item_id"], how="anti"))
    n_items = train.interactions["item_id"].n_unique()
    model = models.get(name)(**({"neighbors": 2} if name != "slim" else {"l1": 5.0})).fit(train)
    lists = model.recommend(k=n_items)
    assert lists.table.height < len(model.users_) * n_items / 2
    found = sampled(lists, held, train=train, metrics=["hit_rate@5"])["hit_rate@5"]
    hits = lists.table.filter(pl.col("rank") <= 5).join(held, on=["user_id", "item_id"], how="semi").height
    assert 0 < found.n_unscored < found.n == held.height
    # Relevant items do not stand in each other's way, so that there are hits that lists do not show in the first 5.
    assert hits / held.height <= found.full <= found.sampled
