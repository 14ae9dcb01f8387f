"""The settings of an audit: what is audited, by which rules, what was declared, and what its author says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from reclens.audit.gate import AuditGateRule
from reclens.audit.settings import AuditSettings, Hypothesis
from reclens.errors import RecLensError
from reclens.evaluation.asked import named_in
from reclens.job.settings import SegmentSettings
from reclens.settings import Section, read_toml, validate
from reclens.stats.gate import Bound

__all__ = [
    "EXAMPLE_AUDIT",
    "ActionSettings",
    "AuditDataSettings",
    "AuditGateSettings",
    "AuditJobSettings",
    "HypothesisSettings",
    "ReportSettings",
    "RuleSettings",
    "SensitivitySettings",
    "load_audit_settings",
    "validate_audit_settings",
]

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
"""
"""An audit.toml to start from."""


class AuditDataSettings(Section):
    """What the lists are held against: a split of the workspace, or files."""

    split: str | None = None
    truth: str | None = None
    train: str | None = None
    users: str | None = None
    items: str | None = None
    columns: dict[str, str | int] = Field(default_factory=dict)
    read: dict[str, str | bool] = Field(default_factory=dict)
    lists: dict[str, str] = Field(default_factory=dict)
    ids: Literal["text", "unpadded"] | None = None


class RuleSettings(Section):
    """What is looked at, and by which rules; see :class:`reclens.audit.AuditSettings`."""

    k: int = Field(default=10, ge=1)
    metrics: list[str] | None = None
    attributes: list[str] = Field(default_factory=list)
    by: list[str] = Field(default_factory=list)
    protected: list[str] = Field(default_factory=list)
    attention: str | list[float] = "log"
    patience: float = Field(default=0.85, gt=0, lt=1)
    tiers: tuple[float, float] = (0.2, 0.2)
    minimum: int = Field(default=30, ge=2)
    band: float = Field(default=0.9, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    replicates: int = Field(default=400, ge=200)
    seed: int = Field(default=0, ge=0, lt=2**63)


class HypothesisSettings(Section):
    """A comparison that is declared; see :class:`reclens.audit.Hypothesis`."""

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
    """What will be done, by whom, until when."""

    what: str
    owner: str | None = None
    due: str | None = None


class ReportSettings(Section):
    """What the report says in the words of its author."""

    title: str | None = None
    auditor: str | None = None
    independence: str | None = None
    system: str | None = None
    parameters: list[str] = Field(default_factory=list)
    surface: str | None = None
    pdf: bool = True


class SensitivitySettings(Section):
    """Other choices under which the audit is made again."""

    k: list[int] = Field(default_factory=list)
    attention: list[str] = Field(default_factory=list)
    tiers: list[tuple[float, float]] = Field(default_factory=list)


class AuditJobSettings(Section):
    """A whole audit."""

    name: str = "audit"
    lists: str
    data: AuditDataSettings = Field(default_factory=AuditDataSettings)
    segments: dict[str, SegmentSettings] = Field(default_factory=dict)
    audit: RuleSettings = Field(default_factory=RuleSettings)
    hypotheses: list[HypothesisSettings] | None = None
    sensitivity: SensitivitySettings = Field(default_factory=SensitivitySettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    action: list[ActionSettings] = Field(default_factory=list)
    gate: list[AuditGateSettings] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_sound(self) -> AuditJobSettings:
        _sound(self.settings)
        looked_at = {*self.audit.attributes, *named_in(self.audit.by)}
        for name in self.audit.protected:
            if name not in looked_at:
                raise ValueError(f"[audit] protected has '{name}', which is in neither by nor attributes")
        for changed in self.variants().values():
            _sound(lambda changed=changed: self.settings(**changed))
        return self

    def settings(self, **changed: Any) -> AuditSettings:
        """The same for :func:`reclens.audit.run`, with some fields changed."""
        declared = None if self.hypotheses is None else [Hypothesis(**each.model_dump()) for each in self.hypotheses]
        fields: dict[str, Any] = {**self.audit.model_dump(), "hypotheses": declared, **changed}
        return AuditSettings(**fields)

    def variants(self) -> dict[str, dict[str, Any]]:
        """The other choices of ``[sensitivity]``, by what they are called."""
        found: dict[str, dict[str, Any]] = {f"k = {k}": self._with_k(k) for k in self.sensitivity.k}
        found |= {f"attention {each}": {"attention": each} for each in self.sensitivity.attention}
        return found | {
            f"tiers {head:.0%} / {tail:.0%}": {"tiers": (head, tail)} for head, tail in self.sensitivity.tiers
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
    """Let what the library refuses be a problem of the file."""
    try:
        make()
    except RecLensError as error:
        raise ValueError(str(error).rstrip(".")) from error
