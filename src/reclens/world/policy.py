"""How a list is made from the ranking of a model: exploration and propensities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import Advice, ArgumentValueError, ArgumentValuesError, Setting, UnknownNameError
from reclens.world._kernels import POLICY
from reclens.world._lists import GREEDY, SOFTMAX, UNIFORM
from reclens.world.plackett_luce import place_chances

__all__ = ["KINDS", "Policy"]

KINDS: Final = {"greedy": GREEDY, "epsilon": UNIFORM, "softmax": SOFTMAX}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """From a ranking to a list.

    ``greedy`` shows the first k: every propensity is 1, and nothing can be learned about other lists. ``epsilon`` draws
    a share of the lists from the pool in random order; the propensity of an item at its place is
    (1 - ε) [it is the greedy one] + ε / pool. ``softmax`` draws place by place with weights rank^-sharpness
    (Plackett-Luce over ranks, as in probabilistic interleaving: Hofmann et al. 2011). Both the probability of an item
    at its place whatever stands elsewhere and that given the places above are exact, and are logged.

    Attributes:
        kind: One of the three.
        k: Length of the lists.
        pool: How many items of the ranking a list is made of; at least k.
        epsilon: Share of lists that explore, for ``epsilon``.
        sharpness: How fast the weights fall with the rank, for ``softmax``; 0 is uniform.
        leave_out: Whether what a user has consumed is left out, also what the model does not know of yet. The pool is
            then what is left of the ranking.
    """

    kind: str = "greedy"
    k: int = 10
    pool: int = 30
    epsilon: float = 0.1
    sharpness: float = 1.0
    leave_out: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("policy", self.kind, KINDS)
        if not 1 <= self.k <= 255:
            raise ArgumentValueError("k", f"is {self.k}, expected 1 … 255")
        if self.pool < self.k:
            raise ArgumentValuesError(
                {"pool": self.pool, "k": self.k}, "{pool} of {k} items or more: a list is made of them"
            )
        if not 0 <= self.epsilon <= 1:
            raise ArgumentValueError("epsilon", f"is {self.epsilon}, expected a share between 0 and 1")
        if not 0 <= self.sharpness < np.inf:
            greedy = Advice("greedy_policy", (Setting("kind", "greedy"),), "The limit is {kind}.")
            raise ArgumentValueError("sharpness", f"is {self.sharpness}, expected 0 or more", advice=greedy)

    def row(self, *, changed: bool) -> np.ndarray:
        """As the kernel takes it, in the order of ``POLICY``; float64."""
        values = (KINDS[self.kind], self.epsilon, self.sharpness, changed, self.leave_out, self.k)
        assert len(values) == len(POLICY)
        return np.array(values, np.float64)

    def probabilities(self, n: int) -> np.ndarray:
        """The probability of each rank of a pool of n at each place, whatever stands elsewhere; rows add up to 1.

        Shape (places, n). Those of ``softmax`` are integrals of numbers: see
        :func:`reclens.world.plackett_luce.place_chances`.

        Example:
            >>> Policy(kind="epsilon", k=2, pool=4, epsilon=0.4).probabilities(4)
            array([[0.7, 0.1, 0.1, 0.1],
                   [0.1, 0.7, 0.1, 0.1]])
        """
        if self.kind == "softmax":
            return place_chances(self.sharpness, min(self.k, n), n)
        epsilon = self.epsilon if self.kind == "epsilon" else 0.0
        return (1 - epsilon) * np.eye(min(self.k, n), n) + epsilon / n

    def marginal(self, place: np.ndarray, rank: np.ndarray, pool: np.ndarray) -> np.ndarray:
        """The probability of an item at its place, whatever stands elsewhere; shape (n,).

        Args:
            place: From 0; shape (n,).
            rank: Of the item in its pool, from 0.
            pool: Size of the pool.
        """
        if self.kind != "softmax":
            epsilon = self.epsilon if self.kind == "epsilon" else 0.0
            return (1 - epsilon) * (rank == place) + epsilon / pool
        found = np.empty(len(place))
        for size in np.unique(pool):
            mine = pool == size
            found[mine] = self.probabilities(int(size))[place[mine], rank[mine]]
        return found

    def conditional(self, place: np.ndarray, rank: np.ndarray, pool: np.ndarray) -> np.ndarray:
        """The probability of an item at its place given the places above, for ``greedy`` and ``epsilon``; shape (n,).

        The product over a list is the probability of the list: (1 - ε) [the greedy one] + ε / (m (m - 1) …).

        Args:
            place: From 0; list after list, each from the top; shape (n,).
            rank: Of the item in its pool, from 0.
            pool: Size of the pool, m.
        """
        from scipy.special import gammaln

        epsilon = self.epsilon if self.kind == "epsilon" else 0.0
        left = rank != place
        before = np.cumsum(left) - left
        along_above = before == before[np.arange(len(place)) - place]
        # The probability of a list that explores to begin like this is the product of 1 / (m - j).
        spread = np.exp(gammaln(pool - place + 1) - gammaln(pool + 1))
        greedy = (1 - epsilon) * (rank == place) + epsilon * spread / (pool - place)
        return np.where(along_above, greedy / (1 - epsilon + epsilon * spread), 1 / (pool - place))
