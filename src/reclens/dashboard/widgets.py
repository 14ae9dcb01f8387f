"""Widgets of the pages: charts and tables of ``report/`` in the colours of the theme, with their data as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from reclens.dashboard import seen
from reclens.dashboard.beginning import begin
from reclens.dashboard.colours import theme
from reclens.dashboard.phone import draw_cards, wide
from reclens.dashboard.selection import ready, selected
from reclens.dashboard.store import synthetic_shown
from reclens.errors import RecLensError, suggest
from reclens.metrics import describe, names
from reclens.report import Table, to_csv
from reclens.report._toolkit.format import is_identifier, unlinked, whole
from reclens.report._toolkit.html import Figure
from reclens.report._toolkit.static_theme import painted, to_svg

__all__ = [
    "bullets",
    "chart",
    "choose",
    "choose_many",
    "choose_view",
    "download",
    "empty",
    "explain_metrics",
    "filters",
    "folded",
    "frame",
    "grid",
    "plain",
    "rows_as_csv",
    "table",
]


_AXIS, _HEIGHT = 40, 260
"""Height of an axis with its title, and of a chart that does not say its own, in pixels."""

_LEGEND_ROW = 18
"""Height of a row of a legend, in pixels."""

_AROUND = 110
"""Height of what stands around a chart, its caption and its buttons, in pixels."""

_HOLE = 400
"""Height that may stay empty beside a long chart, in pixels: half a screen."""

_LETTER, _SHORT, _SENTENCE = 6, 40, 480
"""Width of a letter, the letters of a short cell, and the width of a column with sentences, in pixels."""

_ROW, _ROWS = 35, 10
"""Height of a row of a table in pixels, and how many are seen at once."""


def chart(
    drawn: Figure | None,
    caption: str,
    *,
    key: str,
    metric: str | None = None,
    pick: Sequence[str] = (),
    brush: Sequence[str] = (),
) -> dict[str, Any] | None:
    """Draw a chart of ``report/<room>/charts.py``: its menu saves a PNG, the buttons below its data and an SVG.

    Args:
        drawn: The chart, from :func:`reclens.dashboard.chart_cache.draw`; None if there is nothing to draw.
        caption: Its description, also used as text alternative.
        key: A key of its own on the page.
        metric: Its metric, whose definition is shown beside the caption.
        pick: Fields of the dots that a click selects, such as ``("segment", "system")``.
        brush: Fields of the axes over which a range is drawn: y, or x and y.

    Returns:
        The fields of the clicked dot and the ends of the ranges; None without a selection.
    """
    if drawn is None:
        return None
    seen.figure(key, drawn, caption)
    spec = painted(drawn.spec, theme=theme())
    with st.container(gap="small"):
        st.markdown(f"**{plain(caption)}**", help=_definition(metric))
        height = int(spec.pop("height", _HEIGHT)) + _AXIS + _above(spec)
        more: dict[str, Any] = {"on_select": "rerun"} if pick or brush else {}
        shown: Any = st.vega_lite_chart(
            ready(spec, pick, brush),
            theme=None,
            width="stretch",
            height=height,
            key=f"chart-{key}",
            alt=caption,
            **more,
        )
        with st.container(horizontal=True, gap="small"):
            _file("CSV", lambda: rows_as_csv(spec), f"{key}.csv", "text/csv", f"The numbers of “{caption}”.")
            _file(
                "SVG",
                lambda: to_svg(drawn),
                f"{key}.svg",
                "image/svg+xml",
                f"The picture of “{caption}”, for print; its menu saves a PNG.",
            )
    return selected(shown["selection"], pick, brush) if more else None


def table(shown: Table, *, key: str) -> None:
    """Draw a table of ``report/tables.py`` with the definition of each metric on its column head."""
    seen.rows(key, shown)
    st.markdown(f"**{plain(shown.title)}**")
    rows = {head: [row[at] for row in shown.rows] for at, head in enumerate(shown.columns)}
    heads = {
        head: st.column_config.TextColumn(head, help=_explained(head, shown), width=_width(rows[head]))
        for head in shown.columns
    }
    frame(rows, key=f"table-{key}", columns=heads)
    for note in shown.notes:
        st.caption(plain(note))
    _file("CSV", lambda: to_csv(shown), f"{key}.csv", "text/csv", f"The numbers of “{shown.title}”.")


def _width(cells: Sequence[str]) -> int | None:
    """Return the width of a column with sentences, in pixels; None for cells that are short."""
    longest = max(map(len, cells), default=0)
    return min(_LETTER * longest + 20, _SENTENCE) if longest > _SHORT else None


def frame(
    rows: Any,
    *,
    key: str,
    columns: Mapping[str, Any] | None = None,
    on_select: Callable[[], None] | None = None,
    leads: tuple[str, Sequence[Any]] | None = None,
) -> None:
    """Draw rows as a grid whose height is known in advance, so that nothing below it moves.

    Args:
        rows: A frame, a list of rows, or a mapping of columns.
        key: A key of its own on the page.
        columns: Streamlit's configuration of columns.
        on_select: Called when a row is selected; without it, rows cannot be selected.
        leads: How a row is selected on a phone: a query parameter and its value for each row.
    """
    count = len(next(iter(rows.values()), [])) if isinstance(rows, Mapping) else len(rows)
    height = _ROW * (min(max(count, 1), _ROWS) + 1) + 3
    # Ids and years are numbers but not amounts ("plain" shows some of them as 1982.9999999999998).
    columns = {name: st.column_config.NumberColumn(format="%d") for name in _named_by(rows)} | dict(columns or {})
    picked: dict[str, Any] = {} if on_select is None else {"on_select": on_select, "selection_mode": "single-row"}
    with wide(key):
        st.dataframe(rows, hide_index=True, column_config=columns, key=key, width="stretch", height=height, **picked)
    draw_cards(rows, columns, leads)


def _named_by(rows: Any) -> list[str]:
    """Return the integer columns that hold identifiers."""
    if isinstance(rows, pl.DataFrame):
        return [name for name, kind in rows.schema.items() if kind.is_integer() and is_identifier(name)]
    cells = rows if isinstance(rows, Mapping) else {n: [row.get(n) for row in rows] for n in (rows[0] if rows else ())}
    whole = {name for name, each in cells.items() if any(isinstance(cell, int) for cell in each)}
    return [name for name in cells if name in whole and is_identifier(name)]


def choose(
    label: str, options: list[str], *, key: str, default: str | None = None, start: str | None = None, **more: Any
) -> str | None:
    """Choose one of several options, kept in the URL. An unknown option in the URL is reported and ignored.

    Args:
        label: The label of the field.
        options: The options.
        key: The query parameter in the URL.
        default: The value if the URL has none. It may depend only on the workspace and on other choices in the URL,
            because the URL leaves it out. By default the first option.
        start: The initial value for a reason that is not in the URL; it is written to the URL.
        more: Arguments of ``st.selectbox``.
    """
    _say_unknown(label, options, key)
    begin(key, options, start if start and start in options and start != (default or options[0]) else "")
    index = options.index(default) if default in options else 0 if options else None
    chosen = st.selectbox(label, options, index=index, key=key, bind="query-params", **more)
    seen.choice(label, None if chosen is None else str(more.get("format_func", str)(chosen)))
    return chosen


def choose_many(
    label: str, options: list[str], *, key: str, default: list[str], start: Sequence[str] = (), **more: Any
) -> list[str]:
    """Choose several options, kept in the URL; see :func:`choose`."""
    _say_unknown(label, options, key)
    begin(key, options, [] if list(start) == default else [name for name in start if name in options])
    chosen = st.multiselect(label, options, default=default, key=key, bind="query-params", **more)
    seen.choice(label, chosen)
    return chosen


def choose_view(views: Sequence[str], *, key: str = "view", label: str = "View") -> str:
    """Choose a view of a page or of a part of it, kept in the URL."""
    names = list(views)
    _say_unknown(label, names, key)
    begin(key, names, "")
    chosen = st.segmented_control(
        label, names, default=names[0], key=key, bind="query-params", label_visibility="collapsed"
    )
    seen.choice(label, chosen or names[0])
    return chosen or names[0]


def filters(said: str) -> DeltaGenerator:
    """Return a container for the choices of a page, on the page itself so that phones show it too.

    Args:
        said: The current choices, shown while it is collapsed.
    """
    return st.expander(f"**Choices** · {plain(said)}", icon=":material/tune:")


def grid(
    names: Sequence[str], drawn: Mapping[str, Figure | None] | None = None
) -> Iterator[tuple[str, DeltaGenerator]]:
    """Yield each name with its own container in two columns, which Streamlit stacks on a phone.

    Content of equal height is placed in rows; the last of an odd number takes the full width. Charts of different
    heights go to the column that is shorter so far, or below each other at full width if one column would be less
    than half as tall as the other or half a screen shorter, so that no screen is empty beside a long chart.

    Args:
        names: The names to place.
        drawn: Name -> its chart, if their heights differ; names without a chart get no container.
    """
    heights = [] if drawn is None else [_height(drawn[name]) for name in names if drawn[name] is not None]
    if drawn is not None and len(set(heights)) > 1:
        yield from _packed([name for name in names if drawn[name] is not None], heights)
        return
    for at in range(0, len(names), 2):
        row = names[at : at + 2]
        yield from zip(row, st.columns(len(row)), strict=True)


def _packed(names: Sequence[str], heights: Sequence[int]) -> Iterator[tuple[str, DeltaGenerator]]:
    sides = _sides([height + _AROUND for height in heights])
    if sides is None:
        yield from ((name, st.container()) for name in names)
        return
    columns = st.columns(2)
    yield from ((name, columns[side]) for name, side in zip(names, sides, strict=True))


def _sides(heights: Sequence[int]) -> list[int] | None:
    """Return the column of each height, 0 or 1, or None if one column would end far above the other."""
    total, sides = [0, 0], []
    for height in heights:
        sides.append(0 if total[0] <= total[1] else 1)
        total[sides[-1]] += height
    return None if max(total) - min(total) > min(*total, _HOLE) else sides


def _above(spec: Mapping[str, Any]) -> int:
    """Return the pixels of a legend with its title, and of a top axis, which add to the height of the marks."""
    taken = 0
    for layer in spec.get("layer", (spec,)):
        encoding = layer.get("encoding", {})
        colour, across = encoding.get("color", {}), encoding.get("x", {})
        legend = colour.get("legend") or {}
        names = legend.get("values") or colour.get("scale", {}).get("domain", ())
        rows = -(-len(names) // int(legend.get("columns") or len(names) or 1)) if legend and names else 0
        rows += legend.get("orient") == "bottom"
        on_top = (across.get("axis") or {}).get("orient") == "top"
        taken = max(taken, _LEGEND_ROW * rows + _LEGEND_ROW * on_top)
    return taken


def _height(drawn: Figure | None) -> int:
    return 0 if drawn is None else int(drawn.spec.get("height", _HEIGHT))


def empty(title: str, text: str, icon: str = ":material/inbox:") -> None:
    """Draw a placeholder: what is missing, and how to make it."""
    with st.container(border=True):
        st.markdown(f"#### {icon} {plain(title)}")
        st.markdown(text)


def bullets(sentences: Sequence[str], *, ordered: bool = False) -> None:
    """Draw sentences as a list, numbered if their order matters."""
    marks = [f"{at}." if ordered else "-" for at in range(1, len(sentences) + 1)]
    st.markdown("\n".join(f"{mark} {plain(each)}" for mark, each in zip(marks, sentences, strict=True)))


def folded(label: str, draw: Callable[[], object], *, key: str, icon: str | None = None) -> None:
    """Draw a collapsed part, whose content is drawn only when it is opened."""
    part = st.expander(label, key=f"open-{key}", icon=icon, on_change="rerun")
    if part.open:
        with part:
            draw()


def explain_metrics(metrics: Mapping[str, Any] | list[str]) -> None:
    """Draw the collapsed definitions of metrics."""

    def draw() -> None:
        for name in metrics:
            if name.split("@")[0] in names():
                st.markdown(f"**{plain(name)} · {plain(describe(name).title)}**")
                st.text(describe(name).doc)
            else:
                st.markdown(f"**{plain(name)}**: a metric of your own, which is not registered here.")

    folded("What the metrics mean", draw, key="metrics", icon=":material/menu_book:")


def download(
    label: str,
    data: str | Callable[[], str | bytes],
    name: str,
    mime: str,
    *,
    key: str,
    tip: str | None = None,
    quiet: bool = False,
) -> None:
    """Draw a button that makes a file when pressed; the file name shows whether the data are synthetic.

    Args:
        label: Its text.
        data: The file, or a function that makes it.
        name: Name of the file.
        mime: MIME type of the file.
        key: Key of the button.
        tip: Tooltip of the button.
        quiet: Whether it is drawn as a link.
    """
    st.download_button(
        label,
        data,
        f"synthetic-{name}" if synthetic_shown() else name,
        mime,
        key=key,
        icon=":material/download:",
        type="tertiary" if quiet else "secondary",
        help=tip,
        on_click="ignore",
    )


def _file(label: str, data: Callable[[], str], name: str, mime: str, text: str) -> None:
    download(label, data, name, mime, key=f"download-{name}", tip=text, quiet=True)


def _say_unknown(label: str, options: list[str], key: str) -> None:
    for value in st.query_params.get_all(key):
        if value and value not in options:
            st.warning(f"{label}: there is no '{plain(value)}' here. {plain(suggest(value, options))}")


def _explained(head: str, shown: Table) -> str | None:
    """Return the definition of a metric column, and the number of users behind its values."""
    definition = _definition(head)
    sizes = sorted({row["n"] for row in shown.records if row.get("metric") == head and row.get("n") is not None})
    if definition is None or not sizes:
        return definition
    n = whole(sizes[0]) if len(sizes) == 1 else f"{whole(sizes[0])} to {whole(sizes[-1])}"
    return f"{definition}\n\nn \\= {n} users"


def _definition(metric: str | None) -> str | None:
    try:
        return None if metric is None else plain(describe(metric).doc)
    except RecLensError:
        return None


def plain(text: str) -> str:
    """Escape text for Markdown, without links and pictures: names, titles and messages are data."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|$~:@&.=-])", r"\\\1", unlinked(" ".join(text.split())))


def rows_as_csv(spec: Mapping[str, Any]) -> str:
    """Return the rows of a chart as CSV; text that a spreadsheet would run as a formula is escaped."""
    sets: list[list[dict[str, Any]]] = [[], *spec.get("datasets", {}).values()]
    layers = [spec]
    while layers:
        layer = layers.pop()
        layers += layer.get("layer", [])
        sets.append(layer.get("data", {}).get("values", []))
    # Zero lines and diagonals are data sets too; the main one is the largest and has more columns.
    rows = max(sets, key=lambda each: (len(each), len(each[0]) if each else 0))
    records = tuple({name: value for name, value in row.items() if not isinstance(value, dict | list)} for row in rows)
    return to_csv(Table(title="", columns=(), rows=(), records=records))
