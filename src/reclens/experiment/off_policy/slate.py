"""Lists as decisions: what a whole list would have earned, under ever weaker assumptions of how users read.

With w_k the ratio of target and logging probability of the item at place k, W_k that of all places up to k, and r_k the
reward there, a list counts

=============  ==============================  ========================================================================
``iips``       Σ_k w_k r_k                     a reward depends on item and place alone (Li et al. 2018)
``sn_iips``    the same, normalised by place
``pi``         v Σ_k r_k                       the reward of a list is a sum over places: the pseudo-inverse of
                                               Swaminathan et al. (2017), arXiv 1605.04812
``rips``       Σ_k W_k r_k                     users read downwards: McInerney et al. (2020), arXiv 2007.12986
``sn_rips``    the same, normalised by place
``sips``       W_K Σ_k r_k                     anything; needs by far the most data
=============  ==============================  ========================================================================

v is 1 + Σ_k (w_k - 1) where the log draws every place independently. Lists that never repeat an item are drawn
otherwise, and have weights of their own: :func:`reclens.experiment.off_policy.pseudo_inverse.pseudo_inverse_weights`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from reclens.errors import DataError, UsageError
from reclens.experiment.off_policy.evaluate import OffPolicy, PolicyValue, policy_values
from reclens.experiment.off_policy.intervals import Linear, Method
from reclens.experiment.off_policy.log import Decisions, Target
from reclens.experiment.off_policy.weights import Limits, objections, weigh
from reclens.stats.estimate import Estimate

if TYPE_CHECKING:
    from reclens.world.policy import Policy

__all__ = ["PLACE_BY_PLACE", "SLATE_ESTIMATORS", "evaluate_lists", "prefix_chances"]

SLATE_ESTIMATORS: Final = ("iips", "sn_iips", "pi", "rips", "sn_rips", "sips")
"""The estimators for lists: item-position inverse propensity scores, the same self-normalised, the pseudo-inverse,
reward-interaction (cascade) inverse propensity scores, the same self-normalised, and inverse propensity scores of whole
lists; the last three need ratios of whole beginnings of lists."""
PLACE_BY_PLACE: Final = ("iips", "sn_iips")
"""Those that take an item at its place alone."""


def evaluate_lists(
    decisions: Decisions,
    target: Target,
    *,
    prefix_ratios: np.ndarray | None = None,
    against: Target | None = None,
    against_ratios: np.ndarray | None = None,
    pi_weights: np.ndarray | None = None,
    against_pi_weights: np.ndarray | None = None,
    limits: Limits | None = None,
    level: float = 0.95,
    method: Method = "hall",
) -> OffPolicy:
    """Estimate the mean reward of a list under a policy, from lists of another.

    Args:
        decisions: The log; propensities are of an item at its place, whatever stands above.
        target: The policy, likewise.
        prefix_ratios: For each decision, the probability of its list down to there under the target ÷ under the
            logging policy; see :func:`prefix_chances`. Without, only the first three estimators are there.
        against: Reference of the differences, estimated from the same log; by default the logging policy.
        against_ratios: Its prefix ratios.
        pi_weights: For each decision, the pseudo-inverse weight of its list; see
            :func:`~reclens.experiment.off_policy.pseudo_inverse.pseudo_inverse_weights`. Without, places are taken to
            be drawn independently, and ``pi`` is refused where lists do not look so.
        against_pi_weights: Those of ``against``.
        limits: Limits for a verdict.
        level: Confidence level.
        method: ``hall`` or ``normal``; see ``mean_estimates``.

    Raises:
        DataError: If a list has a place twice.
        UsageError: If ratios or weights do not fit, or are given for one policy only.
    """
    limits = limits or Limits()
    for name, first, second in (
        ("prefix ratios", prefix_ratios, against_ratios),
        ("pseudo-inverse weights", pi_weights, against_pi_weights),
    ):
        if against is not None and (first is None) != (second is None):
            raise UsageError(f"{name} were given for one of two policies; expected both or neither.")
    parts, effective = _list_parts(decisions, target, prefix_ratios, pi_weights)
    base = None if against is None else _list_parts(decisions, against, against_ratios, against_pi_weights)[0]
    said, logged = policy_values(
        decisions,
        parts,
        base,
        {},
        limits=limits,
        effective=effective,
        shares=1 / np.bincount(decisions.requests)[decisions.requests],
        level=level,
        method=method,
    )
    if pi_weights is None and _never_repeats(decisions):
        said = tuple(_without_value(each) if each.estimator == "pi" else each for each in said)
    measured = weigh(decisions, target, limits=limits)
    return OffPolicy(
        values=said,
        logged=logged,
        weights=measured,
        objections=objections(measured, limits=limits),
        decided_by="sn_iips",
        model=None,
        unit="list",
        by_place=decisions.n_places > 1,
    )


def _list_parts(
    decisions: Decisions, target: Target, prefix_ratios: np.ndarray | None, pi_weights: np.ndarray | None
) -> tuple[dict[str, Linear], dict[str, float]]:
    """What each decision counts, by estimator; and the effective sample of the weights of places or lists."""
    at, shape = _cells(decisions), (int(decisions.requests.max()) + 1, decisions.n_places)
    zero, single = np.zeros(len(decisions)), target.logged(decisions) / decisions.propensities
    pseudo = 1 + np.bincount(decisions.requests, single - 1)[decisions.requests]
    if pi_weights is not None:
        pseudo = _fitting(pi_weights, decisions, "pseudo-inverse weights")
    by_place = _effective(_laid_out(single, at, shape, 0.0))
    parts = {"iips": Linear(single, zero), "sn_iips": _normalised(single, decisions), "pi": Linear(pseudo, zero)}
    effective = {"iips": by_place, "sn_iips": by_place, "pi": _effective(_of_lists(pseudo, at, shape))}
    if prefix_ratios is not None:
        above = _fitting(prefix_ratios, decisions, "prefix ratios")
        table = _laid_out(above, at, shape, 0.0)
        length = np.bincount(decisions.requests)
        whole = table[np.arange(shape[0]), length - 1][decisions.requests]
        parts |= {"rips": Linear(above, zero), "sn_rips": _normalised(above, decisions), "sips": Linear(whole, zero)}
        effective |= {
            "rips": _effective(table),
            "sn_rips": _effective(table),
            "sips": _effective(_of_lists(whole, at, shape)),
        }
    return parts, effective


def _never_repeats(decisions: Decisions) -> bool:
    """Whether no list has an item twice although places share items: such lists are not drawn place by place."""
    pairs = decisions.requests * decisions.n_actions + decisions.actions
    if len(np.unique(pairs)) < len(pairs):
        return False
    of_place = np.unique(decisions.places * decisions.n_actions + decisions.actions) % decisions.n_actions
    return bool((np.bincount(of_place) > 1).any())


def _without_value(found: PolicyValue) -> PolicyValue:
    none = Estimate(math.nan, low=None, high=None, n=found.value.n, level=found.value.level, note="repeats")
    return replace(found, value=none, difference=none, refused="repeats")


def prefix_chances(
    decisions: Decisions, lists: np.ndarray, policy: Policy, *, rows: np.ndarray | None = None
) -> np.ndarray:
    """The probability of each list down to each decision, under a policy over rankings; shape (n,).

    ``greedy``: 1 where it is the beginning of the ranking. ``epsilon``: (1 - ε) [that] + ε / (m (m - 1) …), over a
    pool of m. ``softmax``: the product of the Plackett-Luce factors.

    Args:
        decisions: The log; lists without gaps.
        lists: Codes of actions, best first, -1 fills up; shape (groups, width).
        policy: See :class:`reclens.world.policy.Policy`.
        rows: The row of ``lists`` of each decision; the unit of the decision without.

    Raises:
        DataError: If a list has a place twice.
    """
    at, shape = _cells(decisions), (int(decisions.requests.max()) + 1, decisions.n_places)
    group = decisions.units if rows is None else np.asarray(rows, np.int64)
    pool = np.asarray(lists)[:, : policy.pool]
    own = pool[group]
    same = own == decisions.actions[:, None]
    rank = _laid_out(np.where(same.any(axis=1), same.argmax(axis=1), -1), at, shape, -1).astype(np.int64)
    m = _laid_out((own >= 0).sum(axis=1), at, shape, 1.0)
    place = np.arange(shape[1])
    first = np.cumprod(rank == place, axis=1)
    if policy.kind == "greedy":
        found = first.astype(np.float64)
    elif policy.kind == "epsilon":
        among = np.where(rank >= 0, 1.0 / np.maximum(m - place, 1), 0.0)
        found = (1 - policy.epsilon) * first + policy.epsilon * np.cumprod(among, axis=1)
    else:
        weights = np.arange(1.0, pool.shape[1] + 1) ** -policy.sharpness
        weight = np.where(rank >= 0, weights[np.maximum(rank, 0)], 0.0)
        sums = np.concatenate([[0.0], np.cumsum(weights)])[np.minimum(m, pool.shape[1]).astype(np.int64)]
        left = sums - np.cumsum(weight, axis=1) + weight
        found = np.cumprod(weight / np.maximum(left, 1e-300), axis=1)
    return found.flat[at]


def _cells(decisions: Decisions) -> np.ndarray:
    at = decisions.requests * decisions.n_places + decisions.places
    twice = np.bincount(at) > 1
    if twice.any():
        row = int(np.flatnonzero(twice[at])[0])
        raise DataError(
            f"a list has the place {decisions.places[row] + 1} twice",
            source="the log",
            row=row + 1,
            fix="Give each list a request_id of its own.",
        )
    return at


def _laid_out(values: np.ndarray, at: np.ndarray, shape: tuple[int, int], fill: float) -> np.ndarray:
    table = np.full(shape, fill, np.float64)
    table.flat[at] = values
    return table


def _fitting(given: np.ndarray, decisions: Decisions, what: str) -> np.ndarray:
    values = np.asarray(given, np.float64)
    if values.shape != decisions.rewards.shape:
        raise UsageError(f"{what} have shape {values.shape}; expected ({len(decisions)},).")
    return values


def _of_lists(values: np.ndarray, at: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """One value a list, of values that all its decisions have; shape (lists, 1)."""
    found = np.zeros(shape[0])
    found[at // shape[1]] = values
    return found[:, None]


def _normalised(weights: np.ndarray, decisions: Decisions) -> Linear:
    """Each place's Σ w r ÷ Σ w, added up: linearised at these means."""
    places, size = decisions.places, decisions.n_places
    sums, n = np.bincount(places, weights, size), np.bincount(places, minlength=size)
    means = np.divide(np.bincount(places, weights * decisions.rewards, size), sums, out=np.zeros(size), where=sums > 0)
    slope = np.divide(n, sums, out=np.zeros(size), where=sums > 0)[places] * weights
    return Linear(slope, means[places] * (1 - slope))


def _effective(weights: np.ndarray) -> float:
    """(Σw)² ÷ Σw², of the place where it is smallest."""
    squares = (weights**2).sum(axis=0)
    return float(np.divide(weights.sum(axis=0) ** 2, squares, out=np.zeros(len(squares)), where=squares > 0).min())
