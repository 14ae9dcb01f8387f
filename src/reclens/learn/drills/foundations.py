"""Drills of phase 1: kinds of recommenders, and accuracy metrics by hand."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["MetricsByHand", "SortTheKinds"]

_SYSTEMS: Final = {
    "collaborative": (
        "Users who bought the same books as you also bought these.",
        "Each item has the neighbours that the same users liked.",
        "A matrix of ratings is factorised into vectors of users and items.",
        "Your list is made from the clicks of the twenty users most like you.",
        "The model knows nothing of a song but who listened to it.",
    ),
    "content_based": (
        "Articles with the words of those that you read.",
        "The profile of a user is the mean of the text embeddings of the films they liked.",
        "Songs with the tempo and key of your favourites.",
        "Shoes whose colour and brand you bought before.",
        "A new item can be shown at once, because its description is enough.",
    ),
    "knowledge_based": (
        "You ask for two bedrooms below 900 a month, and get the flats that meet it.",
        "A dialogue asks what you need the camera for, and rules choose the model.",
        "Nobody rated anything; a table of requirements says which insurance fits.",
        "You say 'like this one, but cheaper', and the constraints are changed.",
        "The car has to tow a caravan; all that cannot are left out.",
    ),
    "hybrid": (
        "The scores of neighbours and of descriptions are added with weights.",
        "New users get items by their attributes, all others by the ratings of similar users.",
        "A factorisation takes the genres of a film as further features.",
        "Rules leave out what does not fit, and ratings of others order the rest.",
        "Two lists, one by clicks and one by text, are merged place by place.",
    ),
}


class SortTheKinds(Drill):
    """Eight recommenders, sorted by what they learn from."""

    code = "1.a"
    name = "sort_the_kinds"
    mistakes = ("all collaborative", "hybrids not seen", "knowledge taken for content")

    def make(self, rng: np.random.Generator) -> Paper:
        """Two systems of each kind."""
        drawn = [(kind, text) for kind, texts in _SYSTEMS.items() for text in rng.choice(texts, 2, replace=False)]
        order = [drawn[at] for at in rng.permutation(len(drawn))]
        right = {f"system_{at}": kind for at, (kind, _) in enumerate(order, 1)}
        return Paper(
            data=pl.DataFrame({"system": list(right), "description": [str(text) for _, text in order]}),
            right=right,
            mistakes={
                "all collaborative": dict.fromkeys(right, "collaborative"),
                "hybrids not seen": {key: "collaborative" for key, kind in right.items() if kind == "hybrid"},
                "knowledge taken for content": {
                    key: "content_based" for key, kind in right.items() if kind == "knowledge_based"
                },
            },
            facts={"kinds": ", ".join(f"`{kind}`" for kind in _SYSTEMS)},
        )


class MetricsByHand(Drill):
    """Precision, recall, NDCG, average precision and reciprocal rank of one list."""

    code = "1.b"
    name = "metrics_by_hand"
    mistakes = ("recall divided by k", "no discount", "ideal of the hits alone", "average over the hits")

    def make(self, rng: np.random.Generator) -> Paper:
        """A list of ten, of which two to five are relevant, and some relevant items that it does not hold."""
        hits = np.zeros(10, int)
        hits[rng.choice(10, int(rng.integers(2, 6)), replace=False)] = 1
        relevant = int(hits.sum()) + int(rng.integers(1, 5))
        ranks = np.flatnonzero(hits) + 1
        discounts = 1 / np.log2(np.arange(2, 12))
        in_five = int(hits[:5].sum())
        gained = float(hits[:5] @ discounts[:5])
        precisions = float(sum((hits[:rank].sum()) / rank for rank in ranks))
        return Paper(
            data=pl.DataFrame({"rank": range(1, 11), "relevant": hits}),
            right={
                "precision_5": in_five / 5,
                "recall_5": in_five / relevant,
                "ndcg_5": gained / float(discounts[: min(5, relevant)].sum()),
                "average_precision": precisions / relevant,
                "reciprocal_rank": 1 / int(ranks[0]),
            },
            mistakes={
                "recall divided by k": {"recall_5": in_five / 5},
                "no discount": {"ndcg_5": in_five / min(5, relevant)},
                "ideal of the hits alone": {"ndcg_5": gained / float(discounts[: max(1, in_five)].sum())},
                "average over the hits": {"average_precision": precisions / len(ranks)},
            },
            facts={"relevant": relevant},
        )
