"""Exports are staged in a temporary folder, then moved to their destination."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.drafts import draft_folder
from reclens.errors import Advice, Setting, WorkspaceError
from reclens.export.columns import ExportTable
from reclens.export.schema import EXPORTS, LEADERBOARD
from reclens.tabular import Tabular

__all__ = ["OVERWRITE", "Exported", "Parts", "first_metric", "refuse_to_replace", "stage", "write_folder"]

OVERWRITE: Final = Advice("replace_files", (Setting("overwrite", True),), "Choose another place, or pass {overwrite}.")
"""How a caller says that files may be replaced."""

Parts = Mapping[str, Sequence[Path]]
"""Table -> the Parquet files that hold its rows, in order; none for a table without rows."""


@dataclass(frozen=True)
class Exported(Tabular):
    """What was written.

    Attributes:
        files: Written files.
        rows: Table -> number of its rows.
    """

    files: tuple[Path, ...]
    rows: Mapping[str, int]

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per table; ``why`` is the reason if it is empty."""
        why = {table.name: table.empty for table in EXPORTS}
        return [{"table": name, "rows": n, "why": None if n else why[name]} for name, n in self.rows.items()]


def refuse_to_replace(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Fail early if a file exists.

    Raises:
        WorkspaceError: If one exists and must not be overwritten.
    """
    taken = [path for path in paths if path.exists()]
    if taken and not overwrite:
        more = f" (and {len(taken) - 1} more)" if len(taken) > 1 else ""
        raise WorkspaceError(f"{taken[0]} exists{more}", advice=OVERWRITE)


@contextmanager
def write_folder(out: Path) -> Generator[Path]:
    """A temporary folder beside or in ``out``; its files are moved to ``out`` at the end, each atomically.

    A new folder appears with all its files at once. If an error occurs, nothing is moved.

    Raises:
        WorkspaceError: If it cannot be written.
    """
    try:
        home = out if out.is_dir() else out.parent
        home.mkdir(parents=True, exist_ok=True)
        with draft_folder(home) as folder:
            folder.chmod(0o755)
            yield folder
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            for file in files:
                file.chmod(0o644)
            if not out.exists():
                folder.rename(out)
                return
            for file in files:
                place = out / file.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
    except WorkspaceError:
        raise
    except OSError as error:
        raise WorkspaceError(f"{out} cannot be written: {error.strerror or error}. Choose another place.") from error
    except pl.exceptions.PolarsError as error:
        raise WorkspaceError(f"{out} cannot be written: {error}. Choose another place.") from error


def stage(frames: Iterable[tuple[ExportTable, pl.DataFrame]], folder: Path) -> tuple[Parts, dict[str, int]]:
    """Write pieces one at a time; returns their files, and the number of rows of each table."""
    parts: dict[str, list[Path]] = {table.name: [] for table in EXPORTS}
    rows = dict.fromkeys(parts, 0)
    for table, frame in frames:
        if frame.height:
            file = folder / f"{table.name}-{len(parts[table.name]):05}.parquet"
            frame.write_parquet(file)
            parts[table.name].append(file)
            rows[table.name] += frame.height
    return parts, rows


def first_metric(parts: Parts) -> str | None:
    """The metric that a dashboard or a workbook opens with: the first of the newest run, which is its main one."""
    first = next(iter(parts[LEADERBOARD.name]), None)
    return None if first is None else pl.scan_parquet(first, glob=False).select("metric").head(1).collect().item()
