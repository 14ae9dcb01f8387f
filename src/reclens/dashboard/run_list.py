"""The run table of the Diagnostics page: search, columns, tags and notes; selected rows are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.colours import system_colours, theme
from reclens.dashboard.phone import draw_cards, wide
from reclens.dashboard.widgets import choose, choose_many, empty, plain
from reclens.errors import WorkspaceError
from reclens.report import Table
from reclens.report._toolkit.format import format_number, whole
from reclens.report._toolkit.static_theme import PAPER
from reclens.report.evaluation.run_table import RunTable, run_table
from reclens.workspace import Workspace
from reclens.workspace.notes import Note, Notes

__all__ = ["run_list"]

_COLUMNS: Final = "columns of the run table"
_ROW, _ROWS, _FIRST = 35, 14, 4
"""Height of a row in pixels; rows seen at once; columns that are shown where nobody has chosen."""


def run_list(workspace: Workspace, runs: Sequence[str], chosen: Sequence[str], *, baseline: str | None) -> None:
    """Draw the table of runs that were measured alike.

    Args:
        workspace: The workspace of the runs.
        runs: The runs.
        chosen: The chosen runs, coloured and marked in the table.
        baseline: The run in the first row.
    """
    notes = Notes(workspace.folder)
    written = notes.of("evaluation")
    estimates = store.estimates(workspace, runs)
    known = list(dict.fromkeys(estimates["metric"]))
    one, two, three = st.columns([2, 3, 2], vertical_alignment="bottom")
    with one:
        text = st.text_input(
            "Search", key="search", bind="query-params", placeholder="a name, a tag or a note", icon=":material/search:"
        )
    with two:
        kept = [name for name in notes.preference(_COLUMNS) if name in known]
        columns = choose_many("Columns", known, key="columns", default=kept or known[:_FIRST]) or known[:1]
    with three:
        sort = choose("Sorted by", columns, key="sort") or columns[0]
    found = [run for run in runs if run == baseline or _matches(run, written.get(run), text)]
    if text and found in ([], [baseline]):
        empty("No run is called so", "Search by a part of a name, a tag or a note.", ":material/search_off:")
        return
    shown = run_table(
        estimates.filter(estimates["run"].is_in(found)),
        metrics=columns,
        sort=sort,
        baseline=baseline,
        colours=system_colours(chosen),
        grey=PAPER[theme()]["muted"],
        ground=PAPER[theme()]["line"],
        notes={run: (", ".join(each.tags), each.text) for run, each in written.items()},
    )
    _grid(shown, chosen)
    st.caption(
        f"{whole(len(found))} of {whole(len(runs))} runs. Choose rows to compare them: they are in colour, the others "
        "are grey. The bars of a column share one axis."
    )
    with st.container(horizontal=True):
        _annotate(notes, list(shown.runs), written)
        if columns != kept:
            st.button(
                "Remember these columns",
                on_click=notes.prefer,
                args=(_COLUMNS, columns),
                icon=":material/bookmark:",
                type="tertiary",
                key="keep-columns",
            )


def _grid(shown: RunTable, chosen: Sequence[str]) -> None:
    config: dict[str, Any] = {
        "run": st.column_config.TextColumn("run", pinned=True),
        "": st.column_config.TextColumn("", width="small"),
        **{name: st.column_config.NumberColumn(name, format="%.4f", width="small") for name in shown.numbers},
        **{name: st.column_config.ImageColumn("interval", width=104) for name in shown.pictures},
    }
    # Rows are identified by position, so another order or choice needs a new grid.
    key = f"runs-grid-{hash((shown.runs, tuple(sorted(chosen))))}"
    heads = ("run", *shown.numbers)
    cells = zip(
        shown.runs, *([format_number(each) for each in shown.rows[name]] for name in shown.numbers), strict=True
    )
    seen.rows("runs", Table(title="Runs", columns=heads, rows=tuple(cells), records=()))
    picked = [at for at, run in enumerate(shown.runs) if run in chosen]

    def choose_rows() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        hidden = [run for run in chosen if run not in shown.runs]
        runs = [*hidden, *(shown.runs[at] for at in rows)]
        if runs:
            st.session_state["runs"] = runs
            st.rerun()  # all of the page: the grid stands in a part that is redrawn alone

    with wide("runs"):
        _drawn(shown, config, key, picked, choose_rows)
    draw_cards(dict(shown.rows), config)


def _drawn(
    shown: RunTable, config: dict[str, Any], key: str, picked: list[int], choose_rows: Callable[[], None]
) -> None:
    st.dataframe(
        dict(shown.rows),
        hide_index=True,
        column_config=config,
        key=key,
        width="stretch",
        height=_ROW * (min(len(shown.runs), _ROWS) + 1) + 3,
        on_select=choose_rows,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": picked}},
        alt="Runs with their metrics; the chosen ones are marked",
    )


def _annotate(notes: Notes, runs: list[str], written: dict[str, Note]) -> None:
    with st.popover("Tag and note", icon=":material/sell:", type="tertiary"):
        run = st.selectbox("Run", runs, key="note-run")
        known = written.get(run, Note())
        every = sorted({tag for each in written.values() for tag in each.tags})
        tags = st.multiselect("Tags", every, default=list(known.tags), accept_new_options=True, key=f"note-tags-{run}")
        text = st.text_area("Note", known.text, key=f"note-text-{run}")
        if st.button("Keep", key="note-keep", type="primary"):
            try:
                notes.write("evaluation", run, tags=tags, text=text)
            except WorkspaceError as error:
                st.error(plain(said_on_page(error)), icon=":material/error:")
            else:
                st.rerun()


def _matches(run: str, note: Note | None, text: str) -> bool:
    wanted = text.strip().lower()
    words = [run, *(note.tags if note else ()), note.text if note else ""]
    return any(wanted in each.lower() for each in words)
