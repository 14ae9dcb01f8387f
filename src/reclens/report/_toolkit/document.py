"""Documents in words: parts with sentences, lists, tables, charts and code, as Markdown and as one HTML page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from reclens.report._toolkit.card import DecisionWords
from reclens.report._toolkit.format import unlinked
from reclens.report._toolkit.html import Document, Figure, reading_of, render, still_of
from reclens.report._toolkit.tables import Table, to_markdown

__all__ = ["SYNTHETIC", "DocumentPart", "RenderedDocument", "Stamp", "appendix", "write_document"]


SYNTHETIC: Final = "Nobody in it exists and no item in it was made; the numbers say nothing about real people or items."
"""What stands, as a banner, on whatever comes from synthetic data."""


@dataclass(frozen=True, kw_only=True)
class DocumentPart:
    """One part of a document.

    Attributes:
        title: Its heading.
        lead: What it says, in a sentence or two.
        points: Sentences of a list.
        ordered: Whether the list is numbered: its order matters.
        figures: Charts; the Markdown names them.
        tables: Tables.
        links: Pages beside this one, as pairs of a text and a relative address.
        code: Commands or code, shown as they are.
        language: Of the code, for the Markdown.
    """

    title: str
    lead: str = ""
    points: tuple[str, ...] = ()
    ordered: bool = False
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    code: str = ""
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """A conclusion on the first page that leads to the part behind it.

    Attributes:
        title: What it is about.
        verdict: What it came to, in a word or two.
        note: What it rests on.
        tone: How it looks.
        part: Title of the part that it leads to; None where there is none.
    """

    title: str
    verdict: str
    note: str = ""
    tone: Literal["bad", "warn", "good", "none"] = "none"
    part: str | None = None


@dataclass(frozen=True)
class RenderedDocument:
    """A finished document in both forms.

    Attributes:
        html: The page.
        markdown: The same as Markdown, without the charts.
    """

    html: Document
    markdown: str

    def save(self, stem: str | Path) -> tuple[Path, Path]:
        """Write ``STEM.md`` and ``STEM.html``, each whole or not at all; returns both.

        Raises:
            WorkspaceError: If one cannot be written.
        """
        from reclens.files import write_text

        name = str(stem).removesuffix(".html").removesuffix(".md")
        page, text = Path(f"{name}.html"), Path(f"{name}.md")
        write_text(text, self.markdown)
        return text, self.html.save(page)


def write_document(
    *,
    title: str,
    subject: str,
    heading: str,
    summary: Sequence[str],
    parts: Sequence[DocumentPart],
    card: DecisionWords | None = None,
    reading: Sequence[str] = (),
    synthetic: bool = False,
    scoped: bool = False,
    cover: Sequence[tuple[str, str]] = (),
    stamps: Sequence[Stamp] = (),
    still: bool = False,
) -> RenderedDocument:
    """Lay out a document.

    Args:
        title: Its title.
        subject: What it is about, a line.
        heading: Heading of the summary, such as "Decision".
        summary: What matters, first; a sentence each.
        parts: The rest: evidence, then method, then definitions.
        card: What the document decides, on top.
        reading: How to read the document; the notes of its tables follow.
        synthetic: Whether the data behind it is made up, which the page then says.
        scoped: Whether the last sentence of the summary says how far the others reach; the page sets it small.
        cover: What it was made from, as pairs of a name and a value.
        stamps: Conclusions that lead to their parts.
        still: Whether charts are drawn beforehand, so that the page is small and needs no script.
    """
    if still:
        parts = [replace(each, figures=tuple(f if f.svg else still_of(f) for f in each.figures)) for each in parts]
    noted = reading_of(table for part in parts for table in part.tables)
    places = {part.title: at for at, part in enumerate(parts, start=1)}
    page = {
        "title": title,
        "subject": subject,
        "verdict_heading": heading,
        "verdict": list(summary),
        "answer": card,
        "reading": [*([("", list(reading))] if reading else []), *noted],
        "parts": list(parts),
        "still": still,
        "sections": [],
        "synthetic": synthetic,
        "scoped": scoped,
        "cover": list(cover),
        "stamps": [(each, places.get(each.part or "")) for each in stamps],
    }
    top = [*(f"- {_plain(name)}: {_plain(value)}" for name, value in cover), *([""] if cover else [])]
    told = [f"- **{_plain(each.title)}**: {_plain(each.verdict)}{_noted(each)}" for each in stamps]
    texts = _markdown(title, subject, heading, summary, parts, synthetic, card, reading, top=top, stamps=told)
    return RenderedDocument(render("written.html.j2", page), texts)


def _noted(stamp: Stamp) -> str:
    return f" ({_plain(stamp.note)})" if stamp.note else ""


def appendix(record: Mapping[str, Any]) -> DocumentPart:
    """A part with every number as JSON, a line a row; NaN and infinities, which JSON does not have, are null."""
    lines: list[str] = []
    for name, value in _json_of(record).items():
        rows = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in value) if isinstance(value, list) else ""
        text = f"[\n  {rows}\n ]" if rows else json.dumps(value, ensure_ascii=False)
        lines.append(f" {json.dumps(name, ensure_ascii=False)}: {text}")
    return DocumentPart(title="Appendix: every number", code="{\n" + ",\n".join(lines) + "\n}", language="json")


def _json_of(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_of(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json_of(each) for each in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if isinstance(value, str | int | bool) or value is None else str(value)


def _markdown(
    title: str,
    subject: str,
    heading: str,
    summary: Sequence[str],
    parts: Sequence[DocumentPart],
    synthetic: bool,
    card: DecisionWords | None,
    reading: Sequence[str],
    *,
    top: Sequence[str],
    stamps: Sequence[str],
) -> str:
    lines = [f"# {_plain(title)}", "", _plain(subject), "", *top]
    if synthetic:
        lines += [f"**Synthetic data.** {SYNTHETIC}", ""]
    lines += [f"## {_plain(heading)}", ""]
    if card is not None:
        lines += [f"**{_plain(card.headline)}**", ""]
        lines += [*(f"- {_plain(label)}: {_plain(text)}" for label, text in card.lines), ""]
    lines += [*(f"- {_plain(each)}" for each in summary), ""]
    if reading:
        lines += [f"*How to read this: {_plain(' '.join(reading))}*", ""]
    lines += [*stamps, ""] if stamps else []
    for part in parts:
        lines += [f"## {_plain(part.title)}", ""]
        if part.lead:
            lines += [_plain(part.lead), ""]
        if part.points:
            marks = [f"{at}." if part.ordered else "-" for at in range(1, len(part.points) + 1)]
            lines += [*(f"{mark} {_plain(each)}" for mark, each in zip(marks, part.points, strict=True)), ""]
        for figure in part.figures:
            lines += [f"*Chart in the HTML: {_plain(figure.caption)}*", ""]
        for table in part.tables:
            lines += [*([f"**{_plain(table.title)}**", ""] if table.title != part.title else []), to_markdown(table)]
        if part.links:
            lines += [*(f"- [{_plain(text)}]({address})" for text, address in part.links), ""]
        if part.code:
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", part.code)), default=0))
            lines += [f"{fence}{part.language}", part.code.rstrip("\n"), fence, ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def _plain(text: str) -> str:
    """Escape text for Markdown: names are data."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", unlinked(text.replace("\n", " ")))
