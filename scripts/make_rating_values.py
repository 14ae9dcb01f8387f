"""Write tests/reference/stored/ratings.json: predictions of Surprise and LensKit, with the ratings they rest on.

Run once, where both libraries are (they are not among the requirements of the tests):

python scripts/make_rating_values.py ../shared/data/movielens/ml-100k.zip
"""

from __future__ import annotations

import io
import itertools
import json
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

OUT = Path(__file__).resolve().parents[1] / "tests" / "reference" / "stored" / "ratings.json"
COLUMNS = ["user_id", "item_id", "rating"]


def synthetic() -> tuple[pd.DataFrame, pd.DataFrame]:
    """36 users × 28 items with tastes and biases; and pairs without a rating, also of an unknown user and item."""
    import pandas as pd

    rng = np.random.default_rng(20240601)
    taste = rng.normal(size=(36, 2)) @ rng.normal(size=(2, 28)) + rng.normal(size=(36, 1)) * 0.7
    whole = np.clip(np.round(3.4 + 0.8 * taste + rng.normal(size=taste.shape) * 0.5), 1, 5)
    users, items = np.nonzero(rng.random(taste.shape) < rng.uniform(0.15, 0.6, 28))
    ratings = pd.DataFrame({"user_id": users, "item_id": items, "rating": whole[users, items]})
    rated = set(zip(users.tolist(), items.tolist(), strict=True))
    free = [pair for pair in itertools.product(range(36), range(28)) if pair not in rated]
    asked = [free[at] for at in rng.choice(len(free), 70, replace=False)]
    pairs = pd.DataFrame([*asked, (99, 3), (5, 99), (99, 99)], columns=COLUMNS[:2])
    return ratings, pairs


def surprise_values(ratings: pd.DataFrame, pairs: pd.DataFrame, case: dict[str, Any]) -> list[float]:
    """Predictions of Surprise's kNN."""
    from surprise import Dataset, KNNBasic, KNNWithMeans, Reader

    made = {"KNNBasic": KNNBasic, "KNNWithMeans": KNNWithMeans}[case["algorithm"]]
    options = {"name": case["similarity"], "user_based": case["user_based"], "min_support": case["min_support"]}
    train = Dataset.load_from_df(ratings[COLUMNS], Reader(rating_scale=(1, 5))).build_full_trainset()
    model = made(k=case["k"], min_k=case["min_k"], sim_options=options, verbose=False).fit(train)
    return [float(model.predict(user, item).est) for user, item in pairs[COLUMNS[:2]].to_numpy().tolist()]


def lenskit_values(ratings: pd.DataFrame, pairs: pd.DataFrame, case: dict[str, Any]) -> list[float | None]:
    """Predictions of LensKit's kNN; None where it has none."""
    from lenskit.batch import predict
    from lenskit.data import ItemListCollection, from_interactions_df
    from lenskit.knn import ItemKNNScorer, UserKNNScorer
    from lenskit.pipeline import predict_pipeline

    made = {"ItemKNN": ItemKNNScorer, "UserKNN": UserKNNScorer}[case["algorithm"]]
    scorer = made(max_nbrs=case["k"], min_nbrs=case["min_k"], feedback="explicit")
    pipeline = predict_pipeline(scorer, fallback=False)
    pipeline.train(from_interactions_df(ratings))
    lists = ItemListCollection.from_df(pairs[COLUMNS[:2]], "user_id")
    found = predict(pipeline, lists, n_jobs=1).to_df().set_index(["user_id", "item_id"])["score"]
    values = [found.get((user, item), np.nan) for user, item in pairs[COLUMNS[:2]].to_numpy().tolist()]
    return [None if np.isnan(value) else float(value) for value in values]


def folds(path: str) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """The five folds that MovieLens 100K comes with."""
    import pandas as pd

    with zipfile.ZipFile(path) as archive:

        def part(name: str) -> pd.DataFrame:
            return pd.read_csv(
                io.BytesIO(archive.read(f"ml-100k/{name}")), sep="\t", header=None, usecols=[0, 1, 2], names=COLUMNS
            )

        return [(part(f"u{fold}.base"), part(f"u{fold}.test")) for fold in range(1, 6)]


def main(path: str) -> None:
    """Compute the values and write the file."""
    ratings, pairs = synthetic()
    surprise = [
        {
            "algorithm": algorithm,
            "similarity": similarity,
            "user_based": by_user,
            "k": k,
            "min_k": min_k,
            "min_support": support,
        }
        for algorithm, similarity, by_user in itertools.product(
            ("KNNBasic", "KNNWithMeans"), ("cosine", "pearson", "msd"), (True, False)
        )
        for k, min_k, support in ((40, 1, 1), (4, 3, 2))
    ]
    lenskit = [
        {"algorithm": algorithm, "k": k, "min_k": min_k}
        for algorithm in ("ItemKNN", "UserKNN")
        for k, min_k in ((20, 1), (3, 2))
    ]
    values = {
        "surprise": [case | {"values": surprise_values(ratings, pairs, case)} for case in surprise],
        "lenskit": [case | {"values": lenskit_values(ratings, pairs, case)} for case in lenskit],
    }
    wanted = [
        (
            "surprise",
            {"algorithm": "KNNBasic", "similarity": "msd", "user_based": True, "k": 40, "min_k": 1, "min_support": 1},
        ),
        (
            "surprise",
            {
                "algorithm": "KNNWithMeans",
                "similarity": "msd",
                "user_based": True,
                "k": 40,
                "min_k": 1,
                "min_support": 1,
            },
        ),
        (
            "surprise",
            {
                "algorithm": "KNNWithMeans",
                "similarity": "pearson",
                "user_based": False,
                "k": 40,
                "min_k": 1,
                "min_support": 1,
            },
        ),
        ("lenskit", {"algorithm": "ItemKNN", "k": 20, "min_k": 2}),
        ("lenskit", {"algorithm": "UserKNN", "k": 30, "min_k": 2}),
    ]
    aggregates = []
    for library, case in wanted:
        compute = {"surprise": surprise_values, "lenskit": lenskit_values}[library]
        errors = []
        for train, test in folds(path):
            found = np.array(compute(train, test, case), float)
            off = (found - test["rating"].to_numpy())[~np.isnan(found)]
            errors.append({"rmse": float(np.sqrt(np.mean(off**2))), "mae": float(np.abs(off).mean()), "n": len(off)})
            print(library, case, errors[-1], flush=True)
        aggregates.append({"library": library} | case | {"folds": errors})
    versions = {package: version(package) for package in ("scikit-surprise", "lenskit", "numpy")}
    stored = {
        "versions": versions,
        "ratings": ratings.to_numpy().tolist(),
        "pairs": pairs.to_numpy().tolist(),
        "values": values,
        "ml-100k": aggregates,
    }
    OUT.write_text(json.dumps(stored) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
