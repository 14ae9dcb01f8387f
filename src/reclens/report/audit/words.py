"""The words of an audit: what each code of its rows, opinions and findings is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reclens.audit.mitigate.standard import LeftOutReason
from reclens.audit.preflight import Ranker
from reclens.audit.result import Lacking
from reclens.audit.rows import Family, Reason, Section, Severity
from reclens.audit.severity import Opinion
from reclens.report._toolkit.card import StatusTone

__all__ = [
    "ADVICE",
    "CANDIDATES",
    "CANDIDATE_CHOICES",
    "CHANGES",
    "FAMILIES",
    "INJECTED",
    "LACKING",
    "LEFT_OUT",
    "LIMITS",
    "MEASURES",
    "MITIGATIONS",
    "OPINIONS",
    "OPINION_MEANINGS",
    "QUESTIONS",
    "RANKERS",
    "REASONS",
    "REFERENCES",
    "REMEDIES",
    "SECTIONS",
    "SEVERITIES",
    "SEVERITY_MEANINGS",
    "STEPS",
    "TONES",
    "crossed_caption",
    "group_caption",
    "measure_name",
    "reference_name",
    "short_name",
]

SECTIONS: Final[Mapping[Section, str]] = {
    "exposure": "Exposure of item groups",
    "popularity": "Popularity bias",
    "users": "Accuracy for groups of users",
    "lists": "What groups of users are shown",
    "calibration": "Calibration",
    "position": "Position bias",
    "loop": "Feedback loop",
    "two_sided": "Two-sided fairness",
}
QUESTIONS: Final[Mapping[Section, str]] = {
    "exposure": "Does each group of items get the attention that it would get if it were treated alike?",
    "popularity": "Are users shown more popular items than they choose themselves?",
    "users": "Is a group of users served worse than the others?",
    "lists": "Are groups of users shown lists that differ in diversity, novelty or reach?",
    "calibration": "Do lists mirror the tastes of users, and do they so for each group?",
    "position": "How much attention does each position get, so that clicks can be read?",
    "loop": "Do the gaps grow when the system learns from what it showed?",
    "two_sided": "Are groups of users and groups of items treated alike together?",
}
SEVERITIES: Final[Mapping[Severity, str]] = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "favoured": "favoured",
    "none": "no material gap",
    "inconclusive": "inconclusive",
    "descriptive": "not tested",
}
SEVERITY_MEANINGS: Final[Mapping[Severity, str]] = {
    "critical": "the whole interval of the impact ratio lies below 0.80, and the attribute is protected or the group "
    "has more than 20 % of the users or items",
    "high": "the impact ratio lies below 0.80",
    "medium": "the impact ratio lies between 0.80 and 0.90",
    "low": "a gap is shown, and the impact ratio lies at 0.90 or above",
    "favoured": "a difference is shown, and it is to the good of the group",
    "none": "two one-sided tests show that the ratio lies within the band of no material difference",
    "inconclusive": "neither a gap nor its absence could be shown with these users",
    "descriptive": "the other side of a pair that is tested already, or a number that is only described",
}
OPINIONS: Final[Mapping[Opinion, str]] = {
    "negative": "negative",
    "positive_with_comments": "positive with comments",
    "positive": "positive",
    "not_concluded": "not concluded",
    "described": "described",
    "not_measured": "not measured",
}
OPINION_MEANINGS: Final[Mapping[Opinion, str]] = {
    "negative": "a gap that is critical or high",
    "positive_with_comments": "gaps that are medium or low, or some that are inconclusive",
    "positive": "no material gap, which was shown",
    "not_concluded": "nothing could be shown with these users",
    "described": "numbers that are told, and neither tested nor graded",
    "not_measured": "the data that it needs are not there",
}
TONES: Final[Mapping[Opinion, StatusTone]] = {
    "negative": "bad",
    "positive_with_comments": "warn",
    "positive": "good",
    "not_concluded": "none",
    "described": "none",
    "not_measured": "none",
}
CANDIDATE_CHOICES: Final[Mapping[str, str]] = {
    "unseen": "items that the user does not have",
    "test": "items of the test part",
}
"""The other candidates that an audit is repeated with."""
CANDIDATES: Final = {"unseen_items": "unseen items"}
"""Candidates of an audit, as of its card -> words."""
LACKING: Final[Mapping[Lacking, str]] = {
    "truth": "held-out interactions: which items were relevant",
    "train": "the training data: what users had before",
    "user_groups": "an attribute of users with at least two groups that are large enough",
    "item_groups": "an attribute of items, such as brand, seller or genre",
    "log": "a log of impressions with positions and clicks",
    "scores": "scores that are probabilities",
    "retrieved": "lists that are longer than what is shown, and retrieved = the number of their places",
    "memory": "lists that fit into memory, and are not streamed",
    "rankers": "a log in which several rankers put the same item at different positions",
    "loop": "a simulated feedback loop, [loop] of audit.toml, and the model to train anew",
    "two_sided": "another pass over the lists: two_sided = true in [audit]",
}
FAMILIES: Final[Mapping[Family, str]] = {
    "confirmatory": "confirmatory",
    "exploratory": "searched",
    "descriptive": "described",
}
REASONS: Final[Mapping[Reason, str]] = {
    "few_users": "too few users",
    "few_runs": "too few runs",
    "no_variation": "the same in every replicate",
    "no_reference": "the reference is zero",
    "not_defined": "no value",
    "resampling": "resampling users would inflate it",
}
RANKERS: Final[Mapping[Ranker, str]] = {
    "oracle": "oracle (relevant items only)",
    "random": "random",
    "identical": "the same lists, users in another order",
}
REFERENCES: Final[Mapping[str, str]] = {
    "catalogue": "share of the catalogue",
    "merit": "share of the relevant items",
    "profile": "what users had before",
    "rest": "all others",
    "known": "users whose group is known",
    "random": "random lists",
    "first_round": "the first round",
    "all_users": "all users together",
    "no_drift": "no drift",
    "scores": "what the scores promise",
    "parity": "parity",
}
MEASURES: Final[Mapping[str, str]] = {
    "exposure_share": "share of the exposure",
    "exposure_of_an_item": "exposure of an item",
    "treatment": "exposure for its relevance (disparate treatment)",
    "impact": "exposure to interested users for its relevance (disparate impact)",
    "awrf": "attention-weighted distance from the catalogue (AWRF)",
    "ndkl": "discounted distance from the catalogue (NDKL)",
    "miscalibration": "distance of lists from tastes (miscalibration)",
    "score_calibration": "relevant places beside scores (calibration of scores)",
    "catalogue_coverage": "catalogue coverage at equal numbers of users",
    "stage_data": "after the data",
    "stage_scores": "after the scores",
    "stage_lists": "after the lists",
    "amortised_exposure": "share of the exposure that the log adds up to (amortised)",
    "popularity_lift": "popularity of lists ÷ histories (1 + ΔGAP)",
    "accuracy": "accuracy for groups of users",
    "merit": "exposure against merit",
    "profile": "exposure against what users had",
    "examination": "attention by position (examination)",
    "gaps": "gaps between groups of users",
    "intersections": "search of the products of groups of users",
    "adjusted_gaps": "gaps adjusted for activity and taste",
    "drift": "drift over the rounds",
    "joint_exposure": "joint exposure of users and items (JME)",
    "bias_disparity": "preference for a group in lists beside histories (bias disparity)",
    "differential_fairness": "differential fairness ε of being shown a group",
    "rating_value": "predicted ratings: value unfairness",
    "rating_absolute": "predicted ratings: absolute unfairness",
    "rating_under": "predicted ratings: underestimation unfairness",
    "rating_over": "predicted ratings: overestimation unfairness",
    "rating_non_parity": "predicted ratings: non-parity",
    "pop_rsp": "PopRSP: spread of the chance of a candidate to be shown",
    "pop_reo": "PopREO: spread of the chance of a relevant item to be shown",
}
_DRIFT: Final[Mapping[str, str]] = {
    "gini": "concentration of what is shown (Gini)",
    "gini_consumed": "concentration of all consumption (Gini)",
    "coverage": "share of the catalogue that is shown",
    "arp": "average popularity of what is shown (ARP)",
    "taste_shift": "shift of tastes since the first round (KL)",
    "homogenisation": "likeness of the lists of two users",
    "consumption": "interactions of a user",
}
MITIGATIONS: Final[Mapping[str, str]] = {
    "none": "none",
    "calibrated": "calibrated",
    "xquad": "xQuAD",
    "mmr": "MMR",
    "fair_top_k": "FA*IR",
    "dual_prices": "exposure constraint",
    "popularity_discount": "score ÷ popularity^β",
    "amortised": "amortised",
    "det_greedy": "DetGreedy",
    "det_cons": "DetCons",
    "det_relaxed": "DetRelaxed",
    "inverse_propensity": "inverse propensity weights",
    "popularity_weights": "popularity weights",
    "group_weights": "group weights",
}
LEFT_OUT: Final[Mapping[LeftOutReason, str]] = {
    "no_item_group": "it looks after a group of items, and the gap is one of users",
    "several_labels": "items have several values of the attribute, and it can deal with one",
    "no_user_group": "there are no groups of users to weigh against each other",
    "takes_no_weights": "the model learns without weights",
    "no_model": "lists alone cannot be trained anew: name the model in [model]",
}
STEPS: Final[Mapping[str, str]] = {
    "raw": "raw gap",
    "activity": "activity",
    "profile_popularity": "profile popularity",
    "left": "left over",
}
INJECTED: Final[Mapping[str, str]] = {
    "exposure_share": "exposure of the seller 'partner' ÷ its merit",
    "ndcg@10": "ndcg@10 of households with a low income, less that of the others",
    "examination": "attention of the second place ÷ that of the first",
}
"""The biases of the marketplace of the demonstration."""
CHANGES: Final[Mapping[str, str]] = {
    "improved": "improved",
    "worse": "worse",
    "undecided": "cannot tell",
    "not_tested": "not tested",
}
ADVICE: Final[Mapping[str, str]] = {
    "rerank_exposure": "Re-rank under a constraint on the exposure of the group, and sweep its strength on validation.",
    "rerank_popularity": "Re-rank by score ÷ popularity^β or xQuAD, and sweep the strength on validation.",
    "rerank_calibrated": "Re-rank calibrated to the tastes of each user, and sweep the strength on validation.",
    "weight_training": "Weight the training data: inverse propensity or group weights, with clipping.",
    "more_candidates": "Retrieve more candidates for the group, and see at which stage its relevant items are lost.",
    "estimate_weights": "Estimate the position weights from a log of several rankers, and audit again with them.",
    "experiment": "Confirm the gap and its remedy in an experiment that has enough users of the group.",
}
REMEDIES: Final[Mapping[str, str]] = {
    "rerank_exposure": "Re-rank under a constraint on exposure",
    "rerank_popularity": "Re-rank against popularity",
    "rerank_calibrated": "Re-rank calibrated to tastes",
    "weight_training": "Weight the training data",
}
"""What was swept, in a few words."""
LIMITS: Final[Mapping[Section, str]] = {
    "exposure": "Exposure is attention under a model of positions, not clicks. Merit is what held-out interactions "
    "show, which past exposure has shaped.",
    "popularity": "Popularity is counted in the training data. The candidates are the items that a user does not "
    "have; another candidate set can change the sign.",
    "users": "Accuracy on held-out interactions says what users did, not what they would have liked. A gap is not its "
    "cause: see what explains it.",
    "lists": "Lists may differ because tastes differ; a difference here is to be read beside calibration.",
    "calibration": "A short list cannot mirror a profile exactly, which is why distances stand beside random lists.",
    "position": "A curve of attention holds for the surface that the log is of.",
    "loop": "A simulation: how users choose in it is assumed.",
    "two_sided": "Joint measures contradict each other, and are compressed near their floor: two of them can rank two "
    "systems in opposite orders. None decides; the part that is about fairness alone and the part that is about "
    "relevance alone stand beside each.",
}


_JOINT: Final[Mapping[str, str]] = {
    "ii": "single users, single items",
    "ig": "single users, groups of items",
    "gi": "groups of users, single items",
    "gg": "groups of users, groups of items",
    "ai": "all users, single items",
    "ag": "all users, groups of items",
}
_PARTS: Final[Mapping[str, str]] = {
    "": "joint",
    "fairness": "fairness alone",
    "relevance": "relevance alone",
}


def measure_name(code: str) -> str:
    """A measure in words; metrics are called by their names."""
    if code.startswith("loop_"):
        drift = code.removeprefix("loop_")
        slope = drift.removesuffix("_slope")
        return _DRIFT[drift] if slope == drift else f"{_DRIFT[slope]}, change a round"
    if code.startswith("jme_"):
        kind, _, part = code.removeprefix("jme_").partition("_")
        return f"exposure, {_JOINT[kind]} (JME {kind.upper()}), {_PARTS[part]}"
    return MEASURES.get(code, code.replace("_", " "))


_SHORT: Final[Mapping[str, str]] = {
    "exposure_of_an_item": "exposure of an item",
    "treatment": "treatment",
    "impact": "impact",
    "awrf": "AWRF",
    "ndkl": "NDKL",
    "miscalibration": "miscalibration",
    "popularity_lift": "popularity lift",
    "catalogue_coverage": "coverage",
}
_SHORT_DRIFT: Final[Mapping[str, str]] = {
    "gini": "Gini",
    "gini_consumed": "Gini of consumption",
    "coverage": "coverage",
    "arp": "ARP",
    "taste_shift": "shift of tastes",
    "homogenisation": "likeness",
    "consumption": "interactions",
}
_SHARES: Final[Mapping[str, str]] = {"catalogue": "catalogue", "merit": "merit", "profile": "histories"}


def short_name(code: str, reference: str) -> str:
    """A measure as it is called beside a chart, where there is little room."""
    if code == "exposure_share":
        return f"exposure ÷ {_SHARES.get(reference, reference_name(reference))}"
    if code.startswith("loop_"):
        return f"loop, {_SHORT_DRIFT[code.removeprefix('loop_').removesuffix('_slope')]}"
    return _SHORT.get(code, measure_name(code))


def group_caption(code: str) -> str:
    """A measure at the beginning of a caption: metrics keep their names."""
    name = measure_name(code)
    return name if "@" in name else f"{name[0].upper()}{name[1:]}"


def crossed_caption(one: str, other: str) -> str:
    """What the chart of two crossed segmentations shows, and where each of them stands."""
    return f"Accuracy by {one} (across) and {other} (down), as a ratio to all other users; hatched: too few users"


def reference_name(code: str) -> str:
    """What a number is held against, in words."""
    return REFERENCES.get(code, code.replace("_", " "))
