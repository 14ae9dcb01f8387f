"""What the cards of evaluations and comparisons hold.

An entry that is not required is absent where it does not concern a result, or where an older version did not keep it:
read it by ``get``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from reclens.cards import AppliedRule, ListsCard, SplitCard
from reclens.data.near_ids import Cause

__all__ = [
    "ComparisonCard",
    "ConventionCard",
    "EvaluationCard",
    "GroundCard",
    "HashedRows",
    "IdProblemRow",
    "IntervalMethod",
    "PredictionCard",
    "RankerRow",
    "ToldHistory",
]

IntervalMethod = Literal["bca", "bca_widened"]
"""``bca``: BCa of the Poisson bootstrap over users. ``bca_widened``: that, widened for small samples, and Wilson's of
values of 0 and 1. Cards of versions before 1.0 have a sentence there."""


class HashedRows(TypedDict):
    """Rows that something was measured on or learned from.

    Attributes:
        name: Name of the data.
        rows: How many.
        hash: Fingerprint of their content.
    """

    name: NotRequired[str]
    rows: int
    hash: str


class ConventionCard(TypedDict):
    """A :class:`~reclens.metrics.conventions.Convention`, field -> value; versions before a field lack it."""

    name: str
    summary: str
    precision_denominator: Literal["k", "list"]
    recall_denominator: Literal["relevant", "min"]
    ap_denominator: Literal["relevant", "min", "min_list"]
    gain: Literal["linear", "exponential"]
    discount: Literal["log2(rank+1)", "log2(max(rank,2))"]
    ideal: Literal["min", "k"]
    missing_list: Literal["zero", "drop"]
    missing_list_ndcg: Literal["zero", "drop"]


class ToldHistory(TypedDict):
    """The histories that came with the question.

    Attributes:
        rows: Their rows.
        users: Users who have one.
        hash: Fingerprint of their content.
        rows_of_unknown_items: Rows of items that the training data does not hold.
    """

    rows: int
    users: int
    hash: str
    rows_of_unknown_items: int


class IdProblemRow(TypedDict):
    """Something odd about the ids of two tables.

    Attributes:
        code: ``few_shared`` or ``near_ids``.
        column: ``user_id`` or ``item_id``.
        sides: The two tables.
        shared: Ids in both.
        of: Ids of the smaller side.
        cause: The likely cause.
        mended: Ids that would match without it.
        mended_of: Compared ids of the smaller side.
        affix: The prefix or suffix, where that is the cause.
        width: Digits of the ids on the side that kept its zeros.
        examples: A few ids of each side.
    """

    code: Literal["few_shared", "near_ids"]
    column: str
    sides: list[str]
    shared: int
    of: int
    cause: Cause
    mended: int
    mended_of: int
    affix: str | None
    width: int | None
    examples: list[list[Any]]


class _MeasuredOn(TypedDict):
    """What an evaluation is measured on; the attributes are described where the cards are."""

    truth: HashedRows
    train: HashedRows | None
    history: NotRequired[ToldHistory]
    catalogue: str
    n_users: int
    n_items: int
    relevance: str | None
    users_without_history: NotRequired[int]
    truth_duplicates: int
    truth_pairs_in_training: int | None


class GroundCard(_MeasuredOn):
    """What lists are held against.

    Attributes:
        truth: The held-out pairs.
        train: The training data; None without.
        history: The histories that came with the question.
        catalogue: Fingerprint of the candidate items.
        n_users: Users who are evaluated.
        n_items: Items of the catalogue.
        relevance: Column of graded relevance; None where every held-out item counts alike.
        users_without_history: Users of whom nothing was learned.
        users_without_relevant_items: Users who were left out.
        truth_duplicates: Repeated pairs of the truth.
        truth_rows_without_relevance: Rows of the truth that are not relevant.
        truth_pairs_in_training: Pairs of the truth that training holds; None without training data.
        truth_rules: Rules that were applied to the truth.
    """

    users_without_relevant_items: NotRequired[int]
    truth_rows_without_relevance: NotRequired[int]
    truth_rules: NotRequired[Sequence[AppliedRule]]


class RankerRow(TypedDict):
    """A :class:`reclens.pipeline.ranker_check.RankerGain` as a row: the ranker against plain fusion.

    Attributes:
        ranker: Name of the ranker.
        metric: The metric.
        by: The segmentation.
        segment: The segment.
        fusion: Mean of the lists in the order of the fusion.
        ranked: Mean of the lists in the order of the ranker.
        value: Ranked less fusion.
        low: Lower end of its interval.
        high: Upper end.
        n: Users.
        level: Confidence level.
        note: Code of a caveat.
        coverage: Coverage of such intervals, if below their level.
        verdict: What follows for the ranker.
    """

    ranker: str
    metric: str
    by: str
    segment: str
    fusion: float
    ranked: float
    value: float
    low: float | None
    high: float | None
    n: int
    level: float
    note: str | None
    coverage: float | None
    verdict: Literal["better", "worse", "undecided"]


class EvaluationCard(_MeasuredOn):
    """What an evaluation measured on what, how, and under which rules.

    Attributes:
        truth: The held-out pairs.
        train: What the lists were held against as training data; None without.
        history: The histories that came with the question.
        catalogue: Fingerprint of the candidate items.
        n_users: Users who were evaluated.
        n_items: Items of the catalogue.
        relevance: Column of graded relevance; None where every held-out item counts alike.
        metrics: The metrics.
        metric_aliases: Asked for by another name -> the name here.
        by: The segmentations.
        depth: The deepest rank that any metric looks at.
        convention: The convention of the metrics.
        level: Confidence level of the intervals.
        interval: How the intervals are made.
        replicates: Bootstrap replicates.
        seed: Of the replicates.
        seen_items: Whether lists hold items that the user had: ``excluded``, ``included`` or ``unknown``.
        split: Card of the split of the training data.
        task: Task of that split.
        synthetic: Whether any of the data is.
        lists: Card of the lists.
        rules: Rules that were applied to the lists, with their counts.
        truth_rules: Rules that were applied to the truth.
        task_problems: Codes: what does not fit the task.
        id_problems: What is odd about ids.
        ranker: Of a pipeline: the ranker held against plain fusion, one row a metric.
        versions: Versions of RecLens and of what its numbers rest on.
        recommendations: Rows of the lists that were looked at.
        recommendations_outside_catalogue: Of items outside the catalogue.
        recommendations_seen_in_training: Of items that the user had.
        lists_of_users_without_truth: Lists that were left out.
        users_without_list: Users without a list.
        users_with_short_list: Users with a list shorter than asked.
        users_without_history: Users of whom nothing was learned.
        users_without_relevant_items: Users who were left out.
        truth_duplicates: Repeated pairs of the truth.
        truth_rows_without_relevance: Rows of the truth that are not relevant.
        truth_pairs_in_training: Pairs of the truth that training holds.
        unit: Of candidates by request: what is averaged, each the mean over its requests.
        requests: Their number.
        requests_without_click: Requests that were left out.
        requests_all_clicked: Requests without an AUC.
        means_over_requests: Metric -> its plain mean over requests.
    """

    metrics: list[str]
    metric_aliases: NotRequired[dict[str, str]]
    by: list[str]
    depth: int
    convention: ConventionCard
    level: float
    interval: IntervalMethod
    replicates: int
    seed: int
    seen_items: Literal["excluded", "included", "unknown"]
    split: SplitCard | None
    task: NotRequired[str | None]
    synthetic: NotRequired[bool]
    lists: ListsCard
    rules: Sequence[AppliedRule]
    truth_rules: Sequence[AppliedRule]
    task_problems: NotRequired[list[str]]
    id_problems: NotRequired[list[IdProblemRow]]
    ranker: NotRequired[list[RankerRow]]
    versions: Mapping[str, str]
    recommendations: int
    recommendations_outside_catalogue: int | None
    recommendations_seen_in_training: int | None
    lists_of_users_without_truth: int
    users_without_list: int
    users_with_short_list: int
    users_without_relevant_items: int
    truth_rows_without_relevance: int
    unit: NotRequired[Literal["user"]]
    requests: NotRequired[int]
    requests_without_click: NotRequired[int]
    requests_all_clicked: NotRequired[int]
    means_over_requests: NotRequired[dict[str, float]]


class ComparisonCard(TypedDict):
    """What a comparison compared.

    Attributes:
        systems: The systems.
        tests: Tests that were corrected for together.
        flips: Draws of the randomisation test.
        seed: Of its draws.
        replicates: Bootstrap replicates of the intervals.
        synthetic: Whether any of the data is.
        primary: The metric of the main question.
        families: Family of tests -> its size; None for all together.
        intervals: ``each`` or ``simultaneous``.
    """

    systems: list[str]
    tests: int
    flips: int
    seed: int
    replicates: int
    synthetic: bool
    primary: str
    families: dict[str | None, int]
    intervals: str


class PredictionCard(TypedDict):
    """What an evaluation of predicted ratings measured.

    Attributes:
        n_users: Users with a rating.
        n_ratings: Ratings.
        truth: Fingerprint of the ratings.
        metrics: The metrics.
        by: The segmentations.
        level: Confidence level of the intervals.
        interval: How they are made.
        replicates: Bootstrap replicates.
        seed: Of the replicates.
        versions: Versions of RecLens and of what its numbers rest on.
        ratings_without_prediction: Ratings that were left out.
        predictions_without_rating: Predictions that were left out.
    """

    n_users: int
    n_ratings: int
    truth: str
    metrics: list[str]
    by: list[str]
    level: float
    interval: IntervalMethod
    replicates: int
    seed: int
    versions: Mapping[str, str]
    ratings_without_prediction: int
    predictions_without_rating: int
