"""The report of an exploration: what matters first, then coverage, reach, demand, geometry, index, drift and method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reclens.explore.result import Exploration
from reclens.explore.space import EmbeddingSpace
from reclens.report._toolkit.document import DocumentPart, RenderedDocument, write_document
from reclens.report._toolkit.format import count_of, decimal, format_number, listed, percent, whole
from reclens.report._toolkit.html import Figure, figure_of
from reclens.report._toolkit.tables import Table
from reclens.report.explore import charts
from reclens.report.explore.map_page import titles_by_id
from reclens.report.explore.sentences import (
    NO_TITLES,
    finding_sentence,
    overall_sentence,
    quality_sentence,
    share_text,
)
from reclens.report.explore.tables import (
    drift_table,
    duplicate_table,
    exploration_findings_table,
    exploration_table,
    hub_table,
    missing_table,
    reason_table,
    recall_table,
    region_table,
    remedy_table,
)
from reclens.report.explore.words import ADVICE, FINDINGS, MODELS
from reclens.schema import versions
from reclens.stats.gate import GateResult

__all__ = ["build_exploration_report"]

_TOP = 5


def build_exploration_report(
    found: Exploration,
    *,
    space: EmbeddingSpace | None = None,
    gate: GateResult | None = None,
    synthetic: bool = False,
) -> RenderedDocument:
    """Write the report of an exploration.

    Args:
        found: The exploration.
        space: The space that was explored, whose titles name the items; ids do without it.
        gate: What the gate came to, where there is one.
        synthetic: Whether the data are made up, which the page then says.

    Returns:
        The document as HTML and Markdown.
    """
    titles = NO_TITLES if space is None else titles_by_id(space)
    top = [each for each in found.findings if each.severity != "note"][:_TOP]
    parts = [
        _actions(found),
        _part("Findings", tables=[exploration_findings_table(found, titles)] if found.findings else []),
        _map_part(found),
        _coverage_part(found),
        _reach_part(found, titles),
        _demand_part(found, titles),
        _geometry_part(found, titles),
        _retrieval_part(found),
        _drift_part(found, titles),
        _gate_part(gate),
        _part("Every number", tables=[exploration_table(found), missing_table(found)]),
    ]
    card = found.card
    return write_document(
        title=f"What {found.name} reaches, and what it never finds",
        subject=f"{count_of(card['items'], 'item')} · {count_of(card['users'], 'user')} · "
        f"{_model(card)}, {whole(card['model']['dimension'])} dimensions",
        heading="What matters",
        summary=[overall_sentence(found), *(finding_sentence(found, each, titles, examples=2) for each in top)],
        parts=[each for each in parts if each is not None],
        synthetic=synthetic,
        cover=_cover(found),
    )


def _part(
    title: str,
    *,
    lead: str = "",
    points: Sequence[str] = (),
    figures: Sequence[tuple[Any | None, str]] = (),
    tables: Sequence[Table | None] = (),
) -> DocumentPart | None:
    """A part, or none where nothing of it was measured."""
    drawn: list[Figure] = [figure_of(chart, caption) for chart, caption in figures if chart is not None]
    kept = [each for each in tables if each is not None and each.rows]
    if not (drawn or kept or points):
        return None
    return DocumentPart(title=title, lead=lead, points=tuple(points), figures=tuple(drawn), tables=tuple(kept))


def _actions(found: Exploration) -> DocumentPart | None:
    about: dict[str, list[str]] = {}  # advice -> the findings that it is for
    for each in found.findings:
        if each.severity != "note":
            for code in each.advice[:1]:
                about.setdefault(code, []).append(FINDINGS[each.code])
    points = [f"{listed(list(dict.fromkeys(names)), 3)}: {_small(ADVICE[code])}" for code, names in about.items()]
    return _part("What to do first", points=points[:3])


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _map_part(found: Exploration) -> DocumentPart | None:
    return _part(
        "Map", lead=quality_sentence(found), figures=[(charts.map_chart(found), "The space in two dimensions")]
    )


def _coverage_part(found: Exploration) -> DocumentPart | None:
    if found.coverage is None:
        return None
    curve, outside = found.coverage.curve, found.coverage.outside
    users = count_of(found.coverage.users, "user")
    points = [
        f"{whole(curve.shown)} of {count_of(curve.catalogue, 'item')} are in the lists of {users}.",
        f"With ever more such users it would be {whole(curve.expected)} or more.",
    ]
    if outside:
        points.append(f"{count_of(outside, 'row')} of the lists name items that the space does not hold.")
    return _part(
        "What is shown and what is wanted",
        points=points,
        figures=[
            (charts.wanted_chart(found), "Regions that are wanted more than shown"),
            (charts.curve_chart(found), "Items by number of users; dashed: with ever more users, at least"),
        ],
        tables=[region_table(found)],
    )


def _reach_part(found: Exploration, titles: Mapping[str, str]) -> DocumentPart | None:
    if found.reach is None:
        return None
    points = []
    if found.reach.structure is not None:
        structure = found.reach.structure
        points.append(
            f"Whether any user vector could reach an item was tested exactly for {count_of(structure.tested, 'item')}; "
            f"{whole(structure.count('not_decided'))} are not decided."
        )
    if found.reach.blockers:
        first, count = found.reach.blockers[0]
        named = titles.get(str(first), str(first))
        points.append(f"Items that are outranked meet {named} first: it stands before {whole(count)} of them.")
    if found.probe is not None:
        asked = ", ".join(f"{whole(count)} {name}" for name, count in found.probe.queries.items())
        points.append(f"The index was probed with {asked}, and with the vectors of the items that nobody sees.")
    return _part(
        "Why nobody sees the rest",
        lead="The first reason that holds, from the index to the ranking.",
        points=points,
        figures=[(charts.reason_chart(found), "Items in no list, by the reason")],
        tables=[reason_table(found)],
    )


def _demand_part(found: Exploration, titles: Mapping[str, str]) -> DocumentPart | None:
    if found.demand is None:
        return None
    demand = found.demand
    far = f"{whole(len(demand.far_queries))} of {whole(demand.far.n)} users or queries are far from every item"
    points = [
        f"{far}, in {count_of(len(demand.holes), 'direction')}." if demand.holes else f"{far}.",
        f"{count_of(len(demand.dead_stock), 'item')} are far from every user or query.",
    ]
    rows = tuple(
        (
            whole(len(hole.queries)),
            format_number(hole.similarity),
            " · ".join(titles.get(str(each), str(each)) for each in hole.nearest),
        )
        for hole in demand.holes[:10]
    )
    table = Table(
        title="Holes",
        columns=("queries", "cosine of the nearest item", "nearest items"),
        rows=rows,
        records=tuple(demand.to_dicts()),
    )
    return _part("Supply against demand", points=points, tables=[table])


def _geometry_part(found: Exploration, titles: Mapping[str, str]) -> DocumentPart | None:
    shape, total = found.shape, found.hubness.total
    points = [
        f"Dimension {shape.dimension}; intrinsic {decimal(shape.intrinsic_dimension, 1)}.",
        f"Effective rank {decimal(shape.effective_rank, 1)}.",
        f"Mean cosine {decimal(shape.mean_cosine, 3)}; uniformity {decimal(shape.uniformity, 2)}.",
        (
            f"{percent(total.hubs, 1)} of the items are hubs at k = {found.hubness.k} with "
            f"{percent(total.hub_slots, 1)} of the places."
        ),
        (
            f"{percent(total.anti_hubs, 1)} are anti-hubs; the skewness of the k-occurrences is "
            f"{decimal(total.skewness, 2)}."
        ),
    ]
    if found.purity is not None:
        purity = found.purity
        points.append(
            f"{percent(purity.purity, 1)} of the items have the main category of their region, and "
            f"{percent(purity.expected, 1)} would "
            f"by the largest category alone; normalised mutual information {decimal(purity.agreement, 2)}."
        )
    return _part(
        "Geometry",
        points=points,
        tables=[hub_table(found, titles=titles), remedy_table(found), duplicate_table(found, titles=titles)],
    )


def _retrieval_part(found: Exploration) -> DocumentPart | None:
    if found.retrieval is None:
        return None
    recall, regions = found.retrieval.recall, found.retrieval.regions
    points = [
        f"The index finds {share_text(recall)} of what exact search finds, for {whole(recall.n)} users or queries."
    ]
    whole_ones = sum(each.recall.value == 1 for each in regions)
    if whole_ones:
        points.append(f"It misses nothing in {whole(whole_ones)} of {count_of(len(regions), 'region')}.")
    return _part(
        "Retrieval",
        points=points,
        figures=[(charts.recall_chart(found), "Recall of the index in its worst regions")],
        tables=[recall_table(found)],
    )


def _drift_part(found: Exploration, titles: Mapping[str, str]) -> DocumentPart | None:
    if found.drift is None:
        return None
    drift = found.drift
    points = [
        f"{whole(len(drift.far))} of {count_of(len(drift.ids), 'item')} in both versions moved far beside the others.",
        f"{percent(drift.lost.mean(), 1)} of the {drift.k} nearest neighbours changed, on average.",
        f"{whole(drift.added)} items are new, and {whole(drift.removed)} are gone.",
    ]
    return _part("Drift", points=points, tables=[drift_table(found, titles=titles)])


def _gate_part(gate: GateResult | None) -> DocumentPart | None:
    if gate is None:
        return None
    from reclens.report.evaluation.gate import gate_in_words, gate_table

    return _part("Gate", lead=gate_in_words(gate), tables=[gate_table(gate)])


def _model(card: Mapping[str, Any]) -> str:
    name = str(card["model"]["model"])
    return MODELS.get(name, name)


def _cover(found: Exploration) -> list[tuple[str, str]]:
    card = found.card
    return [
        ("Space", str(card["space"])),
        ("Vectors", _model(card)),
        ("Neighbours", "every pair compared" if card["graph"] == "exact" else "as the index answers"),
        ("Index", str(card["store"] or "not given")),
        ("Version", f"RecLens {versions()['reclens']}"),
    ]
