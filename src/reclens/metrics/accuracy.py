"""How many of the relevant items a list holds, and how high."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reclens.metrics.conventions import Convention
from reclens.metrics.lists import Lists
from reclens.metrics.registry import metric

__all__ = [
    "auc",
    "candidate_auc",
    "f1",
    "hit_rate",
    "map",
    "mapk",
    "mind_mrr",
    "mrr",
    "ndcg",
    "precision",
    "r_precision",
    "recall",
]


@metric(family="accuracy", title="Precision", needs=("truth",))
def precision(lists: Lists, convention: Convention) -> np.ndarray:
    """Share of the first k places that hold a relevant item.

    Formula: precision@k = hits in the first k / k.
    Range: 0 … 1, higher is better.
    Denominator: k, also for shorter lists (``lenskit``: the number of items in the list).
    Users without a list count 0; users without relevant items are left out.
    Use when: every user is shown the same k places and each place costs the same.
    Misleads when: users have fewer than k relevant items: its maximum is then far below 1 and differs by user.
    Source: trec_eval P_k; Manning, Raghavan, Schütze (2008), Introduction to information retrieval, chapter 8.
    """
    if convention.precision_denominator == "list":
        return np.divide(lists.n_hits, lists.length, out=np.zeros(len(lists.length)), where=lists.length > 0)
    return lists.n_hits / lists.depth


@metric(family="accuracy", title="Recall", needs=("truth",))
def recall(lists: Lists, convention: Convention) -> np.ndarray:
    """Share of a user's relevant items that stand in the first k places.

    Formula: recall@k = hits in the first k / relevant items.
    Range: 0 … 1, higher is better; it cannot reach 1 where a user has more than k relevant items.
    Denominator: the user's relevant items (``lenskit``, ``vae_cf``: min(k, relevant items)).
    Users without a list count 0; users without relevant items are left out.
    Use when: lists feed a later stage (retrieval before ranking), where missed items are lost for good.
    Misleads when: users have more than k relevant items: it cannot reach 1 then, and users with few of them dominate
        the mean.
    Source: trec_eval recall_k; Liang et al. (2018), Variational autoencoders for collaborative filtering, for min.
    """
    reachable = np.minimum(lists.n_relevant, lists.depth)
    return _ratio(lists.n_hits, reachable if convention.recall_denominator == "min" else lists.n_relevant)


@metric(family="accuracy", title="F1", needs=("truth",))
def f1(lists: Lists, convention: Convention) -> np.ndarray:
    """Harmonic mean of a user's precision and recall.

    Formula: f1@k = 2 · precision@k · recall@k / (precision@k + recall@k) of each user, 0 where both are 0; the mean
    over users is not the F1 of mean precision and mean recall.
    Range: 0 … 1, higher is better.
    Denominator: those of precision and recall, also under the conventions that change them.
    Users without a list count 0; users without relevant items are left out.
    Use when: one number has to stand for precision and recall and neither matters more.
    Misleads when: the two matter differently, or users differ much in relevant items: read precision and recall
        apart then.
    Source: van Rijsbergen (1979), Information retrieval, chapter 7; Herlocker et al. (2004), section 4.2.
    """
    one, other = precision(lists, convention), recall(lists, convention)
    found = np.divide(2 * one * other, one + other, out=np.zeros(len(one)), where=one + other > 0)
    return np.where(np.isnan(other), np.nan, found)


@metric(family="accuracy", title="Hit rate", needs=("truth",))
def hit_rate(lists: Lists, convention: Convention) -> np.ndarray:
    """Whether the first k places hold at least one relevant item.

    Formula: hit_rate@k = 1 if hits in the first k ≥ 1, else 0; its mean is a share of users.
    Range: 0 … 1, higher is better.
    Users without a list count 0; users without relevant items are left out.
    Use when: one item is held out per user, or one good item is enough.
    Misleads when: users have several relevant items: one hit counts as much as ten, and users with long histories
        hit by chance.
    Source: Deshpande and Karypis (2004), Item-based top-n recommendation algorithms; trec_eval success_k.
    """
    return np.asarray(lists.hits.any(axis=1), np.float64)


@metric(family="accuracy", title="MRR", needs=("truth",))
def mrr(lists: Lists, convention: Convention) -> np.ndarray:
    """Reciprocal of the rank of the first relevant item.

    Formula: mrr@k = 1 / rank of the first hit, 0 without a hit in the first k.
    Range: 0 … 1, higher is better.
    Users without a list count 0; users without relevant items are left out.
    Use when: only the first good item matters, as in search or the next item to play.
    Misleads when: users look past the first hit: from place 1 to 2 it loses as much as from place 2 to the end of
        the list.
    Source: Voorhees (1999), The TREC-8 question answering track report; trec_eval recip_rank.
    """
    reciprocal = np.where(lists.hits, 1.0 / np.arange(1, lists.depth + 1), 0.0)
    return reciprocal.max(axis=1)


@metric(family="accuracy", title="NDCG", needs=("truth",))
def ndcg(lists: Lists, convention: Convention) -> np.ndarray:
    """Discounted gain of the list, as a share of the best list possible.

    Formula: ndcg@k = Σ gain(rank) / log2(rank + 1) over the first k, divided by the same sum over the user's
    relevant items in their best order.
    Range: 0 … 1, higher is better.
    Gain: the relevance itself; 1 for every relevant item when relevance is binary.
    Ideal list: the min(k, relevant items) most relevant items (``rectools``: k places, each with the highest gain of
    the user's relevant items, as if all could be hit).
    Discount: log2(rank + 1) (``lenskit``: log2(max(rank, 2))).
    Users without a list count 0; users without relevant items are left out.
    Use when: the order in the list matters and several items may be relevant, or relevance is graded.
    Misleads when: few relevant items are known per user: it then follows popularity, and values of data sets do not
        compare.
    Source: Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques; trec_eval ndcg_cut_k.
    """
    # Products are summed by row, not by @, whose last bits depend on the other rows.
    ranks = np.arange(1, lists.depth + 1)
    steep = convention.discount == "log2(rank+1)"
    discounts = 1.0 / np.log2(ranks + 1 if steep else np.maximum(ranks, 2))
    gains, ideal = lists.gains, lists.ideal
    if convention.gain == "exponential":
        gains, ideal = np.exp2(gains) - 1, np.exp2(ideal) - 1
    if convention.ideal == "k":
        ideal = np.broadcast_to(ideal[:, :1], gains.shape)
    best = (ideal * discounts).sum(axis=1)
    return _ratio((gains * discounts).sum(axis=1), best)


@metric(family="accuracy", title="MAP", needs=("truth",))
def map(lists: Lists, convention: Convention) -> np.ndarray:  # noqa: A001 - the field's name for it
    """Average precision: the precision at the rank of each hit, averaged over the relevant items.

    Formula: ap@k = Σ precision@rank over the ranks ≤ k that hold a relevant item, divided by the relevant items; MAP
    is its mean over users.
    Range: 0 … 1, higher is better; it cannot reach 1 where a user has more than k relevant items.
    Denominator: the user's relevant items (``recbole``, ``vae_cf``, ``replay``: min(k, relevant items); ``lenskit``:
    min(list length, relevant items)).
    Users without a list count 0; users without relevant items are left out.
    Use when: all relevant items should stand near the top, and relevance is yes or no.
    Misleads when: k is far below the number of relevant items: dividing by all of them (as here) keeps heavy users
        near 0.
    Source: trec_eval map_cut_k; Manning, Raghavan, Schütze (2008), chapter 8.
    """
    so_far = np.cumsum(lists.hits, axis=1)
    total = (so_far / np.arange(1, lists.depth + 1) * lists.hits).sum(axis=1)
    reachable = {
        "relevant": lists.n_relevant,
        "min": np.minimum(lists.n_relevant, lists.depth),
        "min_list": np.minimum(lists.n_relevant, lists.length),
    }
    return _ratio(total, reachable[convention.ap_denominator])


@metric(family="accuracy", title="MAP as on Kaggle", needs=("truth",))
def mapk(lists: Lists, convention: Convention) -> np.ndarray:
    """Average precision over what k places can hold: the MAP@k of Kaggle's competitions, under every convention.

    Formula: ap@k = Σ precision@rank over the ranks ≤ k that hold a relevant item, divided by min(k, relevant items).
    Range: 0 … 1, higher is better; 1 where the first min(k, relevant items) places are all hits.
    Denominator: min(k, relevant items), where ``map`` divides by the convention's own.
    Repeated items: the best rank of an item counts and the gap is closed, where Kaggle's code keeps the place empty.
    Users without a list count 0; users without relevant items are left out.
    Use when: results are compared with a Kaggle leaderboard, or k is below the number of relevant items.
    Misleads when: it is compared with the MAP of other tools: they divide by all relevant items.
    Source: Hamner, ml_metrics.mapk; Kaggle's Expedia (MAP@5), Santander (MAP@7) and H&M (MAP@12) competitions.
    """
    return map(lists, replace(convention, ap_denominator="min"))


@metric(family="accuracy", title="R-precision", needs=("truth",), cut=False)
def r_precision(lists: Lists, convention: Convention) -> np.ndarray:
    """Precision at R, where R is the number of the user's relevant items: precision and recall are equal there.

    Formula: r_precision = hits in the first R / R.
    Range: 0 … 1, higher is better.
    Short lists: the places they lack hold no hit; lists should be as long as the largest R.
    Users without a list count 0; users without relevant items are left out.
    Use when: users differ much in their number of relevant items: each user has an individual cut-off.
    Misleads when: lists are shorter than a user's relevant items: the places that are missing count as misses.
    Source: trec_eval Rprec; Buckley and Voorhees (2005), Retrieval system evaluation.
    """
    within = np.arange(lists.depth) < lists.n_relevant[:, None]
    return _ratio((lists.hits & within).sum(axis=1), lists.n_relevant)


@metric(family="accuracy", title="AUC", needs=("truth", "catalogue"))
def auc(lists: Lists, convention: Convention) -> np.ndarray:
    """Chance that a relevant item stands before one that is not, items beyond the list being tied at its end.

    Formula: Σ over relevant items of (irrelevant candidates ranked below + ½ · those tied), divided by
    relevant × irrelevant candidates. All candidates that are not in the first k are tied behind it; the candidates are
    the catalogue without the user's training items, so that the catalogue has to be known.
    Range: 0 … 1, ½ is a random order, higher is better. With k as long as the catalogue it is the exact area under the
    ROC curve; with a short list the ties pull it towards ½.
    Users without a list count 0.5, since all their candidates are tied; users without relevant or without irrelevant
    candidates are left out.
    Use when: a ranking of the whole catalogue is judged, not its top.
    Misleads when: only the first places are shown: a change among the last thousands of items moves it as much as
        one at the top.
    Source: Mann and Whitney (1947); Rendle et al. (2009), BPR, section 4.
    """
    candidates = np.full(len(lists.length), lists.catalogue.n_items, np.int64)
    if lists.profiles is not None:
        owned = lists.catalogue.in_catalogue[lists.profiles.items]
        candidates -= np.bincount(lists.profiles.owners[owned], minlength=len(candidates))
    hits = lists.hits
    found = lists.n_hits
    # Candidates can be fewer than listed where a system lists training items or items of no catalogue.
    irrelevant = np.maximum(candidates - lists.n_relevant, (lists.listed & ~hits).sum(axis=1))
    before = np.cumsum(lists.listed & ~hits, axis=1)
    listed_misses = (lists.listed & ~hits).sum(axis=1)
    below = np.where(hits, irrelevant[:, None] - before, 0).sum(axis=1)
    tied = (lists.n_relevant - found) * (irrelevant - listed_misses) / 2
    pairs = lists.n_relevant.astype(np.float64) * irrelevant
    return _ratio(below + tied, pairs)


@metric(family="accuracy", title="AUC of the candidates", needs=("truth", "requests"), cut=False)
def candidate_auc(lists: Lists, convention: Convention) -> np.ndarray:
    """Chance that a clicked candidate of a request stands before one that was not clicked.

    Formula: pairs of a clicked and an unclicked candidate of the request in the right order (half of those with equal
    scores), divided by clicked × unclicked: the area under the ROC curve of each request.
    Range: 0 … 1, ½ is a random order, higher is better.
    Candidates: those that the request showed, and no others; `auc` takes the whole catalogue.
    Averaging: over the requests of a user, and then over users. A request whose candidates were all clicked has none.
    Users without a list do not arise: each request has its candidates. Requests without a click are left out.
    Use when: clicks and non-clicks of the same request are known, as in logs of impressions.
    Misleads when: the logged candidates were chosen by another system: items that it never showed are not judged.
    Source: Wu et al. (2020), MIND, section 5; Mann and Whitney (1947).
    """
    before = np.cumsum(lists.listed & ~lists.hits, axis=1)
    misses = lists.length - lists.n_hits
    right = np.where(lists.hits, misses[:, None] - before, 0).sum(axis=1)
    return _ratio(right, (lists.n_hits * misses).astype(np.float64))


@metric(family="accuracy", title="MRR as in MIND", needs=("truth", "requests"), cut=False)
def mind_mrr(lists: Lists, convention: Convention) -> np.ndarray:
    """Mean reciprocal rank of all clicked candidates of a request, where `mrr` takes the first alone.

    Formula: Σ 1 / rank over the clicked candidates, divided by their number.
    Range: 0 … 1, higher is better; it cannot reach 1 where a request has more than one click.
    Averaging: over the requests of a user, and then over users.
    Users without a list do not arise: each request has its candidates. Requests without a click are left out.
    Use when: results are compared with those published for MIND.
    Misleads when: it is read as the usual MRR: it averages over all clicked items of a request, not only the first.
    Source: Wu et al. (2020), MIND, and its evaluate.py (mrr_score).
    """
    return _ratio((lists.hits / np.arange(1, lists.depth + 1)).sum(axis=1), lists.n_relevant)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Numerator by denominator; NaN, that is "not defined", where nothing is to be found."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
