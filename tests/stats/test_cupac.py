"""CUPAC: a prediction that did not see the unit, and what it does to a test."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import DataError, UsageError
from reclens.stats.aa import aa_tests
from reclens.stats.arms import compare_arms
from reclens.stats.cupac import Ridge, cupac_covariate
from reclens.stats.moments import Moments


def units(n: int = 5000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (n, 6))
    y = X[:, 0] + 0.5 * X[:, 1] ** 2 + rng.normal(0, 1, n)
    return X, y, rng.integers(0, 2**63, n).astype(np.uint64)


def test_ridge_is_the_closed_form() -> None:
    X, y, _ = units(200)
    plain = np.linalg.lstsq(np.column_stack([np.ones(200), X]), y, rcond=None)[0]
    np.testing.assert_allclose(Ridge(l2=0.0).fit(X, y).predict(X), np.column_stack([np.ones(200), X]) @ plain)


def test_a_prediction_removes_what_it_explains() -> None:
    # The features explain 1 of 1 + 0.5 + 1 of the variance linearly: CUPED removes 0.4, squares 0.6 with x² added.
    X, y, keys = units()
    for features, share in ((X, 0.4), (np.column_stack([X, X**2]), 0.6)):
        covariate = cupac_covariate(features, y, keys)
        arm = np.arange(len(y)) % 2
        sides = [Moments.of({"y": y[arm == a], "p": covariate[arm == a]}) for a in (0, 1)]
        assert dict(compare_arms(*sides, "y", covariates=["p"]).details)["variance_removed"] == pytest.approx(
            share, abs=0.03
        )


def test_a_model_that_learns_noise_by_heart_makes_no_false_positives() -> None:
    class Nearest:
        def fit(self, X, y, /):
            self.X, self.y = X, y
            return self

        def predict(self, X, /):
            return self.y[np.abs(X[:, :1] - self.X[None, :, 0]).argmin(axis=1)]

    X, y, keys = units(1000)
    covariate = cupac_covariate(X, y, keys, model=Nearest())
    found = aa_tests({"y": y, "p": covariate}, ["y"], covariates={"y": ["p"]}, splits=2000, rng=1)
    assert abs(found.false_positives("y").value - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 2000)


def test_bad_input_is_explained() -> None:
    X, y, keys = units(50)
    with pytest.raises(UsageError, match="expected two or more"):
        cupac_covariate(X, y, keys, folds=1)
    with pytest.raises(UsageError, match="expected \\(n, features\\)"):
        cupac_covariate(X[:10], y, keys)
    with pytest.raises(DataError, match="missing or infinite"):
        cupac_covariate(np.where(X > 2, np.nan, X), y, keys)
