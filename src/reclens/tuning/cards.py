"""What the cards of searches hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

__all__ = ["RungSize", "SearchCard", "SearchedModel", "WeightsCard"]


class SearchedModel(TypedDict):
    """A model of a search.

    Attributes:
        defaults: Hyper-parameter -> its default, as it is written in Python.
        space: Hyper-parameter -> its range, likewise.
    """

    defaults: dict[str, str]
    space: dict[str, str]


class RungSize(TypedDict):
    """One rung of a search: what its fits learned from.

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
    """What was searched on what data, with which budget and seed.

    Attributes:
        form: Version of this form.
        data: Table -> fingerprint of its content.
        models: Model -> what was searched; it holds the class too.
        method: ``halving`` or ``random``.
        metric: The metric.
        trials: Full fits that each model may spend.
        shares: Shares of the users of the rungs.
        seconds: Seconds that each model may take; None without a limit.
        rng: Seed of the configurations.
        level: Confidence level of the intervals.
        relevance: The column that says what is relevant; None where every row is.
        convention: The convention of the metric.
        rungs: What the fits of each rung learned from.
        split: Card of the split.
        synthetic: Whether the data is.
        test_part: That it was not looked at.
        cautions: Reasons to doubt the outcome, as rows.
        versions: Versions of RecLens and of what its numbers rest on.
    """

    form: int
    data: dict[str, str]
    models: dict[str, Any]
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
    split: Mapping[str, Any] | None
    synthetic: bool
    test_part: str
    cautions: list[dict[str, Any]]
    versions: Mapping[str, str]


class WeightsCard(TypedDict):
    """What weights of a hybrid were chosen by.

    Attributes:
        train: Name, rows and fingerprint of the training data.
        validation: Rows, users and fingerprint of the validation part.
        models: Label -> its model and parameters.
        metric: The metric.
        scale: How scores of the models are brought to one scale.
        search: ``grid`` or ``random``.
        points: Weights that were tried.
        seed: Of their draw.
        synthetic: Whether the data is.
    """

    train: dict[str, Any]
    validation: dict[str, Any]
    models: dict[str, dict[str, Any]]
    metric: str
    scale: str
    search: str
    points: int
    seed: int
    synthetic: bool
