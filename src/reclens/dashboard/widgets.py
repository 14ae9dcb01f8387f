"""How pages show things: charts and tables of ``report/``, in the colours of the theme, each with its data as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from reclens.errors import RecLensError, suggest
from reclens.metrics import describe, names
from reclens.report import Table, to_csv
from reclens.report._toolkit.charts import THEME
from reclens.report._toolkit.html import Figure
from reclens.report._toolkit.static_theme import painted, to_svg

__all__ = [
    "chart",
    "choose",
    "choose_many",
    "choose_view",
    "empty",
    "explain_metrics",
    "folded",
    "frame",
    "grid",
    "legend",
    "plain",
    "rows_as_csv",
    "table",
]


_AXIS = 46
"""Height of an axis with its title, in pixels."""

_ROW, _ROWS = 35, 10
"""Height of a row of a table in pixels, and how many are seen at once."""


def _theme() -> Literal["light", "dark"]:
    """``light`` or ``dark``: what the reader sees."""
    return "dark" if st.context.theme.type == "dark" else "light"


def chart(drawn: Figure | None, caption: str, *, key: str, metric: str | None = None) -> None:
    """A chart of ``report/<room>/charts.py``: its menu saves it as PNG, the buttons below save its data and an SVG.

    Args:
        drawn: The chart, from :func:`reclens.dashboard.chart_cache.draw`; None where there is nothing to draw.
        caption: What it shows; also its text alternative.
        key: A key of its own on the page.
        metric: The metric it shows, whose definition stands beside the caption.
    """
    if drawn is None:
        return
    spec = painted(drawn.spec, theme=_theme())
    with st.container(gap="small"):
        st.markdown(f"**{plain(caption)}**", help=_definition(metric))
        height = int(spec.pop("height", 260)) + _AXIS
        st.vega_lite_chart(_ready(spec), theme=None, width="stretch", height=height, key=f"chart-{key}", alt=caption)
        with st.container(horizontal=True, gap="small"):
            _download("CSV", lambda: rows_as_csv(spec), f"{key}.csv", "text/csv", f"The numbers of “{caption}”.")
            _download(
                "SVG",
                lambda: to_svg(drawn),
                f"{key}.svg",
                "image/svg+xml",
                f"The picture of “{caption}”, for print; its menu saves a PNG.",
            )


def table(shown: Table, *, key: str) -> None:
    """A table of ``report/tables.py``: the text of the report, with the definition of each metric on its head."""
    st.markdown(f"**{plain(shown.title)}**")
    rows = {head: [row[at] for row in shown.rows] for at, head in enumerate(shown.columns)}
    heads = {head: st.column_config.TextColumn(head, help=_explained(head, shown)) for head in shown.columns}
    frame(rows, key=f"table-{key}", columns=heads)
    for note in shown.notes:
        st.caption(plain(note))
    _download("CSV", lambda: to_csv(shown), f"{key}.csv", "text/csv", f"The numbers of “{shown.title}”.")


def frame(rows: Any, *, key: str, columns: Mapping[str, Any] | None = None) -> None:
    """Rows as a grid; its height is known before it is drawn, so that nothing below it moves.

    Args:
        rows: A frame, a list of rows, or a mapping of columns.
        key: A key of its own on the page.
        columns: Streamlit's configuration of columns.
    """
    count = len(next(iter(rows.values()), [])) if isinstance(rows, Mapping) else len(rows)
    height = _ROW * (min(max(count, 1), _ROWS) + 1) + 3
    st.dataframe(rows, hide_index=True, column_config=columns, key=key, width="stretch", height=height)


def legend(systems: list[str]) -> None:
    """Which colour is which system, for all charts of a page."""
    colours = THEME[_theme()]
    dots = "".join(
        f'<li><i style="background:{colours[at % len(colours)]}"></i>{_escaped(name)}</li>'
        for at, name in enumerate(systems)
    )
    st.html(f'<ul class="legend" aria-label="Colours of the systems">{dots}</ul>')


def choose(label: str, options: list[str], *, key: str, default: str | None = None, **more: Any) -> str | None:
    """One of several; the choice stands in the URL. A choice in the URL that does not exist is said and left."""
    _say_unknown(label, options, key)
    index = options.index(default) if default in options else 0 if options else None
    return st.selectbox(label, options, index=index, key=key, bind="query-params", **more)


def choose_many(label: str, options: list[str], *, key: str, default: list[str], **more: Any) -> list[str]:
    """Some of several; the choice stands in the URL."""
    _say_unknown(label, options, key)
    return st.multiselect(label, options, default=default, key=key, bind="query-params", **more)


def choose_view(views: Sequence[str]) -> str:
    """One of the views of a page; the choice stands in the URL."""
    names = list(views)
    _say_unknown("View", names, "view")
    chosen = st.segmented_control(
        "View", names, default=names[0], key="view", bind="query-params", label_visibility="collapsed"
    )
    return chosen or names[0]


def grid(names: Sequence[str]) -> Iterator[tuple[str, DeltaGenerator]]:
    """Each name with a place of its own, two beside each other; Streamlit puts them below each other on a phone."""
    for at in range(0, len(names), 2):
        yield from zip(names[at : at + 2], st.columns(2), strict=False)


def empty(title: str, text: str, icon: str = ":material/inbox:") -> None:
    """What stands where there is nothing yet: what is missing, and how to make it."""
    with st.container(border=True):
        st.markdown(f"#### {icon} {plain(title)}")
        st.markdown(text)


def folded(label: str, draw: Callable[[], None], *, key: str, icon: str | None = None) -> None:
    """A part that is drawn once it is opened: what nobody looks at takes no time."""
    part = st.expander(label, key=f"open-{key}", icon=icon, on_change="rerun")
    if part.open:
        with part:
            draw()


def explain_metrics(metrics: Mapping[str, Any] | list[str]) -> None:
    """The definitions of metrics, folded away."""

    def draw() -> None:
        for name in metrics:
            if name.split("@")[0] in names():
                st.markdown(f"**{plain(name)} · {plain(describe(name).title)}**")
                st.text(describe(name).doc)
            else:
                st.markdown(f"**{plain(name)}**: a metric of your own, which is not registered here.")

    folded("What the metrics mean", draw, key="metrics", icon=":material/menu_book:")


def _download(label: str, data: Callable[[], str], name: str, mime: str, text: str) -> None:
    """A button that makes a file when it is pressed, and not before."""
    st.download_button(
        label,
        data,
        name,
        mime,
        key=f"download-{name}",
        icon=":material/download:",
        type="tertiary",
        help=text,
        on_click="ignore",
    )


def _say_unknown(label: str, options: list[str], key: str) -> None:
    for value in st.query_params.get_all(key):
        if value and value not in options:
            st.warning(f"{label}: there is no '{plain(value)}' here.{plain(suggest(value, options))}")


def _explained(head: str, shown: Table) -> str | None:
    """The definition of a column that is a metric, and how many users its values rest on."""
    definition = _definition(head)
    sizes = sorted({row["n"] for row in shown.records if row.get("metric") == head and row.get("n") is not None})
    if definition is None or not sizes:
        return definition
    n = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return f"{definition}\n\nn \\= {n} users"


def _definition(metric: str | None) -> str | None:
    try:
        return None if metric is None else plain(describe(metric).doc)
    except RecLensError:
        return None


def plain(text: str) -> str:
    """Text that Markdown shows as it is, without links and pictures: names, titles and messages are data."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|$~:@&.=-])", r"\\\1", " ".join(text.split()))


def _escaped(text: str) -> str:
    import html

    return html.escape(text)


def _ready(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec that is drawn once.

    Streamlit takes data out of the top of a spec and sends it after the first drawing, which would draw an empty chart
    first: so each layer holds its own.
    """
    ready = dict(spec)
    if "layer" in ready and "data" in ready:
        rows = ready.pop("data")
        ready["layer"] = [{"data": rows, **layer} for layer in ready["layer"]]
    return ready


def rows_as_csv(spec: Mapping[str, Any]) -> str:
    """The rows that a chart draws; what a spreadsheet would run as a formula is made inert."""
    sets: list[list[dict[str, Any]]] = [[], *spec.get("datasets", {}).values()]
    layers = [spec]
    while layers:
        layer = layers.pop()
        layers += layer.get("layer", [])
        sets.append(layer.get("data", {}).get("values", []))
    # The lines at zero and the diagonals are data sets too: the chart's own is the largest, and knows more columns.
    rows = max(sets, key=lambda each: (len(each), len(each[0]) if each else 0))
    records = tuple({name: value for name, value in row.items() if not isinstance(value, dict | list)} for row in rows)
    return to_csv(Table("", (), (), records))
