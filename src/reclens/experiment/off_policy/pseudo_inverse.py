"""Weights of the pseudo-inverse estimator for lists that never repeat an item.

Where the reward of a list is a sum over its places, φ(1, s_1) + φ(2, s_2) + …, it is linear in 1_s, the indicator of
(place, item), and a list s weighs qᵀ Γ⁺ 1_s, with q = E_target[1_s] and Γ = E_logging[1_s 1_sᵀ]: Swaminathan et al.
(2017), Off-policy evaluation for slate recommendation, arXiv 1605.04812. With independent places that is
1 + Σ_k (w_k - 1). Drawn without replacement, what stands at one place tells what does not stand at another, and that
formula is biased.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np

from reclens.errors import Advice, Setting, UsageError
from reclens.experiment.off_policy.log import Decisions, Target

if TYPE_CHECKING:
    from reclens.world.policy import Policy

__all__ = ["can_invert", "pseudo_inverse_weights"]

_LISTS: Final = 50_000
"""Lists of a softmax policy that are counted through at most."""


def can_invert(policy: Policy, n: int) -> bool:
    """Whether the weights can be had for a logging policy over a pool of n: softmax policies are counted through."""
    return policy.kind != "softmax" or math.perm(n, min(policy.k, n)) <= _LISTS


def pseudo_inverse_weights(
    decisions: Decisions, lists: np.ndarray, logging: Policy, target: Target, *, rows: np.ndarray | None = None
) -> np.ndarray:
    """The weight of the list of each decision; shape (n,).

    Args:
        decisions: The log; lists without gaps.
        lists: What the logging policy made its lists of: codes of actions, best first, -1 fills up; shape (groups,
            width).
        logging: The policy that wrote the log.
        target: The policy in question.
        rows: The row of ``lists`` of each decision; the unit of the decision without.

    Raises:
        UsageError: If a list is not as long as the logging policy makes it, or has items that it does not choose from,
            or there are too many lists to count.
    """
    group = decisions.units if rows is None else np.asarray(rows, np.int64)
    pool = np.asarray(lists)[:, : logging.pool]
    rank = (pool[group] == decisions.actions[:, None]).argmax(axis=1)
    if (pool[group, rank] != decisions.actions).any():
        raise UsageError(
            "the log has items that are not in the pool of the logging policy",
            advice=Advice("give_pool", (Setting("lists"),), "Give {lists}, all that it chose from."),
        )
    n = (pool >= 0).sum(axis=1)
    length = np.bincount(decisions.requests)[decisions.requests]
    if (length != np.minimum(logging.k, n[group])).any():
        raise UsageError(
            f"the log has lists of {length.min()} … {length.max()} items; expected the {logging.k} that "
            "the logging policy shows, or all of a smaller pool."
        )
    pairs, of = np.unique(np.stack([group, target.group]), axis=1, return_inverse=True)
    of = of.reshape(-1)
    single = np.zeros(len(decisions))
    for size in np.unique(n[pairs[0]]):
        some = np.flatnonzero(n[pairs[0]] == size)
        chances = _target_chances(pool[pairs[0, some], :size], target, pairs[1, some], min(logging.k, int(size)))
        made = chances.reshape(len(some), -1) @ np.linalg.pinv(_together(logging, int(size)), hermitian=True)
        at = np.full(pairs.shape[1], -1)
        at[some] = np.arange(len(some))
        mine = np.flatnonzero(at[of] >= 0)
        single[mine] = made[at[of[mine]], decisions.places[mine] * size + rank[mine]]
    return np.bincount(decisions.requests, single)[decisions.requests]


def _target_chances(pool: np.ndarray, target: Target, groups: np.ndarray, places: int) -> np.ndarray:
    """The probability under the target of each item of a pool at each place; shape (pools, places, items)."""
    candidates, chances = target.candidates[groups], target.chances[groups][:, :places]
    return np.einsum("gpc,gcr->gpr", chances, (candidates[:, :, None] == pool[:, None, :]).astype(np.float64))


def _together(policy: Policy, n: int) -> np.ndarray:
    """Γ: the probability of two ranks at two places, shape (places n, places n)."""
    places = min(policy.k, n)
    if policy.kind == "softmax":
        if not can_invert(policy, n):
            raise UsageError(
                f"there are {math.perm(n, places):,} lists of {places} from a pool of {n}; at most "
                f"{_LISTS:,} are counted through. Log with epsilon, or from a smaller pool."
            )
        every = np.array(list(permutations(range(n), places)))
        weights = np.arange(1.0, n + 1) ** -policy.sharpness
        drawn = weights[every]
        left = weights.sum() - np.cumsum(drawn, axis=1) + drawn
        shown = np.zeros((len(every), places, n))
        np.put_along_axis(shown, every[:, :, None], 1.0, axis=2)
        shown = shown.reshape(len(every), -1)
        return (shown * (drawn / left).prod(axis=1)[:, None]).T @ shown
    same_place, same_rank = np.eye(places)[:, None, :, None], np.eye(n)[None, :, None, :]
    drawn = same_place * same_rank / n + (1 - same_place) * (1 - same_rank) / max(n * (n - 1), 1)
    first = np.eye(places, n).reshape(-1)
    epsilon = policy.epsilon if policy.kind == "epsilon" else 0.0
    return (1 - epsilon) * np.outer(first, first) + epsilon * drawn.reshape(places * n, -1)
