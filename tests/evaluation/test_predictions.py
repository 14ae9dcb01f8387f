"""RMSE and MAE of predicted ratings: which mean they are, their intervals, segments, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.dataset import Dataset
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.evaluation import evaluate_predictions

# Errors: ann 1, -1, 2; bob 3. Over ratings Σe² is 15 and Σ|e| 7 of 4; over users the means of 2, 3² and of 4/3, 3.
TABLE = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "ann", "bob"],
        "item_id": [1, 2, 3, 1],
        "prediction": [4.0, 2.0, 5.0, 5.0],
        "rating": [3.0, 3.0, 3.0, 2.0],
    }
)
BY_HAND = {"rmse": (15 / 4) ** 0.5, "mae": 7 / 4, "user_rmse": (2**0.5 + 3) / 2, "user_mae": (4 / 3 + 3) / 2}


def test_over_ratings_and_over_users_by_hand() -> None:
    found = evaluate_predictions(TABLE)
    assert {name: found[name].overall.value for name in BY_HAND} == pytest.approx(BY_HAND)
    assert [found[name].overall.n for name in BY_HAND] == [2, 2, 2, 2]
    assert found.per_user.rows() == [("ann", 3, pytest.approx(2**0.5), pytest.approx(4 / 3)), ("bob", 1, 3.0, 3.0)]
    assert (found.card["n_users"], found.card["n_ratings"]) == (2, 4)


def test_truth_from_elsewhere_is_joined_and_what_is_missing_counted() -> None:
    truth = TABLE.select("user_id", "item_id", "rating").reverse()
    more = pl.DataFrame({"user_id": ["eve", "ann"], "item_id": [1, 9], "rating": [4.0, 5.0]})
    given = TABLE.drop("rating").with_columns(fallback=pl.Series(["few_neighbors", None, None, "unknown_item"]))
    stray = pl.DataFrame(
        {"user_id": ["zoe", "eve"], "item_id": [1, 1], "prediction": [1.0, None], "fallback": [None] * 2}
    )
    found = evaluate_predictions(pl.concat([given, stray.cast(given.schema)]), pl.concat([truth, more]))
    assert {name: found[name].overall.value for name in BY_HAND} == pytest.approx(BY_HAND)
    counts = {key: found.card[key] for key in ("ratings_without_prediction", "predictions_without_rating", "fallbacks")}
    assert counts == {
        "ratings_without_prediction": 2,
        "predictions_without_rating": 1,
        "fallbacks": {"few_neighbors": 1, "unknown_item": 1},
    }


def test_segments_by_hand_and_together() -> None:
    users = pl.DataFrame({"user_id": ["ann", "bob"], "age": ["young", "old"]})
    train = Dataset(TABLE.select("user_id", "item_id"), users=users).with_segments(age="age")
    found = evaluate_predictions(TABLE, train=train, by="age")
    values = {label: each.value for label, each in found["rmse"].by["age"].items()}
    assert values == {"old": 3.0, "young": pytest.approx(2**0.5)}
    assert found["rmse"].by["age"]["old"].note == "one_unit"
    rows = found.to_dicts()
    assert len(rows) == 4 * 3 and all(row["small"] for row in rows)
    assert list(rows[0]) == ["system", "metric", "by", "segment", "n", "value", "low", "high", "level", "small", "note"]


def test_sums_of_parts_are_the_sums_of_all() -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "user_id": rng.integers(0, 60, 500),
            "item_id": range(500),
            "prediction": rng.normal(3, 1, 500),
            "rating": [3.0] * 500,
        }
    )
    left = pl.col("user_id") < 20
    parts = [evaluate_predictions(table.filter(part)).summary for part in (left, ~left)]
    whole, added = evaluate_predictions(table).summary, parts[0] + parts[1]
    for name, array in whole.arrays().items():
        np.testing.assert_allclose(added.arrays()[name], array, rtol=1e-12, atol=1e-12, err_msg=name)


def draw(rng: np.random.Generator, n: int) -> pl.DataFrame:
    """Users who rate from 1 to 200 items, the busy ones predicted better; errors in halves, alike within a user."""
    size = np.minimum(np.ceil(rng.lognormal(1.5, 1.0, n)), 200).astype(int)
    user = np.repeat(np.arange(n), size)
    spread = (np.exp(rng.normal(0, 0.4, n)) * size**-0.15)[user]
    error = rng.normal(size=len(user)) * spread + (0.5 * rng.normal(size=n))[user]
    first = int(rng.integers(1 << 40))  # ids are the keys of the resampling weights
    return pl.DataFrame(
        {
            "user_id": first + user,
            "item_id": np.arange(len(user)),
            "prediction": 3 + np.round(2 * error) / 2,
            "rating": 3.0,
        }
    )


def test_intervals_over_ratings_cover_although_users_are_unequal(rate_error) -> None:
    many = draw(np.random.default_rng(99), 200_000)
    error = (many["prediction"] - many["rating"]).to_numpy()
    truth = {"rmse": float(np.sqrt(np.mean(error**2))), "mae": float(np.mean(np.abs(error)))}
    runs, hits, naive = 400, dict.fromkeys(truth, 0), 0
    for seed in range(1000, 1000 + runs):
        table = draw(np.random.default_rng(seed), 150)
        found = evaluate_predictions(table, metrics=list(truth), replicates=300)
        for name, value in truth.items():
            estimate = found[name].overall
            hits[name] += estimate.low <= value <= estimate.high
        squared = ((table["prediction"] - table["rating"]) ** 2).to_numpy()
        half = 1.96 * squared.std() / len(squared) ** 0.5
        naive += abs(squared.mean() - truth["rmse"] ** 2) <= half
    # Ratings that count as independent, which they are not, cover far less.
    assert naive / runs < 0.85
    for name, count in hits.items():
        assert abs(count / runs - 0.95) <= rate_error(0.95, runs), name


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_the_interval_of_independent_ratings_is_that_of_scipy(metric: str) -> None:
    # One rating a user: the ratio is a plain mean, whose BCa interval scipy has; RMSE is its root.
    from scipy.stats import bootstrap

    rng = np.random.default_rng(3)
    error = rng.beta(2.0, 3.0, 150)  # skewed, without heavy tails
    table = pl.DataFrame({"user_id": range(150), "item_id": [0] * 150, "prediction": error, "rating": [0.0] * 150})
    found = evaluate_predictions(table, metrics=[metric], replicates=20_000)[metric].overall
    loss, finish = (error**2, np.sqrt) if metric == "rmse" else (error, np.positive)
    theirs = finish(bootstrap((loss,), np.mean, n_resamples=20_000, method="BCa", rng=0).confidence_interval)
    # Ours is widened for small samples by about 1 %, and both have the noise of 20,000 replicates.
    assert [found.low, found.high] == pytest.approx(theirs, rel=0.02)


def test_perfect_and_equal_errors_have_no_interval() -> None:
    exact = TABLE.with_columns(prediction=pl.col("rating"))
    for table, value in ((exact, 0.0), (exact.with_columns(pl.col("prediction") + 2), 2.0)):
        for result in evaluate_predictions(table):
            assert (result.overall.value, result.overall.low) == (value, None) and result.overall.note


def test_wrong_use_is_explained() -> None:
    truth = TABLE.select("user_id", "item_id", "rating")
    for complaint, table, options in (
        ("no column rating", TABLE.drop("rating"), {}),
        ("no column prediction", TABLE.drop("prediction"), {}),
        ("no column item_id", TABLE.drop("item_id"), {"truth": truth}),
        ("predicted more than once", pl.concat([TABLE, TABLE.head(1)]), {}),
        ("1 ratings are missing", TABLE.with_columns(rating=pl.Series([None, 3.0, 3.0, 2.0])), {}),
        ("no rating has a prediction", TABLE.with_columns(prediction=pl.lit(None, pl.Float64)), {}),
        ("integers in one table", TABLE.with_columns(pl.col("item_id").cast(pl.String)), {"truth": truth}),
    ):
        with pytest.raises(DataError, match=complaint):
            evaluate_predictions(table, **options)
    with pytest.raises(UnknownNameError, match="Did you mean 'rmse'"):
        evaluate_predictions(TABLE, metrics="rsme")
    for options, complaint in (({"level": 95}, "level is 95"), ({"metrics": []}, "metrics is empty")):
        with pytest.raises(UsageError, match=complaint):
            evaluate_predictions(TABLE, **options)
    with pytest.raises(UsageError, match="evaluate_predictions"):
        rl.evaluate(TABLE.with_columns(rank=1), truth, metrics=["rmse"])


def test_predictions_of_a_model_from_a_file(tmp_path: Path) -> None:
    data = rl.synthetic_movielens(n_users=80, n_items=60, n_ratings=2_500)
    split = rl.split.random(data, test_share=0.2, rng=0)
    model = rl.models.ItemKNN(feedback="explicit", neighbors=20).fit(split.train)
    predictions = model.predict(split.test)
    predictions.select("user_id", "item_id", "prediction").write_csv(tmp_path / "predictions.csv")
    here = evaluate_predictions(predictions, name="knn")
    there = evaluate_predictions(tmp_path / "predictions.csv", split.test)
    assert here["rmse"].overall == there["rmse"].overall
    assert repr(here).startswith("PredictionEvaluation 'knn': 4 rows\nsystem  metric")
    # Better than the mean of each item, which is what a model without neighbours says.
    means = split.train.interactions.group_by("item_id").agg(prediction=pl.col("rating").mean())
    assert here["rmse"].overall.value < evaluate_predictions(split.test.join(means, on="item_id"))["rmse"].overall.value


def test_the_interval_of_skewed_errors_is_that_of_scipy_at_the_widened_level() -> None:
    from scipy.stats import bootstrap, kurtosis, norm, t

    error = np.random.default_rng(4).gamma(1.0, 1.0, 40)
    table = pl.DataFrame({"user_id": range(40), "item_id": [0] * 40, "prediction": error, "rating": [0.0] * 40})
    found = evaluate_predictions(table, metrics=["mae"], replicates=40_000)["mae"].overall
    # The spread has 2n ÷ (kurtosis - 1) degrees of freedom: a t quantile of as many users, and √(m ÷ (m - 1)).
    users = int(2 * 40 / (kurtosis(error, fisher=False) - 1))
    assert 5 < users < 40
    level = 2 * norm.cdf(t.ppf(0.975, users - 1) * (users / (users - 1)) ** 0.5) - 1
    theirs = bootstrap((error,), np.mean, n_resamples=40_000, method="BCa", confidence_level=level, rng=0)
    assert [found.low, found.high] == pytest.approx(list(theirs.confidence_interval), rel=0.012)
