"""A gate as a table and in one sentence."""

from __future__ import annotations

from typing import Final

from reclens.report._toolkit.format import NOTHING, format_estimate, format_number, whole
from reclens.report._toolkit.tables import Table
from reclens.stats.gate import GateResult, GateRow

__all__ = ["gate_in_words", "gate_table"]

_OUTCOMES: Final = {"pass": "pass", "fail": "fail", "cannot_tell": "cannot tell"}
_REASONS: Final = {
    "interval": "",
    "exact": "exact",
    "not_measured": "nothing was measured",
    "no_interval": "no honest interval",
    "few_units": "too few users",
    "low_coverage": "the interval is too narrow for such values",
}
_NUMBERS: Final = {"value": "", "difference": " − baseline", "ratio": " (ratio)", "impact": " (impact ratio)"}
_HOW: Final = (
    "A row passes if its whole interval is within the bound, fails if it is outside, and cannot be told otherwise.",
    "± is how far beyond the bound is let through. Exact: a fact about these lists, without an interval.",
)


def gate_table(found: GateResult) -> Table:
    """One row per rule, system and segment."""
    heads = ("system", "outcome", "metric", "segment", "value", "bound", "n")
    return Table(
        title="Gate", columns=heads, rows=tuple(map(_cells, found.rows)), records=tuple(found.to_dicts()), notes=_HOW
    )


def gate_in_words(found: GateResult) -> str:
    """The outcome in one sentence."""
    counts = {name: found.count(name) for name in ("pass", "fail", "cannot_tell")}
    rows = len(found.rows)
    parts = [f"{whole(n)} {_OUTCOMES[name]}" for name, n in counts.items() if n]
    state = "open" if found.is_open else "closed"
    return f"gate {state}: of {whole(rows)} {'row' if rows == 1 else 'rows'}, {', '.join(parts)}"


def _cells(row: GateRow) -> tuple[str, ...]:
    signed = row.of == "difference"
    segment = "all" if row.by == "overall" else f"{row.by}: {row.segment}"
    why = _REASONS[row.reason]
    let_through = " (let through)" if row.outcome == "cannot_tell" and not row.stops else ""
    return (
        row.system,
        _OUTCOMES[row.outcome] + (f": {why}" if why and row.outcome != "pass" else "") + let_through,
        f"{row.metric}{_NUMBERS[row.of]}",
        segment,
        format_estimate({"value": row.value, "low": row.low, "high": row.high}, signed=signed),
        _bound(row),
        whole(row.n),
    )


def _bound(row: GateRow) -> str:
    sides = [("≥", row.at_least), ("≤", row.at_most)]
    text = " and ".join(f"{sign} {format_number(value)}" for sign, value in sides if value is not None)
    return f"{text or NOTHING}{f' ± {format_number(row.tolerance)}' if row.tolerance else ''}"
