"""The tables in a folder or behind a glob pattern."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reclens.data.read.kinds import is_complete_journey
from reclens.errors import Advice, DataError

__all__ = ["PARQUET", "files_of", "matching"]

PARQUET: Final = (".parquet", ".pq")
"""Suffixes of Parquet files."""
_TABLES: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")


def matching(pattern: Path) -> list[Path]:
    """The files that a glob matches, sorted."""
    root = Path(pattern.anchor) if pattern.is_absolute() else Path()
    parts = pattern.relative_to(root) if pattern.is_absolute() else pattern
    try:
        return sorted(file for file in root.glob(str(parts)) if file.is_file())
    except (ValueError, OSError):
        return []


def _reader(layout: str) -> Advice:
    return Advice("read_layout", text=f"Read it with rl.read_{layout}(path).")


def files_of(folder: Path) -> list[Path]:
    """The tables of a folder: its Parquet files at any depth, or else its delimited files."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
    parquet = [file for file in files if file.suffix.lower() in PARQUET]
    delimited = [file for file in files if file.name.lower().removesuffix(_packing(file)).endswith(_TABLES)]
    if {"ratings.csv", "u.data", "ratings.dat"} & {file.name for file in files}:
        raise DataError("this is a MovieLens folder", source=str(folder), fix=_reader("movielens"))
    if is_complete_journey({file.name for file in files}):
        raise DataError("this is the Complete Journey data", source=str(folder), fix=_reader("complete_journey"))
    if any(file.suffix == ".inter" for file in files):
        raise DataError("this is a folder of RecBole files", source=str(folder), fix=_reader("recbole"))
    if not parquet and not delimited:
        raise DataError(
            "the folder has no Parquet or CSV files", source=str(folder), fix="Name a file, or another folder."
        )
    return parquet or delimited


def _packing(file: Path) -> str:
    return file.suffix if file.suffix.lower() in (".gz", ".bz2", ".xz", ".zst") else ""
