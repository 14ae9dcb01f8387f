"""The report on a pipeline: what every stage brings, what it loses, for whom, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reclens.pipeline.latency import Latency
from reclens.pipeline.ranker_check import RankerVerdict
from reclens.pipeline.stage_losses import StageEvaluation, StageLoss
from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.format import decimal, format_estimate, format_number, percent, whole
from reclens.report._toolkit.html import Document, Section, definition_of, figure_of, reading_of, render
from reclens.report._toolkit.notes import interval_text
from reclens.report._toolkit.tables import Table
from reclens.report.data.words import split_text
from reclens.report.pipeline import charts
from reclens.report.pipeline.diagram import pipeline_svg
from reclens.report.pipeline.words import filter_line

__all__ = [
    "build_pipeline_report",
    "latency_table",
    "loss_table",
    "ranker_in_words",
    "ranker_table",
    "retriever_table",
    "stage_counts",
    "stage_table",
]

_VERDICTS: Final[Mapping[RankerVerdict, str]] = {
    "better": "gains",
    "worse": "loses",
    "undecided": "no difference shown",
}


def loss_table(found: StageEvaluation, *, metric: str, by: str | None = "overall") -> Table:
    """What each stage loses by one metric; ``by=None`` shows every segment."""
    rows = [each for each in found.losses if each.metric == metric and (by is None or each.by == by)]
    cells = tuple(
        (
            each.stage,
            *([] if by == "overall" else [f"{each.by}: {each.segment}"]),
            format_number(each.before),
            format_number(each.after),
            format_estimate(each.to_dicts()[0], signed=True),
            whole(each.loss.n),
        )
        for each in rows
    )
    heads = ("stage", *([] if by == "overall" else ["users"]), "before", "after", "loss", "n")
    note = "A loss is before less after, user by user, with its interval; a negative loss is a gain. Losses add up."
    return Table(
        title=f"What each stage loses: {metric}",
        columns=heads,
        rows=cells,
        records=tuple(each.to_dicts()[0] for each in rows),
        notes=(note,),
    )


def stage_table(found: StageEvaluation) -> Table:
    """Every metric after every stage, over all users."""
    metrics = next(iter(found.stages.values())).metrics
    records = [row for each in found.stages.values() for row in each.to_dicts() if row["by"] == "overall"]
    by_cell = {(row["system"], row["metric"]): row for row in records}
    cells = tuple((stage, *(format_estimate(by_cell[stage, metric]) for metric in metrics)) for stage in found.stages)
    note = (
        "perfect: the held-out items themselves. retrieval ceiling: the candidates with the relevant ones first, what "
        "a perfect ranker would reach."
    )
    return Table(
        title="After every stage", columns=("stage", *metrics), rows=cells, records=tuple(records), notes=(note,)
    )


def retriever_table(found: StageEvaluation) -> Table:
    """How much of what users went on to choose each retriever brings."""
    records = [row for each in found.retrievers.values() for row in each.to_dicts() if row["by"] == "overall"]
    steps = {step["label"]: step for step in found.steps if step["stage"] in ("retrieve", "merge")}
    cells = tuple(
        (
            row["system"],
            format_estimate(row),
            decimal(steps[row["system"]]["rows_out"] / max(steps[row["system"]]["users"], 1), 1),
        )
        for row in records
    )
    note = "Recall of the whole list that a retriever brings: a ranker can only order what is there."
    return Table(
        title="Retrieval",
        columns=("retriever", "recall", "items a user"),
        rows=cells,
        records=tuple(records),
        notes=(note,),
    )


def ranker_table(found: StageEvaluation, *, by: str | None = "overall") -> Table:
    """The ranker against plain fusion of the same candidates; ``by=None`` shows every segment."""
    rows = [each for each in found.gains if by is None or each.by == by]
    cells = tuple(
        (
            each.metric,
            *([] if by == "overall" else [f"{each.by}: {each.segment}"]),
            format_number(each.fusion),
            format_number(each.ranked),
            format_estimate(each.to_dicts()[0], signed=True),
            _VERDICTS[each.verdict],
            whole(each.gain.n),
        )
        for each in rows
    )
    heads = ("metric", *([] if by == "overall" else ["users"]), "fusion", "ranker", "gain", "the ranker", "n")
    note = (
        "Reciprocal-rank fusion of the same candidates for the same users, cut at the same keep. A gain is ranker less "
        "fusion, user by user, with its interval."
    )
    name = found.gains[0].ranker if found.gains else "none"
    return Table(
        title=f"The ranker {name} against plain fusion",
        columns=heads,
        rows=cells,
        records=tuple(each.to_dicts()[0] for each in rows),
        notes=(note,),
    )


def stage_counts(found: StageEvaluation) -> Table:
    """What went into every stage and came out, and what each filter left out."""
    card = found.final.card["lists"]
    rows = [
        (row["label"], whole(row["rows_in"]), whole(row["rows_out"]), whole(row["without"]), whole(row["short"]))
        for row in card.get("stages", ())
    ]
    notes = tuple(filter_line(row) for row in card.get("filters", ()) if row["count"])
    heads = ("stage", "places in", "places out", "users with nothing", "users with less than asked")
    records = tuple(card.get("stages", ()))
    return Table(title="What went in and out", columns=heads, rows=tuple(rows), records=records, notes=notes)


def latency_table(rows: Sequence[Latency]) -> Table:
    """Median, 95 % and 99 % quantile of every stage, in milliseconds, one user at a time."""
    records = [row for each in rows for row in each.to_dicts()]
    segmented = any(each.by != "overall" for each in rows)
    cells = tuple(
        (
            each.label,
            *([f"{each.by}: {each.segment}" if each.by != "overall" else "all"] if segmented else []),
            *map(_milliseconds, (each.median, each.p95, each.p99)),
            whole(each.median.n),
        )
        for each in rows
    )
    heads = ("stage", *(["users"] if segmented else []), "median ms", "95 % ms", "99 % ms", "n")
    note = (
        "One request at a time with one thread on the machine that wrote this, warm, by the wall clock; the whole "
        "request holds what lies between the stages too. Intervals between order statistics."
    )
    return Table(title="Time to serve one user", columns=heads, rows=cells, records=tuple(records), notes=(note,))


def build_pipeline_report(
    found: StageEvaluation, *, latency: Sequence[Latency] = (), title: str | None = None
) -> Document:
    """Write a report on a pipeline.

    Args:
        found: The pipeline, measured stage by stage; its first metric is the primary one.
        latency: Times of the stages, one user at a time.
        title: Title of the page.

    Returns:
        The document.
    """
    metric = found.losses[0].metric
    final = found.final
    heading = title or f"Pipeline {found.name}"
    segmentations = list(dict.fromkeys(each.by for each in found.losses if each.by != "overall"))
    sections = [
        Section(
            title="What each stage loses",
            lead="Loss of every stage, with its interval. The longest bar is where to work.",
            figures=(
                figure_of(charts.loss_chart(found.to_dicts(), metric=metric, by="overall"), f"{metric}, all users"),
            ),
            tables=(loss_table(found, metric=metric),),
        ),
        Section(title="After every stage", tables=(stage_table(found), retriever_table(found), stage_counts(found))),
    ]
    if found.gains:
        sections.insert(1, Section(title="Is the ranker worth its place?", tables=(ranker_table(found),)))
    if segmentations:
        figures = [
            figure_of(charts.loss_chart(found.to_dicts(), metric=metric, by=by), f"{metric} by {by}")
            for by in segmentations
        ]
        sections.append(
            Section(
                title="For whom",
                lead="The same losses by segment.",
                figures=tuple(figures),
                folded=(
                    loss_table(found, metric=metric, by=None),
                    *((ranker_table(found, by=None),) if found.gains else ()),
                ),
            )
        )
    if latency:
        sections.append(Section(title="How long it takes", tables=(latency_table(latency),)))
    synthetic = bool(final.card.get("synthetic"))
    page: dict[str, Any] = {
        "title": f"{heading} (synthetic data)" if synthetic else heading,
        "synthetic": synthetic,
        "subject": f"{whole(final.card['n_users'])} users",
        "answer": _answer(found, metric, latency),
        "verdict": _verdict(found, metric),
        "reading": reading_of(table for each in sections for table in (*each.tables, *each.folded)),
        "diagram": pipeline_svg(found.steps, k=found.k, title=heading),
        "sections": sections,
        "card": _card_rows(final, found),
        "definitions": [definition_of(name) for name in final.metrics],
    }
    return render("pipeline.html.j2", page)


def _answer(found: StageEvaluation, metric: str, latency: Sequence[Latency]) -> DecisionWords:
    """Where to work, for whom most is lost, what the ranker is worth, and how long a user waits."""
    rows = [each for each in found.losses if each.metric == metric]
    overall = [each for each in rows if each.by == "overall"]
    largest = max(overall, key=lambda each: each.loss.value)
    shown = largest.loss.low is not None and largest.loss.low > 0
    headline = (
        f"Work on {_named(largest)} first: it loses most, {_loss(largest)} of {metric}"
        if shown
        else "No winner: no stage is shown to lose more than nothing"
    )
    own = [each for each in rows if each.by != "overall" and each.stage == largest.stage]
    worst = max(own, key=lambda each: each.loss.value, default=None)
    ranker = ranker_in_words(found)
    entire = latency[-1] if latency else None
    train = found.final.card.get("train") or {}
    about = (
        f"{train.get('name') or 'data without a name'} · {whole(found.final.card['n_users'])} users · lists of "
        f"{found.k}"
    )
    lines = [
        ("Ranker", " ".join(ranker)),
        (
            "Who loses",
            "No segments were measured"
            if worst is None
            else f"Most at {_named(largest)}: {worst.by} {worst.segment}, {_loss(worst)}",
        ),
        (
            "Cost",
            "The time to serve was not measured"
            if entire is None
            else f"{entire.label}: median {_milliseconds(entire.median)} ms a user",
        ),
        ("How sure", f"Intervals of {percent(found.final.level, 0)} over {whole(overall[0].loss.n)} users"),
    ]
    return DecisionWords(about, headline, "good" if shown else "open", tuple(each for each in lines if each[1]))


def _verdict(found: StageEvaluation, metric: str) -> list[str]:
    """What is lost where, in words."""
    rows = [each for each in found.losses if each.metric == metric and each.by == "overall"]
    first, last = rows[0], rows[-1]
    reached = f"{format_number(last.after)} of the {format_number(first.before)}"
    largest = max(rows, key=lambda each: each.loss.value)
    said = [
        f"By {metric} the final lists reach {reached} that lists of the held-out items themselves would get.",
        f"Most is lost at {_named(largest)}: {_loss(largest)}.",
    ]
    said += [f"{_named(each)[0].upper()}{_named(each)[1:]} {_effect(each)}." for each in rows if each is not largest]
    if first.stage == "retrieve":
        said.append(
            f"With these candidates no ranker can reach more than {format_number(first.after)}: better retrieval is "
            "the only way past it."
        )
    return said


def ranker_in_words(found: StageEvaluation) -> list[str]:
    """What follows for the ranker by the first metric, and in which segments it loses; nothing without a ranker."""
    rows = [each for each in found.gains if each.metric == found.gains[0].metric]
    overall = next((each for each in rows if each.by == "overall"), None)
    if overall is None:
        return []
    gain = f"by {overall.metric}: {format_estimate(overall.to_dicts()[0], signed=True)}"
    fusion = "plain fusion of the same candidates"
    said = {
        "better": f"The ranker {overall.ranker} beats {fusion} {gain}.",
        "worse": f"The ranker {overall.ranker} loses to {fusion} {gain}. Without it the lists would be better.",
        "undecided": f"The data shows no difference between the ranker {overall.ranker} and {fusion} {gain}.",
    }
    lost = [f"{each.by} {each.segment}" for each in rows if each.by != "overall" and each.verdict == "worse"]
    return [said[overall.verdict], *([f"It loses among {', '.join(lost)}."] if lost else [])]


def _named(each: StageLoss) -> str:
    return {"retrieve": "retrieval", "rank": "ranking"}.get(each.stage, f"re-ranking ({each.stage})")


def _effect(each: StageLoss) -> str:
    low, high = each.loss.low, each.loss.high
    if low is None or high is None:
        return "changes nothing" if each.loss.value == 0 else f"changes {_loss(each)}, without an interval"
    if low > 0:
        return f"costs {_loss(each)}"
    if high < 0:
        gain = {**each.to_dicts()[0], "value": -each.loss.value, "low": -high, "high": -low}
        return f"gains {format_estimate(gain)}"
    return f"neither gains nor loses for certain: loss {_loss(each)}"


def _loss(each: StageLoss) -> str:
    return format_estimate(each.to_dicts()[0])


def _milliseconds(estimate: Any) -> str:
    return format_estimate({"value": estimate.value, "low": estimate.low, "high": estimate.high})


def _card_rows(final: Any, found: StageEvaluation) -> list[tuple[str, str]]:
    card = final.card
    train, split = card.get("train") or {}, card.get("split") or {}
    return [
        ("Users measured", whole(card["n_users"])),
        ("Held-out rows", whole(card["truth"]["rows"])),
        ("Training data", f"{train['name']}: {whole(train['rows'])} rows" if train else "not given"),
        ("Split", split_text(split)),
        ("Convention", f"{card['convention']['name']}: {card['convention']['summary']}"),
        (
            "Intervals",
            (
                f"{percent(card['level'], 0)}, {interval_text(card['interval'])}, {whole(card['replicates'])} "
                f"replicates, seed {card['seed']}"
            ),
        ),
        ("Length of the lists", str(found.k)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in card["versions"].items())),
    ]
