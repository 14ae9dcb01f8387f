"""What a reward would have been: the model behind the direct method and the doubly robust ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reclens.errors import UsageError
from reclens.experiment.off_policy.log import Decisions

__all__ = ["Predicted", "as_predicted", "click_rates"]


@dataclass(frozen=True, eq=False)
class Predicted:
    """The mean reward of every action at every place.

    Attributes:
        values: Shape (groups, actions, places).
        group: The group of each decision, shape (n,).
        words: How it was made.
    """

    values: np.ndarray
    group: np.ndarray
    words: str

    def logged(self, decisions: Decisions) -> np.ndarray:
        """The prediction for what was done, shape (n,)."""
        return self.values[self.group, decisions.actions, decisions.places]


def as_predicted(decisions: Decisions, predictions: np.ndarray) -> Predicted:
    """Predictions of a model of your own; it should not have seen the decision that it predicts.

    Args:
        decisions: The log.
        predictions: Shape (actions,), (n, actions), or (1 or n, actions, places).

    Raises:
        UsageError: If the shape does not fit, or a value is not finite.
    """
    given = np.asarray(predictions, np.float64)
    table = given[None, :, None] if given.ndim == 1 else given[:, :, None] if given.ndim == 2 else given
    n, places = len(decisions), decisions.n_places
    if table.ndim != 3 or table.shape[0] not in (1, n) or table.shape[1] != decisions.n_actions:
        raise UsageError(f"predictions have shape {given.shape}; expected ({decisions.n_actions},), "
                         f"({n}, {decisions.n_actions}), or (1 or {n}, {decisions.n_actions}, {places}).")  # fmt: skip
    if table.shape[2] not in (1, places) or not np.isfinite(table).all():
        raise UsageError(f"predictions have {table.shape[2]} places and the log {places}, or a value is not finite.")
    group = np.zeros(n, np.int64) if len(table) == 1 else np.arange(n)
    return Predicted(np.broadcast_to(table, (*table.shape[:2], places)), group, "given predictions")


def click_rates(decisions: Decisions, *, folds: int = 5, rng: int = 0) -> Predicted:
    """Mean rewards by item and place, drawn towards item × place effects; each user is predicted without her own rows.

    The mean of item a at place k is (Σ r + s · m_a f_k) / (n + s): m_a is the mean of the item, itself drawn towards
    the mean of all, and f_k how the place differs from all places. The strength s is the number of rows whose noise
    equals the spread between items (method of moments for a random effect: Morris 1983; the noise of a row is the
    variance within items). Cross-fitting by user, so that a reward never helps to predict itself: Chernozhukov et al.
    (2018), Double/debiased machine learning; arXiv 1608.00060.

    Args:
        decisions: The log.
        folds: Parts that users are dealt into.
        rng: Seed of the deal.

    Raises:
        UsageError: If folds is below 2.
    """
    if folds < 2:
        raise UsageError(f"folds is {folds}, expected 2 or more: a model must not predict what it was fitted to.")
    folds = min(folds, decisions.n_units)
    deal = np.random.default_rng(rng).permutation(decisions.n_units) % max(folds, 1)
    fold = deal[decisions.units]
    shape = (decisions.n_actions, decisions.n_places)
    cell = decisions.actions * shape[1] + decisions.places
    parts = np.zeros((3, folds, shape[0] * shape[1]))
    for at, weight in enumerate((None, decisions.rewards, decisions.rewards**2)):
        parts[at] = np.bincount(fold * parts.shape[2] + cell, weight, parts[0].size).reshape(parts.shape[1:])
    whole = parts.sum(axis=1)
    values = [_smoothed(*(whole - parts[:, at]).reshape(3, *shape)) for at in range(folds)]
    return Predicted(np.stack(values), fold, f"smoothed mean rewards by item and place, {folds}-fold cross-fitting")


def _smoothed(count: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    n = max(count.sum(), 1.0)
    mean = total.sum() / n
    by_item, of_item = count.sum(axis=1), total.sum(axis=1)
    rate = of_item / np.maximum(by_item, 1)
    within = max(float((squares.sum(axis=1) - by_item * rate**2).sum()) / n, 1e-300)
    seen = by_item > 0
    between = float((by_item * (rate - mean) ** 2)[seen].sum() / n) - (seen.sum() - 1) * within / n
    strength = within / between if between > within / n else n
    item = (of_item + strength * mean) / (by_item + strength)
    at_place = total.sum(axis=0) / np.maximum((count * item[:, None]).sum(axis=0), 1e-300)
    place = np.where(count.sum(axis=0) > 0, at_place, 1.0) if mean else np.ones(count.shape[1])
    return (total + strength * item[:, None] * place) / (count + strength)
