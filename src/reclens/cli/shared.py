"""What the commands share: options, progress on stderr, tables on stdout or in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reclens.errors import UsageError

if TYPE_CHECKING:
    from reclens.data.dataset import Dataset
    from reclens.engine import Progress
    from reclens.report import Table

__all__ = [
    "Format",
    "FormatOption",
    "OutOption",
    "QuietOption",
    "SeedOption",
    "WorkspaceOption",
    "emit",
    "load_data",
    "pairs",
    "progress_of",
    "say",
    "table_of",
]


class Format(StrEnum):
    """How a table is written."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How the table is written.")]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file and not to the screen.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on the way.")]
WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="Folder of artefacts.")]


def say(text: str, *, quiet: bool = False) -> None:
    """Tell people something, on stderr: stdout is for data."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def progress_of(*, quiet: bool) -> Generator[Progress]:
    """A progress display on stderr: a bar for what takes long on a terminal, a line a step elsewhere."""
    if quiet:
        yield lambda what, done, total, /: None
        return
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int, /) -> None:
            # What stands after the dot changes on the way, and belongs to the same bar.
            name = what.partition(" · ")[0]
            if name not in tasks:
                tasks[name] = bar.add_task(what, total=total or None)
            bar.update(tasks[name], description=what, completed=done, total=total or None)
            if total and done >= total:
                bar.remove_task(tasks.pop(name))

        yield show


class _Lines:
    """A line when a step begins to take long, and no more than one in two seconds."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, what: str, done: int, total: int, /) -> None:
        now = time.monotonic()
        if now - self.last >= 2 and (not total or done < total):
            self.last = now
            print(f"  {what}: {done:,} of {total:,}" if total else f"  {what}", file=sys.stderr, flush=True)


def table_of(title: str, rows: list[dict[str, Any]], *, columns: list[str] | None = None) -> Table:
    """A table of any rows."""
    from reclens.report import Table, format_number

    heads = columns or (list(rows[0]) if rows else ["nothing"])

    def cell(head: str, value: Any) -> str:
        if value is None:
            return "–"
        if isinstance(value, float):
            return format_number(value)
        counts = isinstance(value, int) and not isinstance(value, bool) and not head.endswith("_id")
        return f"{value:,}" if counts else str(value)

    cells = tuple(tuple(cell(head, row.get(head)) for head in heads) for row in rows)
    return Table(title, tuple(heads), cells, tuple(rows))


def emit(table: Table, *, format: Format, out: Path | None) -> None:
    """Write a table to stdout or to a file."""
    from reclens.report import to_csv, to_json, to_markdown
    from reclens.workspace import write_text

    writers = {Format.json: to_json, Format.csv: to_csv, Format.md: to_markdown}
    text = writers[format](table) if format in writers else _plain(table, wide=out is not None)
    if out is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    else:
        write_text(out, text if text.endswith("\n") else text + "\n")


def _plain(table: Table, *, wide: bool) -> str:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(table.title), title_justify="left", box=None, header_style="bold", pad_edge=False)
    for at, head in enumerate(table.columns):
        grid.add_column(Text(head), justify="left" if at == 0 else "right", overflow="fold")
    for row in table.rows:
        # Text, not markup: a title such as [red] is data.
        # The interval goes under its value: a leaderboard then fits a terminal.
        grid.add_row(*(Text(cell.replace(" [", "\n[", 1)) for cell in row))
    terminal = sys.stdout.isatty() and not wide
    console = Console(width=None if terminal else 200, no_color=not terminal, force_terminal=terminal)
    with console.capture() as capture:
        console.print(grid)
        for note in table.notes:
            console.print(Text(note, style="dim"))
    lines = (line.rstrip() for line in capture.get().splitlines())
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


def load_data(
    path: str | None, *, columns: dict[str, str] | None = None, users: str | None = None, items: str | None = None,
    duplicates: str = "last", seed: int = 0,
) -> Dataset:  # fmt: skip
    """Read a data set from wherever it is: MovieLens, RecBole, a table; synthetic without a path."""
    if path is None:
        from reclens.data.synthetic import synthetic_movielens

        return synthetic_movielens(rng=seed)
    from reclens.data.movielens import read_movielens
    from reclens.data.tables import read

    kind = _kind(Path(path))
    if kind == "movielens":
        return read_movielens(path)
    if kind == "recbole":
        from reclens.data.recbole import read_recbole

        return read_recbole(path)
    return read(path, columns=columns or None, users=users, items=items, duplicates=duplicates)  # type: ignore[arg-type]


def _kind(path: Path) -> str:
    """What a zip or a folder holds, told by the names of its files."""
    from reclens.data.zips import open_members

    if not path.is_dir() and path.suffix.lower() != ".zip":
        return "table"
    with open_members(path) as members:
        names = {name.rpartition("/")[2] for name in members.names}
    if names & {"u.data", "ratings.dat", "ratings.csv"}:
        return "movielens"
    return "recbole" if any(name.endswith(".inter") for name in names) else "table"
