"""Save a page with its choices as one HTML document, to download or to keep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from reclens.dashboard import seen, store
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.widgets import download, plain
from reclens.errors import RecLensError
from reclens.report import Table
from reclens.report._toolkit.document import DocumentPart, write_document
from reclens.report._toolkit.html import Figure
from reclens.workspace import Workspace

__all__ = ["document_of", "draw_save"]


def document_of(page: seen.Seen, *, workspace: str, synthetic: bool = False) -> str:
    """Return a page as an HTML document.

    Args:
        page: The content of the page.
        workspace: Name of the workspace.
        synthetic: Whether the content comes from synthetic data, which the document then states.

    Returns:
        The document.
    """
    drawn, choices = page.content(), page.every_choice()
    figures = tuple(each for each in drawn if isinstance(each, Figure))
    shown = choices.get("Part") or choices.get("View") or page.title
    parts = [DocumentPart(title=shown, figures=figures)] if figures else []
    parts += [DocumentPart(title=each.title, tables=(each,)) for each in drawn if isinstance(each, Table)]
    summary = [said for each in drawn if isinstance(each, tuple) for said in each]
    chosen = Table(title="Choices", columns=("field", "chosen"), rows=tuple(choices.items()), records=())
    view = choices.get("View")
    where = DocumentPart(title="What was chosen", tables=(chosen,), code=page.link, language="text")
    return write_document(
        title=f"{page.title}: {view}" if view else page.title,
        subject=f"As the dashboard shows it · workspace {workspace}",
        heading="In short",
        summary=summary or [f"{label}: {value}." for label, value in choices.items()],
        parts=[*parts, *([where] if choices or page.link else [])],
        synthetic=synthetic,
    ).html.html


def draw_save(workspace: Workspace) -> None:
    """Draw the button that saves the page, if it shows a chart or a table or has a part that may come to show one."""
    page = seen.of_page()
    if not any(isinstance(each, Figure | Table | seen.Seen) for each in page.parts.values()):
        return
    seen.record_link(page)
    with st.sidebar, st.popover("Save as report", icon=":material/save:", width="stretch"):
        start = f"{page.title.lower()}-{datetime.now(UTC):%Y%m%d-%H%M}"
        name = st.text_input("Name", start, key="save-name", help="Letters, digits, '.', '_' and '-'.")
        made = partial(document_of, page, workspace=workspace.folder.name, synthetic=store.synthetic_shown())
        download("Download HTML", made, f"{name}.html", "text/html", key="save-download")
        if st.button("Keep in the workspace", key="save-keep", icon=":material/inventory_2:"):
            _keep(workspace, made, name)


def _keep(workspace: Workspace, made: Callable[[], str], name: str) -> None:
    if (workspace.folder / "reports" / f"{name}.html").exists():
        st.error(f"There is a report “{plain(name)}”: choose another name.", icon=":material/error:")
        return
    try:
        path = workspace.save_report(made(), name)
    except RecLensError as error:
        st.error(plain(said_on_page(error)), icon=":material/error:")
        return
    st.success(f"Kept as {plain(path.name)}, among the reports of the workspace.", icon=":material/check:")
