"""One file of the Upload page: uploaded, read within the limits, with named columns and its errors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import streamlit as st

from reclens.dashboard.advice import said_on_page
from reclens.dashboard.faults import Fault
from reclens.dashboard.launch import UPLOAD_MB
from reclens.dashboard.uploads import FILES
from reclens.dashboard.widgets import frame, plain
from reclens.data.read.raw import Raw
from reclens.data.read.uploads import LIMITS, guess_columns, open_upload
from reclens.errors import DataError, UsageError
from reclens.report._toolkit.format import whole
from reclens.schema import ITEM, USER

__all__ = ["bring_file", "open_file"]

_NONE = "– none –"
_KINDS = [
    "csv",
    "tsv",
    "txt",
    "dat",
    "data",
    "base",
    "test",
    "json",
    "jsonl",
    "ndjson",
    "gz",
    "bz2",
    "xz",
    "zst",
    "parquet",
]
_ITEMS: Final = {"one": None, "several in a cell": "cell", "a line of a user and their items": "adjacency"}
_BETWEEN: Final = {"found": None, "blank": " ", ",": ",", ";": ";", "|": "|"}
_FIRST_LINES: Final[dict[str, bool | None]] = {
    "names the columns, as it seems": None,
    "names the columns": True,
    "is a row": False,
}
_DELIMITERS: Final = {"found": None, ",": ",", ";": ";", "tab": "\t", "|": "|", "::": "::", "blank": " "}
_QUOTES: Final = {'"': '"', "'": "'", "none": None}
_ESCAPES: Final = {"none": None, "\\": "\\"}
_DECIMALS: Final[dict[str, Literal[".", ","] | None]] = {"found": None, "point": ".", "comma": ","}
_ENCODINGS: Final = (
    "utf-8",
    "latin-1",
    "cp1252",
    "utf-16",
    "cp1250",
    "cp1251",
    "shift_jis",
    "gb18030",
    "big5",
    "euc_kr",
)


def bring_file(
    kind: str,
    found: dict[str, Raw],
    columns: dict[str, dict[str, str | None]],
    forms: dict[str, dict[str, Any]],
    fault: Fault | None = None,
) -> None:
    """Draw the input for one file, and add the uploaded content to the dictionaries.

    Args:
        kind: Kind of file.
        found: Kind -> its rows.
        columns: Kind -> our column -> theirs.
        forms: Kind -> layout of its items: ``form`` and ``between``, as for :func:`reclens.read`.
        fault: The fault of the files; it is shown here if it concerns this one.
    """
    file = FILES[kind]
    try:
        raw = open_file(kind, file.title, file.help, several=_holds_items(kind))
    except (DataError, UsageError) as error:
        st.error(plain(said_on_page(error)), icon=":material/error:")
        return
    if raw is None:
        _say(fault, kind)
        return
    present = raw.frame.columns
    guessed = guess_columns(present, [*file.required, *file.optional])
    chosen: dict[str, str | None] = {}
    wanted = [*file.required, *file.optional]
    for at in range(0, len(wanted), 2):
        for ours, place in zip(wanted[at : at + 2], st.columns(2), strict=False):
            options = present if ours in file.required else [_NONE, *present]
            theirs = guessed.get(ours)
            index = options.index(theirs) if theirs in options else None if ours in file.required else 0
            with place:
                key = f"column-{kind}-{ours}-{hash(tuple(present))}"
                picked = st.selectbox(ours, options, index=index, key=key, placeholder="choose a column")
            chosen[ours] = None if picked == _NONE else picked
    _say(fault, kind)
    found[kind], columns[kind], forms[kind] = raw, chosen, _items(kind) if _holds_items(kind) else {}
    with st.expander("The first rows"):
        frame(raw.frame.head(5), key=f"head-{kind}")


def _say(fault: Fault | None, kind: str) -> None:
    """Show the fault of this file, and the faulty row as written there."""
    if fault is None or fault.kind != kind:
        return
    st.error(plain(fault.text), icon=":material/error:")
    if fault.row is not None:
        frame(fault.row, key=f"fault-{kind}")


def open_file(kind: str, title: str, text: str, *, several: bool = False) -> Raw | None:
    """Draw the input for one file and its format; return its rows, or None if no file was uploaded.

    Args:
        kind: Kind of file, for the keys of the fields.
        title: Title of the file.
        text: Description of its content.
        several: Whether a row may hold several items.

    Raises:
        DataError: If it cannot be read.
        UsageError: If the chosen options contradict each other.
    """
    brought = st.file_uploader(
        title,
        _KINDS,
        key=f"file-{kind}",
        max_upload_size=UPLOAD_MB,
        help=f"{text} At most {UPLOAD_MB} MB, {whole(LIMITS.rows)} rows and {LIMITS.columns} columns.",
    )
    if brought is None:
        st.caption(text)
        return None
    raw = _opened(brought.file_id, brought.name, tuple(_form(kind, several=several).items()), brought)
    st.caption(f"{whole(raw.frame.height)} rows, {whole(raw.frame.width)} columns")
    return raw


def _holds_items(kind: str) -> bool:
    """Return whether each row of a file names a user and one or several items."""
    return {USER, ITEM} <= set(FILES[kind].required)


def _items(kind: str) -> dict[str, Any]:
    """Return how to find the items in a row, as chosen in the form."""
    if _ITEMS[st.session_state[f"Items of a row-{kind}"]] != "cell":
        return {}
    return {"form": "cell", "between": _BETWEEN[st.session_state[f"Between items-{kind}"]]}


def _form(kind: str, *, several: bool) -> dict[str, Any]:
    """Draw the format of a text file and return the choices; Parquet needs none."""

    def one(label: str, options: Mapping[str, Any]) -> Any:
        return options[st.selectbox(label, list(options), key=f"{label}-{kind}")]

    with st.expander("How it is written", icon=":material/tune:"):
        left, right = st.columns(2)
        with left:
            form = {
                "header": one("First line", _FIRST_LINES),
                "delimiter": one("Delimiter", _DELIMITERS),
                "decimal": one("Decimal mark", _DECIMALS),
            }
        with right:
            encoding = one("Encoding", dict(zip(_ENCODINGS, _ENCODINGS, strict=True)))
            form |= {"encoding": encoding, "quote": one("Quotation mark", _QUOTES), "escape": one("Escape", _ESCAPES)}
        if several:
            with left:
                form["adjacent"] = one("Items of a row", _ITEMS) == "adjacency"
            with right:
                one("Between items", _BETWEEN)
    return form


@st.cache_resource(show_spinner="Reading …", max_entries=5, ttl=900)
def _opened(file_id: str, name: str, form: tuple[tuple[str, Any], ...], _file: Any) -> Raw:
    """Return the rows of an upload, read once; ``file_id`` is new for each upload. One page has five."""
    del file_id
    return open_upload(_file.getvalue(), name, **dict(form))
