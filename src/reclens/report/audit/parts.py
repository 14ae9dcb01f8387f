"""The parts of an audit report beside its findings: actions, scope, groups, criteria, causes, thresholds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reclens.audit import Audit, AuditRow
from reclens.evaluation.results import OVERALL
from reclens.report._toolkit.document import DocumentPart
from reclens.report._toolkit.format import NOTHING, count_of, decimal, percent, sentence, significant, whole
from reclens.report._toolkit.html import figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.audit import charts
from reclens.report.audit.about import BLANK, AuditAbout
from reclens.report.audit.annexes import UNIDENTIFIED
from reclens.report.audit.charts import stage_caption
from reclens.report.audit.sections import item_attributes
from reclens.report.audit.sentences import finding_row, ratio_text, subject_text
from reclens.report.audit.tables import hypothesis_table, not_measured_table, preflight_table, stage_tables
from reclens.report.audit.trials import price_sentence
from reclens.report.audit.words import ADVICE, CANDIDATES, REMEDIES, SECTIONS, SEVERITIES, measure_name, reference_name
from reclens.report.evaluation.gate import gate_in_words, gate_table
from reclens.stats.gate import GateResult

__all__ = [
    "actions_part",
    "again_part",
    "cause_parts",
    "criteria_part",
    "first_actions_part",
    "groups_part",
    "proof_part",
    "scope_part",
    "sensitivity_part",
    "system_part",
    "thresholds_part",
]

_ACTIONS: Final = 3


def _advised(audit: Audit) -> dict[str, list[AuditRow]]:
    """Codes of what to do -> the rows that it would help, what helps the gravest first."""
    found: dict[str, list[AuditRow]] = {}
    for each in audit.findings:
        row = finding_row(audit, each)
        for code in each.advice[:2] if row is not None else ():
            found.setdefault(code, []).append(row)  # type: ignore[arg-type]
    return found


def first_actions_part(audit: Audit) -> DocumentPart:
    """What to do first, and the price that was measured."""
    advised, tried = list(_advised(audit).items())[:_ACTIONS], audit.mitigation
    points = []
    for code, rows in advised:
        price, row = None if tried is None else price_sentence(tried, code), rows[0]
        # What was swept already is not to be swept: the page that decides has the price instead.
        what = ADVICE[code] if price is None else f"{REMEDIES[code]}."
        points.append(f"{what} First for {subject_text(row)}. {price or 'Price: not measured.'}")
    lead = "Nothing has to be done about these numbers."
    if points:
        lead = "What to do first, and what it costs."
        lead += "" if tried is not None else " No mitigation was tried, so that no price is known yet."
    return DocumentPart(title="Three actions", lead=lead, points=tuple(points), ordered=True)


def scope_part(audit: Audit, about: AuditAbout) -> DocumentPart:
    """What was looked at, and what was not measured."""
    settings = audit.card["settings"]
    candidates = CANDIDATES.get(audit.card["candidates"], "not stated")
    points = [
        f"Surface: {about.surface or 'not stated'}.",
        f"The first {settings['k']} places of each list count, with {_attention(settings)} attention by position.",
        f"Candidates: {candidates}. Another candidate set can change the sign of popularity measures.",
        "Out of scope: what users see beside these lists, and whether a difference is lawful.",
    ]
    tables = (not_measured_table(audit),) if audit.not_measured else ()
    idle = [SECTIONS[section].lower() for section, opinion in audit.opinions.items() if opinion == "not_measured"]
    if idle:
        points.append(f"Not measured: {', '.join(idle)}.")
    return DocumentPart(title="Scope, and what was not measured", points=tuple(points), tables=tables)


def _attention(settings: Mapping[str, Any]) -> str:
    known = {"log": "logarithmic", "rbp": f"geometric (patience {significant(settings['patience'])})"}
    attention = settings["attention"]
    return known.get(attention, "given") if isinstance(attention, str) else "given"


def system_part(audit: Audit, about: AuditAbout) -> DocumentPart:
    """The system in the words of its maker."""
    lead = about.system or "Its maker has not described it here: what it learns from, and what it optimises."
    points = about.parameters or ("Main parameters: not stated.",)
    return DocumentPart(title="The system in plain words", lead=lead, points=points)


def groups_part(audit: Audit) -> DocumentPart:
    """Users, items and interactions behind the numbers."""
    card, sizes = audit.card, _sizes(audit)
    users = card["users"]
    rows = tuple(
        (by, segment, whole(n), percent(n / users, 1) if users else NOTHING) for (by, segment), n in sizes.items()
    )
    records = tuple({"by": by, "segment": segment, "n": n} for (by, segment), n in sizes.items())
    points = [f"{count_of(users, 'user')} with a list, {count_of(card['n_items'], 'item')} in the catalogue."]
    if card["truth"]["rows"]:
        points.append(f"{count_of(card['truth']['rows'], 'held-out interaction')}; every held-out item is relevant.")
    train = card["train"]
    if train is not None:
        name = train.get("name") or "without a name"
        points.append(f"Training data: {name}, {count_of(train['rows'], 'interaction')}.")
    points += [sentence(text) + "." for text in _odd(card)]
    points.append("Users and items without a value are a group of their own, which is named.")
    table = Table(
        title="Groups of users", columns=("groups", "group", "users with a number", "share"), rows=rows, records=records
    )
    return DocumentPart(title="Data and groups", points=tuple(points), tables=(table,) if rows else ())


def _odd(card: Mapping[str, Any]) -> list[str]:
    """Counts of the card that a reader has to know of."""
    told = {
        "users_without_list": "users without a list",
        "users_without_relevant_items": "users without a relevant item",
        "users_without_history": "users without a history",
        "recommendations_outside_catalogue": "recommendations outside of the catalogue",
        "truth_pairs_in_training": "held-out interactions that stand in the training data too",
    }
    return [f"{whole(card[key])} {words}" for key, words in told.items() if card.get(key)]


def _sizes(audit: Audit) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in audit.rows:
        if row.section in ("loop", "two_sided"):  # their n are runs, and their groups may be all together
            continue
        if (row.by, row.segment) != OVERALL and " × " not in row.by:
            found[row.by, row.segment] = max(row.n, found.get((row.by, row.segment), 0))
    return dict(sorted(found.items()))


def criteria_part(audit: Audit) -> DocumentPart:
    """The rules of the audit, and what became of each confirmatory test."""
    settings = audit.card["settings"]
    protected = ", ".join(settings["protected"]) or "none"
    title, lead = "Criteria", "No test was declared: the default ones are confirmatory"
    if settings["hypotheses"] is not None:
        title, lead = "Criteria declared beforehand", "Tests that the configuration declares are confirmatory"
    return DocumentPart(
        title=title,
        lead=f"{lead}, corrected together by Holm; everything else is a search, corrected by Benjamini and Hochberg.",
        points=(
            f"Protected attributes: {protected}.",
            (
                f"Level {percent(settings['alpha'], 0)} after the correction; intervals of "
                f"{percent(1 - settings['alpha'], 0)}."
            ),
            (
                f"A ratio between {decimal(settings['band'], 2)} and {decimal(1 / settings['band'], 2)} is no material "
                "difference."
            ),
            f"Groups of fewer than {whole(settings['minimum'])} users are inconclusive.",
            f"{whole(settings['replicates'])} bootstrap replicates over users, on the item side too.",
        ),
        tables=(hypothesis_table(audit),),
    )


def cause_parts(audit: Audit) -> list[DocumentPart]:
    """The same gap from the data to the lists, attribute by attribute."""
    figures = []
    for attribute in item_attributes(audit):
        chart = charts.stage_chart(audit, attribute)
        if chart is not None:
            figures.append(figure_of(chart, stage_caption(audit, attribute)))
    if not figures:
        return []
    tables = stage_tables(audit)
    lead = "The same share at each stage. Where histories differ from the catalogue, the data brought the gap; "
    if tables:
        lead += (
            "where the candidates that the scores chose differ from histories, the model did; where lists differ from "
            "candidates, the ranking did."
        )
    else:
        lead += "where lists differ from histories, the system did. What the scores chose was not given."
    return [
        DocumentPart(title="Where it comes from", lead=lead, figures=tuple(figures), tables=tuple(tables)),
    ]


def actions_part(audit: Audit, about: AuditAbout) -> DocumentPart:
    """What will be done, by whom, until when."""
    own = [(each.what, each.owner or BLANK, each.due or BLANK, "") for each in about.actions]
    advised = [(ADVICE[code], BLANK, BLANK, subject_text(rows[0])) for code, rows in _advised(audit).items()]
    cells = tuple(own or advised)
    heads = ("action", "owner", "date", "for")
    table = Table(
        title="Actions", columns=heads, rows=cells, records=tuple(dict(zip(heads, row, strict=True)) for row in cells)
    )
    lead = "Each action has an owner and a date; what is still to be named stands so." if cells else "None."
    return DocumentPart(title="Actions", lead=lead, tables=(table,) if cells else ())


def thresholds_part(audit: Audit, gate: GateResult | None) -> DocumentPart:
    """When monitoring shall warn, and what the gate came to."""
    declared = [row for row in audit.rows if row.family == "confirmatory" and row.severity != "descriptive"]
    cells = tuple(
        (
            subject_text(row),
            measure_name(row.measure),
            reference_name(row.reference),
            ratio_text(row.impact),
            "0.90",
            "0.80",
        )
        for row in declared[:30]
    )
    heads = ("group", "measure", "against", "impact ratio now", "warn below", "alarm below")
    records = tuple(row.to_dicts()[0] for row in declared[:30])
    table = Table(title="Thresholds", columns=heads, rows=cells, records=records)
    lead = (
        "For monitoring: warn where the whole interval of the impact ratio lies below 0.90, and raise an alarm where "
        "it lies below 0.80. The groups of the confirmatory tests."
    )
    held = (gate_table(gate),) if gate is not None else ()
    points = (f"{sentence(gate_in_words(gate))}.",) if gate is not None else ()
    return DocumentPart(title="Thresholds for monitoring", lead=lead, points=points, tables=(*held, table))


def sensitivity_part(audit: Audit, others: Mapping[str, Audit]) -> DocumentPart:
    """The confirmatory numbers under other choices."""
    title = "Sensitivity"
    if not others:
        lead = "The audit was not made again under other choices."
        return DocumentPart(title=title, lead=lead, points=_not_estimated(audit))
    declared = [row for row in audit.rows if row.family == "confirmatory" and row.severity != "descriptive"][:20]
    cells = []
    for row in declared:
        again = [_like(other, row) for other in others.values()]
        told = tuple(map(_graded, again))
        about = f"{measure_name(row.measure)}, {reference_name(row.reference)}"
        cells.append((subject_text(row), about, _graded(row), *told))
    table = Table(title=title, columns=("group", "measure", "as audited", *others), rows=tuple(cells), records=())
    moved = {
        name: sum(other.opinions[section] != opinion for section, opinion in audit.opinions.items())
        for name, other in others.items()
    }
    points = tuple(
        f"With {name}: {'no opinion changes' if not n else f'{n} of {len(audit.opinions)} opinions change'}."
        for name, n in moved.items()
    )
    points += _not_estimated(audit)
    return DocumentPart(
        title=title, lead="Ratios of the confirmatory comparisons, under other choices.", points=points, tables=(table,)
    )


def _not_estimated(audit: Audit) -> tuple[str, ...]:
    """Why the audit was not made again with the attention of the log, where there was one that could not tell it."""
    found, k = audit.position, audit.card["settings"]["k"]
    if found is None or (found.unidentified is None and len(found.examination) >= k):
        return ()
    why = f"it has {len(found.examination)} positions, and the lists have {k}"
    why = why if found.unidentified is None else UNIDENTIFIED[found.unidentified]
    return (f"Not audited again with the attention of the log: {why}.",)


def _graded(row: AuditRow | None) -> str:
    return NOTHING if row is None else f"{decimal(row.ratio.value, 2)} ({SEVERITIES[row.severity]})"


def _like(audit: Audit, row: AuditRow) -> AuditRow | None:
    """The same number in another audit; metrics are the same whatever their cut-off is."""

    def key(each: AuditRow) -> tuple[Any, ...]:
        name = each.measure.split("@")[0]
        return each.section, name, each.attribute, each.group, each.by, each.segment, each.reference

    return next((each for each in audit.rows if key(each) == key(row)), None)


def proof_part(audit: Audit) -> DocumentPart:
    """Rankers whose numbers are known."""
    checks = audit.preflight.checks
    return DocumentPart(
        title="Proof of the harness",
        lead=f"Rankers whose numbers are known were measured on the same data before anything else: "
        f"{whole(sum(check.passed for check in checks))} of {whole(len(checks))} checks passed.",
        tables=(preflight_table(audit),),
    )


def again_part(audit: Audit, about: AuditAbout) -> DocumentPart:
    """The command and the settings."""
    settings = {key: each for key, each in audit.card["settings"].items() if each is not None}
    told = "\n".join(f"# {key} = {json.dumps(each, default=str)}" for key, each in settings.items())
    return DocumentPart(
        title="Annex: make it again",
        lead="Every number stands in the CSV beside this report.",
        code=f"{about.command or 'reclens audit run audit.toml'}\n{told}",
        language="console",
    )
