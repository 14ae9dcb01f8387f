"""The files of an embedded store: immutable segments, and a manifest that lists the active ones.

``manifest.json`` is replaced atomically, so that a store has the state before or after a write, even if the
writer is killed. A segment holds what one call wrote (``vectors.npy``, ``rows.parquet``) and which ids it removed from
earlier segments (``deleted.parquet``); later segments win. Readers keep the files open that they began with.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.read.frames import read_parquet
from reclens.drafts import draft_folder
from reclens.errors import DataError, WorkspaceError
from reclens.files import made_folder, write_text

__all__ = ["Manifest", "Segment", "SegmentFiles"]

_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The manifest of a store.

    Attributes:
        card: The card as JSON.
        segments: Folders of segments, the oldest first.
        next: Number of the next segment.
        index: Index of the first segment: parameters and measured recall; empty without one.
    """

    card: str
    segments: tuple[str, ...] = ()
    next: int = 0
    index: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Segment:
    """The data written by one call.

    Attributes:
        name: Its folder.
        rows: The Parquet file of ids and attributes.
        ids: The ids.
        vectors: Shape (n, d), float32, of length 1.
        deleted: Ids that it removes from earlier segments, besides its own.
        alive: Which rows no later segment replaces or deletes; bool, shape (n,).
    """

    name: str
    rows: Path
    ids: pl.Series
    vectors: np.ndarray
    deleted: pl.Series
    alive: np.ndarray

    def bury(self, later: Segment) -> None:
        """Mark rows that a later segment replaces or deletes."""
        for ids in (later.ids, later.deleted):
            if len(ids) and len(self.ids):
                self.alive &= ~self.ids.is_in(ids.implode()).to_numpy()


class SegmentFiles:
    """The folder of a store.

    Args:
        folder: The folder; created by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manifest(self) -> Manifest | None:
        """The manifest; None if there is no store.

        Raises:
            DataError: If the manifest is broken.
            WorkspaceError: If the folder is a file.
        """
        path = self.folder / _MANIFEST
        if self.folder.is_file():
            raise WorkspaceError(f"{self.folder} is a file. Name a folder.")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return Manifest(found["card"], tuple(found["segments"]), found["next"], found["index"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"it cannot be read ({error})", source=str(path), fix="Make the store again.") from error

    def put(self, manifest: Manifest) -> None:
        """Activate a manifest, and remove the segments that it does not list."""
        made_folder(self.folder)
        told = {"card": manifest.card, "segments": manifest.segments, "next": manifest.next, "index": manifest.index}
        write_text(self.folder / _MANIFEST, json.dumps(told, indent=1))
        for place in self.folder.glob("segment-*"):
            if place.name not in manifest.segments:
                shutil.rmtree(place, ignore_errors=True)

    @contextmanager
    def writing(self) -> Generator[Path]:
        """A temporary folder for a segment; one process at a time has it.

        Raises:
            NameTakenError: If another process writes.
        """
        made_folder(self.folder)
        with draft_folder(self.folder, name="segment") as draft:
            yield draft

    def write_rows(self, draft: Path, vectors: np.ndarray, table: pl.DataFrame, deleted: pl.Series) -> None:
        """Write the data of a segment; see :class:`Segment`."""
        np.save(draft / "vectors.npy", vectors, allow_pickle=False)
        table.write_parquet(draft / "rows.parquet")
        if len(deleted):
            deleted.alias("id").to_frame().write_parquet(draft / "deleted.parquet")

    def settle(self, draft: Path, number: int) -> str:
        """Rename a draft to a segment, which is active once a manifest lists it."""
        name = f"segment-{number:06d}"
        shutil.rmtree(self.folder / name, ignore_errors=True)  # of a run that was killed before its manifest
        draft.rename(self.folder / name)
        (self.folder / name).chmod(0o755)
        return name

    def open(self, name: str, dimension: int) -> Segment:
        """A segment whose vectors stay in their file.

        Raises:
            DataError: If it is missing or broken.
        """
        home = self.folder / name
        try:
            # The attributes are read by DuckDB, when a filter asks for them.
            ids = pl.read_parquet(home / "rows.parquet", columns=["id"], glob=False, hive_partitioning=False)["id"]
            vectors = np.load(home / "vectors.npy", mmap_mode="r", allow_pickle=False)
            gone = home / "deleted.parquet"
            deleted = read_parquet(gone)["id"] if gone.exists() else ids.clear()
        except (OSError, ValueError, EOFError, pl.exceptions.PolarsError) as error:
            raise DataError(f"it cannot be read ({error})", source=str(home), fix="Make the store again.") from error
        if vectors.dtype != np.float32 or vectors.shape != (len(ids), dimension):
            raise DataError(
                f"it holds {vectors.dtype} of shape {vectors.shape}, expected float32 of {(len(ids), dimension)}",
                source=str(home / "vectors.npy"),
                fix="Make the store again.",
            )
        return Segment(
            name=name,
            rows=home / "rows.parquet",
            ids=ids,
            vectors=vectors,
            deleted=deleted,
            alive=np.ones(len(ids), bool),
        )

    def attributes(self, segment: Segment, rows: Sequence[int] | np.ndarray) -> pl.DataFrame:
        """Some rows of the attributes of a segment."""
        return read_parquet(segment.rows).drop("id")[rows]
