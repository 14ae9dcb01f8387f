"""The SQL console: one SELECT over the tables of the workspace, limited in time and rows."""

from __future__ import annotations

from typing import Final

import streamlit as st

from reclens.dashboard import store
from reclens.dashboard.data_summary import tables_of
from reclens.dashboard.sql_colours import colour_sql
from reclens.dashboard.widgets import download, empty, frame
from reclens.data import queries
from reclens.errors import RecLensError, UnknownNameError
from reclens.report import to_csv
from reclens.report._toolkit.format import significant, whole
from reclens.report.data.profile import frame_table
from reclens.report.data.words import cut_text
from reclens.workspace import Answer, Workspace
from reclens.workspace.query import get_ready

__all__ = ["ROWS", "SECONDS", "draw_console"]

_KINDS: Final = {
    "Datetime": "time",
    "Date": "date",
    "Duration": "duration",
    "List": "list",
    "Array": "list",
    "Struct": "record",
    "Enum": "text",
    "Categorical": "text",
    "String": "text",
    "Int": "integer",
    "UInt": "integer",
    "Float": "number",
    "Decimal": "number",
    "Boolean": "yes or no",
}
"""How the name of a type of Polars begins -> what it is to a reader."""

ROWS: Final = 10_000
"""Most rows of an answer."""

SECONDS: Final = 10.0
"""Most seconds of a query."""

_OWN: Final = "a query of my own"


def draw_console(workspace: Workspace, log: str | None, items: str | None) -> None:
    """Draw the console.

    Args:
        workspace: The workspace.
        log: The table of interactions that the bundled queries use; None if there is none.
        items: The matching table of items.
    """
    tables = tables_of(workspace)
    if not tables:
        empty("No tables yet", "What is kept in the workspace can be asked by SQL: `reclens run job.toml` fills it.")
        return
    st.caption(
        f"One SELECT on DuckDB, read-only: it sees the tables below and nothing else. At most {significant(SECONDS)} s "
        f"and {whole(ROWS)} rows."
    )
    get_ready()
    _starter(tables, log, items)
    first = log if log in tables else next(iter(tables))
    query = st.text_area("Query", f'SELECT * FROM "{first}" LIMIT 100', height=240, key="sql", bind="query-params")
    colour_sql("sql")
    if st.button("Run", type="primary", icon=":material/play_arrow:", disabled=not query.strip()):
        _run(workspace, query)
    _answer(workspace)
    with st.expander(f"The {whole(len(tables))} tables", icon=":material/table:"):
        rows = [
            {"table": name, "columns": ", ".join(f"{column} ({_kind_of(kind)})" for column, kind in columns.items())}
            for name, columns in tables.items()
        ]
        wide = {"columns": st.column_config.TextColumn("columns", width="large")}
        frame(rows, key="tables", columns=wide)


def _kind_of(dtype: str) -> str:
    """Return the type of a column in one word."""
    return next((word for start, word in _KINDS.items() if dtype.startswith(start)), "other")


def _starter(tables: dict[str, dict[str, str]], log: str | None, items: str | None) -> None:
    """Put the chosen bundled query into the text field."""
    if log is None or log not in tables:
        return
    written: dict[str, str] = {}
    for name in queries.names():
        try:
            written[name] = queries.written_for(
                name, log, columns=tables[log], items=items, item_columns=tables.get(items or "", {})
            )
        except UnknownNameError:
            continue  # the data lacks a column that the query reads

    def start() -> None:
        chosen = st.session_state["starter"]
        if chosen in written:
            st.session_state["sql"] = written[chosen]

    about = queries.names()
    st.selectbox(
        "Start from",
        [_OWN, *written],
        key="starter",
        on_change=start,
        format_func=lambda name: f"{name}: {about[name]}" if name in about else name,
        help="The queries that RecLens brings, written for the data chosen above.",
    )


def _run(workspace: Workspace, query: str) -> None:
    st.session_state.pop("answer", None)
    with st.spinner(f"Asking, for at most {significant(SECONDS)} s …"):
        try:
            found = workspace.query(query, limit=ROWS, seconds=SECONDS)
        except RecLensError as error:
            st.error("The query gave no answer.", icon=":material/error:")
            st.code(str(error), language=None, wrap_lines=True)
            return
    st.session_state["answer"] = (str(workspace.folder), query, found)


def _answer(workspace: Workspace) -> None:
    answered: tuple[str, str, Answer] | None = st.session_state.get("answer")
    if answered is None or answered[0] != str(workspace.folder):
        return
    _, query, found = answered
    if query != st.session_state.get("sql"):
        st.caption("This is the answer to the query before: press Run.")
    st.code(query, language="sql", wrap_lines=True)
    if found.synthetic:
        store.show_synthetic("query")
    if (cut := cut_text(found)) is not None:
        st.warning(cut, icon=":material/content_cut:")
    frame(found.table, key="answer-table")
    left, right = st.columns([1, 4], vertical_alignment="center")
    with left:
        download(
            "CSV",
            lambda: to_csv(frame_table("Result", found.table)),
            "result.csv",
            "text/csv",
            key="csv-answer",
            quiet=True,
            tip="What a spreadsheet would run gets a quote.",
        )
    with right:
        st.caption(f"{whole(found.table.height)} rows, {whole(found.table.width)} columns")
