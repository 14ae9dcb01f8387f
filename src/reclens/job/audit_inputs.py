"""The inputs of an audit: lists, truth, training data, and other files of an audit.toml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reclens.data.read.ids import ids_as
from reclens.data.read.open import load_data, load_truth, translated
from reclens.data.read.request import Reading
from reclens.data.read.tables import read_table_and_rules
from reclens.errors import DataError, UsageError
from reclens.job.checks import built_segmenters
from reclens.job.reading import load_lists
from reclens.schema import ITEM, RATING, SCORE, USER

if TYPE_CHECKING:
    import polars as pl

    from reclens.data.dataset import Dataset
    from reclens.job.audit_settings import AuditJobSettings
    from reclens.schema import Recommendations
    from reclens.workspace import Workspace

__all__ = ["AuditInputs", "read_inputs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditInputs:
    """The inputs of an audit.

    Attributes:
        lists: The audited lists.
        truth: The held-out interactions, or None.
        train: The training data with its segmentations, or None.
        validation: The validation part of the split, where it has one.
        candidates: Longer lists that mitigations choose from; by default the audited lists.
        log: The impressions, or None.
        predictions: Predicted ratings, or None.
        exclude_seen: Whether lists exclude seen items of a user.
    """

    lists: Recommendations
    truth: pl.DataFrame | None
    train: Dataset | None
    validation: pl.DataFrame | None
    candidates: Recommendations
    log: pl.DataFrame | None
    predictions: pl.DataFrame | None
    exclude_seen: bool


def read_inputs(settings: AuditJobSettings, place: Workspace) -> AuditInputs:
    """Read the files of an audit.toml.

    Raises:
        UsageError: If files are named beside a split, or without what they describe.
        DataError: If a file has the wrong content.
    """
    about = settings.data
    files = {side: getattr(about, side) for side in ("truth", "train", "users", "items")}
    reading = Reading.of_settings(
        {"lists": settings.lists, "log": about.log, "predictions": about.predictions, **files},
        columns=about.columns,
        read=about.read,
        lists=about.lists,
        ids=about.ids,
        words="toml",
    )
    validation, exclude_seen = None, True
    with translated("toml"):
        if about.split is not None:
            beside = [f"[data] {name}" for name, path in files.items() if path is not None]
            if beside:
                raise UsageError(f'[data] split = "{about.split}" holds them: leave {", ".join(beside)} out.')
            made = place.load("split", about.split)
            truth, train, validation, exclude_seen = made.test, made.train, made.validation, made.exclude_seen
        else:
            if about.train is None and (about.users or about.items):
                raise UsageError("[data] users and items describe the training data: name [data] train too.")
            truth = load_truth(about.truth, reading)[0] if about.truth is not None else None
            train = load_data(about.train, reading, table="train") if about.train is not None else None
        lists = load_lists(settings.lists, reading, name=None, place=place)
        log = _table(about.log, reading, "log", (ITEM,))
        predictions = _table(about.predictions, reading, "predictions", (USER, ITEM, RATING, SCORE))
        predictions = None if predictions is None else predictions.rename({SCORE: "prediction"})
        named = None if settings.mitigation is None else settings.mitigation.candidates
        longer = replace(reading, paths={**reading.paths, "lists": named})
        candidates = lists if named is None else load_lists(named, longer, name=None, place=place)
    built_segmenters(settings.sensitivity.segments)
    if train is not None and settings.segments:
        train = train.with_segments(**built_segmenters(settings.segments))
    elif settings.segments:
        raise UsageError("[segments] are of the users of the training data: name [data] split, or train.")
    return AuditInputs(
        lists=lists,
        truth=truth,
        train=train,
        validation=validation,
        candidates=candidates,
        log=log,
        predictions=predictions,
        exclude_seen=exclude_seen,
    )


def _table(path: str | None, reading: Reading, name: str, needed: tuple[str, ...]) -> pl.DataFrame | None:
    """A table of impressions, or of predicted ratings, which readers call scores."""
    if path is None:
        return None
    ours = [each for each in needed if each in (USER, ITEM)]
    with translated(reading.words, reading.prefix(name)):
        table = read_table_and_rules(path, required=ours, **reading.of(name))[0]
    missing = [each for each in needed if each not in table.columns]
    if missing:
        raise DataError(
            f"there is no column '{missing[0]}'; there are {', '.join(table.columns)}",
            source=path,
            fix="Rename it in the file.",
        )
    return ids_as(table, reading.ids)
