"""The words of an exploration: what each code of its findings, reasons, suspects and numbers is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reclens.explore.hubness import Remedy
from reclens.explore.reach import Reason
from reclens.explore.result import MeasureName, Missing
from reclens.findings import Severity

__all__ = [
    "ADVICE",
    "FINDINGS",
    "MEASURES",
    "MISSING",
    "MODELS",
    "REASONS",
    "REASON_MEANINGS",
    "REMEDIES",
    "SEVERITIES",
    "SUSPECTS",
]

SEVERITIES: Final[Mapping[Severity, str]] = {"critical": "critical", "warning": "warning", "note": "note"}

FINDINGS: Final[Mapping[str, str]] = {
    "blind_spot": "Blind spot",
    "not_in_index": "Not in the index",
    "index_unreachable": "Unreachable by the index",
    "structurally_unreachable": "Unreachable for every user vector",
    "hole": "Demand without supply",
    "dead_stock": "Supply without demand",
    "near_duplicates": "Near-duplicates",
    "hubs": "Hubs",
    "low_recall": "Low recall of the index",
    "uneven_recall": "Low recall in some regions",
    "thinned_by_filter": "Answers thinned by a filter",
    "outside_queries": "Queries outside of the catalogue",
    "moved": "Items that moved",
    "narrow_cone": "Narrow cone",
    "untrue_map": "A map not to be trusted",
    "too_few_queries": "Too few users to tell",
}

MODELS: Final[Mapping[str, str]] = {"tfidf_svd": "tf-idf and SVD"}
"""What a model of vectors is called, where that is not its name."""

REASONS: Final[Mapping[Reason, str]] = {
    "not_in_index": "not in the index",
    "index_unreachable": "unreachable by the index",
    "anti_hub": "anti-hub",
    "demand_orphan": "orphan of demand",
    "structurally_unreachable": "unreachable for every user vector",
    "not_decided": "not decided",
    "outranked": "reachable, but outranked",
    "in_reach": "in reach, but left out",
}

REASON_MEANINGS: Final[Mapping[Reason, str]] = {
    "not_in_index": "The store does not hold it.",
    "index_unreachable": "The index does not return it to queries for which exact search does.",
    "anti_hub": "It is among the nearest neighbours of no item, and in the first k of no user.",
    "demand_orphan": "No user vector is near it.",
    "structurally_unreachable": "No user vector at all, present or not, could bring it into the first k.",
    "not_decided": "Neither a user vector that reaches it nor a proof that there is none was found.",
    "outranked": "It could be shown; for every user others come first.",
    "in_reach": "By the vectors it is in the first k of a user: a filter, a re-ranker, another model, or what the user "
    "knows already keeps it out.",
}

SUSPECTS: Final[Mapping[str, str]] = {
    "not_in_index": "items that the index does not hold",
    "filtered_out": "items in reach that a filter leaves out",
    "cold_items": "items without training interactions",
    "missing_text": "missing texts",
    "price": "another price",
    "unpopular": "fewer training interactions",
}

ADVICE: Final[Mapping[str, str]] = {
    "look_at_examples": "Look at the examples first: they often say why.",
    "add_candidates": "Add a source of candidates that reaches these items, such as search by content.",
    "rerank_coverage": "Re-rank for coverage or diversity, and measure what it costs.",
    "rebuild_index": "Build the index anew from the vectors.",
    "probe_more_lists": "Probe more lists of the index, and measure the recall again.",
    "normalize_vectors": "Train with vectors of one length, or divide by the length: short vectors cannot win.",
    "raise_dimension": "Train with more dimensions: in few of them many items lie inside of the others.",
    "buy_content": "Decide whether the catalogue should serve these users.",
    "check_queries": "See whether the queries are embedded as the items are.",
    "check_texts": "See whether these items have good texts and attributes.",
    "campaign": "Show them outside of the recommender to learn whether anybody wants them.",
    "merge_duplicates": "Merge them, or show one of each group.",
    "mutual_proximity": "Score by mutual proximity.",
    "local_scaling": "Score by locally scaled distances.",
    "exact_for_narrow_filters": "Search exactly where a filter leaves few items.",
    "train_on_queries": "Train or tune the embedding on real queries.",
    "centre_vectors": "Subtract the mean vector, then normalise.",
    "trust_lists": "Trust the tables and the neighbours, and not distances on the map.",
    "more_users": "Take the lists of more users before concluding that an item is never shown.",
}

REMEDIES: Final[Mapping[Remedy, str]] = {
    "none": "cosine, as it is",
    "mutual_proximity": "mutual proximity",
    "local_scaling": "local scaling",
}

MEASURES: Final[Mapping[MeasureName, str]] = {
    "coverage": "catalogue that is shown",
    "unshown_wants": "wanted interactions with items never shown",
    "blind_spots": "wanted more than shown, in blind spots",
    "not_in_index": "catalogue not in the index",
    "index_unreachable": "catalogue unreachable by the index",
    "structurally_unreachable": "catalogue unreachable for every user vector",
    "far_queries": "users or queries far from every item",
    "outside_queries": "users or queries outside of the catalogue",
    "dead_stock": "catalogue far from every user or query",
    "near_duplicates": "catalogue with a near-duplicate",
    "strong_hubs": "catalogue that is a strong hub",
    "anti_hubs": "catalogue that is an anti-hub",
    "hub_skewness": "skewness of the k-occurrences",
    "mean_cosine": "mean cosine of pairs",
    "alignment": "squared distance of users from what they wanted",
    "recall": "recall of the index",
    "worst_recall": "recall in the worst 5 % of the regions",
    "moved": "items that moved since the earlier version",
    "trustworthiness": "trustworthiness of the map",
    "continuity": "continuity of the map",
    "neighbours_kept": "neighbours kept by the map",
    "purity": "purity of the regions",
}

MISSING: Final[Mapping[Missing, str]] = {
    "lists": "lists of a recommender: what is shown, and why the rest is not",
    "truth": "held-out interactions: what is wanted and not shown",
    "users": "vectors of users or queries: supply against demand, and the users that items are near to",
    "store": "the index: its recall, and the items that it does not reach",
    "before": "an earlier version of the space: drift",
    "map": "a map: its quality, and clusters of the map",
    "category": "a category of items: purity of the regions",
}
