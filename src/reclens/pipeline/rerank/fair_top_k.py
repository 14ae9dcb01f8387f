"""FA*IR: enough protected items in every prefix of a list to pass a test of chance (Zehlike et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.errors import ArgumentValueError, UsageError
from reclens.models._core.form import Form, flags
from reclens.pipeline.rerank._base import RankedLists, Reranker, places_of
from reclens.pipeline.rerank._groups import check_head_share, protected_items
from reclens.pipeline.rerank._kernels import fair_places, fill_rest
from reclens.schema import Vocabulary

__all__ = ["FairTopK", "adjusted_alpha", "fail_probability", "minimum_protected"]

_EQUAL = 1e-12
"""Probabilities that differ by no more are equal: a threshold is one of the values of a distribution function."""


@dataclass(kw_only=True)
class FairTopK(Reranker):
    """The best list in which every prefix has at least m(i) protected items among its first i places.

    m(i) is the smallest count that a fair lottery with success rate ``share`` does not stay below with a probability of
    more than α_c: the α_c-quantile of the binomial distribution (i, share). A list made by the lottery is tested at
    each of its k places, so with α_c = α it fails more often than α; ``adjusted`` lowers α_c to the largest value at
    which the lottery fails somewhere with a probability of α at most. Then protected items are taken only where a
    prefix lacks one, the most relevant first, which costs the least relevance.

    Use when: one group has to be seen in every list and at its top, and the group is named by a requirement or is the
    long tail. Misleads when: ``share`` is far above what the candidates hold, since the lists then run out of protected
    items; and m(i) says how many protected items there are, not which: the same few may be in every list.

    Attributes:
        where: The protected items, such as ``"seller = small"``, or several requirements; by default the long tail.
        share: p, the share of protected items of the lottery, 0 … 1.
        alpha: α, the risk that a fair list fails the test.
        adjusted: Whether α counts for the whole list; else for each of its prefixes.
        head_share: Share of the training interactions that makes the short head, where the long tail is protected.

    Example:
        >>> minimum_protected(10, 0.5, 0.1).tolist()
        [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
        >>> round(fail_probability(minimum_protected(10, 0.5, 0.1), 0.5), 4)
        0.1289
        >>> alpha = adjusted_alpha(10, 0.5, 0.1)
        >>> minimum_protected(10, 0.5, alpha).tolist(), round(alpha, 4)
        ([0, 0, 0, 0, 1, 1, 1, 2, 2, 3], 0.0625)

    References:
        Zehlike, Bonchi, Castillo, Hajian, Megahed, Baeza-Yates (2017), FA*IR: a fair top-k ranking algorithm; CIKM.
        Zehlike, Sühr, Baeza-Yates, Bonchi, Castillo, Hajian (2022), Fair top-k ranking with multiple protected groups;
        Information Processing and Management, section 3.3 on the exact fail probability.
    """

    kind: ClassVar[str] = "fair_top_k"

    where: str | Sequence[str] = ()
    share: float = 0.3
    alpha: float = 0.1
    adjusted: bool = True
    head_share: float = 0.8

    def _check(self) -> None:
        check_head_share(self.kind, self.head_share)
        _check_lottery(1, self.share, self.alpha)

    def _prepare(self, train: Dataset, items: Vocabulary) -> None:
        self.protected_ = protected_items(self.kind, self.where, self.head_share, train, items)

    def form(self) -> Mapping[str, Form]:
        """What the learned array has to be."""
        return {"protected_": flags("items")}

    def rerank(self, lists: RankedLists) -> RankedLists:
        """The lists with protected items moved up to where a prefix lacks them."""
        order, width = places_of(lists)
        alpha = adjusted_alpha(lists.k, self.share, self.alpha) if self.adjusted else self.alpha
        least = minimum_protected(lists.k, self.share, alpha)[:width]
        fair_places(lists.listed, self.protected_[lists.items], least, order)
        fill_rest(order, width)
        return lists.reordered(order)


def minimum_protected(k: int, share: float, alpha: float) -> np.ndarray:
    """The m-table: protected items that each prefix of a list needs, int64, shape (k,).

    Args:
        k: Length of the list.
        share: Success rate of the lottery.
        alpha: Risk that a prefix of a fair list fails.

    Raises:
        UsageError: If k is below 1, or a probability does not lie between 0 and 1.

    Example:
        >>> minimum_protected(10, 0.2, 0.15).tolist()
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    """
    _check_lottery(k, share, alpha)
    return (_distribution(k, share) < alpha - _EQUAL).sum(axis=1)


def fail_probability(table: np.ndarray, share: float) -> float:
    """Probability that a randomly drawn list has a prefix with too few successes; exact, by dynamic programming.

    Args:
        table: Successes that each prefix needs, whole numbers, shape (k,).
        share: Success rate of the lottery.

    Raises:
        UsageError: If the table is empty, or the share does not lie between 0 and 1.

    Example:
        >>> fail_probability([0, 1], 0.3)
        0.49
    """
    least = np.asarray(table, np.int64)
    _check_lottery(len(least), share, 0.5)
    chances = np.zeros(len(least) + 1)  # of each count of successes, in lists that have not failed so far
    chances[0] = 1.0
    for needed in least:
        chances[1:] = chances[1:] * (1 - share) + chances[:-1] * share
        chances[0] *= 1 - share
        chances[: max(int(needed), 0)] = 0.0
    return float(1 - chances.sum())


@lru_cache(maxsize=256)
def adjusted_alpha(k: int, share: float, alpha: float) -> float:
    """The largest α_c for each prefix with which a fair list fails somewhere with a probability of ``alpha`` at most.

    The table changes only where α_c passes a value of a binomial distribution function, and longer lists of demands
    fail more often: the value is found among those, exactly, by bisection.

    Args:
        k: Length of the list.
        share: Success rate of the lottery.
        alpha: Risk that a fair list fails.

    Returns:
        α_c; at most ``alpha``.

    Raises:
        UsageError: If k is below 1, or a probability does not lie between 0 and 1.
    """
    _check_lottery(k, share, alpha)
    if fail_probability(minimum_protected(k, share, alpha), share) <= alpha:
        return alpha
    # A list that needs nothing never fails: the smallest value is always right.
    values = np.unique(_distribution(k, share))
    values = values[(values > 0) & (values < alpha)]
    right, wrong = 0, len(values)
    while wrong - right > 1:
        middle = (right + wrong) // 2
        if fail_probability(minimum_protected(k, share, float(values[middle])), share) <= alpha:
            right = middle
        else:
            wrong = middle
    return float(values[right])


def _distribution(k: int, share: float) -> np.ndarray:
    """P(at most j successes of i), shape (k, k + 1), i from 1 and j from 0."""
    from scipy.special import bdtr

    trials, successes = np.arange(1, k + 1)[:, None], np.arange(k + 1)[None, :]
    return np.where(successes >= trials, 1.0, bdtr(np.minimum(successes, trials).astype(float), trials, share))


def _check_lottery(k: int, share: float, alpha: float) -> None:
    if k < 1:
        raise ArgumentValueError("k", f"is {k}, expected 1 place or more")
    if not 0 < share < 1:
        raise UsageError(f"fair_top_k: share is {share}, expected a number between 0 and 1, such as 0.3.")
    if not 0 < alpha < 1:
        raise UsageError(f"fair_top_k: alpha is {alpha}, expected a number between 0 and 1, such as 0.1.")
