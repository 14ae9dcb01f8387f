"""``fit(train, weights=…)``: a weight of 2 is a doubled row; ones change nothing; what is no weight is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, quiet
from reclens.errors import DataError, UsageError
from reclens.models import get, names
from reclens.models._core.als_kernels import approach_rows, solve_rows
from reclens.models._core.als_weighted_kernels import approach_weighted_rows, solve_weighted_rows
from reclens.models._core.bpr_kernels import descend
from reclens.models._core.co_occurrence import gram_of, weighted_gram

N_ITEMS = 25
TAKING = ["als", "bpr", "ease", "item_knn", "slim"]


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(7)
    taste = rng.gumbel(size=(40, N_ITEMS)) + np.linspace(2, 0, N_ITEMS)
    rows = [(user, int(item)) for user in range(40) for item in np.argsort(-taste[user])[: 4 + user % 6]]
    rows += [(item % 40, item) for item in range(N_ITEMS)]
    return Dataset(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").unique(maintain_order=True))


@pytest.fixture(scope="module")
def user_weights() -> np.ndarray:
    return np.random.default_rng(1).choice([1, 2, 3], 40, p=[0.5, 0.3, 0.2])


@pytest.fixture(scope="module")
def copied(data: Dataset, user_weights: np.ndarray) -> Dataset:
    """Every user as often as she weighs."""
    often = pl.col("user_id").replace_strict(range(40), user_weights.tolist(), return_dtype=pl.Int64)
    copies = [
        data.interactions.filter(often > copy).with_columns(user_id=pl.col("user_id") + 100 * copy) for copy in range(3)
    ]
    return Dataset(pl.concat(copies))


def by_user(weights: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"user_id": np.arange(len(weights)), "weight": weights.astype(float)})


def dense(model: Any) -> np.ndarray:
    """The item-item weights of a model, float64, items × items."""
    if model.name == "ease":
        return model.weights_.astype(np.float64)
    return (model.neighbors_ if model.name == "item_knn" else model.weights_).to_scipy().toarray().astype(np.float64)


LINEAR = [
    ("ease", {"l2": 3.0}),
    ("slim", {"l1": 0.4, "l2": 2.0, "tolerance": 1e-9, "sweeps": 100_000}),
    ("item_knn", {"similarity": "cosine", "shrinkage": 2.0, "neighbors": 24}),
    ("item_knn", {"similarity": "jaccard", "shrinkage": 0.0, "neighbors": 24}),
    ("item_knn", {"similarity": "dot", "neighbors": 24, "neighbors_of": "history"}),
]


@pytest.mark.parametrize(("name", "parameters"), LINEAR, ids=lambda value: value if isinstance(value, str) else "")
def test_a_user_of_weight_two_is_two_users(
    data: Dataset, copied: Dataset, user_weights: np.ndarray, name: str, parameters: dict
) -> None:
    weighted = get(name)(**parameters).fit(data, weights=by_user(user_weights))
    repeated = get(name)(**parameters).fit(copied)
    assert dense(weighted) == pytest.approx(dense(repeated), abs=2e-5)
    assert dense(get(name)(**parameters).fit(data)) != pytest.approx(dense(repeated), abs=1e-3)
    # What is scored are histories, which have no weights: the same users get the scores of the doubled data.
    pairs = pl.DataFrame({"user_id": [3] * N_ITEMS, "item_id": range(N_ITEMS)})
    ours, theirs = (each.score(pairs)["score"].fill_null(-1).to_numpy() for each in (weighted, repeated))
    assert ours == pytest.approx(theirs, abs=1e-4)


def gram(data: Dataset, weights: np.ndarray) -> np.ndarray:
    """XᵀX with the root of each weight in its cell, dense."""
    cells = np.zeros((40, N_ITEMS))
    cells[data.interactions["user_id"], data.interactions["item_id"]] = np.sqrt(weights)
    return cells.T @ cells


def test_interactions_weigh_in_the_gram_matrix(data: Dataset) -> None:
    """EASE in closed form, SLIM by the conditions of its optimum, and the cosine, of a dense weighted matrix."""
    weights = np.random.default_rng(2).choice([0.0, 0.5, 1.0, 2.0, 4.0], data.interactions.height)
    expected = gram(data, weights)
    inverse = np.linalg.inv(expected + 3.0 * np.eye(N_ITEMS))
    ease = get("ease")(l2=3.0).fit(data, weights=weights)
    solution = -inverse / np.diag(inverse)
    np.fill_diagonal(solution, 0)
    assert ease.weights_ == pytest.approx(solution, abs=1e-5)
    slim = get("slim")(l1=0.4, l2=2.0, tolerance=1e-9, sweeps=100_000).fit(data, weights=pl.Series(weights))
    found = dense(slim)
    slack = expected - expected @ found - 2.0 * found - 0.4  # minus the gradient of each column
    np.fill_diagonal(slack, -1)
    assert slack.max() < 1e-4 and np.abs(slack[found > 0]).max() < 1e-4 and (found > 0).sum() > 20
    norms = np.sqrt(np.diag(expected))
    with np.errstate(invalid="ignore"):
        cosine = np.nan_to_num(expected / (norms[:, None] * norms[None] + 1.0))
    np.fill_diagonal(cosine, 0)
    knn = get("item_knn")(shrinkage=1.0, neighbors=24).fit(data, weights=weights)
    assert dense(knn) == pytest.approx(cosine, abs=1e-5)


@pytest.mark.parametrize("name", TAKING)
def test_ones_change_nothing(data: Dataset, name: str) -> None:
    parameters: dict[str, Any] = {"factors": 8} if name in ("als", "bpr") else {}
    if name == "bpr":
        parameters["epochs"] = 5
    plain = get(name)(**parameters).fit(data)
    users = by_user(np.ones(40))
    pairs = data.interactions.with_columns(weight=pl.lit(1.0)).sample(fraction=1.0, shuffle=True, seed=1)
    for weights in (np.ones(data.interactions.height), [1] * data.interactions.height, users, pairs):
        found = get(name)(**parameters).fit(data, weights=weights).recommend(k=5).table
        assert found.drop("score").equals(plain.recommend(k=5).table.drop("score"))
        assert found["score"].to_numpy() == pytest.approx(plain.recommend(k=5).table["score"].to_numpy(), abs=1e-4)


def test_an_interaction_of_weight_two_is_a_doubled_row_in_als() -> None:
    """The same loops, once with a weight of 2 and once with the partner in the row twice."""
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(6, 4)).astype(np.float32)
    mixed = rng.normal(size=(4, 4)).astype(np.float32)
    mixed = mixed @ mixed.T
    indptr, indices = np.array([0, 3, 5]), np.array([0, 2, 5, 1, 4], np.int32)
    weights = np.array([2, 1, 3, 1, 2], np.float32)
    often = np.repeat(indices, weights.astype(int)).astype(np.int32)
    ends, rows, penalties = np.array([0, 6, 9]), np.arange(2), np.array([0.5, 0.7], np.float32)
    ours, theirs = np.zeros((2, 4), np.float32), np.zeros((2, 4), np.float32)
    assert solve_weighted_rows(rows, indptr, indices, weights, factors, mixed, penalties, ours) == 0
    assert solve_rows(rows, ends, often, factors, mixed, penalties, theirs) == 0
    assert ours == pytest.approx(theirs, abs=1e-5)
    start = rng.normal(size=(2, 4)).astype(np.float32)
    near, same = start.copy(), start.copy()
    approach_weighted_rows(rows, indptr, indices, weights, factors, mixed, penalties, 2, near)
    approach_rows(rows, ends, often, factors, mixed, penalties, 2, same)
    assert near == pytest.approx(same, abs=1e-4) and near != pytest.approx(start, abs=1e-2)


@pytest.mark.parametrize("of", ["interaction", "user"])
def test_als_is_at_an_optimum_of_the_weighted_loss(data: Dataset, user_weights: np.ndarray, of: str) -> None:
    """The gradient of Σ w (1 - x·y)² + α₀ Σ (x·y)² + λ Σ (n + α₀ m)^ν |·|² vanishes, in dense NumPy.

    Of users: each has her row as often as she weighs, so that all of it, observed or not, is multiplied.
    """
    have = np.zeros((40, N_ITEMS))
    have[data.interactions["user_id"], data.interactions["item_id"]] = 1
    cells = np.random.default_rng(4).choice([0.0, 1.0, 2.0, 3.0], data.interactions.height)
    weights: Any = by_user(user_weights) if of == "user" else cells
    model = get("als")(factors=3, iterations=400, steps=0, unobserved=0.2, l2=0.05, frequency=0.7, scale=1.0)
    model.fit(data, weights=weights)
    x, y = model.user_factors_.astype(np.float64), model.item_factors_.astype(np.float64)
    mass = user_weights.astype(float) if of == "user" else np.ones(40)
    loss = have * mass[:, None]
    if of == "interaction":
        loss[data.interactions["user_id"], data.interactions["item_id"]] = cells
    score = x @ y.T
    pull = loss * (1 - score) - 0.2 * mass[:, None] * score
    of_user = (loss / mass[:, None]).sum(axis=1)
    penalty_x = 0.05 * (of_user + 0.2 * N_ITEMS) ** 0.7 * mass
    penalty_y = 0.05 * (loss.sum(axis=0) + 0.2 * mass.sum()) ** 0.7
    assert pull @ y - penalty_x[:, None] * x == pytest.approx(np.zeros((40, 3)), abs=2e-3)
    assert pull.T @ x - penalty_y[:, None] * y == pytest.approx(np.zeros((N_ITEMS, 3)), abs=5e-3)
    assert np.abs(x).max() > 0.3
    assert model.exact_fold_in == (of == "user")


def test_the_weighted_gram_of_ones_is_that_of_counts(data: Dataset) -> None:
    matrix = data.matrix()
    ours = weighted_gram(matrix, what="test")
    plain = gram_of(matrix, engine=LocalEngine(1), progress=quiet, what="test")
    counts = np.bincount(matrix.indices)
    assert ours.users.tolist() == counts[ours.order].tolist() == sorted(counts.tolist(), reverse=True)
    for each in (ours, plain):
        dense_gram = each.dense if len(each.dense) else np.zeros((N_ITEMS, N_ITEMS))
        if not len(each.dense):
            rows = np.repeat(np.arange(N_ITEMS), np.diff(each.indptr))
            dense_gram[each.order[rows], each.order[each.near]] = each.common
        assert dense_gram == pytest.approx(gram(data, np.ones(data.interactions.height)))


def test_ones_change_no_bit_of_bpr_in_several_groups() -> None:
    """200 items and 50 users make several cells, each with sums of weights of its own."""
    data = rl.synthetic_movielens(n_users=50, n_items=200, n_ratings=2_000, rng=4)
    plain = rl.models.BPR(factors=4, epochs=2).fit(data)
    ones = rl.models.BPR(factors=4, epochs=2).fit(data, weights=np.ones(data.interactions.height))
    assert (plain.user_factors_ == ones.user_factors_).all() and (plain.item_factors_ == ones.item_factors_).all()


@pytest.mark.parametrize("popular", [False, True])
def test_an_interaction_of_weight_two_is_a_doubled_row_in_bpr(popular: bool) -> None:
    """The same draws, once with weights and once with places that stand there as often as they weigh: bit for bit."""
    rng = np.random.default_rng(5)
    indptr, indices = np.array([0, 3, 5, 9]), np.array([0, 2, 5, 1, 4, 0, 1, 3, 6], np.int32)
    rows = np.repeat(np.arange(3, dtype=np.int32), np.diff(indptr))
    weights = np.array([1, 2, 0, 4, 1, 1, 3, 0, 2])
    places = np.arange(9, dtype=np.int32)
    often = np.repeat(places, weights).astype(np.int32)
    choice = np.arange(8, dtype=np.int32)
    learned = []
    for cell, sums in ((places, np.cumsum(weights).astype(float)), (often, np.zeros(0))):
        users = np.random.default_rng(6).normal(size=(3, 5)).astype(np.float32)
        items = np.random.default_rng(7).normal(size=(8, 5)).astype(np.float32)
        users[:, -1] = 1
        rate = np.float32(0.1)
        seed = np.uint64(77)
        descend(cell, sums, rows, indptr, indices, choice, popular, users, items, rate, np.float32(0.01), seed)
        learned.append((users, items))
    assert (learned[0][0] == learned[1][0]).all() and (learned[0][1] == learned[1][1]).all()
    assert rng is not None


def test_bpr_draws_interactions_in_proportion_to_their_weights(data: Dataset) -> None:
    """Users of weight 0 are never touched, and the biases of items follow the weighted popularity."""
    weights = np.where(np.arange(40) < 20, 0.0, 2.0)
    untouched = get("bpr")(factors=4, epochs=1, learning_rate=1e-9, l2=0.0).fit(data)
    model = get("bpr")(factors=4, epochs=20, l2=0.0).fit(data, weights=by_user(weights))
    moved = np.abs(model.user_factors_ - untouched.user_factors_).max(axis=1)
    assert (moved[:20] < 1e-6).all() and (moved[20:] > 1e-3).all()


def test_the_header_says_what_the_weights_were(data: Dataset, user_weights: np.ndarray, tmp_path: Path) -> None:
    model = get("ease")(l2=3.0).fit(data, weights=by_user(user_weights))
    said = model.train_["fit_weights"]
    assert (said["of"], said["n"], said["least"], said["most"]) == ("user", 40, 1.0, 3.0)
    assert said["mean"] == pytest.approx(user_weights.mean())
    assert said["effective_size"] == pytest.approx(user_weights.sum() ** 2 / (user_weights**2).sum())
    model.save(tmp_path / "ease")
    again = get("ease").load(tmp_path / "ease")
    assert again.train_["fit_weights"] == said
    assert model.recommend(k=3).card["train"]["fit_weights"] == said
    with pytest.raises(UsageError, match="was fitted with weights"):
        again.partial_fit(data)
    other = get("ease")(l2=3.0).fit(data, weights=by_user(user_weights[::-1]))
    assert other.train_["fit_weights"]["hash"] != said["hash"]
    assert "fit_weights" not in get("ease")(l2=3.0).fit(data).train_


@pytest.mark.parametrize(
    ("weights", "error", "says"),
    [
        (lambda n: np.full(n, -1.0), UsageError, "are negative"),
        (lambda n: np.where(np.arange(n) == 3, np.nan, 1.0), UsageError, "1 weights are missing or not finite"),
        (lambda n: np.where(np.arange(n) == 3, np.inf, 1.0), UsageError, "1 weights are missing or not finite"),
        (np.zeros, UsageError, "all weights are 0"),
        (lambda n: np.ones(n - 1), UsageError, "weights for the"),
        (lambda n: np.ones((n, 1)), UsageError, "have the shape"),
        (lambda n: ["much"] * n, UsageError, "expected numbers"),
        (lambda n: by_user(np.ones(39)), DataError, "1 users have none"),
        (lambda n: by_user(np.ones(41)), DataError, "1 are of other users"),
        (lambda n: pl.concat([by_user(np.ones(40))] * 2), DataError, "40 have several"),
        (lambda n: by_user(np.full(40, -2.0)), UsageError, "40 weights are negative"),
        (
            lambda n: pl.DataFrame({"user_id": [1], "item_id": [999], "weight": [1.0]}),
            DataError,
            "1 are of other pairs",
        ),
        (lambda n: pl.DataFrame({"user_id": [1], "item_id": [2]}), DataError, "no 'weight'"),
    ],
)
def test_what_is_no_weight_is_refused(data: Dataset, weights: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        get("ease")().fit(data, weights=weights(data.interactions.height))


def test_models_without_weights_say_which_have_them(data: Dataset) -> None:
    assert [name for name in names() if get(name).takes_weights] == TAKING
    with pytest.raises(UsageError, match=r"popular takes no weights\. Models that do: als, bpr, ease, item_knn, slim"):
        rl.models.Popular().fit(data, weights=np.ones(data.interactions.height))
    with pytest.raises(UsageError, match='weighting="none"'):
        rl.models.ItemKNN(weighting="bm25").fit(data, weights=np.ones(data.interactions.height))


def test_a_repeated_pair_counts_once_with_the_mean_of_its_weights() -> None:
    rows = pl.DataFrame({"user_id": [0, 0, 0, 1, 1], "item_id": [0, 0, 1, 0, 1]})
    once = Dataset(rows[1:])
    twice = rl.models.EASE(l2=1.0).fit(Dataset(rows), weights=[1.0, 3.0, 1.0, 1.0, 1.0])
    assert twice.weights_ == pytest.approx(rl.models.EASE(l2=1.0).fit(once, weights=[2.0, 1.0, 1.0, 1.0]).weights_)
