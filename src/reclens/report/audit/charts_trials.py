"""Charts of mitigation trials: the Pareto front with its knee, and what a mitigation changes for every group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from reclens.audit import Audit
from reclens.audit.mitigate.gaps import ItemGap
from reclens.audit.mitigate.trials import Choice, Sweep, Trial
from reclens.audit.mitigate.who_pays import Payer, Side
from reclens.report._toolkit.charts import ROW_HEIGHT, base_of, legend_above, rows_of, told_colour
from reclens.report._toolkit.format import between, format_number, percent, significant
from reclens.report.audit.words import MITIGATIONS

__all__ = ["dumbbell_chart", "dumbbells_of", "gap_name", "pareto_chart", "pareto_of", "trial_name"]

_STANDING: Final = (
    ("on the front", "var(--s0)"),
    ("another is better on both", "var(--muted)"),
    ("closes by harming both sides", "var(--s1)"),
)
_BEFORE, _AFTER = "before", "after"
_MOST: Final = 16


def trial_name(trial: Trial | Choice) -> str:
    """A mitigation and its strength, such as ``xQuAD 0.5``."""
    name = MITIGATIONS.get(trial.mitigation, trial.mitigation)
    return name if trial.mitigation == "none" else f"{name} {significant(trial.strength)}"


def pareto_chart(found: Sweep, choice: Choice | None = None) -> Any:
    """Accuracy lost against gap closed, one dot a trial; the line is the Pareto front.

    The ring is its knee, and the square what was chosen; the ends of the front are named too.
    """
    import altair as alt

    rows: list[dict[str, Any]] = []
    for at, each in enumerate(found.trials):
        if not (math.isfinite(each.accuracy_lost.value) and math.isfinite(each.share_closed)):
            continue
        rows.append(
            {
                "lost": each.accuracy_lost.value,
                "closed": each.share_closed,
                "standing": _standing(each),
                "front": each.on_front,
                "knee": at == found.knee,
                "chosen": choice is not None and _is(each, choice) and each.mitigation != "none",
                "name": trial_name(each),
                "tip": f"{trial_name(each)}: {found.metric} lost {between(each.accuracy_lost)}, gap closed by "
                f"{between(each.gap_closed)} ({percent(each.share_closed, 0)})",
            }
        )
    front = sorted((row for row in rows if row["front"]), key=lambda row: row["lost"])
    for row in rows:
        row["named"] = row["knee"] or row["chosen"] or (len(front) > 1 and row is front[-1])
    base = base_of(rows, height=320)
    x = alt.X("lost:Q", title=f"{found.metric} lost", axis=alt.Axis(tickCount=5))
    y = alt.Y("closed:Q", title="share of the gap that is closed", axis=alt.Axis(format="%"))
    known = [(name, colour) for name, colour in _STANDING if any(row["standing"] == name for row in rows)]
    scale = alt.Scale(domain=[name for name, _ in known], range=[colour for _, colour in known])
    colour = legend_above(alt.Color("standing:N", scale=scale), symbol="circle")
    text = base.transform_filter("datum.named").mark_text(dy=-17, fontSize=11, color="var(--ink)")
    return alt.layer(
        base.transform_filter("datum.front")
        .mark_line(strokeWidth=1, color="var(--s0)")
        .encode(x=x, y=y, order="lost:Q"),
        base.transform_filter("datum.knee").mark_point(size=260, color="var(--ink)").encode(x=x, y=y),
        base.transform_filter("datum.chosen").mark_point(size=260, shape="square", color="var(--ink)").encode(x=x, y=y),
        base.mark_circle(size=75, opacity=0.9).encode(x=x, y=y, color=colour, tooltip="tip:N"),
        text.encode(x=x, y=y, text="name:N"),
    )


def _standing(trial: Trial) -> str:
    if trial.levelling_down != "none":
        return _STANDING[2][0]
    return _STANDING[0][0] if trial.on_front else _STANDING[1][0]


def _is(trial: Trial, choice: Choice) -> bool:
    return (trial.mitigation, trial.strength) == (choice.mitigation, choice.strength)


def dumbbell_chart(trial: Trial, side: Side, metric: str) -> Any | None:
    """Before and after for each group: accuracy of groups of users, or share of the exposure of groups of items."""
    import altair as alt

    lines, ends = [], []
    for payer in _shown(trial.payers, side):
        after = payer.before + payer.change.value
        label = payer.group if side != "users" or payer.by == "overall" else f"{payer.group} ({payer.by})"
        label = "all users" if payer.by == "overall" and side == "users" else label
        tip = f"{label}: {_number(payer.before, side)} → {_number(after, side)}, change {between(payer.change)}"
        lines.append({"label": label, "before": payer.before, "after": after, "tip": tip})
        ends += [
            {"label": label, "system": name, "value": value, "tip": tip}
            for name, value in ((_BEFORE, payer.before), (_AFTER, after))
        ]
    if not lines:
        return None
    height = ROW_HEIGHT * len(lines)
    y = rows_of("label", [row["label"] for row in lines], widest=170)
    form: dict[str, Any] = {} if side == "users" else {"format": "%"}
    x = alt.X(
        "value:Q",
        title=metric if side == "users" else "share of the exposure",
        axis=alt.Axis(tickCount=5, **form),
        scale=alt.Scale(zero=False),
    )
    bars = base_of(lines, height=height).mark_rule(strokeWidth=3, color="var(--line)")
    dots = base_of(ends, height=height).mark_circle(size=80, opacity=1)
    return alt.layer(
        bars.encode(x=alt.X("before:Q"), x2="after:Q", y=y, tooltip="tip:N"),
        dots.encode(x=x, y=y, color=told_colour([_BEFORE, _AFTER], symbol="circle"), tooltip="tip:N"),
    )


def _shown(payers: Sequence[Payer], side: Side) -> list[Payer]:
    """The groups of a side, those that change most for sure where there are many."""
    found = [each for each in payers if each.side == side]
    order = {"loses": 0, "gains": 0, "undecided": 1}
    kept = sorted(found, key=lambda each: (order[each.code], -abs(each.change.value)))[:_MOST]
    return [each for each in found if any(each is one for one in kept)]


def _number(value: float, side: Side) -> str:
    return format_number(value) if side == "users" else percent(value, 1)


def pareto_of(audit: Audit) -> Any | None:
    """The Pareto chart of an audit; None where no mitigation was tried."""
    tried = audit.mitigation
    return None if tried is None else pareto_chart(tried.validation, tried.choice)


def dumbbells_of(audit: Audit, *, at: int, side: Side, tested: bool = False) -> Any | None:
    """The dumbbells of one trial of an audit: of the sweep, or, ``tested``, of the chosen one on test."""
    tried = audit.mitigation
    if tried is None:
        return None
    trial = tried.test if tested else tried.validation.trials[at]
    return None if trial is None else dumbbell_chart(trial, side, tried.validation.metric)


def gap_name(found: Sweep) -> str:
    """What the gap is, in words."""
    gap = found.gap
    if isinstance(gap, ItemGap):
        return f"{gap.group} ({gap.attribute})"
    return f"{gap.worse} beside {gap.better} ({gap.by})"
