"""Distance of the item groups in each user's list from their target, one number per user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reclens.audit._kernels import prefix_divergence
from reclens.audit.item_groups import ItemGroups

__all__ = ["DISTANCES", "list_distances", "shares"]

DISTANCES = ("awrf", "ndkl", "miscalibration")
"""Columns ``distance|attribute``.

``awrf``: attention-weighted rank fairness, half the absolute differences between the shares of exposure in the list and
the shares of the catalogue: 0 … 1. ``ndkl``: normalised discounted Kullback-Leibler divergence of the shares in every
prefix of a list from the catalogue's, in nats. ``miscalibration``: Jensen-Shannon divergence between the shares in a
list and in the history of the user, in bits: 0 … 1. Of the tiers of popularity
it is UPD, the user popularity deviation."""


def list_distances(groups: ItemGroups, items: np.ndarray, found: Mapping[Any, np.ndarray]) -> dict[str, np.ndarray]:
    """The distances of each list, shape (n,) each; NaN for lists without an item of the catalogue.

    Args:
        groups: The groups.
        items: Item codes, int32, shape (n, k); -1 past the end of a list.
        found: Amounts of each group in each list: ``shown`` and ``exposure``, shape (n, G), and ``profile`` where there
            are training data.

    References:
        Sapiezynski, Zeng, Robertson, Mislove, Wilson (2019), Quantifying the impact of user attention on fair group
        representation in ranked lists; Raj and Ekstrand (2022), Measuring fairness in ranked results; Geyik, Ambler,
        Kenthapadi (2019), Fairness-aware ranking in search and recommendation systems, section 5; Abdollahpouri et al.
        (2021), User-centered evaluation of popularity bias, for UPD; Lin (1991) for the divergence.
    """
    target = groups.sizes / groups.sizes.sum()
    exposure, shown = shares(found["exposure"]), shares(found["shown"])
    made = {"awrf": np.abs(exposure - target).sum(axis=1) / 2, "ndkl": _ndkl(groups, items, target)}
    if "profile" in found:
        made["miscalibration"] = _jensen_shannon(found["profile"], shown)
    return made


def shares(counts: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; NaN for a sum of 0."""
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def _ndkl(groups: ItemGroups, items: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean over the places of a list, discounted by rank, of the divergence of its prefix from the target."""
    found = np.empty(len(items))
    prefix_divergence(np.ascontiguousarray(items), groups.indptr, groups.groups, groups.shares, target, found)
    return found


def _kullback_leibler(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ p ln(p / q) along rows, with 0 ln 0 = 0."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=(p > 0) & (np.broadcast_to(q, p.shape) > 0))
    return (p * np.log(ratio)).sum(axis=1)


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    middle = (p + q) / 2
    bits = (_kullback_leibler(p, middle) + _kullback_leibler(q, middle)) / (2 * np.log(2))
    return np.clip(bits, 0.0, 1.0)
