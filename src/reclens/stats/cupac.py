"""A model's prediction as a covariate (CUPAC): the outcome predicted from many pre-experiment features.

The prediction of a unit comes from a model that did not see it (cross-fitting over folds by key), so with any model it
is as independent of the unit's arm as a measurement before the experiment. It is then a covariate of CUPED.

References: Tang et al. (2020), Control using predictions as covariates in switchback experiments; Guo et al. (2021),
Machine learning for variance reduction in online experiments; Chernozhukov et al. (2018) for cross-fitting.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from reclens.errors import ArgumentValueError, DataError, UsageError

__all__ = ["Predictor", "Ridge", "cupac_covariate"]


class Predictor(Protocol):
    """Interface of the model, as of the estimators of scikit-learn and LightGBM."""

    def fit(self, X: np.ndarray, y: np.ndarray, /) -> Any:
        """Learn from features, shape (n, features), and outcomes, shape (n,)."""
        ...

    def predict(self, X: np.ndarray, /) -> Any:
        """Outcomes, shape (n,)."""
        ...


class Ridge:
    """Ridge regression on standardised features, with a small penalty: the default.

    Args:
        l2: Penalty, as a share of the number of units.
    """

    def __init__(self, l2: float = 1e-3) -> None:
        self.l2 = l2
        self._mean, self._sd, self._weights, self._level = np.zeros(0), np.zeros(0), np.zeros(0), 0.0

    def fit(self, X: np.ndarray, y: np.ndarray, /) -> Ridge:
        """Learn from features and outcomes."""
        self._mean, sd = X.mean(axis=0), X.std(axis=0)
        self._sd = np.where(sd > 0, sd, 1.0)
        Z = (X - self._mean) / self._sd
        self._level = float(y.mean())
        gram = Z.T @ Z + self.l2 * len(Z) * np.eye(Z.shape[1])
        self._weights = np.linalg.solve(gram, Z.T @ (y - self._level))
        return self

    def predict(self, X: np.ndarray, /) -> np.ndarray:
        """Outcomes."""
        return self._level + (X - self._mean) / self._sd @ self._weights


def cupac_covariate(
    features: np.ndarray,
    outcome: np.ndarray,
    keys: np.ndarray,
    *,
    model: Predictor | None = None,
    folds: int = 5,
) -> np.ndarray:
    """Cross-fitted predictions of the outcome.

    Args:
        features: Features of each unit from before the experiment, shape (n, features), finite, without the arm.
        outcome: The metric of each unit, over all arms, shape (n,).
        keys: Stable 64-bit key of each unit, shape (n,), see ``schema.stable_hash``: decides its fold.
        model: The model; None for :class:`Ridge`. It is fitted anew for each fold.
        folds: Number of folds.

    Returns:
        Predictions, shape (n,), to be used as a covariate of the metric.

    Raises:
        UsageError: If shapes differ, there are fewer than two folds, or a fold has no unit.
        DataError: If a value is missing or infinite.
    """
    X, y = np.asarray(features, np.float64), np.asarray(outcome, np.float64)
    if X.ndim != 2 or len(X) != len(y) or len(X) != len(keys):
        raise UsageError(
            f"the features are {X.shape}, outcome {y.shape} and keys {np.shape(keys)}; "
            "expected (n, features), (n,) and (n,)."
        )
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        raise DataError("a feature or outcome is missing or infinite", fix="Fill it in, or leave the unit out.")
    fold = (np.asarray(keys, np.uint64) >> np.uint64(32)).astype(np.int64) % max(folds, 1)
    if folds < 2 or len(np.unique(fold)) < folds:
        raise ArgumentValueError("folds", f"is {folds} over {len(X):,} units; expected two or more, each with units")
    learner = model if model is not None else Ridge()
    found = np.empty(len(X))
    for at in range(folds):
        held = fold == at
        learner.fit(X[~held], y[~held])
        found[held] = np.asarray(learner.predict(X[held]), np.float64)
    return found
