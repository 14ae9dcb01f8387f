"""What the measures of realism mean, in words, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from reclens.report._toolkit.format import decimal
from reclens.report._toolkit.tables import Table
from reclens.world.realism_checks import Check, RealismNote

__all__ = ["NOTES", "realism_table", "realism_text"]

NOTES: Final[dict[RealismNote, str]] = {
    "held_out_auc": "item-kNN, held-out items against others as popular; binds the size of effects",
    "told_apart": "users of the world against those of the data; 0.5: it cannot tell",
    "no_gaps": "there are no gaps, or no times, to compare",
    "gap_days": "days from one visit to the next: {world} on average in the world, {data} in the data, of "
    "those that fit into the days watched",
    "log_log_slope": "of log count over log rank",
    "interactions_over_items": "of interactions over items",
    "all_interactions": "of all interactions",
    "interactions_a_user": "of interactions a user",
    "repeats": "share of interactions with something had before; 0 where a reader dropped repeats",
    "unknown_items": "the world does not know the items of the reference",
    "topics_a_user": "of the topics a user consumes, mean",
    "singular_values": "mean |log ratio| of singular values 2 … {last}",
    "relative_click_rate": "click rate over that of place 1",
    "no_reference_lists": "click rate over that of place 1; the reference has no lists",
    "clicked_before": "share of clicks on something clicked before",
    "rank_correlation": "Kendall's τ over {over}; the best is {best}",
    "past_test": "of {metric}; in the world {low} to {high}",
}
"""Note of a measure -> its words."""
_NUMBERS: Final[dict[str, Callable[[float], str]]] = {
    **dict.fromkeys(("world", "data"), partial(decimal, digits=1)),
    **dict.fromkeys(("low", "high"), partial(decimal, digits=3, signed=True)),
}
"""Number of a measure -> how it is written."""


def realism_text(check: Check) -> str:
    """What a measure means, or why it could not be measured."""
    facts = dict(check.facts)
    if check.note == "rank_correlation":
        facts = {"over": ", ".join(facts["over"]), "best": "the same" if facts["same_best"] else "another one"}
    written = {name: _NUMBERS[name](value) if isinstance(value, float) else value for name, value in facts.items()}
    return NOTES[check.note].format(**written)


def realism_table(table: Table, checks: tuple[Check, ...]) -> Table:
    """A table of measures with the words of each in its last column; its records keep the codes."""
    rows = tuple((*row[:-1], realism_text(check)) for row, check in zip(table.rows, checks, strict=True))
    return replace(table, rows=rows)
