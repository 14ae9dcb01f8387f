"""The settings of a job: data, split, segments, models, searches, pipelines, comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reclens.engine import engine_address
from reclens.errors import UsageError
from reclens.evaluation.against_split import SPLIT_METRICS
from reclens.evaluation.gate import GateRule
from reclens.pipeline.settings import PipelineSettings
from reclens.settings import Section, read_toml, validate
from reclens.stats.gate import Bound
from reclens.stats.multiplicity import Correction

__all__ = [
    "CompareSettings",
    "DataSettings",
    "EvaluateSettings",
    "GateFile",
    "GateSettings",
    "JobSettings",
    "SegmentSettings",
    "SplitSettings",
    "TuneSettings",
    "WeightsSettings",
    "load_gate",
    "load_settings",
    "validate_settings",
]


class DataSettings(Section):
    """Where the data comes from, and how it is read; without a path it is synthetic.

    A name in ``columns`` and ``read`` may say which file it is about: ``"users:user_id"``.
    """

    path: str | None = None
    users: str | None = None
    items: str | None = None
    columns: dict[str, str | int] = Field(default_factory=dict)
    duplicates: Literal["last", "sum", "error"] = "last"
    read: dict[str, str | bool] = Field(default_factory=dict)
    lists: dict[str, str] = Field(default_factory=dict)
    ids: Literal["text", "unpadded"] | None = None
    min_rating: float | None = Field(default=None, allow_inf_nan=False)
    k_core: int | None = Field(default=None, ge=1)


class SplitSettings(Section):
    """How the data is split, and whether repeated items count.

    ``given`` takes a split that was made elsewhere: ``[data] path`` is its training part, ``test`` its test part.
    ``kept`` names a split of the workspace, which replaces the data.
    """

    kept: str | None = None
    method: Literal["last_n", "by_time", "random", "given"] = "last_n"
    test: str | None = None
    validation: str | None = None
    n: int = Field(default=10, ge=1)
    test_share: float = Field(default=0.2, gt=0, lt=1)
    validation_n: int = Field(default=0, ge=0)
    validation_share: float = Field(default=0.0, ge=0, lt=1)
    ties: Literal["hash", "order"] = "hash"
    task: Literal["new_items", "with_repeats"] = "new_items"


class SegmentSettings(Section):
    """One segmentation of the users; exactly one of its kinds."""

    bins: list[float] | None = None
    quantiles: list[str] | None = None
    of: str | None = None
    top_value: str | None = None
    column: str | None = None
    order: list[str] | None = None
    mainstreamness: bool = False


class EvaluateSettings(Section):
    """The metrics; ``engine`` is the Spark that evaluates the lists, as ``sc://host:port`` or ``spark:local[2]``."""

    engine: str | None = None
    metrics: list[str] = Field(default=list(SPLIT_METRICS))
    by: list[str] | None = None
    k: int = Field(default=20, ge=1)
    convention: str = "trec"
    level: float = Field(default=0.95, gt=0, lt=1)
    replicates: int = Field(default=1000, ge=0)

    @field_validator("engine")
    @classmethod
    def _is_an_address(cls, engine: str | None) -> str | None:
        try:
            return engine if engine is None else engine_address(engine)
        except UsageError as error:
            raise ValueError(str(error).rstrip(".")) from error


class CompareSettings(Section):
    """The comparison of systems."""

    baseline: str = "popular"
    correction: Correction = "holm"
    primary: str | None = None
    intervals: Literal["single", "simultaneous"] = "single"


class TuneSettings(Section):
    """A search over hyper-parameters before the models are fitted: all models, or the named ones."""

    models: list[str] | None = None
    metric: str = "ndcg@10"
    method: Literal["random", "halving"] = "random"
    trials: int = Field(default=20, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    ranges: dict[str, str] = Field(default_factory=dict)


class WeightsSettings(Section):
    """A search over the weights of one weighted hybrid; see :func:`reclens.tuning.hybrid_weights`."""

    metric: str = "ndcg@10"
    search: Literal["grid", "random"] = "grid"
    step: float = Field(default=0.1, gt=0, le=1)
    draws: int = Field(default=50, ge=0)
    most_users: int | None = Field(default=20_000, ge=1)


class GateSettings(Section):
    """A condition that systems must meet; see :class:`reclens.evaluation.GateRule`."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = Field(default=0.0, ge=0)
    of: Literal["value", "difference"] = "value"
    system: str | None = None
    by: str | None = None
    segment: str | None = None
    unsure: Literal["fail", "pass"] = "fail"

    @model_validator(mode="after")
    def _has_a_bound(self) -> GateSettings:
        try:
            self.rule()
        except UsageError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def rule(self) -> GateRule:
        """The same for :func:`reclens.evaluation.gate`."""
        about = self.model_dump(exclude={"at_least", "at_most", "tolerance"})
        return GateRule(bound=Bound(at_least=self.at_least, at_most=self.at_most, tolerance=self.tolerance), **about)


class GateFile(Section):
    """A file of conditions alone."""

    gate: list[GateSettings] = Field(min_length=1)


class JobSettings(Section):
    """A whole job."""

    name: str = "demo"
    title: str = "Recommenders, measured and compared"
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: DataSettings = Field(default_factory=DataSettings)
    split: SplitSettings = Field(default_factory=SplitSettings)
    segments: dict[str, SegmentSettings] | None = None
    models: dict[str, dict[str, Any]] = Field(
        default_factory=lambda: {
            name: {} for name in ("random", "popular", "recent_popular", "user_knn", "item_knn", "ease")
        }
    )
    pipelines: dict[str, PipelineSettings] = Field(default_factory=dict)
    tune: TuneSettings | None = None
    tune_weights: dict[str, WeightsSettings] = Field(default_factory=dict)
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    compare: CompareSettings = Field(default_factory=CompareSettings)
    gate: list[GateSettings] = Field(default_factory=list)


def load_settings(path: str | Path) -> JobSettings:
    """Read a job from a TOML file.

    Raises:
        UsageError: If the file cannot be read, is no TOML, or has an unknown key or a value of the wrong kind; all of
            them at once, each with its section.
    """
    return validate_settings(read_toml(path), source=str(path))


def load_gate(path: str | Path) -> list[GateRule]:
    """Read the ``[[gate]]`` rows of a TOML file.

    Raises:
        UsageError: As :func:`load_settings`, or if there is no row.
    """
    return [row.rule() for row in validate(GateFile, read_toml(path), source=str(path)).gate]


def validate_settings(content: dict[str, Any], *, source: str) -> JobSettings:
    """Check a job that was read from somewhere; see :func:`load_settings`."""
    return validate(JobSettings, content, source=source)
