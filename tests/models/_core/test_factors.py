"""Models of users and items as vectors, against dense NumPy written from their papers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.errors import UsageError
from reclens.models._core.als_kernels import approach_rows, solve_rows
from reclens.schema import Vocabulary


def data_and_ones(seed: int, *, n_users: int = 40, n_items: int = 30, share: float = 0.3) -> tuple[Dataset, np.ndarray]:
    """A data set with integer ids, and its interactions as a dense matrix of zeros and ones."""
    rng = np.random.default_rng(seed)
    ones = rng.random((n_users, n_items)) < share
    ones[np.arange(n_users), np.arange(n_users) % n_items] = True
    users, items = np.nonzero(ones)
    table = pl.DataFrame({"user_id": users, "item_id": items})
    return Dataset(table.sample(fraction=1, shuffle=True, seed=seed)), ones.astype(float)


def ridge(ones: np.ndarray, others: np.ndarray, *, unobserved: float, l2: float, frequency: float) -> np.ndarray:
    """The update of iALS for all rows (Rendle et al. 2021, section 3)."""
    found = []
    for row in ones:
        penalty = l2 * (row.sum() + unobserved * len(row)) ** frequency
        weights = row + unobserved
        system = (others * weights[:, None]).T @ others + penalty * np.eye(others.shape[1])
        found.append(np.linalg.solve(system, others.T @ row))
    return np.array(found)


@pytest.mark.parametrize("frequency", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("factors", [1, 5, 8, 31])
def test_als_is_the_alternation_of_exact_ridge_regressions(factors: int, frequency: float) -> None:
    data, ones = data_and_ones(1)
    options = {"unobserved": 0.3, "l2": 0.05, "frequency": frequency}
    model = models.ALS(factors=factors, iterations=2, seed=3, scale=0.5, steps=0, **options).fit(data)
    users = np.random.default_rng(3).standard_normal((len(ones), factors), np.float32) * 0.5 / np.sqrt(factors)
    for _ in range(2):
        items = ridge(ones.T, users, **options)
        users = ridge(ones, items, **options)
    np.testing.assert_allclose(model.item_factors_, items, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(model.user_factors_, users, rtol=2e-3, atol=2e-4)


def loss(model: models.ALS, ones: np.ndarray) -> float:
    users, items = model.user_factors_.astype(float), model.item_factors_.astype(float)
    fit = users @ items.T
    found = (ones * (1 - fit) ** 2).sum() + model.unobserved * (fit**2).sum()
    for counts, others, vectors in ((ones.sum(1), len(items), users), (ones.sum(0), len(users), items)):
        found += (model.l2 * (counts + model.unobserved * others) ** model.frequency * (vectors**2).sum(1)).sum()
    return found


def test_als_brings_its_loss_down_with_every_turn() -> None:
    data, ones = data_and_ones(2)
    losses = [
        loss(models.ALS(factors=8, iterations=turns, unobserved=0.5, l2=0.006).fit(data), ones)
        for turns in (1, 2, 3, 6, 12)
    ]
    assert losses == sorted(losses, reverse=True) and losses[0] > 1.05 * losses[-1]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 63, 500])
@pytest.mark.parametrize("d", [1, 6, 12, 33])
def test_rows_of_any_length_are_solved_and_approached(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    factors = rng.normal(size=(600, d)).astype(np.float32)
    partners = np.sort(rng.choice(len(factors), n, replace=False)).astype(np.int32)
    gram, out = (0.01 * factors.T @ factors).astype(np.float32), np.full((3, d), np.nan, np.float32)
    indptr = np.array([0, n, n, 2 * n])
    indices, rows, ones = np.concatenate([partners, partners[::-1]]), np.array([2, 1, 0]), np.ones(3, np.float32)
    assert solve_rows(rows, indptr, indices, factors, gram, ones, out) == 0
    own = factors[partners].astype(float)
    expected = np.linalg.solve(gram + own.T @ own + np.eye(d), own.sum(0))
    np.testing.assert_allclose(out[[0, 2]], np.stack([expected, expected]), rtol=1e-3, atol=1e-5)
    assert (out[1] == 0).all()
    # d steps of conjugate gradients are exact but for rounding; one step is the best along the gradient.
    near = rng.normal(size=(3, d)).astype(np.float32)
    approach_rows(rows, indptr, indices, factors, gram, ones, 2 * d, near)
    np.testing.assert_allclose(near, out, rtol=1e-2, atol=1e-4)
    near = np.zeros((3, d), np.float32)
    approach_rows(rows, indptr, indices, factors, gram, ones, 1, near)
    gradient = own.sum(0)
    best = gradient @ gradient / (gradient @ (gram + own.T @ own + np.eye(d)) @ gradient) * gradient
    np.testing.assert_allclose(near[0], best, rtol=1e-3, atol=1e-6)


def test_few_steps_in_a_turn_find_what_exact_turns_find() -> None:
    data, ones = data_and_ones(3, n_users=120, n_items=60)
    exact, near = (
        models.ALS(factors=8, iterations=30, steps=steps, unobserved=0.5, l2=0.006).fit(data) for steps in (0, 3)
    )
    assert loss(near, ones) == pytest.approx(loss(exact, ones), rel=1e-3)


def test_als_does_not_depend_on_threads_and_its_reasons_are_the_history() -> None:
    data, ones = data_and_ones(4, n_users=300, n_items=50)
    one, three = (models.ALS(factors=8).fit(data, threads=threads) for threads in (1, 3))
    assert np.array_equal(one.user_factors_, three.user_factors_)
    assert np.array_equal(one.item_factors_, three.item_factors_)
    told = one.explain(7, 11, n=100)
    assert {item for item, _ in told.reasons} == set(np.flatnonzero(ones[7]))
    assert told.score == pytest.approx(float(one.user_factors_[7] @ one.item_factors_[11]), rel=1e-3, abs=1e-5)


def test_als_says_when_float32_cannot_solve_it() -> None:
    rows = [(user, item) for user in range(40) for item in range(5)]
    data = Dataset(pl.DataFrame(rows, ["user_id", "item_id"], orient="row"))
    with pytest.raises(UsageError, match=r"l2 is .* too small for float32.* Raise it, or use fewer factors"):
        models.ALS(factors=32, l2=1e-30, steps=0).fit(data)


@pytest.mark.parametrize("factors", [1, 4, 30, 99])
def test_pure_svd_projects_on_the_leading_singular_vectors(factors: int) -> None:
    data, ones = data_and_ones(5)
    model = models.PureSVD(factors=factors).fit(data)
    _, values, vectors = np.linalg.svd(ones)
    kept = min(factors, ones.shape[1])
    np.testing.assert_allclose(model.singular_values_, values[:kept], rtol=1e-4, atol=1e-4)
    scores = model.recommend(k=30, exclude_seen=False).table
    expected = ones @ vectors[:kept].T @ vectors[:kept]
    got = np.zeros_like(expected)
    got[scores["user_id"], scores["item_id"]] = scores["score"]
    np.testing.assert_allclose(got, expected, atol=2e-4)


def test_pure_svd_is_near_the_exact_vectors_where_they_are_many() -> None:
    # A spectrum that falls slowly, of a matrix that the random start does not span.
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import svds

    data, ones = data_and_ones(6, n_users=500, n_items=300, share=0.05)
    model = models.PureSVD(factors=20).fit(data)
    exact = svds(csr_matrix(ones), k=20, random_state=0)[1]
    np.testing.assert_allclose(model.singular_values_, np.sort(exact)[::-1], rtol=0.01)
    assert (np.take_along_axis(model.item_factors_, np.abs(model.item_factors_).argmax(0)[None], 0) > 0).all()


def test_lists_of_many_users_hold_where_blas_rounds_ties_its_own_way() -> None:
    """2,000 items are the same numbers in another order: all products are equal but for rounding.

    The order of equal and nearly equal items is that of float32 products added up one after the other, as for one user.
    BLAS rounds in another way (with fused operations), and the few more items that it brings do not hold all of the ten
    that are wanted.
    """
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal(32).astype(np.float32)
    model = models.ALS(factors=32, unobserved=0.1, l2=0.1)
    model.users_, model.items_ = (Vocabulary(pl.Series(range(n))) for n in (40, 2_000))
    own = UserItemMatrix(np.arange(41), np.arange(40, dtype=np.int32), np.ones(40, np.float32), 2_000)
    model.seen_, model.train_, model.resolved_ = own, {"name": "by hand"}, {}
    model.user_factors_ = np.full((40, 32), 1.1, np.float32)
    model.item_factors_ = np.stack([rng.permutation(numbers) for _ in range(2_000)])
    one_by_one = np.add.accumulate(np.float32(1.1) * model.item_factors_, axis=1)[:, -1]
    order = np.lexsort((np.arange(2_000), -one_by_one))[:10]
    for lists in model.recommend(k=10, exclude_seen=False).table.partition_by("user_id", maintain_order=True):
        assert lists["item_id"].to_list() == order.tolist()
        np.testing.assert_array_equal(lists["score"].to_numpy(), one_by_one[order])


@pytest.mark.parametrize("many", [False, True])
def test_what_is_left_of_a_vector_that_vanished_is_no_opinion(many: bool) -> None:
    """User 100 has an item that nobody else has: the penalty takes both of their vectors to 0."""
    pairs = [(user, int(item)) for user in range(30) for item in np.random.default_rng(user).permutation(20)[:6]]
    table = pl.DataFrame([*pairs, (100, 500), (101, 501)], schema=["user_id", "item_id"], orient="row")
    counts = (
        table.group_by("item_id")
        .len()
        .filter(pl.col("item_id") != 500)
        .sort(["len", "item_id"], descending=[True, False])
    )
    popular, asked = counts["item_id"].head(5).to_list(), None if many else [100]

    def listed(model: models.Recommender, cold_users: str = "popular") -> list[int]:
        found = model.fit(Dataset(table)).recommend(asked, k=5, cold_users=cold_users).table
        return found.filter(pl.col("user_id") == 100)["item_id"].to_list()

    assert listed(models.ALS()) == popular and listed(models.ALS(), "none") == []
    assert listed(models.FusionHybrid(models={"als": {}, "popular": {}})) == popular
