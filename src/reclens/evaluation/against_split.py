"""Lists held against a split: truth, training data, what users were told, segments and metrics come from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from reclens.data.dataset import Dataset, as_dataset
from reclens.data.segments import usual
from reclens.data.split import Split
from reclens.errors import UsageError
from reclens.evaluation.argument_checks import By, asked_segments, named_in
from reclens.evaluation.context import feature_names
from reclens.metrics.registry import Asked, needs_of
from reclens.schema import USER

__all__ = [
    "DEFAULT_METRICS",
    "SPLIT_METRICS",
    "Measured",
    "measured_against",
    "usual_metrics",
    "with_ids",
    "with_usual_segments",
]

DEFAULT_METRICS: Final = ("ndcg@10", "precision@10", "recall@10", "map@10", "mrr@10", "hit_rate@10")
"""What is measured by default where there is no more than a truth."""

SPLIT_METRICS: Final = (
    "ndcg@10",
    "recall@20",
    "map@10",
    "mrr@10",
    "serendipity@10",
    "diversity@10",
    "novelty@10",
    "miscalibration@10",
    "coverage@10",
    "gini@10",
    "arp@10",
)
"""What is measured by default against a split, and by a job: accuracy, and what it costs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What lists are held against.

    Attributes:
        truth: The held-out interactions, as a table or a file; None if there are none.
        train: The training part; None if there is none.
        history: What the system was told of users with the question; None if nothing.
        metrics: What is measured.
        by: The segmentations.
    """

    truth: Any
    train: Dataset | None
    history: Any
    metrics: Asked | Sequence[Asked]
    by: list[By]


def measured_against(
    truth: Any,
    *,
    train: Any,
    history: Any,
    metrics: Asked | Sequence[Asked] | None,
    by: By | Sequence[By] | None,
) -> Measured:
    """Arguments of ``evaluate`` with what a split, given as the truth, says of those that were not given.

    Raises:
        UsageError: If training data or a history stands beside a split, which holds its own.
    """
    asked: list[By] | None = None if by is None else asked_segments(by)
    if not isinstance(truth, Split):
        learned = None if train is None else as_dataset(train, argument="train")
        return Measured(
            truth=truth,
            train=learned,
            history=history,
            metrics=DEFAULT_METRICS if metrics is None else metrics,
            by=asked or [],
        )
    beside = [name for name, given in (("train", train), ("history", history)) if given is not None]
    if beside:
        raise UsageError(f"the split holds its own training data and histories: leave {' and '.join(beside)} out.")
    learned = with_usual_segments(truth.train, None if asked is None else named_in(asked))
    if asked is None:
        asked = [name for name in learned.segments.columns if name != USER] if learned.segments is not None else []
    return Measured(
        truth=truth.test,
        train=learned,
        history=truth.fold_in,
        metrics=usual_metrics(learned) if metrics is None else metrics,
        by=asked,
    )


def usual_metrics(train: Dataset) -> list[str]:
    """Those of :data:`SPLIT_METRICS` that the attributes of the items are enough for."""
    listed = len(feature_names(train.items)) == 1
    return [name for name in SPLIT_METRICS if listed or not {"features", "distributions"} & set(needs_of(name))]


def with_usual_segments(train: Dataset, names: Sequence[str] | None = None) -> Dataset:
    """The training part with segments: its own, and the usual ones that it has not but that are named.

    With None, the usual ones are added where it has none at all.
    """
    known = [] if train.segments is None else train.segments.columns
    found = {name: each for name, each in usual(train).items() if name not in known}
    if names is not None:
        found = {name: each for name, each in found.items() if name in names}
    return train.with_segments(**found) if found and (names is not None or not known) else train


def with_ids(split: Split, ids: Any) -> Split:
    """The split with its ids in another form; see :class:`reclens.data.read.ids.IdForm`."""
    from reclens.data.read.ids import ids_as

    if ids is None:
        return split
    told = None if split.fold_in is None else ids_as(split.fold_in, ids)
    return replace(split, train=split.train.with_ids(ids), test=ids_as(split.test, ids), fold_in=told)
