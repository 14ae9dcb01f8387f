"""Checks of the arguments of an evaluation, before data are read, code is compiled or models are fitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from reclens.data.dataset import Dataset
from reclens.errors import Advice, ArgumentTypeError, ArgumentValueError, Setting, UnknownNameError, UsageError
from reclens.evaluation.context import Features, feature_table
from reclens.evaluation.given_histories import NAME_SEGMENTS, PASS_TRAIN
from reclens.metrics.conventions import Convention, convention_named
from reclens.metrics.registry import Asked, MetricSpec, asked_name, parse
from reclens.schema import USER

__all__ = [
    "asked_metrics",
    "asked_segments",
    "check_asked",
    "check_data",
    "check_needs",
    "check_seed",
    "named_in",
    "with_segments_of",
]

By = str | tuple[str, str]

_USUAL: Final = 1_000
"""Cut-offs that are measured on any catalogue, so that one list of metrics serves small and large ones."""


def check_asked(
    metrics: Asked | Sequence[Asked], *, convention: str | Convention = "trec", level: float = 0.95
) -> dict[str, MetricSpec]:
    """Requested name -> metric; arguments as of :func:`reclens.evaluation`.

    Raises:
        UnknownNameError: If there is no such metric or convention.
        ArgumentTypeError: If something is no metric, such as a function without ``@rl.metric``.
        UsageError: If there is no metric, a cut-off is wrong, or the level is not between 0 and 1.
    """
    asked = asked_metrics(metrics)
    convention_named(convention)
    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    return asked


def check_seed(rng: Any) -> None:
    """Refuse a seed that is no whole number.

    Raises:
        ArgumentValueError: If it is none.
    """
    if isinstance(rng, bool) or not isinstance(rng, int):
        raise ArgumentValueError("rng", f"is {rng!r}, expected a whole number: equal seeds make runs comparable")


def asked_metrics(metrics: Asked | Sequence[Asked]) -> dict[str, MetricSpec]:
    """Requested name -> metric.

    Raises:
        UnknownNameError: If there is no such metric.
        UsageError: If there is no metric, or a cut-off is wrong.
        ArgumentTypeError: If something is no metric.
    """
    given: Any = metrics
    listed: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if not listed:
        raise ArgumentValueError("metrics", "is empty. Name at least one, such as ndcg@10.")
    return {asked_name(each).strip(): parse(each) for each in listed}


def check_data(
    specs: Iterable[MetricSpec], *, train: Dataset | None, truth: bool = True, features: Features | None = None
) -> None:
    """Check that the data have what the metrics need, without computing anything.

    Args:
        specs: The metrics.
        train: The training part, if there is one.
        truth: Whether there is a truth.
        features: As of :func:`reclens.evaluation`.

    Raises:
        UsageError: Naming the first metric that lacks something, and what.
        UnknownNameError: If there are no such features.
    """
    there = feature_table(features, None if train is None else train.items) is not None
    n_items = None if train is None else len(train.item_vocabulary)
    check_needs(specs, truth=truth, profiles=train is not None, catalogue=n_items, features=there, distributions=there)


def check_needs(
    specs: Iterable[MetricSpec],
    *,
    truth: bool,
    profiles: bool,
    catalogue: int | None,
    features: bool,
    distributions: bool,
) -> None:
    """Check that the needs of metrics are met; ``catalogue`` is the number of items, or None if unknown.

    Raises:
        UsageError: Naming the first metric that lacks something, and what, or that looks far beyond the catalogue.
    """
    for spec in specs:
        needs = spec.info.needs
        if "requests" in needs:
            raise UsageError(
                f"{spec.text} is of candidates by request",
                advice=Advice("evaluate_requests", text="Measure it by rl.evaluate_requests."),
            )
        if "truth" in needs and not truth:
            raise UsageError(
                f"{spec.text} needs truth",
                advice=Advice("pass_truth", (Setting("truth"),), "Pass the held-out interactions by {truth}."),
            )
        if "profiles" in needs and not profiles:
            raise UsageError(f"{spec.text} needs the training data", advice=PASS_TRAIN)
        if (spec.info.kind == "catalogue" or "catalogue" in needs) and catalogue is None:
            raise UsageError(
                f"{spec.text} needs to know the catalogue",
                advice=Advice(
                    "pass_catalogue", (Setting("train"), Setting("catalogue")), "Pass {train} or {catalogue}."
                ),
            )
        if catalogue is not None and (spec.k or 0) > max(catalogue, _USUAL):
            raise UsageError(
                f"{spec.text} looks beyond the catalogue of {catalogue:,} items: the largest useful "
                f"cut-off is {catalogue:,}; up to {_USUAL:,} are measured on any catalogue."
            )
        if ("features" in needs and not features) or ("distributions" in needs and not distributions):
            raise UsageError(
                f"{spec.text} needs item features",
                advice=Advice(
                    "pass_features",
                    (Setting("train"), Setting("features", "genres"), Setting("features")),
                    "Pass {0} with an items table that has one list-valued attribute such as genres, name one of "
                    "several by {1}, or pass ids and a matrix by {2}, without negative numbers for miscalibration.",
                ),
            )


def asked_segments(by: By | Sequence[By]) -> list[By]:
    """The requested segmentations, as a list.

    Raises:
        ArgumentTypeError: If one is no name, such as a segmenter that was not given a name yet.
    """
    given: Any = by
    listed: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for each in listed:
        if not all(isinstance(part, str) for part in (each if isinstance(each, tuple) else (each,))):
            raise ArgumentTypeError(
                "by",
                each,
                expected="names of segmentations, or of attributes of the users",
                fix="A rule gets a name first: train.with_segments(age=segments.bins('age', [25, 45])), then its name.",
            )
    return listed


def named_in(by: Iterable[By]) -> list[str]:
    """The segmentations that are named, those that a product is of each by itself."""
    texts = ["×".join(each) if isinstance(each, tuple) else each.replace("*", "×") for each in by]
    return list(dict.fromkeys(part.strip() for text in texts for part in text.split("×")))


def with_segments_of(train: Dataset | None, by: Iterable[By]) -> Dataset | None:
    """The training part with attributes of its users as segmentations, where they are asked for and it has none yet.

    Raises:
        UnknownNameError: If one is neither a segmentation nor an attribute of the users.
    """
    if train is None:
        return None
    known = [] if train.segments is None else [name for name in train.segments.columns if name != USER]
    attributes = [] if train.users is None else [name for name in train.users.columns if name != USER]
    missing = [part for part in named_in(by) if part not in known]
    for part in missing:
        if part not in attributes:
            raise UnknownNameError(
                "segmentation or attribute of the users", part, [*known, *attributes], advice=NAME_SEGMENTS
            )
    return train.with_segments(**{part: part for part in missing}) if missing else train
