"""Cards of searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from reclens.cards import Parameters, SplitCard
from reclens.evaluation.cards import HashedRows

__all__ = ["CautionRow", "RungSize", "SearchCard", "SearchedModel", "ValidationRows", "WeightsCard"]


SearchedModel = TypedDict("SearchedModel", {"class": str, "defaults": dict[str, str], "space": dict[str, str]})
"""A model of a search: its class; hyper-parameter -> its default, as it is written in Python, and -> its range."""


class CautionRow(TypedDict):
    """A :class:`reclens.tuning.CautionGroup` as a row.

    Attributes:
        kind: Kind of the cautions.
        count: Number of cautions.
        models: The models concerned.
        facts: Names and numbers of each, which depend on the kind: see ``report/evaluation/tuning_words``.
    """

    kind: str
    count: int
    models: Sequence[str]
    facts: list[dict[str, Any]]


class RungSize(TypedDict):
    """One rung of a search: the data of its fits.

    Attributes:
        share: Share of the users.
        users: Users.
        validation_users: Users with a validation row.
        rows: Interactions.
    """

    share: float
    users: int
    validation_users: int
    rows: int


class SearchCard(TypedDict):
    """Models, data, budget and seed of a search.

    Attributes:
        form: Version of the format of the card.
        data: Table -> fingerprint of its content.
        models: Model -> its search, with its class.
        method: ``halving`` or ``random``.
        metric: The metric.
        trials: Budget of each model, in full fits.
        shares: Shares of the users of the rungs.
        seconds: Time limit of each model in seconds; None without a limit.
        rng: Seed of the configurations.
        level: Confidence level of the intervals.
        relevance: Column of graded relevance; None if every row is relevant.
        convention: The convention of the metric.
        rungs: Data of the fits of each rung.
        split: Card of the split.
        synthetic: Whether the data is.
        test_part: What the search did with the test part.
        cautions: Reasons to doubt the result, as rows.
        versions: Versions of RecLens and of the libraries it computes with.
    """

    form: int
    data: dict[str, str]
    models: dict[str, SearchedModel]
    method: str
    metric: str
    trials: int
    shares: list[float] | None
    seconds: float | None
    rng: int
    level: float
    relevance: str | None
    convention: str
    rungs: list[RungSize]
    split: SplitCard | None
    synthetic: bool
    test_part: Literal["unused"]
    cautions: list[CautionRow]
    versions: Mapping[str, str]


class ValidationRows(TypedDict):
    """The rows that weights are chosen by.

    Attributes:
        rows: How many.
        users: How many users they are of.
        hash: Fingerprint of their content.
    """

    rows: int
    users: int
    hash: str


class WeightsCard(TypedDict):
    """Data and settings of a search for the weights of a hybrid.

    Attributes:
        train: Name, rows and fingerprint of the training data.
        validation: Rows, users and fingerprint of the validation part.
        models: Label -> hyper-parameters, and ``model`` where the label is not its name.
        metric: The metric.
        scale: Scaling of the scores of the models.
        search: ``grid`` or ``random``.
        points: Number of weights that were tried.
        seed: Seed of the random weights.
        synthetic: Whether the data is.
    """

    train: HashedRows
    validation: ValidationRows
    models: dict[str, Parameters]
    metric: str
    scale: str
    search: str
    points: int
    seed: int
    synthetic: bool
