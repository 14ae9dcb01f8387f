"""The workspace: a folder of artefacts; each consists of Parquet files and a ``card.json``.

``workspace/<kind>/<name>/``. An artefact is written under a temporary name and renamed. A killed run therefore leaves
the workspace unchanged, and of two processes that save the same name exactly one succeeds. Replacement is atomic.
Removed artefacts go to ``.trash`` and can be restored. DuckDB reads the Parquet files as tables.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.manifest import write_manifest
from reclens.drafts import draft_folder, sweep
from reclens.errors import (
    Advice,
    ArgumentValueError,
    NameTakenError,
    Setting,
    UnknownNameError,
    UsageError,
    WorkspaceError,
)
from reclens.files import write_text
from reclens.workspace.artefact import (
    Artefact,
    Key,
    Stamp,
    cannot,
    entries,
    head_of,
    identity_of,
    read_artefact,
    same_folder,
    stamp_of,
    stamps_in,
)
from reclens.workspace.consistent_reads import read_whole
from reclens.workspace.naming import check_name, tables_of
from reclens.workspace.query import Answer
from reclens.workspace.serializers import SERIALIZERS, read_kept
from reclens.workspace.swap import put, replace
from reclens.workspace.tables import answer_query, columns_of
from reclens.workspace.trash import Cleaned, Removed, drop, new_place, outdated, removed

__all__ = ["KINDS", "Workspace"]

KINDS: Final = (*SERIALIZERS, "report")


_REPLACE: Final = Advice("overwrite", (Setting("overwrite", True),), "Or replace it by {overwrite}.")
_LOOKS: Final = 3
_PAUSE: Final = 0.02  # seconds between checks for a missing name


class Workspace:
    """A folder of artefacts.

    Args:
        folder: The folder; it is made when something is first saved.

    Example:
        >>> import tempfile
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> workspace = Workspace(tempfile.mkdtemp())
        >>> path = workspace.save(synthetic_movielens(n_users=50, n_items=40, n_ratings=900), "tiny")
        >>> workspace.load("dataset", "tiny")
        Dataset('synthetic': 900 interactions of 50 users with 40 items)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._trash = self.folder / ".trash"
        self._opened = identity_of(self.folder)

    def save(self, artefact: Any, name: str, *, overwrite: bool = False) -> Path:
        """Write an artefact atomically.

        Args:
            artefact: A :class:`Dataset`, :class:`Split`, fitted model or pipeline, :class:`Recommendations`,
                :class:`Evaluation`, :class:`Comparison`, :class:`Tuning`, :class:`Audit`, or the :class:`Plan`
                or :class:`Readout` of an experiment.
            name: Letters, digits, ``.``, ``_`` and ``-``.
            overwrite: Replace an artefact of that name; the old one goes to the trash.

        Returns:
            Its folder.

        Raises:
            UsageError: If the name is invalid, or this type cannot be stored.
            WorkspaceError: If the name is taken, or the folder is not writable.
        """
        kind = next((kind for kind, (type_, _, _) in SERIALIZERS.items() if isinstance(artefact, type_)), None)
        if kind is None:
            raise UsageError(f"a {type(artefact).__name__} cannot be kept in a workspace. Kinds: {', '.join(KINDS)}.")
        return self._write(kind, name, lambda folder: SERIALIZERS[kind][1](artefact, folder), overwrite=overwrite)

    def save_report(self, html: str, name: str) -> Path:
        """Write a report to ``reports/NAME.html``, replacing an older one; returns the file."""
        return self.save_text(html, f"{name}.html")

    def save_text(self, text: str, name: str) -> Path:
        """Write a file to ``reports/NAME``, replacing an older one; returns the file.

        Raises:
            UsageError: If the name is not a name.
            WorkspaceError: If it cannot be written, or the workspace has disappeared.
        """
        check_name(name.rpartition(".")[0])
        self.check(make=True)
        path = self.folder / "reports" / name
        write_text(path, text)
        self.check()
        return path

    def expect_free(self, kind: str, name: str, *, overwrite: bool = False) -> None:
        """Raise an error for a name that :meth:`save` would reject, before the work to make the artefact.

        Raises:
            UsageError: If the name is not a name.
            WorkspaceError: If the name is taken, or the workspace is a file.
        """
        check_name(name)
        if self.folder.is_file():
            raise WorkspaceError(f"{self.folder} cannot be written: it is a file. Name a folder.")
        home = self.folder / kind / name
        if home.exists() and not overwrite:
            raise NameTakenError(f"{home} exists. Choose another name", advice=_REPLACE)
        alike = [each.name for each in self._folders(kind) if each.name.casefold() == name.casefold()]
        if alike and name not in alike:
            raise NameTakenError(
                f"{self.folder / kind} holds '{alike[0]}', which is '{name}' where file systems do not tell upper from "
                "lower case. Choose another name."
            )

    def check(self, *, make: bool = False) -> None:
        """Check that the workspace exists and is the one that was opened.

        Args:
            make: Create it if it has never existed.

        Raises:
            WorkspaceError: If it does not exist, or has disappeared since it was opened.
        """
        self._opened = same_folder(self.folder, self._opened, make=make)

    def load(self, kind: str, name: str) -> Any:
        """Read an artefact as written by a single save, also while other processes write.

        Raises:
            UnknownNameError: If there is no such kind or name.
            DataError: If the artefact is broken.
        """

        def read(places: Mapping[Key, Path]) -> Any:
            return read_kept(places[kind, name], kind)

        return read_whole(self.folder, [(kind, name)], self._find, read)

    def list(self, kind: str | None = None) -> list[Artefact]:
        """Return the artefacts, newest first, without those removed in the meantime.

        Raises:
            UnknownNameError: If there is no such kind.
            WorkspaceError: If the folder is not readable.
        """
        found = (read_artefact(folder) for each in _kinds(kind) for folder in self._folders(each))
        artefacts = [each for each in found if each is not None]
        return sorted(artefacts, key=lambda each: (each.created, each.kind, each.name), reverse=True)

    def stamps(self) -> tuple[tuple[str, str, int, int], ...]:
        """Return kind, name and identity of each card; they change whenever the result of :meth:`list` changes."""
        return tuple(sorted((kind, *stamp) for kind in KINDS for stamp in stamps_in(self.folder / kind)))

    def card(self, kind: str, name: str) -> str:
        """Return the card of an artefact as JSON text: its sources and settings."""
        return read_whole(
            self.folder,
            [(kind, name)],
            self._find,
            lambda places: (places[kind, name] / "card.json").read_text(encoding="utf-8"),
        )

    def remove(self, kind: str, name: str) -> Path:
        """Move an artefact to the trash and return its new path; :meth:`restore` brings it back.

        Raises:
            UnknownNameError: If there is no such kind or name.
            WorkspaceError: If it cannot be moved.
        """
        self._find(kind, name)
        home = self.folder / kind / name
        try:
            while not put(home, place := self._spare(kind, name)):
                pass
        except FileNotFoundError:
            self._find(kind, name)  # removed by another process in the meantime
            raise
        except OSError as error:
            raise cannot(home, "removed", error) from error
        self._expire(kind)
        return place

    def restore(self, kind: str, name: str, *, created: datetime | None = None) -> Path:
        """Restore the most recently removed artefact of that name, and return its folder.

        Args:
            kind: Its kind.
            name: Its name.
            created: Restore the one written at this time instead.

        Raises:
            UnknownNameError: If the trash holds none.
            NameTakenError: If the name is in use again.
            WorkspaceError: If it cannot be moved.
        """
        home = self.folder / kind / name
        lying = removed(self._trash, kind) if kind in KINDS else []
        for each in lying:
            found = read_artefact(each.path)
            if each.name != name or (created is not None and (found is None or found.created != created)):
                continue
            try:
                home.parent.mkdir(exist_ok=True)
                if not put(each.path, home):
                    raise NameTakenError(f"{home} exists again: remove it first, then restore.")
            except FileNotFoundError:  # restored or deleted by another process
                continue
            except WorkspaceError:
                raise
            except OSError as error:
                raise cannot(home, "written", error) from error
            return home
        raise UnknownNameError(f"removed {kind}", name, {each.name for each in lying})

    def trash(self) -> list[Removed]:
        """Return the removed and replaced artefacts that can be restored, newest first.

        The 5 most recently removed copies of each name are kept for 30 days; older ones are deleted when an artefact
        of their kind is added, and by :meth:`clean`.
        """
        return removed(self._trash)

    def empty_trash(self, *, kind: str | None = None, name: str | None = None, days: float = 0.0) -> list[Removed]:
        """Permanently delete the content of the trash or a part of it, and return what was deleted.

        Args:
            kind: Only this kind.
            name: Only artefacts that had this name.
            days: Only artefacts removed at least this many days ago.

        Raises:
            UnknownNameError: If there is no such kind, or the trash has no artefact of that name.
            WorkspaceError: If it cannot be deleted.
        """
        _kinds(kind)
        if not days >= 0:
            raise ArgumentValueError("days", f"is {days:g}, expected 0 or more")
        lying = [each for each in self.trash() if kind in (None, each.kind)]
        if name is not None and name not in [each.name for each in lying]:
            raise UnknownNameError("name in the trash", name, {each.name for each in lying})
        last = datetime.now(UTC) - timedelta(days=min(days, 1e5))
        mine = (each for each in lying if name in (None, each.name))
        return self._drop([each for each in mine if days == 0 or each.removed <= last])

    def clean(self) -> Cleaned:
        """Remove abandoned partial output of killed runs, and expired copies in the trash.

        Raises:
            WorkspaceError: If that cannot be removed.
        """
        places = (self.folder / each for each in (".", *SERIALIZERS, "reports", ".trash"))
        return Cleaned(sweep(places), tuple(self._drop(outdated(self.trash(), now=datetime.now(UTC)))))

    def query(self, query: str, *, limit: int | None = None, seconds: float | None = None) -> Answer:
        """Run a query over the artefacts; :meth:`tables` names the tables.

        The query can read only the tables of this workspace, and write nothing.

        Args:
            query: One SELECT statement.
            limit: Maximum number of rows; the answer records whether there are more.
            seconds: Time limit.

        Raises:
            UsageError: If it is not a single SELECT, DuckDB rejects it, or it exceeds the time or memory limit.
            WorkspaceError: If a table cannot be read.
        """
        return answer_query(self.folder, self.list(), self._find, query, limit=limit, seconds=seconds)

    def sql(self, query: str, *, limit: int | None = None, seconds: float | None = None) -> pl.DataFrame:
        """Return the rows of :meth:`query`, whether or not there are more."""
        return self.query(query, limit=limit, seconds=seconds).table

    def views(self) -> list[str]:
        """Return the table names of :meth:`sql`."""
        return sorted(self._files())

    def tables(self) -> dict[str, dict[str, str]]:
        """Return the tables of :meth:`sql` with their columns and types; broken ones are left out."""
        return columns_of(self._files())

    def table_name(self, kind: str, name: str, table: str) -> str | None:
        """Return the SQL name of an artefact's table, such as ``split_demo_train``, or None."""
        mine = (kind, name, table)
        owners = tables_of(self.folder, self.list())
        return next((each for each, (owner, _) in owners.items() if owner == mine), None)

    def _files(self) -> dict[str, Path]:
        """Return the Parquet files by table name."""
        return {name: place for name, (_, place) in tables_of(self.folder, self.list()).items()}

    def _find(self, kind: str, name: str) -> Stamp:
        """Return the identity of an artefact's card, which every save changes.

        Raises:
            UnknownNameError: If there is no such kind or name.
            WorkspaceError: If the workspace has disappeared.
        """
        _kinds(kind)
        names: list[str] = []
        for _ in range(_LOOKS):
            names = [folder.name for folder in self._folders(kind)]
            stamp = stamp_of(self.folder / kind / name) if name in names else None
            if stamp is not None:
                return stamp
            # If folders cannot be exchanged, a name is missing for a moment while it is replaced.
            time.sleep(_PAUSE)
        if self._opened is not None:
            self.check()
        where = "" if self._opened else " (no workspace is there)"
        raise UnknownNameError(f"{kind} in {self.folder}{where}", name, names)

    def _folders(self, kind: str) -> list[Path]:
        """Return the folders of a kind, without unfinished ones."""
        try:
            return entries(self.folder / kind)
        except OSError as error:
            raise cannot(self.folder / kind, "read", error) from error

    def _spare(self, kind: str, name: str) -> Path:
        return new_place(self._trash, kind, name)

    def _expire(self, kind: str) -> None:
        """Delete expired copies from the trash; a failure must not make a save fail."""
        with suppress(OSError):
            drop(self._trash, outdated(removed(self._trash, kind), now=datetime.now(UTC)))

    def _drop(self, items: Sequence[Removed]) -> list[Removed]:
        try:
            return drop(self._trash, items) if items else []
        except OSError as error:
            raise cannot(self._trash, "emptied", error) from error

    def _write(self, kind: str, name: str, write: Callable[[Path], dict[str, Any]], *, overwrite: bool) -> Path:
        self.expect_free(kind, name, overwrite=overwrite)
        home = self.folder / kind / name
        self.check(make=True)
        try:
            home.parent.mkdir(exist_ok=True)
            with draft_folder(home.parent) as folder:
                folder.chmod(0o755)
                card = write(folder)
                (folder / "card.json").write_text(
                    json.dumps(head_of(kind, name) | card, indent=1, default=str), encoding="utf-8"
                )
                write_manifest(folder)
                self.check()
                if overwrite:
                    replace(folder, home, lambda: self._spare(kind, name))
                while not overwrite and not put(folder, home):
                    self.expect_free(kind, name)
        except WorkspaceError:
            raise
        except OSError as error:
            self.check()
            raise cannot(home, "written", error) from error
        except pl.exceptions.PolarsError as error:
            raise WorkspaceError(f"{home} cannot be written: {error}. Choose another place.") from error
        if overwrite:
            self._expire(kind)
        return home


def _kinds(kind: str | None) -> Sequence[str]:
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind of artefact", kind, KINDS)
    return [kind] if kind else KINDS
