"""The synthetic data set: its shape, its labels, and that it behaves like the data it stands for."""

from __future__ import annotations

import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.data.dataset import Dataset
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import UsageError
from reclens.schema import TIMESTAMP_TYPE

GENRES = {
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_movielens()


def counts(table: pl.DataFrame, column: str) -> np.ndarray:
    return np.sort(table[column].value_counts()["count"].to_numpy())[::-1].astype(float)


def gini(values: np.ndarray) -> float:
    """Mean absolute difference over all pairs ÷ twice the mean: the definition, not a shortcut."""
    return float(np.abs(values[:, None] - values).mean() / (2 * values.mean()))


def head_share(values: np.ndarray) -> float:
    return float(values[: round(0.2 * len(values))].sum() / values.sum())


@pytest.fixture(scope="module")
def real(shared_data) -> pl.DataFrame:
    with zipfile.ZipFile(shared_data / "movielens" / "ml-100k.zip") as archive:
        text = archive.read("ml-100k/u.data")
    names = ["user_id", "item_id", "rating", "seconds"]
    return pl.read_csv(text, separator="\t", has_header=False, new_columns=names)


def test_it_says_that_it_is_synthetic(data: Dataset) -> None:
    assert data.name == "synthetic"
    assert data.card["synthetic"] is True
    assert "no real person" in data.card["note"]
    assert data.items["title"].str.contains(r"^Synthetic Movie \d{4} \(\d{4}\)$").all()


def test_the_size_is_that_of_movielens_100k(data: Dataset) -> None:
    table = data.interactions
    assert table.height == 100_000
    assert table.select("user_id", "item_id").is_duplicated().sum() == 0
    assert table["user_id"].unique().sort().to_list() == list(range(1, 944))
    assert table["item_id"].unique().sort().to_list() == list(range(1, 1683))
    assert data.users.height == 943 and data.items.height == 1682
    assert counts(table, "user_id").min() >= 20


def test_the_columns_are_those_of_the_reader(data: Dataset) -> None:
    assert data.interactions.schema == {
        "user_id": pl.Int64,
        "item_id": pl.Int64,
        "timestamp": TIMESTAMP_TYPE,
        "rating": pl.Float64,
    }
    assert data.users.schema == {"user_id": pl.Int64, "age": pl.Int64, "gender": pl.String, "occupation": pl.String}
    assert data.items.schema == {
        "item_id": pl.Int64,
        "title": pl.String,
        "year": pl.Int64,
        "genres": pl.List(pl.String),
    }


def test_the_people_are_like_those_of_movielens(data: Dataset) -> None:
    users = data.users
    assert users["age"].min() >= 7 and users["age"].max() <= 73
    assert abs(users["age"].mean() - 34.05) < 1.5 and abs(users["age"].median() - 31) <= 2
    assert abs((users["gender"] == "M").mean() - 0.71) < 0.045  # three standard errors
    assert users["occupation"].n_unique() == 21
    assert users["occupation"].value_counts(sort=True)["occupation"][0] == "student"
    assert users.filter(pl.col("occupation") == "retired")["age"].min() >= 50


def test_the_films_have_one_to_three_genres_in_the_known_shares(data: Dataset) -> None:
    genres = data.items["genres"]
    assert genres.list.len().min() == 1 and genres.list.len().max() == 3
    assert (genres.list.len() == genres.list.n_unique()).all()
    exploded = genres.explode()
    assert set(exploded) == GENRES
    shares = dict(exploded.value_counts(normalize=True).iter_rows())
    assert 0.18 < shares["Drama"] < 0.28 and 0.13 < shares["Comedy"] < 0.21 and shares["Western"] < 0.02
    assert data.items["year"].is_between(1922, 1998).all()


def test_ratings_are_one_to_five_with_the_known_mean(data: Dataset) -> None:
    ratings = data.interactions["rating"]
    assert sorted(ratings.unique()) == [1, 2, 3, 4, 5]
    assert abs(ratings.mean() - 3.53) < 0.01


def test_timestamps_span_seven_months_with_sessions_and_ties(data: Dataset) -> None:
    table = data.interactions.sort("user_id", "timestamp")
    days = (table["timestamp"].max() - table["timestamp"].min()).total_seconds() / 86_400
    assert 200 < days < 216
    gaps = table.select(pl.col("timestamp").diff().over("user_id").dt.total_seconds()).to_series().drop_nulls()
    assert 0.45 < (gaps == 0).mean() < 0.55  # 0.51 in MovieLens 100K
    sessions = ((gaps > 3600).sum() + 943) / 943
    assert 2 < sessions < 4  # 2.85 in MovieLens 100K


def test_the_rows_tell_nothing_by_their_order_or_ids(data: Dataset) -> None:
    table = data.interactions.with_row_index("row")
    pop = table.group_by("item_id").len().sort("item_id")["len"].to_numpy().astype(float)
    assert abs(np.corrcoef(np.arange(1682), pop)[0, 1]) < 0.08
    when = table["timestamp"].dt.epoch("s").to_numpy().astype(float)
    assert abs(np.corrcoef(np.arange(100_000), when)[0, 1]) < 0.01


def test_the_long_tails_are_those_of_movielens_100k(data: Dataset, real: pl.DataFrame) -> None:
    for column in ("user_id", "item_id"):
        ours, theirs = counts(data.interactions, column), counts(real, column)
        assert abs(gini(ours) - gini(theirs)) < 0.03, column
        assert abs(head_share(ours) - head_share(theirs)) < 0.03, column
        assert 0.75 < ours[0] / theirs[0] < 1.25, column
    assert abs(data.interactions["rating"].mean() - real["rating"].mean()) < 0.01


def ndcg_at_10(data: Dataset) -> dict[str, float]:
    """NDCG@10 of five recommenders on a random 80/20 split per user: plain NumPy, dense, from the papers' formulas."""
    user = data.user_vocabulary.encode(data.interactions["user_id"])
    item = data.item_vocabulary.encode(data.interactions["item_id"])
    shape = (len(data.user_vocabulary), len(data.item_vocabulary))
    rng = np.random.default_rng(7)
    held = rng.random(len(user)) < 0.2
    seen, truth = np.zeros(shape), np.zeros(shape, bool)
    seen[user[~held], item[~held]] = 1
    truth[user[held], item[held]] = True
    gram = seen.T @ seen
    inverse = np.linalg.inv(gram + 250 * np.eye(shape[1]))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0)
    length = np.sqrt(np.maximum(np.diag(gram), 1))
    cosine = gram / length[:, None] / length
    np.fill_diagonal(cosine, 0)
    cosine[cosine < -np.sort(-cosine, axis=1)[:, [min(100, shape[1]) - 1]]] = 0
    scores = {
        "ease": seen @ ease,
        "item_knn": seen @ cosine.T,
        "popular": np.tile(seen.sum(0), (shape[0], 1)),
        "random": rng.random(shape),
    }
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = np.append(0, np.cumsum(discount))[np.minimum(truth.sum(1), 10)]
    found = {}
    for name, score in scores.items():
        top = np.argsort(-np.where(seen > 0, -np.inf, score), axis=1)[:, :10]
        gain = (np.take_along_axis(truth, top, 1) * discount).sum(1)
        found[name] = float((gain[ideal > 0] / ideal[ideal > 0]).mean())
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_who_learns_more_recommends_better(seed: int) -> None:
    found = ndcg_at_10(synthetic_movielens(rng=seed))
    assert found["ease"] > found["item_knn"] + 0.03
    assert found["item_knn"] > found["popular"] + 0.05
    assert found["popular"] > found["random"] + 0.05


def test_the_order_holds_for_the_small_data_of_the_tests(small_data: Dataset) -> None:
    found = ndcg_at_10(small_data)
    assert found["ease"] > found["popular"] > found["random"]


def test_tastes_follow_genre_age_and_gender(data: Dataset) -> None:
    table = (
        data.interactions.join(data.users, on="user_id")
        .join(data.items, on="item_id")
        .with_columns(
            drama=pl.col("genres").list.contains("Drama"),
            romance=pl.col("genres").list.contains("Romance"),
            action=pl.col("genres").list.contains("Action"),
            old=pl.col("age") >= 45,
        )
    )
    women, men = table.filter(gender="F"), table.filter(gender="M")
    assert women["romance"].mean() > men["romance"].mean()
    assert women["action"].mean() < men["action"].mean()
    assert table.filter("old")["drama"].mean() > table.filter(~pl.col("old"))["drama"].mean()


def test_equal_seeds_equal_data_and_other_seeds_other_data() -> None:
    sizes = {"n_users": 30, "n_items": 40, "n_ratings": 500}
    first, again, other = (synthetic_movielens(**sizes, rng=seed) for seed in (3, 3, 4))
    assert first.interactions.equals(again.interactions)
    assert first.users.equals(again.users) and first.items.equals(again.items)
    assert first.fingerprint != other.fingerprint
    generator = synthetic_movielens(**sizes, rng=np.random.default_rng(3))
    assert generator.fingerprint == first.fingerprint
    assert (first.card["parameters"]["rng"], generator.card["parameters"]["rng"]) == (3, None)


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**32))
def test_every_possible_size_is_met_exactly(n_users: int, n_items: int, density: float, seed: int) -> None:
    fewest, most = max(n_users, n_items), n_users * n_items
    n_ratings = fewest + round(density * (most - fewest))
    data = synthetic_movielens(n_users=n_users, n_items=n_items, n_ratings=n_ratings, rng=seed)
    table = data.interactions
    assert table.height == n_ratings == table.select("user_id", "item_id").n_unique()
    assert table["user_id"].n_unique() == n_users and table["item_id"].n_unique() == n_items
    promised = 20 if n_ratings >= 25 * n_users else n_ratings // (2 * n_users)
    assert counts(table, "user_id").min() >= min(promised, n_items)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"n_users": 10, "n_items": 10, "n_ratings": 101}, "only 100 pairs"),
        ({"n_users": 10, "n_items": 50, "n_ratings": 49}, "at least 50"),
        ({"n_users": 0}, "n_users is 0, expected 1 or more"),
        ({"n_items": -3}, "n_items is -3, expected 1 or more"),
        ({"n_ratings": 0}, "n_ratings is 0, expected 1 or more"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, int], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        synthetic_movielens(**sizes)
