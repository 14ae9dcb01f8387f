"""How exposure is spread over the catalogue, and which users are served at all."""

from __future__ import annotations

import numpy as np

from reclens import concentration
from reclens.metrics.conventions import Convention
from reclens.metrics.exposure_counts import Exposure
from reclens.metrics.lists import Lists
from reclens.metrics.registry import metric

__all__ = ["coverage", "entropy", "gini", "unique_items", "user_coverage"]


@metric(family="exposure", title="Catalogue coverage", kind="catalogue", unit="share")
def coverage(exposure: Exposure) -> float:
    """Share of the catalogue that stands in at least one list.

    Formula: distinct catalogue items in the first k of any list / items of the catalogue.
    Range: 0 … 1. It grows with the number of users, so that only groups of equal size compare.
    Items outside the catalogue do not count.
    No interval: resampled users repeat, and so always cover less than the real ones.
    Use when: the share of the catalogue that is recommended at all is a goal, as for sellers or creators.
    Misleads when: systems or segments with different numbers of users are compared: it grows with every user.
    Source: Herlocker et al. (2004), Evaluating collaborative filtering recommender systems; Ge et al. (2010).
    """
    return float(concentration.share_in_use(exposure.counts))


@metric(family="exposure", title="Unique items", kind="catalogue", high=None, unit="count")
def unique_items(exposure: Exposure) -> float:
    """How many items of the catalogue stand in at least one list.

    Formula: distinct catalogue items in the first k of any list: coverage, as a count.
    Range: 0 … items of the catalogue. It grows with the number of users, so that only groups of equal size compare.
    Items outside the catalogue do not count.
    No interval: see coverage.
    Use when: a plain count says more to its readers than a share.
    Misleads when: systems or segments with different numbers of users are compared: it grows with every user.
    Source: Herlocker et al. (2004), section 4.2; the aggregate diversity of Adomavicius and Kwon (2012).
    """
    return float(np.count_nonzero(exposure.counts))


@metric(family="exposure", title="Gini of exposure", kind="catalogue", higher_is_better=None, toward=False)
def gini(exposure: Exposure) -> float:
    """Inequality of exposure between the items of the catalogue.

    Formula: Σ (2j - n - 1) x_j / (n Σ x) over the items in ascending order of exposure x, items never shown included.
    Range: 0 (all items shown equally often) … 1 - 1/n (a single item shown). Lower is more even.
    No interval: see coverage.
    Use when: the concentration of exposure on few items is watched over time or between systems.
    Misleads when: catalogues differ in size, or contain many irrelevant items: those alone keep it near 1.
    Source: Gini (1912); Adomavicius and Kwon (2012), Improving aggregate recommendation diversity.
    """
    return float(concentration.gini(exposure.counts))


@metric(
    family="exposure",
    title="Entropy of exposure",
    kind="catalogue",
    high=None,
    unit="bits",
    higher_is_better=None,
    toward=True,
)
def entropy(exposure: Exposure) -> float:
    """Shannon entropy of the exposure shares.

    Formula: -Σ p log2 p, where p is an item's share of all recommendations.
    Range: 0 (a single item shown) … log2(items of the catalogue). Higher is more even.
    No interval: see coverage.
    Use when: the spread of exposure is needed in bits: 2 to its power is the effective number of items.
    Misleads when: catalogues differ in size: its maximum is the logarithm of that size.
    Source: Shannon (1948); Adomavicius and Kwon (2012).
    """
    return float(concentration.entropy(exposure.counts) / np.log(2))


@metric(family="service", title="User coverage", unit="share", cut=False)
def user_coverage(lists: Lists, convention: Convention) -> np.ndarray:
    """Whether the user has a list at all.

    Formula: 1 if the list holds at least one item, else 0; its mean is the share of users served.
    Range: 0 … 1, higher is better.
    Users without a list count 0.
    Use when: a system may fail to serve users: new ones, or those whom filters leave without candidates.
    Misleads when: lists are filled up with popular items: every user is then served, well or not.
    Source: Herlocker et al. (2004), section 4.2.
    """
    return lists.has_list.astype(np.float64)
