"""Validate a job before its data are read and models are fitted, so that mistakes are reported early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from reclens import models
from reclens.data import segments
from reclens.data.dataset import Dataset, Segmenter
from reclens.errors import UnknownNameError, UsageError
from reclens.evaluation.argument_checks import check_asked, check_data
from reclens.job.settings import JobSettings, SegmentSettings
from reclens.metrics.registry import canonical
from reclens.pipeline import Pipeline
from reclens.pipeline.settings import PipelineSettings
from reclens.workspace import Workspace

__all__ = ["built_segmenters", "check_job", "check_job_data", "segmenters_of", "with_models"]

_OF_METHODS: Final = {"last_n": {"n", "ties"}, "by_time": {"test_share"}, "random": {"test_share"}}
_CUT: Final = {"n", "ties", "test_share"}


def check_job(settings: JobSettings, workspace: Workspace) -> None:
    """Check all names of a job that can be checked without its data.

    Raises:
        UnknownNameError: If there is no such model, metric, convention, baseline or segmentation.
        UsageError: If a value is out of range, or two things have one name.
    """
    systems = (*settings.models, *settings.pipelines)
    twice = set(settings.models) & set(settings.pipelines)
    if twice:
        raise UsageError(f"{', '.join(sorted(twice))}: a model and a pipeline of one name. Rename one of them.")
    if not systems:
        raise UsageError("the job has no system: name a model, such as [models.ease], or a pipeline.")
    models.build_all(settings.models)
    for name, about in with_models(settings).pipelines.items():
        try:
            Pipeline(**about.model_dump())._spec()
        except UsageError as error:
            error.args = (f"[pipelines.{name}] {error.args[0]}",)
            raise
    about = settings.evaluate
    asked = check_asked(about.metrics, convention=about.convention, level=about.level)
    primary = settings.compare.primary
    if primary is not None and primary not in {spec.text for spec in asked.values()} | set(asked):
        raise UnknownNameError("primary metric among those of [evaluate]", primary, asked)
    if "baseline" in settings.compare.model_fields_set and settings.compare.baseline not in systems:
        raise UnknownNameError("baseline among the systems of the job", settings.compare.baseline, systems)
    _check_gate(settings, asked, systems)
    segmenters_of(settings)
    how = settings.split
    # A file of resolved settings contains all defaults and must run.
    changed = {key for key in how.model_fields_set if getattr(how, key) != type(how).model_fields[key].default}
    unused = sorted(changed & {"n", "ties", "test_share"} - _OF_METHODS.get(how.method, _CUT))
    if unused:
        raise UsageError(f'[split] {", ".join(unused)} would not be used by method = "{how.method}". Leave it out.')
    for name in (settings.name, *(f"{settings.name}-{system}" for system in systems)):
        workspace.expect_free("run", name, overwrite=True)


def _check_gate(settings: JobSettings, asked: Mapping[str, Any], systems: Sequence[str]) -> None:
    """Check the names of the gate, which would otherwise fail after all the work."""
    measured = {spec.text for spec in asked.values()} | set(asked)
    for row in settings.gate:
        if canonical(row.metric) not in measured and row.metric not in measured:
            raise UnknownNameError("metric of [[gate]] among those of [evaluate]", row.metric, asked)
        if row.system is not None and row.system not in systems:
            raise UnknownNameError("system of [[gate]] among those of the job", row.system, systems)
        if row.of == "difference" and (settings.compare.baseline not in systems or len(systems) < 2):
            raise UsageError(
                f"[[gate]] asks for a difference in {row.metric}, and nothing is compared: name a baseline in "
                "[compare] that is one of several systems."
            )
        if row.of == "difference" and row.system == settings.compare.baseline:
            raise UsageError(f"[[gate]] asks how {row.system} differs from itself: it is the baseline of [compare].")


def with_models(settings: JobSettings) -> JobSettings:
    """A job whose pipelines have the parameters of the ``[models]`` that their stages name."""
    found = {name: _with_models(about, settings.models) for name, about in settings.pipelines.items()}
    return settings.model_copy(update={"pipelines": found})


def check_job_data(settings: JobSettings, train: Dataset, metrics: list[str]) -> None:
    """Check what the metrics and segments of a job need against its training data.

    Raises:
        UnknownNameError: If there is no such segmentation.
        UsageError: If a metric lacks what it needs.
    """
    check_data(check_asked(metrics).values(), train=train)
    known = [] if train.segments is None else [name for name in train.segments.columns if name != "user_id"]
    for by in settings.evaluate.by or ():
        for part in by.replace("*", "×").split("×"):
            if part.strip() not in known:
                raise UnknownNameError("segmentation of [evaluate] by", part.strip(), known)
    measured = known if settings.evaluate.by is None else settings.evaluate.by
    for row in settings.gate:
        if row.by is not None and row.by not in measured:
            raise UnknownNameError("segmentation of [[gate]] among those measured", row.by, measured)
        if row.by is None or row.segment is None or train.segments is None or row.by not in train.segments.columns:
            continue
        labels = train.segments[row.by].drop_nulls().unique().cast(pl.String).to_list()
        if row.segment not in labels:
            raise UnknownNameError(f"segment of {row.by} in [[gate]]", row.segment, sorted(labels))


def segmenters_of(settings: JobSettings) -> dict[str, Segmenter] | None:
    """The segmentations of ``[segments]``; None if the job has none.

    Raises:
        UsageError: If one has no kind, or several, or an order that its kind does not take.
    """
    if settings.segments is None:
        return None
    return built_segmenters(settings.segments)


def built_segmenters(segments: Mapping[str, SegmentSettings]) -> dict[str, Segmenter]:
    """The segmenters of a ``[segments]`` table; see :func:`segmenters_of`."""
    return {name: _segmenter(name, about) for name, about in segments.items()}


def _segmenter(name: str, about: SegmentSettings) -> Segmenter:
    given = [key for key in ("bins", "quantiles", "top_value", "column") if getattr(about, key) is not None]
    given += ["mainstreamness"] if about.mainstreamness else []
    if len(given) != 1:
        raise UsageError(
            f"[segments.{name}] has {', '.join(given) or 'no kind'}: give one of bins, quantiles, "
            "top_value, column, mainstreamness."
        )
    if about.order is not None and about.column is None:
        raise UsageError(f"[segments.{name}] has order, which is of column: {given[0]} is in its own order.")
    if about.of is not None and about.bins is None and about.quantiles is None:
        raise UsageError(f"[segments.{name}] has of, which is of bins and quantiles. Leave it out.")
    if about.bins is not None:
        return segments.bins(about.of or name, about.bins)
    if about.quantiles is not None:
        return segments.quantiles(about.of or "n_interactions", about.quantiles)
    if about.top_value is not None:
        return segments.top_value(about.top_value)
    if about.column is not None:
        return segments.column(about.column, order=about.order)
    return segments.mainstreamness()


def _with_models(about: PipelineSettings, known: Mapping[str, Mapping[str, Any]]) -> PipelineSettings:
    """A pipeline whose stages have the parameters of the ``[models]`` that they name; their own win."""
    retrieve = {label: _stage({"model": label, **stage}, known) for label, stage in about.retrieve.items()}
    rank = about.rank if about.rank is None or "model" not in about.rank else _stage(about.rank, known)
    return about.model_copy(update={"retrieve": retrieve, "rank": rank})


def _stage(stage: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    name = stage["model"]
    if not isinstance(name, str) or name not in known:
        return dict(stage)
    return {"model": name, **known[name], **{key: value for key, value in stage.items() if key != "model"}}
