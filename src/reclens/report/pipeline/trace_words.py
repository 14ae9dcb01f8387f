"""Where items were lost on the way to one user's list, in words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from reclens.pipeline.tracing import LossCode, Retrieved, RetrievedCode, Trace
from reclens.report._toolkit.format import whole

__all__ = ["loss_text", "retrieved_line", "trace_rows"]

_RETRIEVED: Final[Mapping[RetrievedCode, str]] = {
    "served": "{candidates} of {items} items that it could bring",
    "unknown_user": "it does not know the user",
    "all_seen": "the user has had every item that it has a score for",
    "no_score": "it has a score for none of the items",
}
_LOST: Final[Mapping[LossCode, str]] = {
    "recommended": "recommended at place {final}",
    "not_in_catalogue": "the pipeline does not know the item: it is not in the training data",
    "seen": "the user has it already",
    "no_candidates": "the user has no candidates: {nothing}",
    "below_retriever_k": "{places}",
    "no_score": "no retriever has a score for it",
    "cut_by_keep": "brought by {found}, ranked below the {keep} places that are kept",
    "dropped": "dropped from place {before}",
    "below_k": "ranked at place {rank}; nothing brought it among the {k} that are shown",
    "moved_down": "moved from place {before} to {after}, below the {k} that are shown",
}


def retrieved_line(each: Retrieved) -> str:
    """What one retriever has for the user, or why it has nothing.

    Example:
        >>> retrieved_line(Retrieved("popular", 3, 1200, "served"))
        'popular: 3 of 1,200 items that it could bring'
    """
    return f"{each.label}: {_RETRIEVED[each.code].format(candidates=whole(each.candidates), items=whole(each.items))}"


def loss_text(trace: Trace, row: Mapping[str, Any]) -> str:
    """What became of one item of a trace: a row of its table."""
    labels = [each.label for each in trace.retrievers]
    facts: dict[str, Any] = {"final": row["final"], "rank": row["rank"], "k": trace.k, "keep": trace.keep}
    facts["nothing"] = "; ".join(retrieved_line(each) for each in trace.retrievers)
    facts["found"] = ", ".join(label for label in labels if row[f"retrieve: {label}"] is not None)
    places = {label: row.get(f"whole: {label}") for label in labels}
    said = [
        f"{label} has it at place {whole(place)} of its list" for label, place in places.items() if place is not None
    ]
    facts["places"] = "; ".join(said)
    columns = [name for name in trace.table.columns if not name.startswith(("retrieve: ", "whole: "))]
    stages = columns[columns.index("rank") : columns.index("final")]
    facts["before"] = facts["after"] = None
    for before, after in itertools.pairwise(stages):
        if after == row["lost"]:
            facts |= {"before": row[before], "after": row[after]}
    return _LOST[row["code"]].format(**facts)


def trace_rows(trace: Trace) -> list[dict[str, Any]]:
    """One row an item, with ``why`` in words in the place of the ranks in whole lists."""
    rows = trace.to_dicts()
    shown = [name for name in trace.table.columns if not name.startswith("whole: ")]
    return [{name: row[name] for name in shown} | {"why": loss_text(trace, row)} for row in rows]
