"""What a reward would have been: the model behind the direct method and the doubly robust ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from reclens.errors import ArgumentValueError, UsageError
from reclens.experiment.off_policy.log import Decisions, Target

__all__ = ["Predicted", "RewardModel", "RewardModelCard", "as_predicted", "click_rates", "reward_moments"]


@dataclass(frozen=True, kw_only=True)
class RewardModelCard:
    """How a model of rewards was made.

    Attributes:
        kind: ``click_rates``: smoothed mean rewards by item and place; ``personal_rates``: these and features of the
            user and the context, by ridge regression; ``given``: predictions of a model of your own.
        folds: Folds of the cross-fitting; 0 where predictions were given.
        features: Features of the user and the context.
        folds_with_features: Folds in which the features helped.
    """

    kind: Literal["click_rates", "personal_rates", "given"]
    folds: int = 0
    features: int = 0
    folds_with_features: int = 0


@runtime_checkable
class RewardModel(Protocol):
    """What a reward would have been, of every decision and action.

    Attributes:
        made: How it was made.
    """

    made: RewardModelCard

    def logged(self, decisions: Decisions) -> np.ndarray:
        """The prediction for what was done, shape (n,)."""
        ...

    def expected(self, decisions: Decisions, policy: Target) -> np.ndarray:
        """The mean prediction under a policy, shape (n,)."""
        ...


@dataclass(eq=False)
class Predicted:
    """The mean reward of every action at every place.

    Attributes:
        values: Shape (groups, actions, places).
        group: The group of each decision, shape (n,).
        made: How it was made.
    """

    values: np.ndarray
    group: np.ndarray
    made: RewardModelCard

    def logged(self, decisions: Decisions) -> np.ndarray:
        """The prediction for what was done, shape (n,)."""
        return self.values[self.group, decisions.actions, decisions.places]

    def expected(self, decisions: Decisions, policy: Target) -> np.ndarray:
        """The mean prediction under a policy, shape (n,)."""
        return policy.expected(decisions, self.values, self.group)


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
        raise UsageError(
            f"predictions have shape {given.shape}; expected ({decisions.n_actions},), "
            f"({n}, {decisions.n_actions}), or (1 or {n}, {decisions.n_actions}, {places})."
        )
    if table.shape[2] not in (1, places) or not np.isfinite(table).all():
        raise UsageError(f"{table.shape[2]} places are predicted, and the log has {places}; or a value is not finite.")
    group = np.zeros(n, np.int64) if len(table) == 1 else np.arange(n)
    return Predicted(np.broadcast_to(table, (*table.shape[:2], places)), group, RewardModelCard(kind="given"))


def click_rates(decisions: Decisions, *, folds: int = 5, rng: int = 0) -> Predicted:
    """Mean rewards by item and position, shrunk to item × position effects, without the rows of the predicted user.

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
        raise ArgumentValueError(
            "folds", f"is {folds}, expected 2 or more: a model must not predict what it was fitted to"
        )
    folds = min(folds, decisions.n_units)
    deal = np.random.default_rng(rng).permutation(decisions.n_units) % max(folds, 1)
    fold = deal[decisions.units]
    parts = _powers(decisions, fold, folds, (1, 2))
    whole = parts.sum(axis=1)
    values = [_smoothed(*(whole - parts[:, at]))[0] for at in range(folds)]
    return Predicted(np.stack(values), fold, RewardModelCard(kind="click_rates", folds=folds))


def reward_moments(decisions: Decisions) -> np.ndarray:
    """Means of the powers 1 … 4 of the rewards of each item at each place, smoothed as ``click_rates`` does.

    They say how much an estimate would vary if it were made again, not what it is: nothing is cross-fitted.

    Args:
        decisions: The log.

    Returns:
        Shape (4, actions, places).
    """
    return _smoothed(*_powers(decisions, np.zeros(len(decisions), np.int64), 1, (1, 2, 3, 4))[:, 0])


def _powers(decisions: Decisions, fold: np.ndarray, folds: int, powers: Sequence[int]) -> np.ndarray:
    """Counts, and sums of powers of rewards, by fold, item and place; shape (1 + powers, folds, items, places)."""
    shape = (folds, decisions.n_actions, decisions.n_places)
    cell = (fold * shape[1] + decisions.actions) * shape[2] + decisions.places
    sums = [np.bincount(cell, minlength=math.prod(shape)).astype(np.float64)]
    sums += [np.bincount(cell, decisions.rewards**p, math.prod(shape)) for p in powers]
    return np.stack(sums).reshape(-1, *shape)


def _smoothed(count: np.ndarray, *sums: np.ndarray) -> np.ndarray:
    """The mean of each power, all drawn in as strongly as the first, whose noise the second tells."""
    n = max(count.sum(), 1.0)
    mean, by_item = sums[0].sum() / n, count.sum(axis=1)
    rate = sums[0].sum(axis=1) / np.maximum(by_item, 1)
    within = max(float((sums[1].sum(axis=1) - by_item * rate**2).sum()) / n, 1e-300)
    seen = by_item > 0
    between = float((by_item * (rate - mean) ** 2)[seen].sum() / n) - (seen.sum() - 1) * within / n
    strength = within / between if between > within / n else n
    return np.stack([_drawn_in(count, each, strength) for each in sums])


def _drawn_in(count: np.ndarray, total: np.ndarray, strength: float) -> np.ndarray:
    mean = total.sum() / max(count.sum(), 1.0)
    item = (total.sum(axis=1) + strength * mean) / (count.sum(axis=1) + strength)
    # A place multiplies means of one sign; where they have both, as profits do, their sum may be 0 and tells no factor.
    likely = (count * item[:, None]).sum(axis=0)
    known = (likely != 0) & bool((item >= 0).all() or (item <= 0).all())
    place = np.where(known, total.sum(axis=0) / np.where(known, likely, 1.0), 1.0)
    return (total + strength * item[:, None] * place) / (count + strength)
