"""Explicit kNN against numbers by hand and dense NumPy: predictions, fallbacks, and the scores of lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import DataError, NotFittedError, UnknownNameError, UsageError
from reclens.models import ItemKNN, Popular, UserKNN

KINDS = {"item": ItemKNN, "user": UserKNN}


def as_data(rows: dict[str, dict[str, float]]) -> Dataset:
    """A data set out of user -> item -> rating."""
    flat = [(user, item, float(rating)) for user, own in rows.items() for item, rating in own.items()]
    return Dataset(pl.DataFrame(flat, ["user_id", "item_id", "rating"], orient="row"))


def asked(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), ["user_id", "item_id"], orient="row")


# ann and bob agree on a and b up to a shift, eve likes what they dislike; all three rated c, d or both.
SMALL = {
    "ann": {"a": 1, "b": 3, "c": 5},
    "bob": {"a": 2, "b": 4, "d": 3},
    "eve": {"a": 4, "b": 2, "c": 1, "d": 5},
}


def test_a_prediction_by_hand() -> None:
    # Pearson of ann with bob over a and b is 1; with eve over a, b and c it is -6 ÷ √(8 · 14/3). Every mean is 3.
    model = UserKNN(feedback="explicit", similarity="pearson").fit(as_data(SMALL))
    found = model.predict(asked(("ann", "d")))
    assert found.row(0) == ("ann", "d", 3.0, 1, None)  # bob alone: 3 + (3 - 3)
    # With unlike users too: 3 + (1 · 0 + s · 2) ÷ (1 + |s|).
    s = -6 / (8 * 14 / 3) ** 0.5
    unlike = UserKNN(feedback="explicit", similarity="pearson", min_similarity=-2).fit(as_data(SMALL))
    assert unlike.predict(asked(("ann", "d")))["prediction"][0] == pytest.approx(3 + 2 * s / (1 - s))


def test_the_weights_are_divided_by_their_absolute_sum() -> None:
    # Cosine of centred ratings: ann (-2, 0, 2, ·), bob (-1, 1, ·, 0), eve (1, -1, -2, 2).
    bob, eve = 2 / (8**0.5 * 2**0.5), -6 / (8**0.5 * 10**0.5)
    model = UserKNN(feedback="explicit", min_similarity=-2).fit(as_data(SMALL))
    assert model.predict(asked(("ann", "d")))["prediction"][0] == pytest.approx(3 + (bob * 0 + eve * 2) / (bob - eve))


def test_items_by_hand() -> None:
    # Item means: a 7/3, b 3, c 3, d 4. Squared differences of d: with a by bob 1, eve 1; with b 1 and 9; with c 16.
    # Similarities 1 / (1 + mean): 1/2, 1/6, 1/17. ann rated a, b, c: 4 + Σ s·(r - mean) ÷ Σ s.
    model = ItemKNN(feedback="explicit", similarity="msd", neighbors=3).fit(as_data(SMALL))
    s, d = np.array([1 / 2, 1 / 6, 1 / 17]), np.array([1 - 7 / 3, 0, 2])
    assert model.predict(asked(("ann", "d")))["prediction"][0] == pytest.approx(4 + s @ d / s.sum())
    nearest = ItemKNN(feedback="explicit", similarity="msd", neighbors=2).fit(as_data(SMALL))
    two = nearest.predict(asked(("ann", "d")))
    assert two["prediction"][0] == pytest.approx(4 + s[:2] @ d[:2] / s[:2].sum()) and two["neighbors"][0] == 2


def test_centred_by_the_other_side() -> None:
    # As above, with ann's mean of 3 on both sides: 3 + Σ s·(r - 3) ÷ Σ s, which is Σ s·r ÷ Σ s.
    s, r = np.array([1 / 2, 1 / 6, 1 / 17]), np.array([1, 3, 5])
    for center in ("user", "none"):
        model = ItemKNN(feedback="explicit", similarity="msd", center=center).fit(as_data(SMALL))
        assert model.predict(asked(("ann", "d")))["prediction"][0] == pytest.approx(s @ r / s.sum())


@pytest.mark.parametrize(("option", "least"), [("min_neighbors", 3), ("min_support", 2)])
def test_the_boundaries_of_minima(option: str, least: int) -> None:
    # d has three neighbours of ann; a and b share two users with d, and c one.
    made = [
        ItemKNN(feedback="explicit", similarity="msd", **{option: value}).fit(as_data(SMALL))
        for value in (least, least + 1)
    ]
    enough, short = (model.predict(asked(("ann", "d"))) for model in made)
    assert enough["fallback"][0] is None and enough["neighbors"][0] == {"min_neighbors": 3, "min_support": 2}[option]
    assert (short["fallback"][0], short["prediction"][0]) == ("few_neighbors", 4.0)


@pytest.mark.parametrize(("center", "few"), [("item", 4.0), ("user", 3.0), ("none", 3.0)])
def test_what_cannot_be_predicted_falls_back_and_says_why(center: str, few: float) -> None:
    data = as_data(SMALL)
    everybody = float(np.mean([rating for own in SMALL.values() for rating in own.values()]))
    model = ItemKNN(feedback="explicit", center=center, min_neighbors=4).fit(data)
    pairs = asked(("ann", "d"), ("zoe", "a"), ("ann", "z"), ("zoe", "z"))
    found = model.predict(pairs)
    expected = [few if center != "none" else everybody, everybody, everybody, everybody]
    assert found["prediction"].to_list() == pytest.approx(expected)
    reasons = ["few_neighbors", "unknown_user", "unknown_item", "unknown_user"]
    assert found["fallback"].to_list() == reasons
    nothing = model.predict(pairs, fallback="none")
    assert nothing["prediction"].null_count() == 4 and nothing["fallback"].to_list() == reasons


def test_predictions_stay_in_the_range_of_the_ratings_unless_asked() -> None:
    # eve gives c 1, 2 below her mean; fay's mean is 1.5: -0.5.
    data = as_data(SMALL | {"fay": {"a": 2, "b": 1}})
    model = UserKNN(feedback="explicit", similarity="pearson", neighbors=1).fit(data)
    assert model.predict(asked(("fay", "c")), clip=False)["prediction"][0] == pytest.approx(-0.5)
    assert model.predict(asked(("fay", "c")))["prediction"][0] == 1.0


def random_ratings(seed: int) -> np.ndarray:
    """24 users × 17 items, half of them rated, too finely for ties; one item with equal ratings alone."""
    rng = np.random.default_rng(seed)
    taste = 2.75 + 0.6 * rng.normal(size=(24, 2)) @ rng.normal(size=(2, 17)) + 0.5 * rng.normal(size=(24, 1))
    ratings = np.where(rng.random((24, 17)) < 0.5, np.round(1024 * taste) / 1024, np.nan)
    ratings[:, 3] = np.where(np.isnan(ratings[:, 3]), np.nan, 3.0)
    return ratings


def dense_similarity(x: np.ndarray, y: np.ndarray, kind: str, shrinkage: float, support: int) -> float:
    """The similarity of two rows with NaN where there is no rating."""
    both = ~np.isnan(x) & ~np.isnan(y)
    if both.sum() < support:
        return np.nan
    a, b = x[both], y[both]
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind in ("cosine", "adjusted_cosine"):
            return a @ b / (np.sqrt(np.nansum(x**2) * np.nansum(y**2)) + shrinkage)
        if kind == "common_cosine":
            return a @ b / (np.sqrt((a @ a) * (b @ b)) + shrinkage)
        if kind == "pearson":
            a, b = a - a.mean(), b - b.mean()
            spread = np.sqrt((a @ a) * (b @ b))
            return a @ b / (spread + shrinkage) if spread > 1e-9 else np.nan
        return len(a) / (np.sum((a - b) ** 2) + len(a) + shrinkage)


def dense_prediction(
    ratings: np.ndarray, user: int, item: int, rows: str, options: dict[str, Any]
) -> tuple[float, int]:
    """The definition, one pair at a time: m + Σ s·d ÷ Σ|s|, and how many neighbours took part."""
    axis = {"user": 1, "item": 0}
    means = {name: np.nanmean(ratings, axis=at, keepdims=True) for name, at in axis.items()} | {
        "none": np.zeros((1, 1))
    }
    centred = ratings - means[options["center"]]
    by = {"cosine": centred, "adjusted_cosine": ratings - means["user"]}.get(options["similarity"], ratings)
    by, centred_rows, target, column = (by.T, centred.T, item, user) if rows == "item" else (by, centred, user, item)
    near = []
    for other in range(len(by)):
        if other != target and not np.isnan(centred_rows[other, column]):
            s = dense_similarity(
                by[target], by[other], options["similarity"], options["shrinkage"], options["min_support"]
            )
            if s > options["min_similarity"]:
                near.append((-s, other, centred_rows[other, column]))
    best = sorted(near)[: options["neighbors"]]
    mean = np.broadcast_to(means[options["center"]], ratings.shape)[user, item]
    weight = sum(abs(s) for s, _, _ in best)
    return (mean + sum(-s * d for s, _, d in best) / weight if weight else np.nan), len(best)


@pytest.mark.parametrize("rows", KINDS)
@pytest.mark.parametrize("similarity", ["cosine", "adjusted_cosine", "common_cosine", "pearson", "msd"])
@pytest.mark.parametrize(
    ("center", "shrinkage", "min_support", "min_similarity"),
    [("item", 0.0, 1, 0.0), ("user", 2.0, 3, 0.05), ("none", 0.0, 2, -2.0)],
)
def test_predictions_are_those_of_the_definition(
    rows: str, similarity: str, center: str, shrinkage: float, min_support: int, min_similarity: float
) -> None:
    ratings = random_ratings(len(similarity) + len(center))
    if similarity == "pearson":
        min_support = 3  # over two ratings it is 1 or -1: which neighbours are nearest is up to rounding
    options = {
        "similarity": similarity,
        "center": center,
        "shrinkage": shrinkage,
        "min_support": min_support,
        "min_similarity": min_similarity,
        "neighbors": 4,
    }
    users, items = np.nonzero(~np.isnan(ratings))
    train = pl.DataFrame({"user_id": users, "item_id": items, "rating": ratings[users, items]})
    model = KINDS[rows](feedback="explicit", **options).fit(Dataset(train.sample(fraction=1, shuffle=True, seed=2)))
    pairs = pl.DataFrame({"user_id": np.repeat(np.arange(24), 17), "item_id": np.tile(np.arange(17), 24)})
    found = model.predict(pairs.sample(fraction=1, shuffle=True, seed=3), clip=False, fallback="none")
    expected = [dense_prediction(ratings, user, item, rows, options) for user, item, *_ in found.iter_rows()]
    values, counts = (np.array(each, float) for each in zip(*expected, strict=True))
    unsure = found["fallback"].is_not_null().to_numpy()
    assert (found["neighbors"].to_numpy() == counts).all() and (unsure == np.isnan(values)).all()
    np.testing.assert_allclose(found["prediction"].fill_null(np.nan), values, rtol=1e-9)


@pytest.mark.parametrize("rows", KINDS)
def test_scores_sum_similarity_times_centred_rating(rows: str) -> None:
    ratings = random_ratings(5)
    users, items = np.nonzero(~np.isnan(ratings))
    data = Dataset(pl.DataFrame({"user_id": users, "item_id": items, "rating": ratings[users, items]}))
    model = KINDS[rows](feedback="explicit", neighbors=50, similarity="msd", center=rows).fit(data)
    by = ratings.T if rows == "item" else ratings
    centred = by - np.nanmean(by, axis=1, keepdims=True)
    near = np.array([[dense_similarity(x, y, "msd", 0, 1) for y in by] for x in by])
    np.fill_diagonal(near, 0)
    expected = np.nan_to_num(near) @ np.nan_to_num(centred)
    pairs = pl.DataFrame({"user_id": np.repeat(np.arange(24), 17), "item_id": np.tile(np.arange(17), 24)})
    found = model.score(pairs)["score"].to_numpy().reshape(24, 17)
    np.testing.assert_allclose(found, expected.T if rows == "item" else expected, atol=1e-5)


def test_wrong_use_is_explained() -> None:
    data = as_data(SMALL)
    rows = data.interactions
    wrong = {
        r"Did you mean 'explicit'": {"feedback": "explict"},
        "Did you mean 'user'": {"center": "users"},
        "min_neighbors is 0": {"min_neighbors": 0},
        "min_support is 0": {"min_support": 0},
        "min_similarity is nan": {"min_similarity": float("nan")},
        "similarity of ratings 'jaccard'": {"feedback": "explicit", "similarity": "jaccard"},
        "weighting bm25 is for histories without ratings. Use weighting=": {
            "feedback": "explicit",
            "weighting": "bm25",
        },
        "unknown similarity 'pearson'": {"similarity": "pearson"},
    }
    for complaint, options in wrong.items():
        with pytest.raises(UsageError, match=complaint):
            ItemKNN(**options).fit(data)
    for complaint, table in {
        "needs ratings": rows.drop("rating"),
        "1 ratings are missing": rows.with_columns(pl.Series("rating", [None, *rows["rating"][1:]])),
        "2 rows rate a pair": pl.concat([rows, rows.head(2)]),
    }.items():
        with pytest.raises(UsageError, match=complaint):
            UserKNN(feedback="explicit").fit(Dataset(table))
    model = ItemKNN(feedback="explicit").fit(data)
    with pytest.raises(UnknownNameError, match="value of fallback"):
        model.predict(asked(("ann", "d")), fallback="zero")
    with pytest.raises(DataError, match="lack item_id"):
        model.predict(pl.DataFrame({"user_id": ["ann"]}))
    with pytest.raises(NotFittedError):
        ItemKNN(feedback="explicit").predict(asked(("ann", "d")))
    with pytest.raises(UsageError, match=r'fitted without ratings\. Fit it with feedback="explicit"'):
        ItemKNN().fit(data).predict(asked(("ann", "d")))
    with pytest.raises(UsageError, match=r"popular does not predict ratings\. Models that do: item_knn and user_knn"):
        Popular().fit(data).predict(asked(("ann", "d")))


def test_no_pairs_no_predictions() -> None:
    found = ItemKNN(feedback="explicit").fit(as_data(SMALL)).predict(asked().cast({"user_id": str, "item_id": str}))
    assert found.columns == ["user_id", "item_id", "prediction", "neighbors", "fallback"] and not found.height
