"""How a list is made of what a model recommends: with how much chance, and with what probability of each item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from reclens.errors import UnknownNameError, UsageError
from reclens.world._kernels import GREEDY, POLICY, SOFTMAX, UNIFORM

__all__ = ["KINDS", "Policy"]

KINDS: Final = {"greedy": GREEDY, "epsilon": UNIFORM, "softmax": SOFTMAX}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """From a ranking to a list.

    ``greedy`` shows the first k: every propensity is 1, and nothing can be learned about other lists. ``epsilon`` draws
    a share of the lists from the pool in random order; the propensity of an item at its place is exact:
    (1 - ε) [it is the greedy one] + ε / pool. ``softmax`` draws place by place with weights rank^-sharpness
    (Plackett-Luce over ranks, as in probabilistic interleaving: Hofmann et al. 2011); the propensity is that of the
    item given the places above, and the product over the places is that of the list.

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
            raise UsageError(f"k is {self.k}, expected 1 … 255.")
        if self.pool < self.k:
            raise UsageError(f"pool is {self.pool} and k {self.k}: a list is made of at least k items.")
        if not 0 <= self.epsilon <= 1:
            raise UsageError(f"epsilon is {self.epsilon}, expected a share between 0 and 1.")
        if not 0 <= self.sharpness < np.inf:
            raise UsageError(f"sharpness is {self.sharpness}, expected 0 or more; kind='greedy' is the limit.")

    def row(self, *, changed: bool) -> np.ndarray:
        """As the kernel takes it, in the order of ``POLICY``; float64."""
        values = (KINDS[self.kind], self.epsilon, self.sharpness, changed, self.leave_out, self.k)
        assert len(values) == len(POLICY)
        return np.array(values, np.float64)

    def probabilities(self, n: int) -> np.ndarray:
        """The probability of each rank of a pool of n at each place, shape (places, n); rows add up to 1.

        For ``softmax`` only the first place has one that does not depend on the others: shape (1, n).

        Example:
            >>> Policy(kind="epsilon", k=2, pool=4, epsilon=0.4).probabilities(4)
            array([[0.7, 0.1, 0.1, 0.1],
                   [0.1, 0.7, 0.1, 0.1]])
        """
        if self.kind == "softmax":
            weights = np.arange(1.0, n + 1) ** -self.sharpness
            return (weights / weights.sum())[None, :]
        epsilon = self.epsilon if self.kind == "epsilon" else 0.0
        return (1 - epsilon) * np.eye(min(self.k, n), n) + epsilon / n
