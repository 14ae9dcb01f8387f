"""The pages of a portfolio: one a project, a summary of one page, and the site that leads to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reclens.report._toolkit.charts import ROW_HEIGHT, dots, rows_of
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, write_document
from reclens.report._toolkit.format import NOTHING, count_of, format_estimate, in_words, significant, whole
from reclens.report._toolkit.html import Document, Figure, figure_of, render, still_of
from reclens.report._toolkit.tables import Table
from reclens.report.learn.portfolio_words import VERDICTS, interval_text
from reclens.stats.estimate import Estimate

__all__ = ["PageFinding", "PageNumber", "ProjectPage", "project_page", "project_sheet", "site_page", "verified_table"]

_MARKS: Final = {True: "edited by the author", False: "as generated"}
_BESIDE: Final = (
    ("All projects", "../index.html"),
    ("This project on one page, as PDF", "summary.pdf"),
    ("Evidence of every number, as JSON", "../evidence.json"),
)
_SHOWN: Final = 3
"""Numbers of the one-page summary."""


@dataclass(frozen=True, kw_only=True)
class PageNumber:
    """A number on a page.

    Attributes:
        label: What it is.
        short: The same in a few words, for the chart.
        found: The number with its interval.
        percent: Whether it is shown in %.
        null: The value of no difference; None of a number that compares nothing.
        verdict: What the interval supports; empty of a number that compares nothing.
        reason: Why it has no interval.
        query: How it is read from the tables of the project.
    """

    label: str
    short: str
    found: Estimate
    percent: bool
    null: float | None
    verdict: str
    reason: str
    query: str


@dataclass(frozen=True, kw_only=True)
class PageFinding:
    """What is said beside a number, and whether the author wrote it."""

    label: str
    director: str
    director_edited: bool
    ticket: str
    ticket_edited: bool


@dataclass(frozen=True, kw_only=True)
class ProjectPage:
    """What the page of a project shows.

    Attributes:
        title: Its title.
        level: How much has to be known.
        question: The question.
        verdict: What the first number came to.
        numbers: The numbers, the one that decides first.
        findings: What is said beside them.
        decision: What is decided.
        not_concluded: What could not be concluded.
        next_step: What comes next.
        data: The data card.
        protocol: The protocol card.
        command: How to reproduce it.
        chart: Alternative text of the chart.
        synthetic: Whether the data are made up.
    """

    title: str
    level: str
    question: str
    verdict: str
    numbers: Sequence[PageNumber]
    findings: Sequence[PageFinding]
    decision: str
    not_concluded: str
    next_step: str
    data: Mapping[str, Any]
    protocol: Mapping[str, Any]
    command: str
    chart: str
    synthetic: bool


def project_page(page: ProjectPage, *, drawn: bool = True) -> RenderedDocument:
    """The page of a project; its Markdown is the README.

    Args:
        page: What it shows.
        drawn: Whether its chart is drawn, which takes most of the time.
    """
    figure = _figure(page) if drawn else Figure(page.chart, {}, svg="<svg></svg>")
    told = [
        f"{kind} ({_MARKS[edited]}): {text}"
        for each in page.findings
        for kind, edited, text in (
            ("For a director", each.director_edited, each.director),
            ("Ticket", each.ticket_edited, each.ticket),
        )
    ]
    return write_document(
        title=page.title,
        subject=f"Project of the learning path, level: {page.level}",
        heading="Result",
        summary=_result(page),
        synthetic=page.synthetic,
        still=True,
        parts=[
            DocumentPart(title="Question", lead=page.question),
            DocumentPart(title="Numbers", figures=(figure,), tables=(_numbers(page),)),
            DocumentPart(title="For a director and for engineers", points=tuple(told)),
            DocumentPart(title="Decision", lead=page.decision),
            DocumentPart(title="What could not be concluded", lead=page.not_concluded),
            DocumentPart(title="Next step", lead=page.next_step),
            DocumentPart(title="Data card", points=_card(page.data)),
            DocumentPart(title="Method", points=_card(page.protocol)),
            DocumentPart(title="The query of every number", tables=(_queries(page),)),
            DocumentPart(
                title="Reproduce",
                lead="The first command computes every number of the portfolio again; the others are the guided run.",
                code=f"reclens portfolio verify .\n{page.command}",
                language="bash",
            ),
            DocumentPart(title="Beside this page", links=_BESIDE),
        ],
    )


def project_sheet(page: ProjectPage) -> Document:
    """The summary of a project on one page, to be printed."""
    finding = page.findings[0] if page.findings else None
    rows = [
        ("Question", page.question),
        ("Result", " ".join(_result(page))),
        *([(f"For a director ({_MARKS[finding.director_edited]})", finding.director)] if finding else []),
        *([(f"Ticket ({_MARKS[finding.ticket_edited]})", finding.ticket)] if finding else []),
        ("Decision", page.decision),
        ("What could not be concluded", page.not_concluded),
        ("Next step", page.next_step),
        ("Data", "; ".join(_card(page.data))),
        ("Method", "; ".join(_card(page.protocol))),
        ("Reproduce", "reclens portfolio verify . computes every number again."),
    ]
    figure = still_of(_figure(page))
    return render("sheet.html.j2", {"title": page.title, "rows": rows, "figure": figure, "synthetic": page.synthetic})


def site_page(pages: Mapping[str, ProjectPage], numbers: int) -> RenderedDocument:
    """The first page: the projects, and how to check them.

    Args:
        pages: Folder of a project -> its page.
        numbers: Numbers of all of them.
    """
    links = tuple((each.title, f"{folder}/index.html") for folder, each in pages.items())
    parts = [
        DocumentPart(title=each.title, lead=each.question, points=(*_result(each)[1:], f"Decision: {each.decision}"))
        for each in pages.values()
    ]
    check = DocumentPart(
        title="Check it yourself",
        lead=f"{count_of(numbers, 'number')} have their query, seed and settings in evidence.json. With RecLens "
        "installed, this command computes all of them again and says how many it reproduced:",
        code="reclens portfolio verify .",
        language="bash",
    )
    return write_document(
        title="Portfolio",
        subject=f"{count_of(len(pages), 'project')} that can be replayed",
        heading="Projects",
        summary=[f"{each.title}. {_result(each)[0]}" for each in pages.values()],
        parts=[DocumentPart(title="Pages", links=links), *parts, check],
        synthetic=all(each.synthetic for each in pages.values()),
        still=True,
    )


def verified_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The numbers of a portfolio, as it says and as they were computed again.

    Args:
        rows: Of each: ``project``, ``label``, ``value``, ``again``, ``reproduced``.
    """
    return Table(
        title="Numbers",
        columns=("Project", "Number", "In the portfolio", "Computed again", "Reproduced"),
        rows=tuple(
            (
                row["project"],
                row["label"],
                _plain(row["value"]),
                _plain(row["again"]),
                "yes" if row["reproduced"] else "no",
            )
            for row in rows
        ),
        records=tuple(rows),
    )


def _plain(value: float | None) -> str:
    return NOTHING if value is None else significant(value)


def _result(page: ProjectPage) -> list[str]:
    first = [
        f"{each.label}: {interval_text(each.found, in_percent=each.percent)}"
        + (f", {VERDICTS[each.verdict]}." if each.verdict else ".")
        for each in page.numbers[:_SHOWN]
    ]
    return [text[:1].upper() + text[1:] for text in first]


def _figure(page: ProjectPage) -> Figure:
    """A dot and an interval for each number that is told as the first one is."""
    head = page.numbers[0]
    shown = [each for each in page.numbers if (each.percent, each.null) == (head.percent, head.null)]
    rows = [
        {
            "number": each.short,
            "system": "numbers",
            "value": each.found.value,
            "low": each.found.low,
            "high": each.found.high,
            "small": False,
            "tip": f"{each.label}: {interval_text(each.found, in_percent=each.percent)}",
        }
        for each in shown
    ]
    chart = dots(
        rows,
        y=rows_of("number", [each.short for each in shown], widest=190),
        row_height=ROW_HEIGHT * len(rows),
        systems=["numbers"],
        title="with 95 % interval",
        form="%" if head.percent else None,
    )
    if head.null is not None:
        chart = chart + _line(head.null)
    return figure_of(chart, page.chart)


def _line(at: float) -> Any:
    """A line where there is no difference."""
    import altair as alt

    data = alt.Data(values=[{"none": at}])  # type: ignore[arg-type]
    return alt.Chart(data).mark_rule(strokeWidth=1, color="var(--muted)").encode(x="none:Q")


def _numbers(page: ProjectPage) -> Table:
    return Table(
        title="Every number, with its interval",
        columns=("Number", "Value and 95 % interval", "Units", "What it says"),
        rows=tuple(
            (
                each.label,
                format_estimate(vars(each.found), in_percent=each.percent),
                whole(each.found.n) if each.found.n else NOTHING,
                each.reason or VERDICTS[each.verdict],
            )
            for each in page.numbers
        ),
        records=(),
    )


def _queries(page: ProjectPage) -> Table:
    return Table(
        title="The query of every number",
        columns=("Number", "Query"),
        rows=tuple((each.label, each.query) for each in page.numbers),
        records=(),
    )


def _card(card: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{in_words(name)}: {whole(value) if isinstance(value, int) and not isinstance(value, bool) else value}"
        for name, value in card.items()
        if name != "synthetic" and value != ""
    )
