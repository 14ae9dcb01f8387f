"""Mitigation trials of an audit: what a smaller gap costs, the Pareto front with its knee, and who pays."""

from __future__ import annotations

import math
from typing import Any, Final

from reclens.audit.mitigate.trials import Levelling, Sweep, Trial
from reclens.report._toolkit.charts import base_of, told_colour
from reclens.report._toolkit.document import DocumentPart
from reclens.report._toolkit.format import between, count_of, percent
from reclens.report._toolkit.html import figure_of
from reclens.report._toolkit.tables import Table

__all__ = ["LEVELLING", "pareto_chart", "trial_table", "trials_part"]

LEVELLING: Final[dict[Levelling, str]] = {"none": "no", "possible": "possible", "shown": "yes"}
"""Whether a gap was closed by harming both sides."""


def pareto_chart(found: Sweep) -> Any:
    """Accuracy lost against gap closed, one dot a trial; the line is the Pareto front, the ring its knee."""
    import altair as alt

    rows = [
        {
            "system": each.mitigation,
            "lost": each.accuracy_lost.value,
            "closed": each.gap_closed.value,
            "front": each.on_front,
            "knee": at == found.knee,
            "tip": f"{_name(each)}: accuracy lost {between(each.accuracy_lost)}, gap closed {between(each.gap_closed)}",
        }
        for at, each in enumerate(found.trials)
        if math.isfinite(each.accuracy_lost.value) and math.isfinite(each.gap_closed.value)
    ]
    base = base_of(rows, height=300)
    x = alt.X("lost:Q", title=f"{found.metric} lost")
    y = alt.Y("closed:Q", title="gap closed")
    names = list(dict.fromkeys(each.mitigation for each in found.trials))
    front = base.transform_filter("datum.front").mark_line(strokeWidth=1, color="var(--muted)")
    ring = base.transform_filter("datum.knee").mark_point(size=260, color="var(--ink)")
    dots = base.mark_circle(size=75, opacity=1)
    return alt.layer(
        front.encode(x=x, y=y, order="lost:Q"),
        ring.encode(x=x, y=y),
        dots.encode(x=x, y=y, color=told_colour(names, symbol="circle"), tooltip="tip:N"),
    )


def trial_table(found: Sweep) -> Table:
    """One row a trial: what it costs, what it closes, whether it levels down, how long it takes."""
    cells = tuple(
        (
            _name(each),
            between(each.accuracy_lost),
            between(each.gap_closed),
            percent(each.share_closed, 0),
            LEVELLING[each.levelling_down],
            f"{sum(payer.code == 'loses' for payer in each.payers):,}",
            f"{each.seconds:.2f}",
        )
        for each in found.trials
    )
    heads = ("mitigation", f"{found.metric} lost", "gap closed", "of the gap", "levels down", "groups that lose", "s")
    return Table("Trials", heads, cells, tuple(found.to_dicts()))


def trials_part(found: Sweep | None) -> DocumentPart:
    """The trials, on the validation part; without them, that there were none."""
    if found is None:
        return DocumentPart(
            title="Mitigation trials",
            lead="No mitigation was tried in this audit, so that actions have no measured price yet. Re-rankers and "
            "weights are swept on validation by rl.audit.mitigate.",
        )
    caption = "Accuracy lost against gap closed; the line is the Pareto front, the ring its knee"
    return DocumentPart(
        title="Mitigation trials",
        lead=f"Measured on {count_of(found.n, 'user')} of the validation part; a choice is reported once on test.",
        figures=(figure_of(pareto_chart(found), caption),),
        tables=(trial_table(found),),
    )


def _name(trial: Trial) -> str:
    return trial.mitigation if trial.mitigation == "none" else f"{trial.mitigation} {trial.strength:g}"
