"""Training curves of deep models, and what the attention of one weighs for a user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from reclens.report._toolkit.charts import base_of, legend_above
from reclens.report._toolkit.format import NOTHING, format_number, significant, whole
from reclens.report._toolkit.system_colours import system_colour
from reclens.report._toolkit.tables import Table
from reclens.schema import ITEM

__all__ = ["attention_rows", "curve_chart", "curve_rows", "metric_of", "training_table"]


def metric_of(curves: pl.DataFrame) -> str | None:
    """The validation metric of a training; None where nothing was validated."""
    return next((name for name in curves.columns if name not in ("epoch", "loss", "seconds")), None)


def curve_rows(trainings: Mapping[str, tuple[pl.DataFrame, int]], column: str) -> list[dict[str, Any]]:
    """The points of one curve of several trainings.

    Args:
        trainings: Model -> its curves and the epoch whose weights it has.
        column: ``loss``, or a validation metric; models without it have no points. Losses of several models are of
            different kinds, and are shares of that of the first epoch.
    """
    rows: list[dict[str, Any]] = []
    for name, (curves, best) in trainings.items():
        if column not in curves.columns:
            continue
        unit = curves[column][0] if column == "loss" and len(trainings) > 1 else 1.0
        for epoch, value in curves.select("epoch", column).iter_rows():
            tip = f"{name}, epoch {whole(epoch)}: {column} {format_number(value)}"
            rows.append({"system": name, "epoch": epoch, "value": value / unit, "kept": epoch == best, "tip": tip})
    return rows


def curve_chart(rows: Sequence[Mapping[str, Any]], *, column: str) -> Any:
    """Curves over epochs, from :func:`curve_rows`; a large dot is the epoch whose weights a model has."""
    import altair as alt

    if not rows:
        return None
    systems = list(dict.fromkeys(row["system"] for row in rows))
    title = "loss ÷ loss of the first epoch" if column == "loss" and len(systems) > 1 else column
    colour = legend_above(system_colour(systems))
    base = base_of(rows, height=240)
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    line = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    every = base.mark_circle(size=18).encode(x=x, y=y, color=colour, tooltip="tip:N")
    kept = base.transform_filter("datum.kept").mark_circle(size=90).encode(x=x, y=y, color=colour, tooltip="tip:N")
    return alt.layer(line, every, kept)


def training_table(trainings: Mapping[str, tuple[pl.DataFrame, int]]) -> Table:
    """Epochs, the best one, its loss and validation metric, and the time of each training."""
    rows, records = [], []
    for name, (curves, best) in trainings.items():
        at, metric = curves.row(best - 1, named=True), metric_of(curves)
        seconds = float(curves["seconds"].sum())
        record = {"model": name, "epochs": curves.height, "best_epoch": best, "loss": at["loss"], "metric": metric}
        records.append({**record, "value": None if metric is None else at[metric], "seconds": seconds})
        shown = NOTHING if metric is None else f"{metric} {format_number(at[metric])}"
        cells = whole(curves.height), whole(best), format_number(at["loss"]), shown, significant(seconds, 2)
        rows.append((name, *cells))
    note = (
        f"The validation metric is that of held-out training data, not of the test; {NOTHING} where all epochs are run."
    )
    heads = ("model", "epochs", "epoch kept", "its loss", "its validation metric", "seconds of all epochs")
    return Table(title="Trainings", columns=heads, rows=tuple(rows), records=tuple(records), notes=(note,))


def attention_rows(weights: pl.DataFrame, title: Callable[[Any], str]) -> list[dict[str, Any]]:
    """A row an event of the history, the last one first: its place, and its weight in each block.

    Args:
        weights: ``block, item_id, place, weight``, as :meth:`reclens.models.SASRec.attention` returns them.
        title: What an item is called.
    """
    wide = weights.pivot("block", index=["place", ITEM], values="weight").sort("place")
    blocks = [name for name in wide.columns if name not in ("place", ITEM)]
    return [
        {"events ago": row["place"], "item": title(row[ITEM]), **{f"block {name}": row[name] for name in blocks}}
        for row in wide.iter_rows(named=True)
    ]
