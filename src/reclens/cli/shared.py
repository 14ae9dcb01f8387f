"""Shared parts of the commands: options, progress on stderr, and tables on stdout or in a file."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reclens.cli.progress import progress_of, working
from reclens.errors import RecLensError, UsageError, WorkspaceError
from reclens.report._toolkit.format import whole

if TYPE_CHECKING:
    from reclens.engine import Progress
    from reclens.report import Table
    from reclens.stats.gate import GateResult

__all__ = [
    "DocumentOption",
    "Format",
    "FormatOption",
    "HtmlOption",
    "NoSizeOption",
    "OutOption",
    "QuietOption",
    "ReportOption",
    "SeedOption",
    "SizeOption",
    "TaskOption",
    "WorkspaceOption",
    "WorldDataOption",
    "emit",
    "heed",
    "keep_interrupts",
    "pairs",
    "prepare",
    "progress_of",
    "put",
    "say",
    "say_origin",
    "table_of",
    "working",
    "writable",
    "writable_pair",
]


class Format(StrEnum):
    """Format of a table."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Format of the table.")]


def writable(path: Path | None) -> Path | None:
    """Check that a file can be written, before the work that fills it.

    Raises:
        UsageError: If it is a folder, or a parent is a file.
        WorkspaceError: If the folder is not writable.
    """
    if path is None or str(path) == "-":
        return path
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder. Name a file in it, such as {path / 'out.txt'}.")
        if not path.exists():
            _can_hold(path)
    except RecLensError:
        raise
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from error
    return path


def writable_pair(path: Path | None) -> Path | None:
    """Check that the .md and .html of a name can be written; see :func:`writable`."""
    if path is not None:
        stem = str(path).removesuffix(".html").removesuffix(".md")
        for ending in (".md", ".html"):
            writable(Path(stem + ending))
    return path


def _can_hold(path: Path) -> None:
    """Raise an error for a path whose folder neither exists nor can be created."""
    above = next(each for each in path.absolute().parents if each.exists())
    if not above.is_dir():
        raise UsageError(f"{path} cannot be written: {above} is a file, and no folder.")
    if not os.access(above, os.W_OK):
        raise WorkspaceError(f"{path} cannot be written: {above} is a folder that may not be written.")


OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", callback=writable, help="Write to this file instead of standard output.")
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", callback=writable, help="Also write an HTML report to this file.")
]
DocumentOption = Annotated[
    Path | None, typer.Option("--out", "-o", callback=writable_pair, help="Write NAME.md and NAME.html.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed of the random numbers.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Suppress messages.")]
ReportOption = Annotated[
    Path | None, typer.Option("--report", callback=writable_pair, help="Write NAME.md and NAME.html, with charts.")
]
_SIZE: Final = typer.Option("--size", help="Size of the world: tiny, small, medium or large.")
SizeOption = Annotated[str, _SIZE]
NoSizeOption = Annotated[str | None, _SIZE]
WorldDataOption = Annotated[
    str | None, typer.Option("--data", "-d", help="Data to fit the world to: MovieLens, RecBole or a table.")
]
TaskOption = Annotated[
    str,
    typer.Option(
        "--task",
        help="new_items: items of the user's history do not count, and lists exclude them. "
        "with_repeats: they count, and lists can contain them.",
    ),
]
WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")]


def say(text: str, *, quiet: bool = False) -> None:
    """Print a message on stderr; stdout is for data."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def say_origin(*, synthetic: bool, quiet: bool = False) -> None:
    """Print that output without a title comes from synthetic data."""
    if synthetic:
        say("synthetic data: nobody in it exists, and no item in it was made", quiet=quiet)


def prepare(progress: Progress, *rooms: str, quiet: bool) -> None:
    """Compile the numba kernels of some packages (by default all) if they are not cached, and report it."""
    from reclens import kernels

    compiled = kernels.warm_up(progress, rooms=rooms)
    if compiled:
        say(f"compiled {compiled} loops, once for this machine", quiet=quiet)


def keep_interrupts() -> None:
    """Keep Python's Ctrl-C handler, because that of Polars can end the process before it cleans up."""
    import signal

    import polars as pl

    pl.select(1)
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))


def table_of(title: str, rows: list[dict[str, Any]], *, columns: list[str] | None = None) -> Table:
    """Return a table of arbitrary rows."""
    from reclens.metrics import is_count
    from reclens.report import Table, format_number
    from reclens.report._toolkit.format import is_identifier

    heads = columns or (list(rows[0]) if rows else ["nothing"])

    def cell(head: str, row: dict[str, Any]) -> str:
        value = row.get(head)
        if value is None:
            return "–"
        if head == "value" and isinstance(value, float) and is_count(str(row.get("metric"))):
            return whole(value)
        if isinstance(value, float):  # a store keeps every number as a float
            return str(int(value)) if is_identifier(head) and value.is_integer() else format_number(value)
        counts = isinstance(value, int) and not isinstance(value, bool) and not is_identifier(head)
        return whole(value) if counts else str(value)

    cells = tuple(tuple(cell(head, row) for head in heads) for row in rows)
    return Table(title=title, columns=tuple(heads), rows=cells, records=tuple(rows))


def emit(table: Table, *, format: Format, out: Path | None, synthetic: bool = False, quiet: bool = False) -> None:
    """Write a table to stdout or to a file.

    Synthetic data are marked in the title, in a line below the table in Markdown, or in a message with CSV.
    """
    from reclens.report import to_csv, to_json, to_markdown

    if synthetic:
        said = (*table.footnotes, "Synthetic data.") if format is Format.md else table.footnotes
        table = replace(table, title=f"{table.title} (synthetic data)", footnotes=said)
    say_origin(synthetic=synthetic and format is Format.csv, quiet=quiet)
    writers = {Format.json: to_json, Format.csv: to_csv, Format.md: to_markdown}
    text = writers[format](table) if format in writers else _plain(table, wide=out is not None)
    put(text, out, format=format)


def heed(gate: GateResult | None, *, quiet: bool) -> None:
    """Print the result of a gate on stderr, and exit with status 1 if the gate fails."""
    from reclens.report import gate_in_words, gate_table

    if gate is None:
        return
    say(f"{_plain(gate_table(gate), wide=False)}\n{gate_in_words(gate)}", quiet=quiet)
    if not gate.is_open:
        raise typer.Exit(1)


def put(text: str, out: Path | None = None, *, format: Format = Format.table) -> None:
    """Write text to a file or to stdout; characters outside its encoding are escaped, as in JSON."""
    from reclens.files import write_text

    text = text if text.endswith("\n") else text + "\n"
    if out is not None:
        write_text(out, text)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        if format is Format.json:
            text = re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
        else:
            say(
                f"standard output is {encoding}, which lacks some characters: they are written as escapes such as "
                "\\u2026. Set PYTHONIOENCODING=utf-8 to have them."
            )
    sys.stdout.write(text)
    sys.stdout.flush()


def _plain(table: Table, *, wide: bool) -> str:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, header_style="bold", pad_edge=False)
    for at, head in enumerate(table.columns):
        grid.add_column(Text(head), justify="left" if at == 0 else "right", overflow="fold")
    for row in table.rows:
        # Text, not markup: a title such as [red] is data.
        # Put the interval below its value, so that a leaderboard fits a terminal.
        grid.add_row(*(Text(cell.replace(" [", "\n[", 1)) for cell in row))
    terminal = sys.stdout.isatty() and not wide
    written = io.StringIO()
    console = Console(file=written, width=None if terminal else 200, no_color=not terminal, force_terminal=terminal)
    console.print(Text(table.title, style="italic"), soft_wrap=True)  # a grid title would wrap to the width of the grid
    console.print(grid)
    for note in table.notes:
        console.print(Text(note, style="dim"))
    lines = (line.rstrip() for line in written.getvalue().splitlines())
    return "\n".join(lines) + "\n"


def pairs(values: list[str] | None, *, option: str) -> dict[str, str]:
    """Read ``name=value`` options.

    Raises:
        UsageError: If one has no ``=``.
    """
    found: dict[str, str] = {}
    for value in values or []:
        name, equals, right = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} {value!r}: expected name=value.")
        found[name.strip()] = right.strip()
    return found
