"""The report on evaluations: the verdict first, then every number, how it was measured and what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from reclens.concentration import share_in_use
from reclens.errors import Setting, UsageError, in_python
from reclens.evaluation import Comparison, Evaluation
from reclens.evaluation.decision import COSTS, Decision, decide
from reclens.evaluation.findings import OF_LISTS, problem_findings
from reclens.evaluation.groups import UNKNOWN
from reclens.evaluation.results import named_results
from reclens.evaluation.trade_off import other_sides
from reclens.metrics import describe, family_of
from reclens.pipeline.findings import ranker_findings
from reclens.report._toolkit.format import listed, percent, whole
from reclens.report._toolkit.html import Document, Figure, Section, definition_of, figure_of, reading_of, render
from reclens.report._toolkit.notes import interval_text
from reclens.report._toolkit.system_colours import colours_shared, places_of
from reclens.report.data.words import note_line, rule_name, split_text, ties_text
from reclens.report.evaluation import charts, tables
from reclens.report.evaluation.architectures import architecture_section
from reclens.report.evaluation.comparison import gain_difference_chart
from reclens.report.evaluation.decision_words import decision_in_words
from reclens.report.evaluation.findings import finding_text
from reclens.report.evaluation.gate import gate_in_words, gate_table
from reclens.report.evaluation.problem_words import NO_TEXTS, id_problems, task_problems
from reclens.report.evaluation.words import comparison_text, model_text
from reclens.schema import USER, versions
from reclens.stats.gate import GateResult

__all__ = ["TASKS_IN_WORDS", "build_report", "oddities", "other_names"]


def build_report(
    results: Mapping[str, Evaluation] | Evaluation,
    *,
    comparison: Comparison | None = None,
    gate: GateResult | None = None,
    title: str = "Offline evaluation",
    measured_alike: Iterable[str] = (),
    kept_as: Mapping[str, str] | None = None,
) -> Document:
    """Write a report on some evaluations.

    Args:
        results: Name -> evaluation, or one evaluation; the first metric is the primary one.
        comparison: Their comparison with a baseline, for the verdict and the marks.
        gate: What their gate came to.
        title: Title of the page.
        measured_alike: Names of all evaluations that these belong with, such as those of a workspace: systems have the
            colours that they have on its pages.
        kept_as: Name here -> name among those, for evaluations that are called otherwise here.

    Returns:
        The document.

    Raises:
        UsageError: If there is nothing to report.
        ArgumentTypeError: If it is something else than evaluations.
    """
    results = named_results(results)
    if not results:
        raise UsageError("there is no evaluation to report on.")
    first = next(iter(results.values()))
    synthetic = any(result.card.get("synthetic") for result in results.values())
    heading = f"{title} (synthetic data)" if synthetic else title
    decision = decide(results, comparison)
    with colours_shared(measured_alike, kept_as=kept_as or {}):
        sections = [each for each in [_gate(gate), *_sections(results, comparison, decision)] if each is not None]
        opening = _opening(results, comparison, decision)
        places = places_of(list(results))
    page: dict[str, Any] = {
        "title": heading,
        "synthetic": synthetic,
        "answer": decision_in_words(decision),
        "verdict": [],
        "subject": f"{len(results)} systems" if len(results) > 1 else "1 system",
        "systems": places,
        "grey": sum(place is None for place in places.values()),
        "opening": opening,
        "sections": sections,
        "reading": reading_of(table for each in sections for table in (*each.tables, *each.folded)),
        "card": _card_rows(first),
        "lists": _list_rows(results),
        "definitions": [definition_of(name) for name in first.metrics],
    }
    return render("report.html.j2", page)


def _opening(
    results: Mapping[str, Evaluation], comparison: Comparison | None, decision: Decision
) -> tuple[Figure, ...]:
    """The charts below the verdict: what it rests on, over all users."""
    metric = decision.metric
    if metric is None:
        return ()
    drawn = [(charts.leaderboard_chart(results, metric=metric), f"{metric} of every system")]
    if comparison is not None and any((row.metric, row.by) == (metric, "overall") for row in comparison.differences):
        caption = f"{metric}: difference from {comparison.baseline}"
        drawn.append((charts.difference_chart(comparison, metric=metric), caption))
    return tuple(figure_of(chart, caption) for chart, caption in drawn)


def _sections(
    results: Mapping[str, Evaluation], comparison: Comparison | None, decision: Decision
) -> list[Section | None]:
    first = next(iter(results.values()))
    averaged = [name for name in first.metrics if describe(name).kind == "user"]
    primary = averaged[:2]
    return [
        Section(
            title="All users",
            lead="Means over users, each with its interval; the best system comes first.",
            figures=tuple(
                figure_of(charts.leaderboard_chart(results, metric=name), f"{name} of every system")
                for name in averaged[:7]
                if name != decision.metric
            ),
            tables=(tables.leaderboard(results, comparison=comparison),),
        ),
        _against_baseline(comparison, [name for name in primary if name != decision.metric]),
        _who_loses(results, comparison, decision),
        _by_segment(results, first, primary, comparison),
        _gaps(results, primary),
        _long_tail(results, first),
        _trade_off(results, averaged),
        architecture_section(results, by=list(first[primary[0]].by) if primary else []),
    ]


def _gate(found: GateResult | None) -> Section | None:
    if found is None:
        return None
    return Section(title="Gate", lead=gate_in_words(found).capitalize() + ".", tables=(gate_table(found),))


def _against_baseline(comparison: Comparison | None, primary: list[str]) -> Section | None:
    if comparison is None:
        return None
    shown = [name for name in primary if any(row.metric == name for row in comparison.differences)]
    figures = tuple(
        figure_of(charts.difference_chart(comparison, metric=name), f"{name}: difference from {comparison.baseline}")
        for name in shown
    )
    lead = (
        "The comparison is paired: the differences of each user's two values are averaged, over the users with a "
        "value under both. Faded dots are not significant after the correction."
    )
    said = comparison_text(comparison)
    return Section(
        title=f"Against {comparison.baseline}",
        lead=lead,
        points=said,
        figures=figures,
        folded=(tables.comparison_table(comparison),),
    )


def _who_loses(results: Mapping[str, Evaluation], comparison: Comparison | None, decision: Decision) -> Section | None:
    """The system that the decision is about, segment by segment; the best of the others where that is the baseline."""
    metric = decision.metric
    if comparison is None or metric is None:
        return None
    others = [name for name in tables.best_first(results, metric) if name != comparison.baseline]
    system = decision.system if decision.system != comparison.baseline else next(iter(others), "")
    table = tables.verdict_table(comparison, system=system, metric=metric)
    if not table.rows:
        return None
    drawn = [
        (gain_difference_chart(comparison, system=system, metric=metric, by=by), f"{metric}, difference by {by}")
        for by in tables.smallest_first(str(row["by"]) for row in table.records)
    ]
    figures = tuple(figure_of(chart, caption) for chart, caption in drawn if chart is not None)
    title = f"Who gains and who loses with {system}"
    return Section(title=title, lead=_unknown_users(next(iter(results.values()))), figures=figures, tables=(table,))


def _unknown_users(result: Evaluation) -> str:
    """How many users have no known value of an attribute that they are grouped by."""
    groups = result.segments.drop(USER)
    counts = {name: int((groups[name].is_null() | (groups[name] == UNKNOWN)).sum()) for name in groups.columns}
    if not any(counts.values()):
        return f"Every one of the {whole(groups.height)} users has a known value of {listed(groups.columns)}."
    named = listed([f"{name} of {whole(count)}" for name, count in counts.items() if count])
    return (
        f"Of {whole(groups.height)} users, some have no known value ({named}): they are a segment of their own, "
        f"{UNKNOWN}."
    )


def _by_segment(
    results: Mapping[str, Evaluation], first: Evaluation, primary: list[str], comparison: Comparison | None
) -> Section | None:
    segmentations = (
        tables.smallest_first(by for by, segments in first[primary[0]].by.items() for _ in segments) if primary else []
    )
    if not segmentations:
        return None
    figures = tuple(
        figure_of(charts.segment_chart(results, metric=name, by=by), f"{name} by {by}")
        for by in segmentations
        for name in primary
    )
    places = [(name, by) for name in primary for by in segmentations]
    found = [tables.segment_table(results, metric=name, by=by) for name, by in places]
    if comparison is not None:
        compared = {(row.metric, row.by) for row in comparison.differences}
        against = [
            replace(
                tables.comparison_table(comparison, by=by, metric=name),
                title=f"{name} by {by}, against {comparison.baseline}",
            )
            for name, by in places
            if (name, by) in compared
        ]
        found += [replace(each, notes=()) for each in against[:-1]] + against[-1:]  # how to read them stands once
    lead = "Faded dots are of segments with too few users to conclude from."
    return Section(title="By segment", lead=lead, figures=figures, folded=tuple(found))


def _gaps(results: Mapping[str, Evaluation], primary: list[str]) -> Section | None:
    drawn = [(name, charts.gap_chart(results, metric=name)) for name in primary]
    figures = tuple(figure_of(chart, f"Largest gap in {name}") for name, chart in drawn if chart is not None)
    if not figures:
        return None
    lead = (
        "The largest difference between two segments, with an interval that allows for having looked at every pair. "
        "Faded dots: the interval includes zero, so that no gap can be concluded."
    )
    found = (tables.gap_table(results, metric=name) for name in primary)
    return Section(
        title="Gaps between segments", lead=lead, figures=figures, tables=tuple(each for each in found if each)
    )


def _long_tail(results: Mapping[str, Evaluation], first: Evaluation) -> Section | None:
    known = first.card.get("recommendations_outside_catalogue") is not None
    if not known:
        return None
    names = [name for name in first.metrics if family_of(name) in ("exposure", "popularity")]
    chart = charts.lorenz_chart(results, consumed=first.lorenz("popularity"))
    lead = (
        f"{_coverage(results)} The curves show how exposure is spread over the catalogue, beside what users consumed "
        "in the training data. The thin diagonal is equal exposure; the further a curve sags, the fewer items get it."
    )
    figures = [figure_of(chart, "Lorenz curve of exposure", tall=True)]
    figures += [figure_of(charts.leaderboard_chart(results, metric=name), f"{name} of every system") for name in names]
    return Section(title="Long tail and coverage", lead=lead, figures=tuple(figures))


def _coverage(results: Mapping[str, Evaluation]) -> str:
    """The share of the catalogue that the lists of each system show, the most first, as a sentence."""
    shares = {name: float(share_in_use(result.exposure["count"].to_numpy())) for name, result in results.items()}
    depth = next(iter(results.values())).card["depth"]
    named = listed(
        [f"{name} {percent(shares[name], 0)}" for name in sorted(shares, key=lambda each: -shares[each])], most=6
    )
    return f"Share of the catalogue that stands in at least one list of {depth}: {named}."


def _trade_off(results: Mapping[str, Evaluation], averaged: list[str]) -> Section | None:
    first = next(iter(results.values()))
    shared = [name for name in first.metrics if all(name in each.metrics for each in results.values())]
    others = other_sides([name for name in shared if family_of(name) in COSTS], averaged[0]) if averaged else []
    if not others:
        return None
    figures = tuple(
        figure_of(charts.trade_off_chart(results, x=averaged[0], y=other), f"{averaged[0]} against {other}")
        for other in others
    )
    lead = (
        "Bars are intervals; coverage and Gini have none. The dashed line joins the systems that no other one beats on "
        "both sides; of a side without a better direction it holds less concentration, less popular, more novel items."
    )
    return Section(title="What accuracy is traded for", lead=lead, figures=figures)


def _relevance(card: Mapping[str, Any]) -> str:
    """What counts as relevant."""
    if "requests" in card:
        return "binary: what was clicked of the candidates of a request"
    column = card["relevance"]
    return "binary: every held-out item" if column is None else f"graded by the column {column}; rows above 0"


def _card_rows(result: Evaluation) -> list[tuple[str, str]]:
    card = result.card
    split = card.get("split") or {}
    train = card.get("train") or {}
    rows = [
        ("Users measured", whole(card["n_users"])),
        ("Held-out rows", whole(card["truth"]["rows"])),
        ("Training data", f"{train.get('name', '')}: {whole(train['rows'])} rows" if train else "not given"),
        ("Catalogue", f"{whole(card['n_items'])} items"),
        ("Split", split_text(split)),
        ("Task", _task(card)),
        ("Rule for ties in time", _ties(split.get("ties"))),
        ("Relevance", _relevance(card)),
        ("Convention", f"{card['convention']['name']}: {card['convention']['summary']}"),
        ("Items seen in training", str(card["seen_items"])),
        (
            "Intervals",
            (
                f"{percent(card['level'], 0)}, {interval_text(card['interval'])}, {whole(card['replicates'])} "
                f"replicates, seed {card['seed']}"
            ),
        ),
        ("Users without history", whole(card.get("users_without_history", 0))),
        ("History of users", _told(card.get("history"))),
        ("Users left out: no relevant item", whole(card["users_without_relevant_items"])),
        ("Duplicates in the truth", whole(card["truth_duplicates"])),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
    rows += [(f"Truth: {rule_name(rule)}", whole(rule["count"])) for rule in card.get("truth_rules", ())]
    rows += [(f"Split: {rule_name(rule)}", whole(rule["count"])) for rule in split.get("rules", [])]
    if "requests" in card:
        rows += _request_rows(card)
    rows += [("Name of a metric", said) for said in other_names(card)]
    rows += [("Ids that do not match", problem) for problem in id_problems(card)]
    rows += [("Task and lists do not fit", problem) for problem in task_problems(card)]
    return [*rows, *((f"Note {number}", note_line(note)) for number, note in enumerate(split.get("notes", []), 1))]


def _told(history: Mapping[str, Any] | None) -> str:
    """The histories that came with the question, and count as known."""
    return f"{whole(history['rows'])} rows of {whole(history['users'])} users" if history else "nothing"


def _request_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is to be said of candidates by request."""
    means = ", ".join(f"{name} {tables.format_number(value)}" for name, value in card["means_over_requests"].items())
    return [
        ("Requests", f"{whole(card['requests'])}, with {whole(card['recommendations'])} candidates"),
        ("Average", "over the requests of each user, then over users"),
        ("Requests left out: no click", whole(card["requests_without_click"])),
        ("Requests without AUC: all clicked", whole(card["requests_all_clicked"])),
        ("Plain means over requests", means),
    ]


def _list_rows(results: Mapping[str, Evaluation]) -> list[dict[str, Any]]:
    """What is to be said of each system's lists."""
    rows = []
    for system, result in results.items():
        card = result.card
        lists = card["lists"]
        counted = [finding_text(each) for each in problem_findings(card) if each.code in OF_LISTS]
        counted += [finding_text(each) for each in ranker_findings({system: result})]
        model = model_text(lists)
        rows.append({"system": system, "model": model, "counts": counted or ["nothing odd"]})
    return rows


def oddities(
    card: Mapping[str, Any], named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = NO_TEXTS
) -> list[str]:
    """What was odd about the lists and the truth of an evaluation, left out or mended: a line each, with its count.

    Args:
        card: The card of the evaluation.
        named: How the surface writes the settings of an advice.
        texts: Code of an advice -> its sentence on that surface, where it says it otherwise.
    """
    return [finding_text(each, named, texts) for each in problem_findings(card)]


def other_names(card: Mapping[str, Any]) -> list[str]:
    """Names of metrics that were requested by an alias, one line each."""
    return [f"{asked} is {name} here" for asked, name in card.get("metric_aliases", {}).items()]


def _task(card: Mapping[str, Any]) -> str:
    """What counts as relevant of what a user had before."""
    held = card.get("truth_pairs_in_training")
    said = TASKS_IN_WORDS[card.get("task")]
    return said if held is None else f"{said}; {whole(held)} pairs of the truth stand in the training data"


TASKS_IN_WORDS: Final[Mapping[str | None, str]] = {
    "new_items": "only items that the user did not have before count",
    "with_repeats": "what the user took again counts too",
    None: "not known: the truth was given",
}
"""The tasks of splits, in words."""


def _ties(ties: Mapping[str, Any] | None) -> str:
    """The rule for ties in time, and how many users it decides for."""
    if not ties:
        return "not known"
    touched = ties.get("users_with_a_tie_at_their_cut")
    of_all = f" of {whole(ties['users'])}" if "users" in ties else ""
    said = ties_text(ties["rule"])
    return said if touched is None else f"{said}; it decides for {whole(touched)}{of_all} users"
