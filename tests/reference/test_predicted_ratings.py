"""Explicit kNN equals Surprise's and LensKit's, pair by pair and on the five folds of MovieLens 100K.

Their numbers are stored, with the ratings they rest on: scripts/make_rating_values.py made them.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.dataset import Dataset
from reclens.models import ItemKNN, UserKNN

STORED = json.loads((Path(__file__).parent / "stored" / "ratings.json").read_text(encoding="utf-8"))
PAIR = ["user_id", "item_id"]


def ours(library: str, case: dict[str, Any]) -> ItemKNN | UserKNN:
    """The same model here."""
    options = {"feedback": "explicit", "neighbors": case["k"], "min_neighbors": case["min_k"]}
    if library == "lenskit":
        return {"ItemKNN": ItemKNN, "UserKNN": UserKNN}[case["algorithm"]](similarity="cosine", **options)
    kind, rows = (UserKNN, "user") if case["user_based"] else (ItemKNN, "item")
    similarity = {"cosine": "common_cosine"}.get(case["similarity"], case["similarity"])
    center = rows if case["algorithm"] == "KNNWithMeans" else "none"
    return kind(similarity=similarity, center=center, min_support=case["min_support"], **options)


def stored_train() -> Dataset:
    rows = pl.DataFrame(STORED["ratings"], [*PAIR, "rating"], orient="row")
    return Dataset(rows.with_columns(pl.col(PAIR).cast(pl.Int64)))


def predicted(library: str, case: dict[str, Any], train: Dataset, pairs: pl.DataFrame) -> pl.Series:
    asked = {"fallback": "none", "clip": False} if library == "lenskit" else {}
    return ours(library, case).fit(train).predict(pairs, **asked)["prediction"]


def name_of(case: dict[str, Any]) -> str:
    return "-".join(str(value) for key, value in case.items() if key not in ("values", "folds"))


@pytest.mark.parametrize("case", STORED["values"]["surprise"], ids=name_of)
def test_surprise_pair_by_pair(case: dict[str, Any]) -> None:
    found = predicted("surprise", case, stored_train(), pl.DataFrame(STORED["pairs"], PAIR, orient="row"))
    np.testing.assert_allclose(found, case["values"], rtol=1e-12)


@pytest.mark.parametrize("case", STORED["values"]["lenskit"], ids=name_of)
def test_lenskit_pair_by_pair(case: dict[str, Any]) -> None:
    # LensKit computes in 32 bits.
    found = predicted("lenskit", case, stored_train(), pl.DataFrame(STORED["pairs"], PAIR, orient="row"))
    expected = np.array(case["values"], float)
    assert np.isnan(expected).any() and (found.is_null().to_numpy() == np.isnan(expected)).all()
    np.testing.assert_allclose(found.fill_null(np.nan), expected, atol=2e-6)


@pytest.fixture(scope="module")
def folds(shared_data: Path) -> list[tuple[Dataset, pl.DataFrame]]:
    """Train and test of the folds u1 to u5 that MovieLens 100K comes with."""

    def part(archive: zipfile.ZipFile, name: str) -> pl.DataFrame:
        text = io.BytesIO(archive.read(f"ml-100k/{name}"))
        table = pl.read_csv(text, separator="\t", has_header=False, new_columns=[*PAIR, "rating", "timestamp"])
        return table.drop("timestamp")

    with zipfile.ZipFile(shared_data / "movielens" / "ml-100k.zip") as archive:
        return [(Dataset(part(archive, f"u{fold}.base")), part(archive, f"u{fold}.test")) for fold in range(1, 6)]


@pytest.mark.parametrize("case", STORED["ml-100k"], ids=name_of)
def test_errors_on_movielens(case: dict[str, Any], folds: list[tuple[Dataset, pl.DataFrame]]) -> None:
    library = case["library"]
    options = {key: value for key, value in case.items() if key not in ("library", "folds")}
    for (train, test), expected in zip(folds, case["folds"], strict=True):
        found = test.with_columns(predicted(library, options, train, test.select(PAIR)))
        errors = rl.evaluate_predictions(found, metrics=["rmse", "mae"], replicates=0)
        assert errors.card["n_ratings"] == expected["n"]
        # LensKit computes in 32 bits, so that its neighbours at the cut are others once in a while.
        close = 1e-5 if library == "lenskit" else 1e-12
        assert errors["rmse"].overall.value == pytest.approx(expected["rmse"], abs=close)
        assert errors["mae"].overall.value == pytest.approx(expected["mae"], abs=close)


def test_published_errors_of_surprise() -> None:
    # Its documentation, five folds at random of MovieLens 100K: k-NN 0.98 and 0.774, centred k-NN 0.951 and 0.749.
    published = {"KNNBasic": (0.98, 0.774), "KNNWithMeans": (0.951, 0.749)}
    for case in STORED["ml-100k"]:
        if case["library"] == "surprise" and case["user_based"]:
            means = [np.mean([fold[name] for fold in case["folds"]]) for name in ("rmse", "mae")]
            assert means == pytest.approx(published[case["algorithm"]], abs=0.006)
