"""The workspace: a folder of artefacts, each Parquet files beside a ``card.json``.

``workspace/<kind>/<name>/``. An artefact is written under a temporary name and renamed, so that a killed run leaves the
workspace as it was. What is removed goes to ``.trash`` and can be restored. DuckDB reads the Parquet files as tables.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.data.kept import reading, write_manifest
from reclens.errors import UnknownNameError, UsageError, WorkspaceError
from reclens.schema import versions
from reclens.workspace.files import write_text
from reclens.workspace.forms import FORMS
from reclens.workspace.query import Answer, ask

__all__ = ["KINDS", "Artefact", "Workspace"]

KINDS: Final = (*FORMS, "report")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Artefact:
    """What the workspace knows of one artefact.

    Attributes:
        kind: One of ``KINDS``.
        name: Its name.
        created: When it was written, UTC.
        bytes: Size of its files.
        path: Its folder.
        summary: One line on what it is.
        card: What it was made from and how; empty where that cannot be read.
    """

    kind: str
    name: str
    created: datetime
    bytes: int
    path: Path
    summary: str
    card: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        row = {"kind": self.kind, "name": self.name, "created": self.created.isoformat(timespec="seconds")}
        return [row | {"bytes": self.bytes, "summary": self.summary}]


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

    def save(self, artefact: Any, name: str, *, overwrite: bool = False) -> Path:
        """Write an artefact whole or not at all.

        Args:
            artefact: A :class:`Dataset`, :class:`Split`, fitted model or pipeline, :class:`Recommendations`,
                :class:`Evaluation`, :class:`Comparison` or :class:`Tuning`.
            name: Letters, digits, ``.``, ``_`` and ``-``.
            overwrite: Replace an artefact of that name; the old one goes to the trash.

        Returns:
            Its folder.

        Raises:
            UsageError: If the name is not a name, or such things cannot be stored.
            WorkspaceError: If the name is taken, or the folder cannot be written.
        """
        kind = next((kind for kind, (type_, _, _) in FORMS.items() if isinstance(artefact, type_)), None)
        if kind is None:
            raise UsageError(f"a {type(artefact).__name__} cannot be kept in a workspace. Kinds: {', '.join(KINDS)}.")
        return self._write(kind, name, lambda folder: FORMS[kind][1](artefact, folder), overwrite=overwrite)

    def save_report(self, html: str, name: str) -> Path:
        """Write a report to ``reports/NAME.html``, replacing an older one; returns the file."""
        _check_name(name)
        path = self.folder / "reports" / f"{name}.html"
        write_text(path, html)
        return path

    def expect_free(self, kind: str, name: str, *, overwrite: bool = False) -> None:
        """Refuse a name that :meth:`save` would refuse, before the work that makes what is to be saved.

        Raises:
            UsageError: If the name is not a name.
            WorkspaceError: If the name is taken, or the workspace is a file.
        """
        _check_name(name)
        home = self.folder / kind / name
        if self.folder.exists() and not self.folder.is_dir():
            raise WorkspaceError(f"{self.folder} is a file, not a workspace folder. Name a folder.")
        if home.exists() and not overwrite:
            raise WorkspaceError(f"{home} exists. Choose another name, or pass overwrite=True.")

    def load(self, kind: str, name: str) -> Any:
        """Read an artefact.

        Raises:
            UnknownNameError: If there is no such kind or name.
            DataError: If the artefact is broken.
        """
        folder = self._find(kind, name)
        with reading(folder, kind, fix="Make it again."):
            return FORMS[kind][2](folder)

    def list(self, kind: str | None = None) -> list[Artefact]:
        """The artefacts, newest first.

        Raises:
            UnknownNameError: If there is no such kind.
        """
        if kind is not None and kind not in KINDS:
            raise UnknownNameError("kind of artefact", kind, KINDS)
        kinds = [kind] if kind else KINDS
        folders = (folder for folder in self.folder.glob("*/*/") if folder.parent.name in kinds)
        found = [_read_artefact(folder) for folder in folders if (folder / "card.json").is_file()]
        return sorted(found, key=lambda each: (each.created, each.kind, each.name), reverse=True)

    def card(self, kind: str, name: str) -> str:
        """The card of an artefact, as JSON text: what it was made from and how."""
        return (self._find(kind, name) / "card.json").read_text(encoding="utf-8")

    def remove(self, kind: str, name: str) -> Path:
        """Move an artefact to the trash; :meth:`restore` brings it back. Returns where it lies."""
        folder = self._find(kind, name)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        bin_ = self.folder / ".trash" / kind / f"{name}@{stamp}"
        bin_.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(bin_)
        return bin_

    def restore(self, kind: str, name: str, *, created: datetime | None = None) -> Path:
        """Bring the artefact of that name that was removed last back; returns its folder.

        Args:
            kind: Its kind.
            name: Its name.
            created: Take the one that was written then, whichever was removed last.

        Raises:
            UnknownNameError: If the trash holds none.
            WorkspaceError: If the name is in use again.
        """
        removed = sorted((self.folder / ".trash" / kind).glob("*@*"))
        mine = [path for path in removed if path.name.rpartition("@")[0] == name]
        if created is not None:
            mine = [path for path in mine if _read_artefact(path).created == created]
        if not mine:
            raise UnknownNameError(f"removed {kind}", name, {path.name.rpartition("@")[0] for path in removed})
        home = self.folder / kind / name
        if home.exists():
            raise WorkspaceError(f"{home} exists again: remove it first, then restore.")
        home.parent.mkdir(parents=True, exist_ok=True)
        mine[-1].rename(home)
        return home

    def query(self, query: str, *, limit: int | None = None, seconds: float | None = None) -> Answer:
        """Run a query over the artefacts; :meth:`tables` names the tables.

        It can read the tables of this workspace and nothing else, and write nothing.

        Args:
            query: One SELECT statement.
            limit: Most rows to return; the answer says whether there are more.
            seconds: Most seconds that it may take.

        Raises:
            UsageError: If it is not a single SELECT, DuckDB refuses it, or it takes too long or too much memory.
            WorkspaceError: If a table cannot be read.
        """
        return ask(self._files(), query, limit=limit, seconds=seconds)

    def sql(self, query: str, *, limit: int | None = None, seconds: float | None = None) -> pl.DataFrame:
        """The rows of :meth:`query`, whether or not there are more."""
        return self.query(query, limit=limit, seconds=seconds).table

    def views(self) -> list[str]:
        """The names that :meth:`sql` knows."""
        return sorted(self._files())

    def tables(self) -> dict[str, dict[str, str]]:
        """The tables that :meth:`sql` knows, each with its columns and their types; broken ones are left out."""
        found: dict[str, dict[str, str]] = {}
        for name, file in sorted(self._files().items()):
            try:
                schema = pl.scan_parquet(file, glob=False, hive_partitioning=False).collect_schema()
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
                continue
            found[name] = {column: str(kind) for column, kind in schema.items()}
        return found

    def table_name(self, kind: str, name: str, table: str) -> str | None:
        """What :meth:`sql` calls a table of an artefact, such as ``split_demo_train``; None if there is none."""
        mine = (kind, name, table)
        return next((each for each, (owner, _) in self._owned().items() if owner == mine), None)

    def _files(self) -> dict[str, Path]:
        """The Parquet files by the name of their table."""
        return {name: place for name, (_, place) in self._owned().items()}

    def _owned(self) -> dict[str, tuple[tuple[str, str, str], Path]]:
        """Name of a table -> (kind, name of the artefact, table) and its file; a link that leads out is none of them.

        SQL does not tell upper from lower case, nor ``a-b`` from ``a_b``: where two would be one, the one that is
        written as its name keeps it, and the others get a mark.
        """
        root = self.folder.resolve()
        places = {
            (artefact.kind, artefact.name, file.stem): file.resolve()
            for artefact in self.list()
            for file in artefact.path.glob("*.parquet")
        }
        found: dict[str, tuple[tuple[str, str, str], Path]] = {}
        taken: set[str] = set()
        plain = {owner: re.sub(r"\W", "_", "_".join(owner)) for owner in places}
        for owner in sorted(places, key=lambda each: (plain[each] != "_".join(each), each[1] != each[1].lower(), each)):
            place, name = places[owner], plain[owner]
            if place.is_file() and place.is_relative_to(root):
                if name.casefold() in taken:
                    name += f"_{hashlib.sha256('/'.join(owner).encode()).hexdigest()[:6]}"
                taken.add(name.casefold())
                found[name] = (owner, place)
        return found

    def _find(self, kind: str, name: str) -> Path:
        names = [each.name for each in self.list(kind)]
        if name not in names:
            raise UnknownNameError(f"{kind} in {self.folder}", name, names)
        return self.folder / kind / name

    def _write(self, kind: str, name: str, write: Callable[[Path], dict[str, Any]], *, overwrite: bool) -> Path:
        _check_name(name)
        home = self.folder / kind / name
        if home.exists() and not overwrite:
            raise WorkspaceError(f"{home} exists. Choose another name, or pass overwrite=True.")
        with _writing(home) as folder:
            card = write(folder)
            head = {"kind": kind, "name": name, "created": datetime.now(UTC).isoformat(), "versions": versions()}
            (folder / "card.json").write_text(json.dumps(head | card, indent=1, default=str), encoding="utf-8")
            write_manifest(folder)
            if home.exists():
                self.remove(kind, name)
            folder.rename(home)
        return home


@contextmanager
def _writing(home: Path) -> Generator[Path]:
    """A temporary folder beside ``home``, which is removed unless it was renamed."""
    folder: Path | None = None
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=home.parent, prefix=".writing-"))
        folder.chmod(0o755)
        yield folder
    except OSError as error:
        raise WorkspaceError(f"{home} cannot be written: {error.strerror or error}. Choose another place.") from error
    except pl.exceptions.PolarsError as error:
        raise WorkspaceError(f"{home} cannot be written: {error}. Choose another place.") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for an artefact: use letters, digits, '.', '_' and '-'.")


def _read_artefact(folder: Path) -> Artefact:
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        created = datetime.fromisoformat(card["created"])
    except (OSError, ValueError, KeyError):
        card, created = {}, datetime.fromtimestamp(0, UTC)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    summary = str(card.get("summary", "")) if card else "broken: its card cannot be read"
    return Artefact(folder.parent.name, folder.name, created, size, folder, summary, card)
