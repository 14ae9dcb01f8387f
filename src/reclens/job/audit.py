"""A whole audit: lists, truth and attributes, the numbers, the gate, the report; kept in the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reclens.audit import Audit, AuditPlan, audit_gate, plan, run
from reclens.audit.cards import AuditCard
from reclens.engine import Progress, quiet
from reclens.errors import UsageError
from reclens.evaluation.argument_checks import asked_segments
from reclens.job.audit_again import variants_of
from reclens.job.audit_inputs import AuditInputs, read_inputs
from reclens.job.audit_settings import AuditJobSettings, HypothesisSettings
from reclens.job.audit_trials import loop_of, mitigation_of, with_estimated
from reclens.report._toolkit.format import decimal, whole
from reclens.report._toolkit.pdf import Printed
from reclens.report.audit.about import AuditAbout, AuditAction
from reclens.report.audit.document import build_audit_report
from reclens.schema import USER, fingerprint
from reclens.settings import to_toml
from reclens.stats.gate import GateResult
from reclens.tabular import Tabular
from reclens.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from reclens.schema import Recommendations

__all__ = ["AuditJobResult", "plan_audit_job", "run_audit_job"]


@dataclass(frozen=True, kw_only=True)
class AuditJobResult(Tabular):
    """The results of an audit job.

    Attributes:
        audit: The audit.
        files: The report by kind: ``html``, ``markdown``, ``csv``, ``trials`` where mitigations were tried, ``pdf``
            where it could be printed, and ``responsible_ai``, one row per user, where there are groups of users.
        printed: Status of the PDF; None if none was requested.
        gate: Result of ``[[gate]]``; None if there is none.
        sensitivity: The same audit under other choices.
    """

    audit: Audit
    files: dict[str, Path]
    printed: Printed | None = None
    gate: GateResult | None = None
    sensitivity: Mapping[str, Audit] | None = None

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per number, the most severe first."""
        return self.audit.to_dicts()


def run_audit_job(
    settings: AuditJobSettings,
    *,
    workspace: Workspace | str | Path = "workspace",
    stem: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress = quiet,
    before_work: Callable[[], None] = lambda: None,
    command: str | None = None,
) -> AuditJobResult:
    """Audit lists as an ``audit.toml`` says, keep the audit in the workspace, and write its report.

    Args:
        settings: The audit.
        workspace: Where runs and splits are, and where the audit is kept: a workspace, or its folder.
        stem: Name of the report without an ending; by default ``reports/NAME`` of the workspace.
        say: Called with one line of text per step.
        progress: Called to report progress.
        before_work: Called once all requested input has been read.
        command: Command that the report gives to reproduce it.

    Returns:
        The audit, its gate, and the location of its report.

    Raises:
        UsageError: If a requested input is missing from the data.
        UnknownNameError: If an attribute, metric, group, run or split does not exist.
    """
    place = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
    place.expect_free("audit", settings.name, overwrite=True)
    started = time.monotonic()

    def step(text: str) -> None:
        say(f"[{decimal(time.monotonic() - started, 1):>5} s] {text}")

    progress("read the data", 0, 0)
    inputs = read_inputs(settings, place)
    progress("read the data", 1, 1)
    before_work()
    used = with_estimated(settings, inputs.log)
    found = _audited(used, inputs, step, progress)
    gate = audit_gate(found, [row.rule() for row in settings.gate]) if settings.gate else None
    again = {}
    for name, variant in variants_of(used, inputs, found.position).items():
        again[name] = variant(found.system)
        step(f"audited again: {name}")
    place.save(found, settings.name, overwrite=True)
    report = build_audit_report(
        found,
        about=_about(settings, command),
        sensitivity=again,
        gate=gate,
        synthetic=bool(found.card.get("synthetic")),
    )
    if stem is None:
        place.save_text(to_toml(settings), f"{settings.name}.toml")
        stem = place.folder / "reports" / settings.name
    files, printed = report.save(stem, pdf=settings.report.pdf)
    table = _table_of_users(found)
    if table is not None:
        files["responsible_ai"] = stem.with_name(f"{stem.name}.responsible-ai.csv")
        table.write_csv(files["responsible_ai"])
    step(f"report written: {', '.join(str(file) for file in files.values())}")
    if printed is not None and printed.path is None:
        step(_no_pdf(printed))
    return AuditJobResult(audit=found, files=files, printed=printed, gate=gate, sensitivity=again)


def _table_of_users(found: Audit) -> pl.DataFrame | None:
    """What the Responsible AI dashboard reads; None without a metric, or without groups of users."""
    from reclens.edges.responsible_ai import responsible_ai_table

    try:
        return responsible_ai_table(found)
    except UsageError:
        return None


def _audited(settings: AuditJobSettings, inputs: AuditInputs, step: Callable[[str], None], progress: Progress) -> Audit:
    """The audit with its trials and its loop."""
    lists, train = inputs.lists, inputs.train
    tried = mitigation_of(settings, inputs, progress=progress)
    if tried is not None:
        step(f"mitigations tried: {whole(len(tried.validation.trials) - 1)} trials, chosen: {tried.choice.mitigation}")
    loop = loop_of(settings, train, progress=progress)
    if loop is not None:
        step(f"feedback loop: {loop.card['seeds']} runs of {loop.card['rounds']} rounds")
    how: dict[str, Any] = {"log": inputs.log, "predictions": inputs.predictions, "loop": loop, "progress": progress}
    name = _system(settings, lists)
    found = run(lists, inputs.truth, train=train, settings=settings.settings(), name=name, **how)
    card: AuditCard = {**found.card, "lists": {"rows": lists.table.height, "hash": fingerprint(lists.table)}}
    if train is not None and train.card.get("synthetic"):
        card["synthetic"] = True
    step(
        f"{found.system}: {whole(len(found.rows))} numbers, {whole(len(found.preflight.checks))} checks of the harness "
        "passed"
    )
    return replace(found, mitigation=tried, card=card)


def plan_audit_job(
    settings: AuditJobSettings, *, workspace: Workspace, mean: float | None = None, spread: float | None = None
) -> tuple[AuditPlan, AuditJobSettings]:
    """Declare default hypotheses if an audit has none, and compute the detectable gaps.

    The lists are used only for their users.

    Args:
        settings: The audit.
        workspace: Where runs and splits are.
        mean: The expected mean of the primary metric.
        spread: Its standard deviation over users.

    Returns:
        The plan, and the audit with explicit hypotheses.

    Raises:
        UsageError: If there are no training data, or no groups of users are named.
    """
    inputs = read_inputs(settings, workspace)
    lists, truth, train = inputs.lists, inputs.truth, inputs.train
    if train is None:
        raise UsageError("an audit is planned by the attributes of users: name [data] split, or train and users.")
    users = lists.table[USER].unique()
    if truth is not None:
        users = users.filter(users.is_in(truth[USER].unique().implode()))
    known = {} if spread is None else {"spread": spread}
    declared = settings if settings.hypotheses is not None else _declared(settings, truth=truth is not None)
    return plan(train, settings.settings(), users=users, mean=mean, **known), declared


def _declared(settings: AuditJobSettings, *, truth: bool) -> AuditJobSettings:
    """The settings with explicit default hypotheses."""
    about = settings.settings()
    metrics = about.metrics_of(truth=truth)
    names = [" × ".join(by) if isinstance(by, tuple) else by for by in asked_segments(about.by)]
    names = [" × ".join(part.strip() for part in name.replace("*", "×").split("×")) for name in names]
    found = [HypothesisSettings(measure=metrics[0], by=by) for by in names] if metrics else []
    against = "merit" if truth else "catalogue"
    found += [
        HypothesisSettings(measure="exposure_share", attribute=each, reference=against) for each in about.attributes
    ]
    return settings.model_copy(update={"hypotheses": [*found, HypothesisSettings(measure="popularity_lift")]})


def _system(settings: AuditJobSettings, lists: Recommendations) -> str:
    return lists.name or Path(settings.lists).stem


def _about(settings: AuditJobSettings, command: str | None) -> AuditAbout:
    said = settings.report.model_dump(exclude={"pdf", "parameters"})
    actions = tuple(AuditAction(**each.model_dump()) for each in settings.action)
    return AuditAbout(**said, parameters=tuple(settings.report.parameters), actions=actions, command=command)


def _no_pdf(printed: Printed) -> str:
    if printed.outcome == "no_browser":
        return "no PDF: there is no Chromium on this machine. Install one, or name it by RECLENS_CHROMIUM"
    return f"no PDF: the browser did not print ({printed.detail})"
