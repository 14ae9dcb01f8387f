"""Lists as decisions: what a whole list would have earned, under ever weaker assumptions of how users read.

With w_k the ratio of target and logging probability of the item at place k, W_k that of all places up to k, and r_k the
reward there, a list counts

=============  ==============================  ========================================================================
``iips``       Σ_k w_k r_k                     a reward depends on item and place alone (Li et al. 2018)
``sn_iips``    the same, normalised by place
``pi``         (1 + Σ_k (w_k - 1)) Σ_k r_k     the reward of a list is a sum over places, which the log draws
                                               independently: Swaminathan et al. (2017), arXiv 1605.04812
``rips``       Σ_k W_k r_k                     users read downwards: McInerney et al. (2020), arXiv 2007.12986
``sn_rips``    the same, normalised by place
``sips``       W_K Σ_k r_k                     anything; needs by far the most data
=============  ==============================  ========================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from reclens.errors import DataError, UsageError
from reclens.experiment.off_policy.evaluate import OffPolicy, PolicyValue
from reclens.experiment.off_policy.intervals import Method, Ratio, ratio_estimates
from reclens.experiment.off_policy.log import Decisions, Target
from reclens.experiment.off_policy.weights import Limits, objections, weigh

if TYPE_CHECKING:
    from reclens.world.policy import Policy

__all__ = ["SLATE_ESTIMATORS", "evaluate_lists", "prefix_chances"]

SLATE_ESTIMATORS: Final = {
    "iips": "item-position inverse propensity scores",
    "sn_iips": "self-normalised item-position inverse propensity scores",
    "pi": "pseudo-inverse",
    "rips": "reward-interaction (cascade) inverse propensity scores",
    "sn_rips": "self-normalised cascade inverse propensity scores",
    "sips": "inverse propensity scores of whole lists",
}
"""Names and what they stand for; the last three need ratios of whole beginnings of lists."""


def evaluate_lists(
    decisions: Decisions, target: Target, *, prefix_ratios: np.ndarray | None = None, against: Target | None = None,
    against_ratios: np.ndarray | None = None, limits: Limits | None = None, level: float = 0.95,
    method: Method = "bootstrap", replicates: int = 2_000, rng: int = 0,
) -> OffPolicy:  # fmt: skip
    """Estimate the mean reward of a list under a policy, from lists of another.

    Args:
        decisions: The log; propensities are of an item at its place, whatever stands above.
        target: The policy, likewise.
        prefix_ratios: For each decision, the probability of its list down to there under the target ÷ under the
            logging policy; see :func:`prefix_chances`. Without, only the first three estimators are there.
        against: What differences are from, estimated from the same log; the logging policy without.
        against_ratios: Its prefix ratios.
        limits: Where there is no verdict.
        level: Confidence level.
        method: ``bootstrap`` or ``normal``.
        replicates: Of the bootstrap.
        rng: Seed of the bootstrap.

    Raises:
        DataError: If a list has a place twice.
        UsageError: If ratios do not fit, or are given for one policy only.
    """
    limits = limits or Limits()
    if against is not None and (against_ratios is None) != (prefix_ratios is None):
        raise UsageError("prefix ratios were given for one of two policies; expected both or neither.")
    shape = (int(decisions.requests.max()) + 1, decisions.n_places)
    total = _laid_out(decisions.rewards, _cells(decisions), shape, 0.0).sum(axis=1)
    values, effective = _list_values(decisions, target, prefix_ratios)
    base = dict.fromkeys(values, total) if against is None else _list_values(decisions, against, against_ratios)[0]
    units = np.zeros(shape[0], np.int64)
    units[decisions.requests] = decisions.units
    units, one = np.unique(units, return_inverse=True)[1], np.ones(shape[0])
    ratios: dict[str, Ratio] = {"logged": (total, one)}
    for name, value in values.items():
        ratios |= {name: (value, one), f"{name} gap": (value - base[name], one)}
    found = ratio_estimates(ratios, units, level=level, method=method, replicates=replicates, rng=rng)
    said = tuple(PolicyValue(name, found[name], found[f"{name} gap"], None, effective[name],
                             effective[name] >= limits.effective) for name in values)  # fmt: skip
    measured = weigh(decisions, target, limits=limits)
    return OffPolicy(said, found["logged"], measured, objections(measured, limits=limits), "sn_iips", None, "list")


def _list_values(
    decisions: Decisions, target: Target, prefix_ratios: np.ndarray | None
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """What each list counts, by estimator; and the effective sample of the weights that it uses."""
    at, shape = _cells(decisions), (int(decisions.requests.max()) + 1, decisions.n_places)
    there = _laid_out(np.ones(len(decisions)), at, shape, 0.0) > 0
    rewards = _laid_out(decisions.rewards, at, shape, 0.0)
    single = _laid_out(target.logged(decisions) / decisions.propensities, at, shape, 0.0)
    total = rewards.sum(axis=1)
    values = {
        "iips": (single * rewards).sum(axis=1),
        "sn_iips": _normalised(single, rewards, there),
        "pi": (1 + np.where(there, single - 1, 0).sum(axis=1)) * total,
    }
    effective = dict.fromkeys(values, _effective(single))
    if prefix_ratios is not None:
        given = np.asarray(prefix_ratios, np.float64)
        if given.shape != decisions.rewards.shape:
            raise UsageError(f"prefix ratios have shape {given.shape}; expected ({len(decisions)},).")
        above = _laid_out(given, at, shape, 0.0)
        whole = above[np.arange(shape[0]), there.sum(axis=1) - 1]
        values |= {"rips": (above * rewards).sum(axis=1), "sn_rips": _normalised(above, rewards, there),
                   "sips": whole * total}  # fmt: skip
        effective |= {"rips": _effective(above), "sn_rips": _effective(above), "sips": _effective(whole[:, None])}
    return values, effective


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
        raise DataError(f"a list has the place {decisions.places[row] + 1} twice", source="the log", row=row + 1,
                        fix="Give each list a request_id of its own.")  # fmt: skip
    return at


def _laid_out(values: np.ndarray, at: np.ndarray, shape: tuple[int, int], fill: float) -> np.ndarray:
    table = np.full(shape, fill, np.float64)
    table.flat[at] = values
    return table


def _normalised(weights: np.ndarray, rewards: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Each place's Σ w r ÷ Σ w, added up; a list counts with its part of the linearisation."""
    sums, n = weights.sum(axis=0), there.sum(axis=0)
    means = np.divide((weights * rewards).sum(axis=0), sums, out=np.zeros(len(n)), where=sums > 0)
    scale = np.divide(n, sums, out=np.zeros(len(n)), where=sums > 0)
    return (there * means + scale * weights * (rewards - means)).sum(axis=1)


def _effective(weights: np.ndarray) -> float:
    """(Σw)² ÷ Σw², of the place where it is smallest."""
    squares = (weights**2).sum(axis=0)
    return float(np.divide(weights.sum(axis=0) ** 2, squares, out=np.zeros(len(squares)), where=squares > 0).min())
