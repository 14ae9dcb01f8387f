"""One audit: measure the lists, compare every group with its references, correct, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import polars as pl

from reclens import concentration
from reclens.audit.adjusted import AdjustedGap, adjusted_gaps
from reclens.audit.amortised import amortised_exposure, amortised_rows
from reclens.audit.calibration import distance_rows, score_rows
from reclens.audit.cards import AuditCard, AuditSettingsCard
from reclens.audit.coverage import coverage_rows
from reclens.audit.exposure import exposure_rows, parity_rows
from reclens.audit.findings import by_gravity, findings_of
from reclens.audit.intersections import search_intersections
from reclens.audit.joint import disparity_rows, joint_rows, rating_rows
from reclens.audit.loop import loop_curve, loop_rows
from reclens.audit.measure import POPULARITY, AuditMeasures, measure_audit
from reclens.audit.popularity import lift_rows, popularity_bias
from reclens.audit.position import PositionBias, position_bias
from reclens.audit.preflight import Preflight, preflight, refuse_failed
from reclens.audit.result import Audit, Lacking, NotMeasured
from reclens.audit.rows import AuditRow, Section
from reclens.audit.settings import AuditSettings, Hypothesis
from reclens.audit.severity import judged, opinion
from reclens.audit.stages import stage_rows
from reclens.audit.user_gaps import gap_rows
from reclens.data.dataset import Dataset
from reclens.engine import Progress, quiet, table_engine
from reclens.errors import Advice, Setting, UsageError
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import OVERALL

if TYPE_CHECKING:
    from reclens.lab.feedback import FeedbackLoop

__all__ = ["audit_measures", "position_bias_of", "run"]


def run(
    recommendations: Any,
    truth: Any = None,
    *,
    train: Any = None,
    users: Any = None,
    items: Any = None,
    log: pl.DataFrame | None = None,
    loop: FeedbackLoop | None = None,
    predictions: pl.DataFrame | None = None,
    settings: AuditSettings | None = None,
    name: str | None = None,
    engine: Any = None,
    progress: Progress = quiet,
    **options: Any,
) -> Audit:
    """Audit the lists of a system: who and what is treated worse, by how much, and how sure that is.

    Args:
        recommendations: Lists of any system, as for ``rl.evaluate``; those of Spark are audited where they lie.
        truth: Held-out interactions, or None.
        train: The training data, or None. Its items are the catalogue. Of Spark a frame, or ``rl.SparkTables``.
        users: Attributes of users, where ``train`` has none.
        items: Attributes of items, where ``train`` has none.
        log: Impressions with ``position`` and ``clicked``, from which position bias is told, and the exposure that adds
            up over days, where there is a ``timestamp``.
        loop: A feedback loop of the system, as of ``rl.lab.feedback_loop``; its drift is tested with the other numbers.
        predictions: Predicted ratings, ``user_id, item_id, rating, prediction``, for the two-sided annex.
        settings: What is looked at and by which rules; or give its fields by name.
        name: Name of the system.
        engine: Where chunks are run, or ``rl.Spark(partitions=…)`` for tables of Spark.
        progress: Called as work goes on.
        options: Fields of :class:`AuditSettings`, such as ``by=["gender"]``.

    Raises:
        DataError: If a table is not what it has to be, or there is nothing to audit.
        UsageError: If settings and their fields are both given, or something is asked for that the data do not have.
        UnknownNameError: If there is no such attribute, metric or group of users.

    Example:
        >>> import reclens as rl
        >>> split = rl.split.by_time(rl.synthetic_movielens(n_users=400, n_items=200, n_ratings=16000), test_share=0.2)
        >>> lists = rl.models.Popular().fit(split.train).recommend(split.test_users, k=10)
        >>> found = run(lists, split.test, train=split.train, by="gender", attributes=["popularity"])
        >>> found.opinions["exposure"], found.rows[0].group, found.rows[0].severity
        ('negative', 'middle', 'critical')
    """
    if settings is not None and options:
        raise UsageError(
            f"settings and {', '.join(options)} are both given",
            advice=Advice("one_of_settings", (Setting("settings"),), "Put all of them into {settings}."),
        )
    settings = settings or AuditSettings(**options)
    far = table_engine(recommendations, engine)
    given: dict[str, Any] = {"train": train, "users": users, "items": items, "name": name, "progress": progress}
    if far is not None:
        measures = far.audit(recommendations, truth, settings=settings, **given)
    else:
        measures = measure_audit(recommendations, truth, settings=settings, engine=engine, **given)
    annex: list[AuditRow] = []
    if settings.two_sided:
        annex = disparity_rows(measures)
        if measures.has_truth and measures.whole:
            annex = joint_rows(recommendations, measures, engine=engine, progress=progress) + annex
    if predictions is not None and isinstance(train, Dataset):
        annex += rating_rows(predictions, train, list(_known_groups(measures)), level=settings.level)
    return audit_measures(measures, log=log, loop=loop, annex=annex)


def audit_measures(
    measures: AuditMeasures,
    *,
    log: pl.DataFrame | None = None,
    loop: FeedbackLoop | None = None,
    annex: Sequence[AuditRow] = (),
) -> Audit:
    """Compare every group with its references, correct for multiple tests, and judge.

    Args:
        measures: The sums.
        log: Impressions.
        loop: A feedback loop of the system.
        annex: Descriptive rows without tests or severity.
    """
    settings = measures.settings
    checked = preflight(measures, rng=settings.seed)
    refuse_failed(checked, measures.system)
    metrics, crossed = settings.metrics_of(truth=measures.has_truth), len(_known_groups(measures)) > 1
    searched = search_intersections(measures, metrics[0]) if metrics and crossed and measures.whole else None
    rows = _rows(measures, checked)
    position, amortised = None, []
    if log is not None:
        position = position_bias_of(log, settings)
        for attribute in measures.groups:
            rows += amortised_rows(measures, log, attribute)
            amortised += amortised_exposure(measures, log, attribute)
    asked_for = {(row.measure, row.by, row.segment) for row in rows}
    rows += [row for row in (searched.rows if searched else ()) if (row.measure, row.by, row.segment) not in asked_for]
    rows += [] if loop is None else loop_rows(loop, level=settings.level, band=settings.band)
    rows += annex
    _refuse_idle(rows, settings)
    rows = _asked(rows, settings, truth=measures.has_truth)
    rows = judged(rows, protected=settings.protected, shares=_shares(measures), alpha=settings.alpha)
    tiers = POPULARITY in measures.groups and measures.has("candidates")
    counts = measures.shown[measures.context.catalogue.in_catalogue]
    curves = {"shown": counts}
    if measures.has("owned"):
        curves["owned"] = measures.context.catalogue.popularity[measures.context.catalogue.in_catalogue]
    opinions: dict[Section, Any] = {
        section: opinion([row.severity for row in rows if row.section == section]) for section in get_args(Section)
    }
    if position is not None:
        opinions["position"] = "described"
    return Audit(
        system=measures.system,
        rows=tuple(by_gravity(rows)),
        opinions=opinions,
        findings=tuple(findings_of(measures.system, rows)),
        bias=tuple(popularity_bias(measures)) if tiers else (),
        lorenz={name: concentration.lorenz(each) for name, each in curves.items()},
        gini={name: float(concentration.gini(each)) for name, each in curves.items()},
        not_measured=tuple(_missing(measures, position, loop)),
        position=position,
        loop=None if loop is None else loop_curve(loop, level=settings.level),
        amortised=tuple(amortised),
        preflight=checked,
        adjusted=tuple(_adjusted(measures, metrics)),
        intersections=searched,
        users=_users(measures),
        card=_card(measures, settings),
    )


def position_bias_of(log: pl.DataFrame, settings: AuditSettings) -> PositionBias:
    """Examination of each place, estimated from a log by the settings of an audit."""
    return position_bias(
        log,
        method=settings.examination,
        context=settings.context,
        level=settings.level,
        replicates=settings.replicates,
        rng=settings.seed,
    )


def _rows(measures: AuditMeasures, checked: Preflight) -> list[AuditRow]:
    rows = gap_rows(measures)
    for attribute in measures.groups:
        rows += exposure_rows(measures, attribute) + parity_rows(measures, attribute)
    rows += distance_rows(measures, checked=checked) + score_rows(measures)
    rows += coverage_rows(measures) + stage_rows(measures)
    return rows + (lift_rows(measures) if measures.has("owned") else [])


def _users(measures: AuditMeasures) -> pl.DataFrame:
    """The values and the groups of each user; none where only sums came."""
    if not measures.whole:
        return measures.per_user.with_columns(pl.lit(None, pl.String).alias(by) for by in measures.context.groups)
    groups = measures.context.groups.items()
    return measures.per_user.with_columns(
        pl.Series(by, labels, dtype=pl.String).gather(codes) for by, (labels, codes) in groups
    )


def _known_groups(measures: AuditMeasures) -> list[str]:
    return [by for by in measures.context.groups if " × " not in by]


def _adjusted(measures: AuditMeasures, metrics: Sequence[str]) -> list[AdjustedGap]:
    """The gaps of the primary metric, adjusted; of two groups the first."""
    if not metrics or not measures.has("owned") or not measures.whole:
        return []
    found = []
    for by in _known_groups(measures):
        cells = [cell for cell in measures.cells if cell[0] == by and cell[1] != UNKNOWN]
        large = {cell[1] for cell in cells if measures.n(cell, metrics[0]) >= measures.settings.minimum}
        if len(large) > 1:
            gaps = [gap for gap in adjusted_gaps(measures, metrics[0], by) if gap.segment in large]
            found += gaps[:1] if len(cells) == 2 else gaps
    return found


def _asked(rows: Sequence[AuditRow], settings: AuditSettings, *, truth: bool) -> list[AuditRow]:
    """The rows with their family: declared, searched, or the other side of a pair that is tested already."""
    declared = settings.hypotheses if settings.hypotheses is not None else _usual(rows, settings, truth=truth)
    sides: dict[tuple[str, str, str | None, str], list[int]] = {}
    for at, row in enumerate(rows):
        if row.reference == "rest" and row.family != "descriptive":
            sides.setdefault(_pair(row), []).append(at)
    # Of two complementary groups, the worse one is judged, because both are the same test.
    again = {max(pair, key=lambda at: (rows[at].impact.value, at)) for pair in sides.values() if len(pair) == 2}
    found = []
    for at, row in enumerate(rows):
        # Groups of the search remain exploratory, whatever is declared.
        asked = row.family == "confirmatory" and any(_is(row, each) for each in declared)
        family = "confirmatory" if asked else "exploratory"
        described = row.family == "descriptive" or at in again or _circular(row)
        found.append(replace(row, family="descriptive" if described else family))
    return found


def _circular(row: AuditRow) -> bool:
    """Whether the groups were derived from the measured values, which invalidates a test of equality.

    Items are in the head because these histories have them: without any bias lists have less of the head than the
    histories. The popularity lift, which leaves each user's own history out, tests that.
    """
    return row.attribute == POPULARITY and row.reference == "profile"


def _refuse_idle(rows: Sequence[AuditRow], settings: AuditSettings) -> None:
    """Reject declared comparisons that were not measured or have no test.

    Raises:
        UsageError: Naming it.
    """
    for each in settings.hypotheses or ():
        if any(_circular(row) for row in rows if _is(row, each)) and each.reference == "profile":
            raise UsageError(
                "tiers of popularity are made of the histories: held against those they cannot be tested. Declare the "
                "popularity_lift, or another reference."
            )
        if not any(_is(row, each) for row in rows if row.family != "descriptive"):
            of = ", ".join(f"{name} {value}" for name, value in asdict(each).items() if value is not None)
            measured = ", ".join(dict.fromkeys(row.measure for row in rows))
            raise UsageError(f"nothing was measured of the hypothesis {of}. Measured are {measured}.")


def _pair(row: AuditRow) -> tuple[str, str, str | None, str]:
    """Rows of two complementary groups form one test."""
    return row.measure, row.by, row.attribute, row.segment if row.attribute else ""


def _usual(rows: Sequence[AuditRow], settings: AuditSettings, *, truth: bool) -> list[Hypothesis]:
    metrics = settings.metrics_of(truth=truth)
    by = dict.fromkeys(row.by for row in rows if row.section in ("users", "lists"))
    attributes = dict.fromkeys(row.attribute for row in rows if row.attribute)
    against = "merit" if truth else "catalogue"
    found = [Hypothesis(measure=metrics[0], by=each) for each in by] if metrics else []
    found += [Hypothesis(measure="exposure_share", attribute=each, reference=against) for each in attributes]
    return [*found, Hypothesis(measure="popularity_lift")]


def _is(row: AuditRow, declared: Hypothesis) -> bool:
    same = (row.measure, row.by, row.attribute) == (declared.measure, declared.by, declared.attribute)
    return same and declared.reference in (None, row.reference)


def _shares(measures: AuditMeasures) -> dict[tuple[str, str], float]:
    """Share of the users, or of the items, that each group has."""
    shares = {cell: measures.n(cell) / max(measures.n(), 1) for cell in measures.cells}
    for attribute, groups in measures.groups.items():
        shares |= {
            (attribute, label): size / groups.sizes.sum()
            for label, size in zip(groups.labels, groups.sizes, strict=True)
        }
    return shares


def _card(measures: AuditMeasures, settings: AuditSettings) -> AuditCard:
    about = cast("AuditSettingsCard", asdict(settings))
    return {**measures.card, "settings": about, "system": measures.system, "candidates": "unseen_items"}


_ANNEX: Final = ("joint_exposure", "bias_disparity", "differential_fairness")
_OF_SINGLE_USERS: Final = ("intersections", "adjusted_gaps")
"""What is made from the values of single users."""


def _missing(measures: AuditMeasures, position: PositionBias | None, loop: FeedbackLoop | None) -> list[NotMeasured]:
    found: list[NotMeasured] = []
    if position is None or position.unidentified is not None:
        lacking: Lacking = "log" if position is None else "rankers"
        found.append(NotMeasured(section="position", measure="examination", lacking=lacking))
    if loop is None:
        found.append(NotMeasured(section="loop", measure="drift", lacking="loop"))
    if position is None and measures.groups:
        found.append(NotMeasured(section="exposure", measure="amortised_exposure", lacking="log"))
    if not measures.settings.two_sided:
        found += [NotMeasured(section="two_sided", measure=each, lacking="two_sided") for each in _ANNEX]
    elif not measures.has_truth or not measures.whole:
        lacking = "memory" if measures.has_truth else "truth"
        found.append(NotMeasured(section="two_sided", measure="joint_exposure", lacking=lacking))
    if not measures.has_truth:
        found += [NotMeasured(section="users", measure="accuracy", lacking="truth")]
        found += [NotMeasured(section="exposure", measure="merit", lacking="truth")]
    if not (measures.has_truth and measures.has_chances):
        lacking = "scores" if measures.has_truth else "truth"
        found.append(NotMeasured(section="calibration", measure="score_calibration", lacking=lacking))
    if not measures.settings.retrieved:
        found.append(NotMeasured(section="exposure", measure="stage_scores", lacking="retrieved"))
    if measures.items is None:
        found.append(NotMeasured(section="lists", measure="catalogue_coverage", lacking="memory"))
    if not measures.whole:
        found += [NotMeasured(section="users", measure=each, lacking="memory") for each in _OF_SINGLE_USERS]
    if not measures.has("owned"):
        found += [NotMeasured(section="popularity", measure="popularity_lift", lacking="train")]
        found += [NotMeasured(section="exposure", measure="profile", lacking="train")]
    if len([cell for cell in measures.cells if cell != OVERALL and cell[1] != UNKNOWN]) < 2:
        found.append(NotMeasured(section="users", measure="gaps", lacking="user_groups"))
    if not set(measures.groups) - {POPULARITY}:
        found.append(NotMeasured(section="exposure", measure="exposure_share", lacking="item_groups"))
    return found
