"""How far from the beaten track a list leads, and how much of it is popularity alone."""

from __future__ import annotations

import numpy as np

from reclens.metrics.conventions import Convention
from reclens.metrics.lists import Lists
from reclens.metrics.registry import metric

__all__ = ["aclt", "aplt", "arp", "novelty", "serendipity"]


@metric(
    family="novelty",
    title="Novelty",
    high=None,
    unit="bits",
    higher_is_better=None,
    needs=("profiles",),
    toward=True,
)
def novelty(lists: Lists, convention: Convention) -> np.ndarray:
    """Mean self-information of the listed items: how surprising it is that a user has one.

    Formula: mean over the first k of -log2(training users of the item / training users).
    Range: 0 (all users have every item) … log2(training users). Neither direction is better by itself.
    Items without users in the training data count as if one user had them.
    Items outside the catalogue and users without a list are left out.
    Use when: lists should go beyond items that most users know.
    Misleads when: it is read as quality: random items from the long tail have the highest value.
    Source: Zhou et al. (2010), Solving the apparent diversity-accuracy dilemma of recommender systems; Vargas and
    Castells (2011), Rank and relevance in novelty and diversity metrics.
    """
    lists.require("profiles")
    known = np.maximum(lists.catalogue.popularity, 1)
    return lists.listed_mean(np.log2(max(lists.catalogue.n_users, 1)) - np.log2(known))


@metric(
    family="popularity",
    title="Average recommendation popularity",
    high=None,
    unit="users",
    higher_is_better=None,
    toward=False,
    needs=("profiles",),
)
def arp(lists: Lists, convention: Convention) -> np.ndarray:
    """Mean popularity of the listed items.

    Formula: mean over the first k of the item's training users.
    Range: 0 … training users. Neither direction is better by itself.
    Items outside the catalogue and users without a list are left out.
    Use when: popularity bias should have a simple unit: users per item.
    Misleads when: a few blockbusters dominate the mean, or data sets of different sizes are compared.
    Source: Yin et al. (2012), Challenging the long tail recommendation; Abdollahpouri et al. (2019).
    """
    lists.require("profiles")
    return lists.listed_mean(lists.catalogue.popularity.astype(np.float64))


@metric(family="popularity", title="Share of long-tail items", higher_is_better=None, needs=("profiles",), toward=True)
def aplt(lists: Lists, convention: Convention) -> np.ndarray:
    """Share of the listed items that come from the long tail.

    Formula: long-tail items in the first k / items in the first k. The short head is the smallest set of most popular
    items that holds 80 % of the training interactions; every other item is the long tail.
    Range: 0 … 1. Neither direction is better by itself.
    Items outside the catalogue and users without a list are left out.
    Use when: the share of places that the long tail gets is a goal.
    Misleads when: the cut between head and tail is arbitrary for the catalogue: a system just past it looks far
        better.
    Source: Abdollahpouri, Burke, Mobasher (2019), Managing popularity bias in recommender systems with personalized
    re-ranking (APLT).
    """
    lists.require("profiles")
    return lists.listed_mean(lists.catalogue.long_tail.astype(np.float64))


@metric(
    family="popularity",
    title="Long-tail items",
    high=None,
    unit="items",
    higher_is_better=None,
    toward=True,
    needs=("profiles",),
)
def aclt(lists: Lists, convention: Convention) -> np.ndarray:
    """Number of the listed items that come from the long tail.

    Formula: long-tail items in the first k. The long tail is that of ``aplt``.
    Range: 0 … k. Neither direction is better by itself.
    Items outside the catalogue are not counted; users without a list are left out.
    Use when: lists have several lengths, and what counts is how many long-tail items a user is shown.
    Misleads when: it is compared over several k, or over systems whose lists have other lengths.
    Source: Abdollahpouri, Burke, Mobasher (2019), Managing popularity bias in recommender systems with personalized
    re-ranking (ACLT).
    """
    lists.require("profiles")
    code = np.maximum(lists.items, 0)
    known = (lists.items >= 0) & lists.catalogue.in_catalogue[code]
    count = (known & lists.catalogue.long_tail[code]).sum(axis=1)
    return np.where(known.any(axis=1), count, np.nan)


@metric(family="novelty", title="Serendipity", needs=("truth", "profiles"))
def serendipity(lists: Lists, convention: Convention) -> np.ndarray:
    """Share of the first k places that hold a relevant item which a popularity list would not have shown.

    Formula: hits in the first k that are not among the k most popular items new to the user, divided by k.
    Range: 0 … 1, higher is better; never above precision@k.
    Denominator: k, also for shorter lists.
    Items outside the catalogue are on no popularity list: a hit among them counts.
    Users without a list count 0; users without relevant items are left out.
    Use when: hits count more if a popularity list would not have made them anyway.
    Misleads when: little relevance is known per user: it then measures few hits, with wide intervals.
    Source: Murakami, Mori, Orihara (2008), Metrics for evaluating the serendipity of recommendation lists; Ge,
    Delgado-Battenfeld, Jannach (2010), Beyond accuracy.
    """
    lists.require("profiles")
    assert lists.profiles is not None
    rank_of = lists.catalogue.popularity_rank
    user, place = np.nonzero(lists.hits)
    item_rank = rank_of[lists.items[user, place]]
    # The place of an item among the popular ones new to the user: its rank less the user's own items before it.
    seen = np.sort((lists.profiles.owners << 32) + rank_of[lists.profiles.items])
    seen_before = np.searchsorted(seen, (user << 32) + item_rank) - lists.profiles.indptr[user]
    unexpected = item_rank - seen_before >= lists.depth
    return np.bincount(user, weights=unexpected, minlength=len(lists.length)) / lists.depth
