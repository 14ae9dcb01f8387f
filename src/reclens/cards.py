"""What the cards of data sets, splits and lists hold: where they came from, how they were made, and what was counted.

Every entry may be absent: readers keep what they know, older versions kept less, and a data set that was made by hand
has an empty card.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

__all__ = [
    "AppliedRule",
    "BanditCard",
    "CandidatesCard",
    "DatasetCard",
    "Fact",
    "FeaturesCard",
    "FilterCard",
    "FitProblemCard",
    "FitWeightsCard",
    "HistoryCard",
    "InjectedCard",
    "LearnedCard",
    "ListsCard",
    "Note",
    "Parameters",
    "SplitCard",
    "StageCard",
    "TiesCard",
    "TrainCard",
]

Fact = str | int | float | bool | None | list[str]
"""A fact of a record, as JSON keeps it."""


Parameters = dict[str, Any]
"""Arguments of a function, or hyper-parameters of any model: their names and kinds are those of the function or model,
which may be one of the user's own, so that no type lists them."""


class AppliedRule(TypedDict):
    """An entry of ``card["rules"]``.

    Attributes:
        code: What was done, a :data:`reclens.data.rules.RuleCode`; a pipeline or a model of one's own has more.
        count: To how many rows, users or items.
        facts: Columns, tables and numbers that go with it.
    """

    code: str
    count: int
    facts: dict[str, Fact]


class Note(TypedDict):
    """An entry of ``card["notes"]``.

    Attributes:
        code: What to beware of, a :data:`reclens.data.rules.NoteCode`.
        facts: Parts and numbers that go with it.
    """

    code: str
    facts: dict[str, Fact]


class InjectedCard(TypedDict):
    """What a drawn marketplace holds on purpose, :class:`reclens.world.Injected`, field -> value."""

    exposure: float
    ndcg_gap: float
    examination: float
    slope: float


class DatasetCard(TypedDict, total=False):
    """Where a data set came from, and what was done to it.

    Attributes:
        source: The file, table or object that was read.
        layout: The published layout of the files.
        rows_read: Rows before any rule.
        columns: Column of RecLens -> column of the source.
        columns_not_used: Columns of the source that hold nothing RecLens uses.
        duplicates: How repeated pairs are merged; absent if it is not known that there are none.
        users_without_attributes: Users of interactions whom the table of users lacks.
        items_without_attributes: Items of interactions that the table of items lacks.
        rules: Rules that were applied, with their counts.
        split: The split whose training part this is.
        synthetic: Whether a generator drew it.
        parameters: Arguments of the generator.
        seed: Seed of the generator.
        injected: What a generator put in on purpose, for checks that have to find it.
        note: What a reader of synthetic data should know.
        price: How prices were derived: the median of ``sales_value`` ÷ ``quantity``.
    """

    source: str
    layout: str
    rows_read: int
    columns: dict[str, str]
    columns_not_used: list[str]
    duplicates: Literal["last", "sum", "error"]
    users_without_attributes: int
    items_without_attributes: int
    rules: list[AppliedRule]
    split: SplitCard
    synthetic: bool
    parameters: Parameters
    seed: int
    injected: InjectedCard
    note: str
    price: Literal["median_paid_each"]


class BanditCard(TypedDict, total=False):
    """Where a log of a bandit came from.

    Attributes:
        source: The folder or zip that was read.
        layout: The published layout of the files.
        behavior: The policy that showed the items.
        campaign: The campaign.
        rows: Rows of the log.
    """

    source: str
    layout: str
    behavior: str
    campaign: str
    rows: int


class TiesCard(TypedDict):
    """How interactions of one moment were ordered.

    Attributes:
        rule: ``hash``, ``order``, ``whole`` where a moment is never cut, ``none`` where order does not matter, or
            ``unknown`` of a split made elsewhere.
        users_with_a_tie_at_their_cut: Users whose parts depend on the rule; None without times.
        users: Users that were looked at.
    """

    rule: str
    users_with_a_tie_at_their_cut: NotRequired[int | None]
    users: NotRequired[int]


class SplitCard(TypedDict, total=False):
    """How a data set was split.

    Attributes:
        method: The function of ``reclens.split``.
        task: ``new_items`` or ``with_repeats``; absent in cards of older versions, which knew the first alone.
        parameters: Its arguments.
        ties: How ties were broken, and how many users have one at a cut.
        seed: Seed of what was drawn; None where nothing is.
        cut: Start of the test period, ISO 8601.
        validation_cut: Start of the validation period.
        until: End of the test period; None for the last fold.
        later_rows: Rows after the test period, which are not used.
        users_with_too_few_rows: Users of whom nothing was held out.
        sources: Part -> its source, of parts that were given.
        columns_missing: Part -> columns of other parts that it lacks.
        notes: What to beware of.
        counts: Rows, users and items of the parts, and what was left out of them.
        rules: Rules that were applied, with their counts.
        hashes: Part -> fingerprint of its content.
    """

    method: str
    task: Literal["new_items", "with_repeats"]
    parameters: Parameters
    ties: TiesCard
    seed: int | None
    cut: str
    validation_cut: str
    until: str | None
    later_rows: int
    users_with_too_few_rows: int
    sources: dict[str, str]
    columns_missing: dict[str, list[str]]
    notes: list[Note]
    counts: dict[str, int]
    rules: list[AppliedRule]
    hashes: dict[str, str]


class FitWeightsCard(TypedDict):
    """The weights of a fit.

    Attributes:
        of: Whether interactions or users have them.
        n: How many.
        least: The least.
        most: The greatest.
        mean: Their mean.
        effective_size: Kish's effective sample size.
        hash: Fingerprint of all of them.
    """

    of: Literal["interaction", "user"]
    n: int
    least: float
    most: float
    mean: float
    effective_size: float
    hash: str


class FeaturesCard(TypedDict):
    """The features of the items that a model learned from.

    Attributes:
        kinds: Column -> how it was read.
        n: Number of features.
        absent: Items that the table of items lacks.
        empty: Items without a feature.
    """

    kinds: dict[str, str]
    n: int
    absent: int
    empty: int


class TrainCard(TypedDict):
    """What a model was fitted on.

    Attributes:
        name: Name of the data.
        hash: Fingerprint of its content.
        split: Its split; None if it is no part of one.
        synthetic: Whether a generator drew it.
        added: Names of what was learned later.
        weights: Interactions with a ``negative`` weight and with ``zero``.
        fit_weights: Weights of the fit.
        features: Features of the items.
        user_attributes: Columns of the users table that the model reads.
        vectors: Items ``without`` a vector, of a model that retrieves by vectors of a store.
        context: What a model is told of a request beside the history, such as ``target timestamp``.
    """

    name: str
    hash: str
    split: NotRequired[SplitCard | None]
    synthetic: bool
    added: NotRequired[list[str]]
    weights: NotRequired[dict[str, int]]
    fit_weights: NotRequired[FitWeightsCard]
    features: NotRequired[FeaturesCard]
    user_attributes: NotRequired[list[str]]
    vectors: NotRequired[dict[str, int]]
    context: NotRequired[str]


class CandidatesCard(TypedDict):
    """Items that were named.

    Attributes:
        n: How many.
        hash: Fingerprint of their ids.
    """

    n: int
    hash: NotRequired[str]


class LearnedCard(TypedDict):
    """What the ranker of a pipeline learned from: users, their candidates, and how many of those were chosen."""

    users: int
    candidates: int
    chosen: int


class HistoryCard(TypedDict):
    """Histories that came with a request: of how many users (of models), and what they do to what was learned."""

    users: NotRequired[int]
    mode: Literal["add", "replace"]


class StageCard(TypedDict):
    """A stage of a pipeline in one run.

    Attributes:
        stage: What sort of stage.
        label: Name of the retriever, ranker or re-ranker.
        users: Users served.
        rows_in: List places that came in; for a retriever the items it can recommend, once.
        rows_out: List places that went out.
        asked: Items wanted for each user.
        without: Users who have nothing after the stage.
        short: Users with fewer items than requested, but at least one.
    """

    stage: Literal["retrieve", "merge", "rank", "rerank"]
    label: str
    users: int
    rows_in: int
    rows_out: int
    asked: int
    without: int
    short: int


class FilterCard(TypedDict):
    """What a filter of a pipeline left out.

    Attributes:
        filter: ``seen``, ``keep``, ``k``, or the kind of a re-ranker that leaves items out.
        stage: The stage it belongs to.
        label: Name of the stage.
        count: List places that it left out.
        first: Places that go on where it cuts lists; None elsewhere.
    """

    filter: str
    stage: str
    label: str
    count: int
    first: int | None


class FitProblemCard(TypedDict):
    """A problem of a fit, :class:`reclens.models.FitProblem`, field -> value."""

    code: str
    value: float
    limit: float
    n: int
    of: int


class ListsCard(TypedDict, total=False):
    """What made lists, and how.

    Attributes:
        source: The file, table or object that they were read from.
        layout: The published layout of the file.
        rows_read: Rows before any rule.
        columns: Column of RecLens -> column of the source.
        columns_not_used: Columns of the source that hold nothing RecLens uses.
        model: Name of the model.
        parameters: Its hyper-parameters.
        automatic: Hyper-parameter -> the formula that it was computed by.
        train: What the model was fitted on.
        learned: What the ranker of a pipeline learned from; None of any other.
        k: Length that was asked for.
        keep: Candidates that a ranker passes on.
        exclude_seen: Whether seen items were left out.
        candidates: The only items that could be shown.
        exclude: Items that could not be.
        history: Users whose histories came with the request, and the mode.
        cold_users: What users got of whom nothing is known.
        problems: Problems of the fit or of the pipeline: codes, or rows with a code.
        score_ties: How equal scores are ordered.
        stage: Stage of a pipeline.
        stages: One row a stage of a pipeline.
        filters: One row a filter of a pipeline.
        versions: Versions of RecLens and of what it computes with.
        cost: CPU seconds of the fit and of the lists, in a job, and the users of these lists.
        rules: Rules that were applied, with their counts.
    """

    source: str
    layout: str
    rows_read: int
    columns: dict[str, str]
    columns_not_used: list[str]
    model: str
    parameters: Parameters
    automatic: dict[str, str]
    train: TrainCard
    learned: LearnedCard | None
    k: int
    keep: int
    exclude_seen: bool
    candidates: CandidatesCard
    exclude: CandidatesCard
    history: HistoryCard
    cold_users: str
    problems: Sequence[FitProblemCard | Literal["keep_below_k"]]
    score_ties: Literal["smaller_id"]
    stage: str
    stages: list[StageCard]
    filters: list[FilterCard]
    versions: dict[str, str]
    cost: dict[str, float]
    rules: list[AppliedRule]
