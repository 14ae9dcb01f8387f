"""Predictions of rewards that know the user and the context: click rates, and what features add to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.experiment.off_policy.log import Decisions, Target
from reclens.experiment.off_policy.reward_model import Predicted, RewardModelCard, click_rates

__all__ = ["Personal", "personal_rates"]

_STRENGTHS: Final = (10.0, 100.0, 1_000.0, 10_000.0)
"""Ridge penalties that are tried, in rows of a feature with variance 1."""
_MOST: Final = 1_000
"""Coefficients that are fitted together at most."""
_CELLS: Final = 4_000_000


@dataclass(eq=False, kw_only=True)
class Personal:
    """Click rates + context · vector of the action.

    Attributes:
        base: Click rates of item and place.
        context: Standardised features of each decision, shape (n, d).
        vectors: What they are worth for each action, shape (folds, actions, d); 0 where features told nothing.
        strengths: The penalty that was chosen in each fold; infinite where features told nothing.
        made: How it was made.
    """

    base: Predicted
    context: np.ndarray
    vectors: np.ndarray
    strengths: tuple[float, ...]
    made: RewardModelCard

    def logged(self, decisions: Decisions) -> np.ndarray:
        """The prediction for what was done, shape (n,)."""
        own = self.vectors[self.base.group, decisions.actions]
        return self.base.logged(decisions) + (self.context * own).sum(axis=1)

    def expected(self, decisions: Decisions, policy: Target) -> np.ndarray:
        """The mean prediction under a policy, shape (n,)."""
        found = self.base.expected(decisions, policy)
        width = policy.candidates.shape[1] * max(self.context.shape[1], 1)
        for part, candidates, chances in policy.parts(decisions, max(_CELLS // width, 1)):
            own = self.vectors[self.base.group[part, None], np.maximum(candidates, 0)]
            mean = ((chances * (candidates >= 0))[:, :, None] * own).sum(axis=1)
            found[part] += (self.context[part] * mean).sum(axis=1)
        return found


def personal_rates(
    decisions: Decisions,
    features: np.ndarray,
    *,
    action_features: np.ndarray | None = None,
    folds: int = 5,
    rng: int = 0,
) -> Personal:
    """Predict rewards by item, position and features of user and context, without the rows of the predicted user.

    The rate of item and place is that of :func:`~reclens.experiment.off_policy.reward_model.click_rates`. What it
    leaves is predicted by x · W z(a), with features x of the decision and z of the action, a bilinear ridge regression;
    without ``action_features`` every action has coefficients of its own. The penalty is the one that predicts best in
    another fold of those that the model may see; where none is better than the rates alone, these are taken.

    Args:
        decisions: The log.
        features: Of the user and the context of each decision, finite numbers, shape (n, d); categories as 0 and 1.
        action_features: Features of the actions, shape (actions, m), which share information between actions.
        folds: Parts that users are dealt into.
        rng: Seed of the deal.

    Raises:
        UsageError: If shapes do not fit, a value is not finite, there are too many coefficients, or folds is below 3.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> young, shown = rng.integers(2, size=20_000), rng.integers(2, size=20_000)
        >>> log = Decisions.of(shown, rng.random(20_000) < np.where(young == shown, 0.3, 0.1), np.full(20_000, 0.5))
        >>> model = personal_rates(log, young[:, None])
        >>> [round(float(model.logged(log)[(young == 1) & (shown == item)].mean()), 2) for item in (0, 1)]
        [0.11, 0.3]
    """
    if folds < 3:
        raise ArgumentValueError("folds", f"is {folds}, expected 3 or more: one is predicted, one chooses the penalty")
    if decisions.n_units < folds:
        raise UsageError(f"there are {decisions.n_units} users for {folds} folds; expected one or more in each.")
    x = _standardised(features, len(decisions), "features")
    z = None
    if action_features is not None:
        given = _standardised(action_features, decisions.n_actions, "action_features")
        z = np.concatenate([np.ones((len(given), 1)), given], axis=1)
    size = x.shape[1] * (1 if z is None else z.shape[1])
    if size > _MOST:
        raise UsageError(
            f"there are {size:,} coefficients to fit together; at most {_MOST:,} are. Give fewer features."
        )
    base = click_rates(decisions, folds=folds, rng=rng)
    cell = base.group * decisions.n_actions + decisions.actions
    shape = (folds, decisions.n_actions)
    squares = _sums_of_products(x, cell, shape)
    vectors, strengths = np.zeros((*shape, x.shape[1])), []
    for fold in range(folds):
        left = decisions.rewards - base.values[fold, decisions.actions, decisions.places]
        products = np.stack(
            [np.bincount(cell, column * left, shape[0] * shape[1]).reshape(shape) for column in x.T], -1
        )
        vectors[fold], strength = _fitted(squares, products, z, fold)
        strengths.append(strength)
    made = RewardModelCard(
        kind="personal_rates",
        folds=folds,
        features=x.shape[1],
        folds_with_features=int(sum(np.isfinite(strengths))),
    )
    return Personal(base=base, context=x, vectors=vectors, strengths=tuple(strengths), made=made)


def _fitted(squares: np.ndarray, products: np.ndarray, z: np.ndarray | None, fold: int) -> tuple[np.ndarray, float]:
    """Vectors of the actions from all other folds, with the penalty that the next fold chooses; and this penalty."""
    folds = np.arange(len(squares))
    judge = (fold + 1) % len(squares)
    some, seen = (folds != fold) & (folds != judge), folds != fold
    best, least = np.inf, 0.0
    for strength in _STRENGTHS:
        vectors = _solved(squares[some].sum(axis=0), products[some].sum(axis=0), z, strength)
        gained = np.einsum("ai,aij,aj->", vectors, squares[judge], vectors) - 2 * (vectors * products[judge]).sum()
        if gained < least:
            best, least = strength, float(gained)
    if not np.isfinite(best):
        return np.zeros(products.shape[1:]), best
    return _solved(squares[seen].sum(axis=0), products[seen].sum(axis=0), z, best), best


def _solved(squares: np.ndarray, products: np.ndarray, z: np.ndarray | None, strength: float) -> np.ndarray:
    """Ridge coefficients of each action, shape (actions, d): its own, or W z(a)."""
    d = squares.shape[1]
    if z is None:
        return np.linalg.solve(squares + strength * np.eye(d), products[:, :, None])[:, :, 0]
    m = z.shape[1]
    outer = np.einsum("am,an->amn", z, z).reshape(len(z), -1)
    gram = (squares.reshape(len(z), -1).T @ outer).reshape(d, d, m, m).transpose(0, 2, 1, 3).reshape(d * m, d * m)
    weights = np.linalg.solve(gram + strength * np.eye(d * m), (products.T @ z).reshape(-1))
    return z @ weights.reshape(d, m).T


def _sums_of_products(x: np.ndarray, cell: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Σ x xᵀ of each fold and action, shape (folds, actions, d, d)."""
    d = x.shape[1]
    found = np.empty((*shape, d, d))
    for i in range(d):
        for j in range(i + 1):
            sums = np.bincount(cell, x[:, i] * x[:, j], shape[0] * shape[1]).reshape(shape)
            found[:, :, i, j] = found[:, :, j, i] = sums
    return found


def _standardised(values: np.ndarray, n: int, what: str) -> np.ndarray:
    given = np.asarray(values, np.float64)
    if given.ndim != 2 or len(given) != n or not given.shape[1] or not np.isfinite(given).all():
        raise UsageError(f"{what} have shape {given.shape}; expected finite numbers of shape ({n}, one or more).")
    spread = given.std(axis=0)
    return (given - given.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
