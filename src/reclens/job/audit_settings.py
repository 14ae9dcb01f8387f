"""The settings of an audit: data, rules, hypotheses, and notes of the author."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from reclens.audit.gate import AuditGateRule
from reclens.audit.mitigate.gaps import Gap, ItemGap, UserGap
from reclens.audit.mitigate.lab import MitigationSettings
from reclens.audit.mitigate.long_run import LoopSettings
from reclens.audit.settings import AuditSettings, Hypothesis
from reclens.errors import RecLensError
from reclens.job.settings import SegmentSettings
from reclens.models import build
from reclens.report._toolkit.format import percent
from reclens.schema import USER
from reclens.settings import Section, read_toml, validate
from reclens.stats.gate import Bound

__all__ = [
    "ESTIMATED",
    "EXAMPLE_AUDIT",
    "ActionSettings",
    "AuditDataSettings",
    "AuditGateSettings",
    "AuditJobSettings",
    "Candidates",
    "HypothesisSettings",
    "LoopSection",
    "MitigationSection",
    "ModelSettings",
    "PositionSettings",
    "ReportSettings",
    "RuleSettings",
    "SensitivitySettings",
    "load_audit_settings",
    "validate_audit_settings",
]

ESTIMATED: Final = "estimated"
"""The attention that is told from the log of the audit."""
_ATTENTION: Final[Mapping[str, str]] = {"log": "logarithmic", "rbp": "geometric"}
"""What attention by position is called, where it is called otherwise than in the settings."""

Candidates = Literal["unseen", "test"]
"""Which items lists are chosen from: those that a user does not have, or those of the test part."""

EXAMPLE_AUDIT: Final = """\
# An audit. Say what you want to look at; `reclens audit plan` declares the hypotheses before you look.
name = "shop"
lists = "demo-ease"                # a run of the workspace, or a file of any system's lists

[data]
split = "demo"                     # a split of the workspace; or truth, train, users and items as files

[audit]
k = 10
by = ["gender", "age"]             # groups of users; "gender * age" is their product
attributes = ["popularity", "genres"]
protected = ["gender", "age"]

[report]
auditor = "Your name"
independence = "Not part of the team that makes the system"
system = "It ranks items by what similar users liked."
parameters = ["What you rated before counts most.", "Items you rated are left out."]
surface = "The home page"

[[gate]]                           # exit status 1 unless it holds
measure = "ndcg@10"
by = "gender"
at_least = 0.8                     # of the impact ratio
unsure = "pass"

# [model]                          # the model behind the lists, where it is one of the library
# name = "ease"
#
# [mitigation]                     # sweeps re-rankers and weights against one gap, on validation
# attribute = "popularity"
# group = "tail"
#
# [loop]                           # slow: trains the model anew once a round and run
# rounds = 6
"""
"""An audit.toml to start from."""


class AuditDataSettings(Section):
    """The reference data of the lists: a split of the workspace, or files."""

    split: str | None = None
    truth: str | None = None
    train: str | None = None
    users: str | None = None
    items: str | None = None
    log: str | None = None
    predictions: str | None = None
    columns: dict[str, str | int] = Field(default_factory=dict)
    read: dict[str, str | bool] = Field(default_factory=dict)
    lists: dict[str, str] = Field(default_factory=dict)
    ids: Literal["text", "unpadded"] | None = None


class RuleSettings(Section):
    """Measures and rules; see :class:`reclens.audit.AuditSettings`."""

    k: int = Field(default=10, ge=1)
    retrieved: int = Field(default=0, ge=0)
    metrics: list[str] | None = None
    attributes: list[str] = Field(default_factory=list)
    by: list[str] = Field(default_factory=list)
    protected: list[str] = Field(default_factory=list)
    attention: str | list[float] = "log"
    patience: float = Field(default=0.85, gt=0, lt=1)
    tiers: tuple[float, float] = (0.2, 0.2)
    two_sided: bool = False
    minimum: int = Field(default=30, ge=2)
    band: float = Field(default=0.9, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    replicates: int = Field(default=400, ge=200)
    seed: int = Field(default=0, ge=0, lt=2**63)


class PositionSettings(Section):
    """How attention by position is estimated from the log; see :func:`reclens.audit.position_bias`."""

    method: Literal["harvest", "em", "swap"] = "harvest"
    context: list[str] = Field(default_factory=lambda: [USER], min_length=1)


class HypothesisSettings(Section):
    """A declared comparison; see :class:`reclens.audit.Hypothesis`."""

    measure: str
    by: str = "overall"
    attribute: str | None = None
    reference: str | None = None


class AuditGateSettings(Section):
    """A condition; see :class:`reclens.audit.AuditGateRule`."""

    measure: str
    at_least: float | None = None
    at_most: float | None = None
    tolerance: float = Field(default=0.0, ge=0)
    of: Literal["impact", "ratio", "value", "difference"] = "impact"
    attribute: str | None = None
    group: str | None = None
    by: str | None = None
    segment: str | None = None
    reference: str | None = None
    unsure: Literal["fail", "pass"] = "fail"

    @model_validator(mode="after")
    def _has_a_bound(self) -> AuditGateSettings:
        _sound(self.rule)
        return self

    def rule(self) -> AuditGateRule:
        """The same for :func:`reclens.audit.audit_gate`."""
        about = self.model_dump(exclude={"at_least", "at_most", "tolerance"})
        bound = Bound(at_least=self.at_least, at_most=self.at_most, tolerance=self.tolerance)
        return AuditGateRule(bound=bound, **about)


class ActionSettings(Section):
    """A planned action, with its owner and deadline."""

    what: str
    owner: str | None = None
    due: str | None = None


class ReportSettings(Section):
    """Texts of the author for the report."""

    title: str | None = None
    auditor: str | None = None
    independence: str | None = None
    system: str | None = None
    parameters: list[str] = Field(default_factory=list)
    surface: str | None = None
    pdf: bool = True


class ModelSettings(Section):
    """The model behind the lists, if the library has it and can retrain it."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_known(self) -> ModelSettings:
        _sound(lambda: build(self.name, self.parameters))
        return self


class MitigationSection(Section):
    """A mitigation of a gap, declared in advance; see :class:`reclens.audit.mitigate.MitigationSettings`."""

    attribute: str | None = None
    group: str | None = None
    baseline: Literal["catalogue", "merit", "profile"] = "catalogue"
    by: str | None = None
    worse: str | None = None
    better: str | None = None
    candidates: str | None = None
    depth: int = Field(default=100, ge=2)
    rerank: dict[str, list[float]] | None = None
    weights: dict[str, list[float]] | None = None
    rule: Literal["budget", "knee"] = "budget"
    most_lost: float = Field(default=0.02, ge=0, le=1)
    long_run: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> MitigationSection:
        of_items = (self.attribute is not None, self.group is not None)
        of_users = (self.by is not None, self.worse is not None, self.better is not None)
        if not (all(of_items) and not any(of_users)) and not (all(of_users) and not any(of_items)):
            raise ValueError(
                "the gap is one of items, by attribute and group, or one of users, by by, worse and better: say one"
            )
        _sound(lambda: self.asked("ndcg@10", None))
        return self

    def asked(self, metric: str, loop: LoopSettings | None) -> MitigationSettings:
        """The same for :func:`reclens.audit.mitigate.mitigation`; gaps of users are of the primary metric."""
        gap: Gap
        if self.attribute is not None and self.group is not None:
            gap = ItemGap(self.attribute, self.group, self.baseline)
        else:
            gap = UserGap(metric, str(self.by), better=str(self.better), worse=str(self.worse))
        tried = {key: each for key in ("rerank", "weights") if (each := getattr(self, key)) is not None}
        return MitigationSettings(gap=gap, rule=self.rule, most_lost=self.most_lost, loop=loop, **tried)


class LoopSection(Section):
    """The feedback loop in a world that is fitted to the training data; see :func:`reclens.lab.feedback_loop`."""

    rounds: int = Field(default=6, ge=2)
    seeds: int = Field(default=5, ge=1)
    days: int = Field(default=7, ge=1)

    def settings(self, seed: int) -> LoopSettings:
        """The same for the long run of mitigations."""
        return LoopSettings(rounds=self.rounds, seeds=self.seeds, days=self.days, seed=seed)


class SensitivitySettings(Section):
    """Alternative settings for a sensitivity analysis."""

    k: list[int] = Field(default_factory=list)
    attention: list[str] = Field(default_factory=list)
    tiers: list[tuple[float, float]] = Field(default_factory=list)
    seed: list[int] = Field(default_factory=list)
    segments: dict[str, SegmentSettings] = Field(default_factory=dict)
    candidates: list[Candidates] = Field(default_factory=list)


class AuditJobSettings(Section):
    """A whole audit."""

    name: str = "audit"
    lists: str
    data: AuditDataSettings = Field(default_factory=AuditDataSettings)
    segments: dict[str, SegmentSettings] = Field(default_factory=dict)
    audit: RuleSettings = Field(default_factory=RuleSettings)
    hypotheses: list[HypothesisSettings] | None = None
    sensitivity: SensitivitySettings = Field(default_factory=SensitivitySettings)
    position: PositionSettings | None = None
    model: ModelSettings | None = None
    mitigation: MitigationSection | None = None
    loop: LoopSection | None = None
    report: ReportSettings = Field(default_factory=ReportSettings)
    action: list[ActionSettings] = Field(default_factory=list)
    gate: list[AuditGateSettings] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_sound(self) -> AuditJobSettings:
        _sound(self.settings)
        if self.audit.attention == ESTIMATED and self.data.log is None:
            raise ValueError(f'[audit] attention = "{ESTIMATED}" is told from a log: name it in [data] log')
        if self.position is not None and self.data.log is None:
            raise ValueError("[position] is about the log: name it in [data] log")
        if self.loop is not None and self.model is None:
            raise ValueError("[loop] trains a model anew in every round: name it in [model]")
        self._check_mitigation()
        for changed in self.variants().values():
            _sound(lambda changed=changed: self.settings(**changed))
        return self

    def _check_mitigation(self) -> None:
        about = self.mitigation
        if about is None:
            return
        if about.long_run and self.loop is None:
            raise ValueError("[mitigation] long_run is a feedback loop: say [loop], if only its head")
        if self.model is not None and about.candidates is not None:
            raise ValueError("[mitigation] candidates are made by [model]: name one of the two")
        if about.weights and self.model is None:
            raise ValueError("[mitigation] weights are for training: name the model in [model]")

    def settings(self, **changed: Any) -> AuditSettings:
        """The same for :func:`reclens.audit.run`, with some fields changed."""
        declared = None if self.hypotheses is None else [Hypothesis(**each.model_dump()) for each in self.hypotheses]
        fields: dict[str, Any] = {**self.audit.model_dump(), "hypotheses": declared, **changed}
        about = self.position or PositionSettings()
        fields |= {"examination": about.method, "context": tuple(about.context)}
        if fields["attention"] == ESTIMATED:  # until a job has told it: see with_weights
            fields["attention"] = "log"
        return AuditSettings(**fields)

    def with_weights(self, weights: list[float]) -> AuditJobSettings:
        """The same audit with these rank weights."""
        return self.model_copy(update={"audit": self.audit.model_copy(update={"attention": weights})})

    def variants(self) -> dict[str, dict[str, Any]]:
        """The alternatives of ``[sensitivity]``, by name."""
        found: dict[str, dict[str, Any]] = {f"k = {k}": self._with_k(k) for k in self.sensitivity.k}
        found |= {f"{_ATTENTION.get(each, each)} attention": {"attention": each} for each in self.sensitivity.attention}
        found |= {f"seed {each}": {"seed": each} for each in self.sensitivity.seed}
        return found | {
            f"tiers {percent(head, 0)} / {percent(tail, 0)}": {"tiers": (head, tail)}
            for head, tail in self.sensitivity.tiers
        }

    def _with_k(self, k: int) -> dict[str, Any]:
        """Another k; metrics that are named follow it, and what was declared of them too."""
        changed: dict[str, Any] = {"k": k}

        def moved(name: str) -> str:
            stem, at, _ = name.partition("@")
            return f"{stem}@{k}" if at else name

        if self.audit.metrics is not None:
            changed["metrics"] = [moved(each) for each in self.audit.metrics]
        if self.hypotheses is not None:
            changed["hypotheses"] = [
                Hypothesis(**{**each.model_dump(), "measure": moved(each.measure)}) for each in self.hypotheses
            ]
        return changed


def load_audit_settings(path: str | Path) -> AuditJobSettings:
    """Read an audit from a TOML file.

    Raises:
        UsageError: If the file cannot be read, is no TOML, or has an unknown key or a value of the wrong kind; all of
            them at once, each with its section.
    """
    return validate_audit_settings(read_toml(path), source=str(path))


def validate_audit_settings(content: dict[str, Any], *, source: str) -> AuditJobSettings:
    """Check an audit that was read from somewhere; see :func:`load_audit_settings`."""
    return validate(AuditJobSettings, content, source=source)


def _sound(make: Any) -> None:
    """Report errors of the library as errors of the file."""
    try:
        make()
    except RecLensError as error:
        raise ValueError(str(error).rstrip(".")) from error
